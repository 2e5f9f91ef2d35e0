"""The adjoint of `_lif`'s dynamics: backpropagation through time, written by hand.

    ds = gs[t] + (what the next step does with s[t])        du = ds σ′(h[t] − θ − κ a[t])
    dh[t] = (gradient of the membrane of step t) + du       dI[t] = gain dh[t] + α dI[t+1]

from the last step to the first. In the delayed orders the membrane's gradient is
gm[t] + decay (1 − r[t+1]) dh[t+1] for a reset to a value, else without the bracket.
"""

from __future__ import annotations

from typing import Any

from synann_core._lib.loops import scan
from synann_core._lib.typing import Array, Namespace
from synann_core.spiking.neurons.dynamics import (
    Carry,
    Params,
    Rule,
    adapted,
    complete,
    drive,
    fired,
    membrane,
    reset_by,
    threshold_of,
)


def backward(
    params: Params,
    state: Carry,
    currents: Array,
    potential: Array,
    grads: tuple[Array | None, Array | None, Carry],
    *,
    rule: Rule,
    steps: int | None,
    xp: Namespace,
) -> tuple[Array, dict[str, Array], Carry]:
    """`_lif.vjp` as array operations, but for `through_first_spikes`."""
    state = complete(params, state, rule, xp)
    past = _replay(params, state, currents, potential, rule, steps, xp)
    gspikes, gmembrane, gfinal = grads
    first = None
    if rule.order == "article" and gspikes is not None:  # what it puts out is one step old
        first = gspikes[0, ...]
        gspikes = xp.concat([gspikes[1:, ...], xp.zeros_like(gspikes[:1, ...])])
    given = {**past, "h": potential, "gs": gspikes, "gm": gmembrane}
    names = [name for name, value in given.items() if value is not None]

    def step(carry: Any, part: tuple[Array, ...]) -> tuple[Any, tuple[Array]]:
        later, sums = carry
        at = dict(zip(names, part, strict=True))
        later, current, added = _step_back(params, at, later, rule, xp)
        sums = {name: total + added[name] for name, total in sums.items()}
        return (later, sums), (current,)

    zero = xp.zeros_like(potential[0, ...])
    later = tuple(
        None if now is None else (zero if g is None else g)
        for now, g in zip(state, gfinal, strict=True)
    )
    sums = {name: zero for name in params if name != "recurrent"}
    parts = tuple(xp.flip(given[name], axis=0) for name in names)
    (gstate, sums), (gcurrents,) = scan(step, (later, sums), parts, xp)
    gcurrents = xp.flip(gcurrents, axis=0)
    if "recurrent" in params:
        n = zero.shape[-1]
        rows = [xp.reshape(a, (-1, n)) for a in (gcurrents, past["s_before"])]
        sums = {**sums, "recurrent": xp.matmul(xp.matrix_transpose(rows[0]), rows[1])}
    if first is not None:
        gstate = (*gstate[:2], gstate[2] + first, gstate[3])
    return (gcurrents if steps is None else xp.sum(gcurrents, axis=0)), sums, gstate


def _replay(
    params: Params,
    state: Carry,
    currents: Array,
    potential: Array,
    rule: Rule,
    steps: int | None,
    xp: Namespace,
) -> dict[str, Array | None]:
    """What the adjoint needs of each step, recomputed from the potentials."""

    def before(initial: Array, values: Array) -> Array:
        return xp.concat([initial[None, ...], values[:-1, ...]])

    m, y, s, a = state
    adaptation = currents_before = None
    if a is not None:

        def adapt(a: Array, part: tuple[Array]) -> tuple[Array, tuple[Array]]:
            spikes = fired(part[0], threshold_of(params, a, rule), rule, xp)
            return adapted(a, spikes, rule), (a,)

        _, (adaptation,) = scan(adapt, a, (potential,), xp)
    spikes = fired(potential, threshold_of(params, adaptation, rule), rule, xp)
    s_before = before(s, spikes)
    if y is not None:

        def flow(y: Array, part: tuple[Array, Array]) -> tuple[Array, tuple[Array]]:
            current, s = part
            return drive(params, (None, y, s, None), current, xp), (y,)

        if steps is not None:
            currents = xp.broadcast_to(currents, potential.shape)
        _, (currents_before,) = scan(flow, y, (currents, s_before), xp)
    membranes = membrane(potential, spikes, params, rule, xp)
    return {
        "s": spikes,
        "s_before": s_before,
        "m_before": before(m, membranes),
        "y_before": currents_before,
        "a": adaptation,
    }


