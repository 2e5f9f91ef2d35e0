"""The adjoint of the array path: backpropagation through time, written by hand.

    ds = gs[t] + (what the next step does with s[t])        du = ds σ′(h[t] − threshold − κ a[t])
    dh[t] = (gradient of the membrane of step t) + du       dI[t] = gain dh[t] + α dI[t+1]

from the last step to the first, with κ the adaptation and α the synaptic decay. In the delayed
orders the membrane's gradient is gm[t] + decay (1 − r[t+1]) dh[t+1] for a reset to a value, else
without the bracket.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from synann_core._lib.loops import runner, scan
from synann_core._lib.typing import Array, Namespace
from synann_core.spiking.neurons import formulas
from synann_core.spiking.neurons.formulas import threshold_of
from synann_core.spiking.neurons.records import (
    Gradients,
    Inputs,
    Parameters,
    Plan,
    Rule,
    State,
    Upstream,
    mapped,
)


class _Moment(NamedTuple):
    """Arrays that the adjoint of a step needs; of all steps at once, time first."""

    h: Array  # the potential
    s: Array  # its spikes
    r: Array  # the spikes of the step before
    m: Array  # the membrane before
    y: Array | None = None  # the synaptic current before
    a: Array | None = None  # the adaptation before
    gs: Array | None = None  # upstream
    gm: Array | None = None


def vjp(
    inputs: Inputs, potential: Array, upstream: Upstream, *, plan: Plan, xp: Namespace
) -> Gradients[Array]:
    """Return the gradients of everything in `inputs`, but for `through_first_spikes`.

    Those of parameters have the shape of the state.
    """
    backward = runner(_vjp, xp)
    gradients: Gradients[Array] = backward(inputs, potential, upstream, plan=plan, xp=xp)
    return gradients


def _vjp(
    inputs: Inputs, potential: Array, upstream: Upstream, *, plan: Plan, xp: Namespace
) -> Gradients[Array]:
    params, rule = inputs.parameters, plan.rule
    inputs = inputs._replace(state=formulas.complete(inputs, rule, formulas.fire, xp))
    gspikes, gmembrane, gfinal = upstream
    first = None
    if rule.order == "article" and gspikes is not None:  # what it puts out is one step old
        first = gspikes[0, ...]
        gspikes = xp.concat([gspikes[1:, ...], xp.zeros_like(gspikes[:1, ...])])
    run = _replay(inputs, potential, plan, xp)._replace(gs=gspikes, gm=gmembrane)
    there = {name: value for name, value in run._asdict().items() if value is not None}

    def step(carry: Any, part: tuple[Array, ...]) -> tuple[Any, tuple[Array]]:
        later, sums = carry
        at = _Moment(**dict(zip(there, part, strict=True)))
        later, current, added = _step_back(params, at, later, rule, xp)
        sums = [total + new for total, new in zip(sums, added, strict=True)]
        return (later, sums), (current,)

    zero = xp.zeros_like(potential[0, ...])
    final = State[Any](None) if gfinal is None else gfinal
    later = mapped(lambda _, g: zero if g is None else g, inputs.state, final)
    summed = [name for name in Parameters._fields[:3] if getattr(params, name) is not None]
    parts = tuple(xp.flip(value, axis=0) for value in there.values())
    (gstate, sums), (gcurrents,) = scan(step, (later, [zero] * len(summed)), parts, xp)
    gcurrents = xp.flip(gcurrents, axis=0)
    gparams = Parameters(**dict(zip(summed, sums, strict=True)))
    if params.recurrent is not None:
        every = (math.prod(run.r.shape[:-1]), run.r.shape[-1])
        rows = [xp.reshape(a, every) for a in (gcurrents, run.r)]
        gparams = gparams._replace(recurrent=xp.matmul(xp.matrix_transpose(rows[0]), rows[1]))
    if first is not None:
        gstate = gstate._replace(spikes=gstate.spikes + first)
    gcurrents = gcurrents if plan.steps is None else xp.sum(gcurrents, axis=0)
    return Gradients._make((gcurrents, *gparams, gstate))


def _replay(inputs: Inputs, potential: Array, plan: Plan, xp: Namespace) -> _Moment:
    """Recompute what the adjoint needs of each step from the potentials."""
    (params, state, currents), rule = inputs, plan.rule

    def before(initial: Any, values: Array) -> Array:
        return xp.concat([initial[None, ...], values[:-1, ...]])

    flowing = None
    adaptation = formulas.adaptations(inputs, potential, rule, xp)
    spikes = formulas.fired(potential, threshold_of(params, adaptation, rule), rule, xp)
    earlier = before(state.spikes, spikes)
    if state.current is not None:

        def flow(y: Array, part: tuple[Array, Array]) -> tuple[Array, tuple[Array]]:
            current, s = part
            return formulas.drive(params, state._replace(current=y, spikes=s), current, xp), (y,)

        if plan.steps is not None:
            currents = xp.broadcast_to(currents, potential.shape)
        _, (flowing,) = scan(flow, state.current, (currents, earlier), xp)
    after = formulas.membranes(potential, spikes, params, rule, xp)
    return _Moment(potential, spikes, earlier, before(state.membrane, after), flowing, adaptation)


def _step_back(
    params: Parameters, at: _Moment, later: State[Any], rule: Rule, xp: Namespace
) -> tuple[State[Any], Array, list[Array]]:
    """Return the gradients of the state before a step, of its current, and of the parameters."""
    gm, gy, gs, ga = later
    h, s, r, m = at[:4]
    decay, threshold = params.decay, params.threshold
    taken = formulas.taken_away(threshold, rule, xp)
    subtract = threshold is not None and rule.reset == "subtract"
    to_value = threshold is not None and rule.reset == "zero"
    gm = gm if at.gm is None else gm + at.gm
    gs = gs if at.gs is None else gs + at.gs
    gh, gthreshold = gm, xp.zeros_like(gm)
    if ga is not None:
        gs = gs + ga
    if rule.order == "immediate":
        if to_value:
            gh = gm * (1.0 - s)
            gs = gs if rule.detach_reset else gs + gm * (rule.reset_to - h)
        elif subtract:
            gthreshold = -gm * s
            gs = gs if rule.detach_reset else gs - gm * taken
    if threshold is not None:
        u = h - threshold_of(params, at.a, rule)
        gu = gs * rule.surrogate.derivative(u, xp=xp)
        gh, gthreshold = gh + gu, gthreshold - gu
        ga = None if ga is None else rule.adaptation_decay * ga - rule.adaptation * gu
    gdrive = gh if rule.gain == 1.0 else rule.gain * gh
    gdrive = gdrive if gy is None else gdrive + gy
    gs, gm, kept = xp.zeros_like(gh), decay * gh, m
    if rule.order != "immediate":
        if to_value:
            kept = formulas.reset_by(m, r, taken, rule)
            gs = gs if rule.detach_reset else gm * (rule.reset_to - m)
            gm = (1.0 - r) * gm
        elif subtract:
            gthreshold = gthreshold - gh * r
            gs = gs if rule.detach_reset else -gh * taken
    added = [gh * (kept - rule.rest)]
    if threshold is not None:
        added.append(gthreshold)
    if gy is not None:
        added.append(gdrive * at.y)
        gy = params.synaptic_decay * gdrive
    if params.recurrent is not None:
        gs = gs + xp.matmul(gdrive, params.recurrent)
    return State(gm, gy, gs, ga), gdrive, added


def through_first_spikes(
    inputs: Inputs, gradients: Gradients[Array], rule: Rule, xp: Namespace
) -> Gradients[Array]:
    """Send the gradient of the spikes before the first step on to the membrane they came from."""
    gm, gy, gs, ga = gradients.state
    threshold = threshold_of(inputs.parameters, inputs.state.adaptation, rule)
    gthreshold: Any = gradients.threshold
    if rule.order == "immediate" or threshold is None:
        return gradients._replace(state=State(gm, gy, None, ga))
    gu = gs * rule.surrogate.derivative(inputs.state.membrane - threshold, xp=xp)
    lost = gu
    if gthreshold.ndim < gu.ndim:  # summed already
        lost = xp.sum(gu, axis=tuple(range(gu.ndim - gthreshold.ndim)))
    ga = ga if ga is None else ga - rule.adaptation * gu
    return gradients._replace(threshold=gthreshold - lost, state=State(gm + gu, gy, None, ga))
