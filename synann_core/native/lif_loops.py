"""The loops of LIF neurons, compiled: rows b0 … b1 of the batch, each through all its steps.

Arrays that there may not be are empty instead of None, so that one compilation serves all.
Options are numbers, so that inner loops have no branches and are vectorised: `subtract` and
`to_value` say how a reset acts in the next step, `subtract_now` and `to_value_now` in the same one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synann_core._lib.typing import NumpyArray as Array
from synann_core.native.compile import njit


@njit
def forward(
    currents: Array, m0: Array, s0: Array, y0: Array, decay: Array, threshold: Array,
    synaptic: Array, one: Any, gain: Any, rest: Any, reset_to: Any, subtract: Any, to_value: Any,
    subtract_now: Any, to_value_now: Any, at_least: Any, delayed: Any,
    potential: Array, spikes: Array, m_out: Array, s_out: Array, y_out: Array,
    b0: int, b1: int, part: int,
) -> None:  # fmt: skip
    """Potentials, spikes and the last state; `y0`, `synaptic` and `y_out` may be empty."""
    steps, _, n = potential.shape
    constant, synapse = currents.shape[0] == 1, y0.size > 0
    zero = one - one
    for b in range(b0, b1):
        m, s = m_out[b], s_out[b]
        m[:], s[:] = m0[b], s0[b]
        if synapse:
            y_out[b][:] = y0[b]
        for t in range(steps):
            current, h, out = currents[0 if constant else t, b], potential[t, b], spikes[t, b]
            if synapse:
                y = y_out[b]
                for i in range(n):
                    y[i] = synaptic[i] * y[i] + current[i]
                    h[i] = y[i]
            else:
                h[:] = current
            if delayed:
                out[:] = s
            for i in range(n):
                r, th = s[i], threshold[i]
                v = (one - to_value * r) * m[i] + reset_to * (to_value * r)
                u = decay[i] * v + gain * h[i] + (one - decay[i]) * rest - r * (subtract * th)
                new = one if (u > th) | (at_least & (u == th)) else zero
                h[i] = u
                now = to_value_now * new
                m[i] = (one - now) * u - new * (subtract_now * th) + reset_to * now
                s[i] = new
            if not delayed:
                out[:] = s


@njit
def backward(
    currents: Array, m0: Array, s0: Array, y0: Array, decay: Array, threshold: Array,
    synaptic: Array, one: Any, gain: Any, rest: Any, reset_to: Any, subtract: Any, to_value: Any,
    subtract_now: Any, to_value_now: Any, at_least: Any, delayed: Any,
    kind: int, width: Any, height: Any, attached: Any, learned: Any,
    potential: Array, gspikes: Array, gmembrane: Array, gm_last: Array, gy_last: Array,
    gs_last: Array, gcurrents: Array, gm_out: Array, gs_out: Array, gy_out: Array, sums: Array,
    b0: int, b1: int, part: int,
) -> None:  # fmt: skip
    """Gradients; any of those given may be empty, and those of the current's state are if y0 is.

    Of the parameters only if they are `learned`. Many short loops: LLVM vectorises those over few
    arrays, of which it can check at run time that they do not overlap.
    """
    steps, _, n = potential.shape
    constant, synapse = gcurrents.shape[0] == 1, y0.size > 0
    zero = one - one
    at_once = (subtract_now > zero) | (to_value_now > zero)
    keeps = to_value == zero  # the membrane goes on through a reset
    before = learned | at_once | (not keeps)  # whether spikes and membrane before a step count
    gu, gh, m, r, s = np.empty((5, n), potential.dtype)
    flow = np.empty((steps if synapse and learned else 0, n), potential.dtype)
    gdecay, gthreshold, gsynaptic = sums[part, 0], sums[part, 1], sums[part, 2]
    for b in range(b0, b1):
        gm, gs = gm_out[b], gs_out[b]
        gm[:] = zero
        gs[:] = zero
        if gm_last.size > 0:
            gm[:] = gm_last[b]
        if gs_last.size > 0:
            gs[:] = gs_last[b]
        if synapse:
            gy_out[b][:] = zero
            if gy_last.size > 0:
                gy_out[b][:] = gy_last[b]
            for t in range(flow.shape[0]):  # flow[t] is the current before step t
                for i in range(n):
                    flow[t, i] = (
                        y0[b, i]
                        if t == 0
                        else synaptic[i] * flow[t - 1, i] + currents[0 if constant else t - 1, b, i]
                    )
        if constant:
            gcurrents[0, b][:] = zero
        if before:
            _fired(potential[steps - 1, b], threshold, at_least, one, s)
        for t in range(steps - 1, -1, -1):
            h = potential[t, b]
            if before:
                if t > 0:
                    past = potential[t - 1, b]
                    _fired(past, threshold, at_least, one, r)
                    for i in range(n):
                        now = to_value_now * r[i]
                        m[i] = (one - now) * past[i] - r[i] * (subtract_now * threshold[i])
                        m[i] += reset_to * now
                else:
                    r[:], m[:] = s0[b], m0[b]
            _slope(h, threshold, kind, one / width, height, one, gu)
            if gmembrane.size > 0:
                _add(gm, gmembrane[t, b])
            if gspikes.size > 0 and not delayed:
                _add(gs, gspikes[t, b])
            elif gspikes.size > 0 and t + 1 < steps:
                _add(gs, gspikes[t + 1, b])
            if at_once:
                if attached:
                    for i in range(n):
                        through = to_value_now * (reset_to - h[i]) - subtract_now * threshold[i]
                        gs[i] += gm[i] * through
                if learned:
                    for i in range(n):
                        gthreshold[i] -= subtract_now * gm[i] * s[i]
                for i in range(n):
                    gm[i] *= one - to_value_now * s[i]
            for i in range(n):
                gu[i] *= gs[i]
                gh[i] = gm[i] + gu[i]
                gm[i] = decay[i] * gh[i]
            if learned:
                for i in range(n):
                    gthreshold[i] -= gu[i] + subtract * gh[i] * r[i]
                for i in range(n):
                    base = (one - to_value * r[i]) * m[i] + reset_to * (to_value * r[i])
                    gdecay[i] += gh[i] * (base - rest)
            gs[:] = zero
            if attached:
                for i in range(n):
                    gs[i] = gm[i] * (to_value * (reset_to - m[i])) if not keeps else zero
                for i in range(n):
                    gs[i] -= gh[i] * (subtract * threshold[i])
            if not keeps:
                for i in range(n):
                    gm[i] *= one - to_value * r[i]
            for i in range(n):
                gh[i] *= gain  # from here on the gradient of the current
            if synapse:
                gy = gy_out[b]
                _add(gh, gy)
                if learned:
                    for i in range(n):
                        gsynaptic[i] += gh[i] * flow[t, i]
                for i in range(n):
                    gy[i] = synaptic[i] * gh[i]
            if constant:
                _add(gcurrents[0, b], gh)
            else:
                gcurrents[t, b][:] = gh
            if before:
                s[:] = r
        if gspikes.size > 0 and delayed:
            _add(gs, gspikes[0, b])


@njit
def _add(total: Array, a: Array) -> None:
    for i in range(total.shape[0]):
        total[i] += a[i]


@njit
def _fired(h: Array, threshold: Array, at_least: Any, one: Any, out: Array) -> None:
    zero = one - one
    for i in range(h.shape[0]):
        th = threshold[i]
        out[i] = one if (h[i] > th) | (at_least & (h[i] == th)) else zero


@njit
def _slope(
    h: Array,
    threshold: Array,
    kind: int,
    narrow: Any,
    height: Any,
    one: Any,
    out: Array,
) -> None:
    """The surrogate, as `spiking.surrogates` has it; `narrow` is 1/width."""
    n, zero = h.shape[0], one - one
    two = one + one
    if kind == 0:
        for i in range(n):
            root = one + abs((h[i] - threshold[i]) * narrow)
            out[i] = height / (root * root)
    elif kind == 1:
        for i in range(n):
            z = (h[i] - threshold[i]) * narrow
            out[i] = height / (one + z * z)
    elif kind == 2:
        for i in range(n):
            e = np.exp(-abs((h[i] - threshold[i]) * narrow))
            root = one + e
            out[i] = (two * two * height) * e / (root * root)
    elif kind == 3:
        for i in range(n):
            out[i] = height * max(one - abs((h[i] - threshold[i]) * narrow), zero)
    elif kind == 4:
        for i in range(n):
            out[i] = height if abs((h[i] - threshold[i]) * narrow) <= one else zero
    elif kind == 5:
        for i in range(n):
            z = (h[i] - threshold[i]) * narrow
            out[i] = height * np.exp(-(z * z) / two)
    else:
        for i in range(n):
            out[i] = height
