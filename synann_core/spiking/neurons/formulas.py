"""The formulas of one step of a LIF neuron.

    y[t] = synaptic_decay y[t−1] + I[t] + V s[t−1]             (without it: y = I + V s)
    h[t] = decay m̃[t−1] + gain y[t] + (1 − decay) rest − r[t] threshold
    s[t] = H(h[t] − threshold − adaptation a[t])
    a[t+1] = adaptation_decay a[t] + s[t]

Delayed orders ("article", "snntorch") reset in the next step: r[t] = s[t−1], m = h; "article" puts
out s[t−1], "snntorch" s[t]. "immediate" resets at once: m[t] = h[t] − s[t] threshold. A reset to a
value replaces m by (1 − r) m + r v instead of taking the threshold away. The potential h is all
that is kept of a run: spikes and resets follow from it by comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from synann_core._lib.autodiff import attach, stop_gradient
from synann_core._lib.loops import scan
from synann_core._lib.typing import Array, Namespace
from synann_core.spiking.neurons.records import Inputs, Parameters, Rule, State

Fire = Callable[[Array, Array | None, Rule, Namespace], Array]


def drive(params: Parameters, state: State[Array], current: Array, xp: Namespace) -> Array:
    """Return the synaptic current after an input."""
    if params.recurrent is not None:
        current = current + xp.matmul(state.spikes, xp.matrix_transpose(params.recurrent))
    if params.synaptic_decay is None or state.current is None:
        return current
    return params.synaptic_decay * state.current + current


def threshold_of(params: Parameters, adaptation: Array | None, rule: Rule) -> Array | None:
    """Return the threshold, raised by the adaptation; None for a neuron that does not fire."""
    if params.threshold is None or adaptation is None:
        return params.threshold
    return params.threshold + rule.adaptation * adaptation


def fired(potential: Array, threshold: Array | None, rule: Rule, xp: Namespace) -> Array:
    """Return spikes, 0 or 1, by comparison alone."""
    if threshold is None:
        return xp.zeros_like(potential)
    above = potential >= threshold if rule.fires == ">=" else potential > threshold
    return xp.astype(above, potential.dtype)


def fire(potential: Array, threshold: Array | None, rule: Rule, xp: Namespace) -> Array:
    """Return `fired`, whose derivative, as a library's autodiff sees it, is the surrogate's."""
    spikes = fired(potential, threshold, rule, xp)
    if threshold is None:
        return spikes

    def carrier() -> Array:
        slope: Array = rule.surrogate.derivative(potential - threshold, xp=xp)
        return (potential - finite(threshold, xp)) * stop_gradient(slope, xp)

    return attach(spikes, carrier, xp)


def complete(inputs: Inputs, rule: Rule, test: Fire, xp: Namespace) -> State[Array]:
    """Return the state with the spikes before the first step, if they were not given.

    In the delayed orders the membrane tells them, by `fire` or `fired`; after an immediate reset
    nothing does.
    """
    state = inputs.state
    if state.spikes is not None:
        return state
    if rule.order == "immediate":
        return state._replace(spikes=xp.zeros_like(state.membrane))
    threshold = threshold_of(inputs.parameters, state.adaptation, rule)
    return state._replace(spikes=test(state.membrane, threshold, rule, xp))


def finite(threshold: Array, xp: Namespace) -> Array:
    """Return thresholds, 0 for those that are out of reach: ∞ times no spike would be NaN."""
    return xp.where(xp.isinf(threshold), 0.0, threshold)


def taken_away(threshold: Array | None, rule: Rule, xp: Namespace) -> Array | None:
    """Return what `reset_by` takes from a membrane for a spike; None for one that does not fire."""
    if threshold is None or rule.reset != "subtract":
        return threshold
    return finite(threshold, xp)


def reset_by(m: Array, r: Array, taken: Array | None, rule: Rule) -> Array:
    """Return the membrane after the reset of spikes r, each of which takes so much away."""
    if taken is None:
        return m
    if rule.reset == "subtract":
        return m - r * taken
    if rule.reset == "zero":
        m = (1.0 - r) * m
        return m + rule.reset_to * r if rule.reset_to else m
    return m


def membranes(
    potential: Array, spikes: Array, params: Parameters, rule: Rule, xp: Namespace
) -> Array:
    """Return membranes after an immediate reset (in the delayed orders they are the potentials)."""
    return after_spikes(potential, spikes, taken_away(params.threshold, rule, xp), rule, xp)


def after_spikes(
    potential: Array, spikes: Array, taken: Array | None, rule: Rule, xp: Namespace
) -> Array:
    """Return `membranes`, from what is taken away for a spike."""
    if rule.order != "immediate":
        return potential
    spikes = stop_gradient(spikes, xp) if rule.detach_reset else spikes
    return reset_by(potential, spikes, taken, rule)


def adapted(adaptation: Array | None, spikes: Array, rule: Rule) -> Array | None:
    """Return what raises the threshold, after spikes."""
    return None if adaptation is None else rule.adaptation_decay * adaptation + spikes


def adaptations(inputs: Inputs, potential: Array, rule: Rule, xp: Namespace) -> Array | None:
    """Return what raised the threshold at each step of a run; None without adaptation."""

    def adapt(a: Array, part: tuple[Array]) -> tuple[Any, tuple[Array]]:
        spikes = fired(part[0], threshold_of(inputs.parameters, a, rule), rule, xp)
        return adapted(a, spikes, rule), (a,)

    if inputs.state.adaptation is None:
        return None
    raised: Array = scan(adapt, inputs.state.adaptation, (potential,), xp)[1][0]
    return raised


def thresholds(inputs: Inputs, potential: Array, rule: Rule, xp: Namespace) -> Array | None:
    """Return the threshold at each step of a run; None for neurons that do not fire."""
    return threshold_of(inputs.parameters, adaptations(inputs, potential, rule, xp), rule)
