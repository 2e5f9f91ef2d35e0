"""Leaky integrate-and-fire dynamics and their adjoint, on any array namespace.

    y[t] = α y[t−1] + I[t] + V s[t−1]                       (without α: y = I + V s)
    h[t] = β m̃[t−1] + gain y[t] + (1 − β) rest − r[t] θ      s[t] = H(h[t] − θ − κ a[t])
    a[t+1] = ρ a[t] + s[t]

Delayed orders ("article", "snntorch") reset in the next step: r[t] = s[t−1], m = h; "article" puts
out s[t−1], "snntorch" s[t]. "immediate" resets at once: m[t] = h[t] − s[t] θ. Resetting to a value
replaces m by (1 − r) m + r v instead of taking θ away. h is all that is kept: spikes and resets
follow from it by comparison.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from synann_core._lib.autodiff import attach, stop_gradient
from synann_core._lib.loops import runner, scan
from synann_core._lib.torch_modes import is_torch_namespace, torch_watcher
from synann_core._lib.typing import Array, Namespace
from synann_core.native import host
from synann_core.spiking.neurons.surrogates import Surrogate

Params = dict[str, Array]  # decay; where there are: threshold, synaptic_decay, recurrent
Carry = tuple[Any, ...]  # membrane, current, spikes, adaptation; None where there is none


class Rule(NamedTuple):
    """What is not an array; hashable, a constant to JAX."""

    order: str
    reset: str
    fires: str
    surrogate: Surrogate
    detach_reset: bool
    gain: float
    rest: float
    reset_to: float
    adaptation: float
    adaptation_decay: float

    @property
    def immediate(self) -> bool:
        """Whether the membrane is reset in the step of the spike."""
        return self.order == "immediate"


def run(
    params: Params, state: Carry, currents: Array, *, rule: Rule, steps: int | None, xp: Namespace
) -> tuple[Array, Array, Carry]:
    """Spikes, potentials h (both time-first), and the state after the last step."""
    if _kernel_serves(params, state, currents, rule=rule, xp=xp):
        from synann_core.spiking.neurons import native

        return native.run(params, complete(params, state, rule, xp), currents, rule, steps)
    spikes, potential, final = runner(_run, xp)(
        params, state, currents, rule=rule, steps=steps, xp=xp
    )
    return spikes, potential, final


def vjp(
    params: Params,
    state: Carry,
    currents: Array,
    potential: Array,
    grads: tuple[Array | None, Array | None, Carry],
    *,
    rule: Rule,
    steps: int | None,
    xp: Namespace,
    learned: bool = True,
) -> tuple[Array, dict[str, Array], Carry]:
    """Gradients of the currents, the parameters and the initial state.

    `grads` are those of spikes, membranes and the last state; None stands for 0. Without α only the
    shape of `currents` counts. Parameters' gradients have the shape of the state or, from compiled
    code, are summed to one a neuron; unless they are `learned`, they need not be right.
    """
    from synann_core.spiking.neurons import adjoint  # which builds on this module

    given = [g for g in (*grads[:2], *grads[2], potential) if g is not None]
    if _kernel_serves(params, state, currents, *given, rule=rule, xp=xp):
        from synann_core.spiking.neurons import native

        full = complete(params, state, rule, xp)
        gcurrents, gparams, gstate = native.vjp(
            params, full, currents, potential, grads, rule, steps, learned
        )
    else:
        gcurrents, gparams, gstate = runner(adjoint.backward, xp)(
            params, state, currents, potential, grads, rule=rule, steps=steps, xp=xp
        )
    if state[2] is None:  # the spikes before the first step came from the membrane
        gparams, gstate = adjoint.through_first_spikes(params, state, gparams, gstate, rule, xp)
    return gcurrents, gparams, gstate


def membrane(potential: Array, spikes: Array, params: Params, rule: Rule, xp: Namespace) -> Array:
    """Membranes after an immediate reset (those of the delayed orders are the potentials)."""
    if not rule.immediate or "threshold" not in params:
        return potential
    spikes = stop_gradient(spikes, xp) if rule.detach_reset else spikes
    return reset_by(potential, spikes, params["threshold"], rule)


def fired(potential: Array, threshold: Array | None, rule: Rule, xp: Namespace) -> Array:
    """Spikes, 0 or 1, by comparison alone."""
    if threshold is None:
        return xp.zeros_like(potential)
    above = potential >= threshold if rule.fires == ">=" else potential > threshold
    return xp.astype(above, potential.dtype)


def complete(params: Params, state: Carry, rule: Rule, xp: Namespace) -> Carry:
    """The state with the spikes before the first step, if they were not given.

    In the delayed orders the membrane tells them; after an immediate reset nothing does.
    """
    m, y, s, a = state
    if s is None:
        s = xp.zeros_like(m) if rule.immediate else _fire(m, params, a, rule, xp)
    return m, y, s, a


def _kernel_serves(params: Params, state: Carry, *arrays: Array, rule: Rule, xp: Namespace) -> bool:
    if "recurrent" in params or rule.adaptation or "threshold" not in params:
        return False
    if state[0].ndim == 0:  # one neuron, whose spikes NumPy gives as a number
        return False
    given = (*params.values(), *(a for a in state if a is not None), *arrays)
    if is_torch_namespace(xp) and torch_watcher(*given) != "nobody":
        return False
    return host.serves(xp, *given)


def threshold_of(params: Params, adaptation: Array | None, rule: Rule) -> Any:
    """θ + κ a, or None for a neuron that does not fire."""
    if "threshold" not in params or adaptation is None:
        return params.get("threshold")
    return params["threshold"] + rule.adaptation * adaptation


def _fire(
    potential: Array, params: Params, adaptation: Array | None, rule: Rule, xp: Namespace
) -> Array:
    """Spikes whose derivative, as a library's autodiff sees it, is the surrogate's."""
    threshold = threshold_of(params, adaptation, rule)
    spikes = fired(potential, threshold, rule, xp)
    if threshold is None:
        return spikes

    def carrier() -> Array:
        u = potential - threshold
        return u * stop_gradient(rule.surrogate.derivative(u, xp=xp), xp)

    return attach(spikes, carrier, xp)


def reset_by(m: Array, r: Array, threshold: Array, rule: Rule) -> Array:
    """Membrane after the reset of spikes r."""
    if rule.reset == "subtract":
        return m - r * threshold
    if rule.reset == "zero":
        m = (1.0 - r) * m
        return m + rule.reset_to * r if rule.reset_to else m
    return m


def _run(
    params: Params, state: Carry, currents: Array, *, rule: Rule, steps: int | None, xp: Namespace
) -> tuple[Array, Array, Carry]:
    decay, threshold = params["decay"], params.get("threshold")
    # Added once, not at every step.
    at_rest = (1.0 - decay) * rule.rest if rule.rest else None

    def step(carry: Carry, part: tuple[Array]) -> tuple[Carry, tuple[Array, Array]]:
        m, _, s, a = carry
        y = drive(params, carry, part[0], xp)
        r = stop_gradient(s, xp) if rule.detach_reset else s
        resets = not rule.immediate and threshold is not None
        if resets and rule.reset == "zero":
            m = reset_by(m, r, threshold, rule)
        h = decay * m + (y if rule.gain == 1.0 else rule.gain * y)
        if at_rest is not None:
            h = h + at_rest
        if resets and rule.reset == "subtract":
            h = reset_by(h, r, threshold, rule)
        new = _fire(h, params, a, rule, xp)
        out = s if rule.order == "article" else new
        after = (membrane(h, new, params, rule, xp), y, new, adapted(a, new, rule))
        return _like(carry, after), (out, h)

    parts = currents if steps is None else xp.broadcast_to(currents, (steps, *currents.shape))
    final, (spikes, potential) = scan(step, complete(params, state, rule, xp), (parts,), xp)
    return spikes, potential, final


def _like(carry: Carry, after: Carry) -> Carry:
    """`after`, without the current where the neuron has no state for it."""
    return (after[0], None if carry[1] is None else after[1], *after[2:])


def drive(params: Params, carry: Carry, current: Array, xp: Namespace) -> Array:
    """Synaptic current after an input."""
    _, y, s, _ = carry
    if "recurrent" in params:
        current = current + xp.matmul(s, xp.matrix_transpose(params["recurrent"]))
    return current if y is None else params["synaptic_decay"] * y + current


def adapted(a: Array | None, spikes: Array, rule: Rule) -> Array | None:
    """What raises the threshold, after spikes."""
    return None if a is None else rule.adaptation_decay * a + spikes