def _step_back(
    params: Params, at: dict[str, Array], later: Carry, rule: Rule, xp: Namespace
) -> tuple[Carry, Array, dict[str, Array]]:
    """Gradients of m, y, s, a before a step from those after it, of its current, of parameters."""
    gm, gy, gs, ga = later
    h, s, r, m = at["h"], at["s"], at["s_before"], at["m_before"]
    decay: Any = params["decay"]
    threshold: Any = params.get("threshold")
    subtract = threshold is not None and rule.reset == "subtract"
    to_value = threshold is not None and rule.reset == "zero"
    gm = gm + at["gm"] if "gm" in at else gm
    gs = gs + at["gs"] if "gs" in at else gs
    gh, gthreshold = gm, xp.zeros_like(gm)
    if ga is not None:
        gs = gs + ga
    if rule.immediate:
        if to_value:
            gh = gm * (1.0 - s)
            gs = gs if rule.detach_reset else gs + gm * (rule.reset_to - h)
        elif subtract:
            gthreshold = -gm * s
            gs = gs if rule.detach_reset else gs - gm * threshold
    if threshold is not None:
        u = h - threshold_of(params, at.get("a"), rule)
        gu = gs * rule.surrogate.derivative(u, xp=xp)
        gh, gthreshold = gh + gu, gthreshold - gu
        ga = None if ga is None else rule.adaptation_decay * ga - rule.adaptation * gu
    gdrive = gh if rule.gain == 1.0 else rule.gain * gh
    gdrive = gdrive if gy is None else gdrive + gy
    added = {"decay": m, "threshold": gthreshold}
    gs, gm = xp.zeros_like(gh), decay * gh
    if not rule.immediate:
        if to_value:
            added["decay"] = reset_by(m, r, threshold, rule)
            gs = gs if rule.detach_reset else gm * (rule.reset_to - m)
            gm = (1.0 - r) * gm
        elif subtract:
            added["threshold"] = gthreshold - gh * r
            gs = gs if rule.detach_reset else -gh * threshold
    added["decay"] = gh * (added["decay"] - rule.rest)
    if gy is not None:
        added["synaptic_decay"] = gdrive * at["y_before"]
        gy = params["synaptic_decay"] * gdrive
    if "recurrent" in params:
        gs = gs + xp.matmul(gdrive, params["recurrent"])
    return (gm, gy, gs, ga), gdrive, added


def through_first_spikes(
    params: Params,
    state: Carry,
    gparams: dict[str, Array],
    gstate: Carry,
    rule: Rule,
    xp: Namespace,
) -> tuple[dict[str, Array], Carry]:
    """Send the gradient of the spikes before the first step on to the membrane they came from."""
    if rule.immediate or "threshold" not in params:
        return gparams, (*gstate[:2], None, gstate[3])
    gm, gy, gs, ga = gstate
    u = state[0] - threshold_of(params, state[3], rule)
    gu = gs * rule.surrogate.derivative(u, xp=xp)
    gtheta, lost = gparams["threshold"], gu
    if gtheta.ndim < gu.ndim:  # summed already
        lost = xp.sum(gu, axis=tuple(range(gu.ndim - gtheta.ndim)))
    ga = ga if ga is None else ga - rule.adaptation * gu
    return {**gparams, "threshold": gtheta - lost}, (gm + gu, gy, None, ga)
