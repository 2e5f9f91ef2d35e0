"""The loops of `_lif`, compiled: rows b0 … b1 of the batch, each through all its steps.

Arrays that there may not be are empty instead of None, so that one compilation serves all.
Options are numbers, so that inner loops have no branches and are vectorised: `subtract` and
`to_value` say how a reset acts in the next step, `subtract_now` and `to_value_now` in the same one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._compile import njit

Array = Any


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
    kind: int, width: Any, height: Any, attached: Any,
    potential: Array, gspikes: Array, gmembrane: Array, gm_last: Array, gy_last: Array,
    gs_last: Array, gcurrents: Array, gm_out: Array, gs_out: Array, gy_out: Array, sums: Array,
    b0: int, b1: int, part: int,
) -> None:  # fmt: skip
    """Gradients; any of those given may be empty, and those of the current's state are if y0 is."""
    steps, _, n = potential.shape
    constant, synapse = gcurrents.shape[0] == 1, y0.size > 0
    zero = one - one
    live = one if attached else zero
    slope, m, r, s = np.empty((4, n), potential.dtype)
    flow = np.empty((steps if synapse else 0, n), potential.dtype)
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
            for t in range(steps):  # flow[t] is the current before step t
                for i in range(n):
                    flow[t, i] = (
                        y0[b, i]
                        if t == 0
                        else synaptic[i] * flow[t - 1, i] + currents[0 if constant else t - 1, b, i]
                    )
        if constant:
            gcurrents[0, b][:] = zero
        _fired(potential[steps - 1, b], threshold, at_least, one, s)
        for t in range(steps - 1, -1, -1):
            h = potential[t, b]
            if t > 0:
                _fired(potential[t - 1, b], threshold, at_least, one, r)
                for i in range(n):
                    now = to_value_now * r[i]
                    m[i] = (
                        (one - now) * potential[t - 1, b, i]
                        - r[i] * (subtract_now * threshold[i])
                        + reset_to * now
                    )
            else:
                r[:], m[:] = s0[b], m0[b]
            _slope(h, threshold, kind, width, height, one, slope)
            if gmembrane.size > 0:
                for i in range(n):
                    gm[i] += gmembrane[t, b, i]
            if gspikes.size > 0 and not delayed:
                for i in range(n):
                    gs[i] += gspikes[t, b, i]
            elif gspikes.size > 0 and t + 1 < steps:
                for i in range(n):
                    gs[i] += gspikes[t + 1, b, i]
            for i in range(n):
                th, now = threshold[i], to_value_now * s[i]
                through = to_value_now * (reset_to - h[i]) - subtract_now * th
                gu = (gs[i] + live * (gm[i] * through)) * slope[i]
                gh = gm[i] * (one - now) + gu
                base = (one - to_value * r[i]) * m[i] + reset_to * (to_value * r[i])
                gdecay[i] += gh * (base - rest)
                gthreshold[i] -= gu + subtract_now * gm[i] * s[i] + subtract * gh * r[i]
                later = decay[i] * gh
                gs[i] = live * (later * (to_value * (reset_to - m[i])) - gh * (subtract * th))
                gm[i] = (one - to_value * r[i]) * later
                slope[i] = gain * gh  # from here on the gradient of the current
            if synapse:
                gy = gy_out[b]
                for i in range(n):
                    slope[i] += gy[i]
                    gsynaptic[i] += slope[i] * flow[t, i]
                    gy[i] = synaptic[i] * slope[i]
            if constant:
                for i in range(n):
                    gcurrents[0, b, i] += slope[i]
            else:
                gcurrents[t, b][:] = slope
            s[:] = r
        if gspikes.size > 0 and delayed:
            for i in range(n):
                gs[i] += gspikes[0, b, i]


@njit
def _fired(h: Array, threshold: Array, at_least: Any, one: Any, out: Array) -> None:
    zero = one - one
    for i in range(h.shape[0]):
        th = threshold[i]
        out[i] = one if (h[i] > th) | (at_least & (h[i] == th)) else zero


@njit
def _slope(
    h: Array, threshold: Array, kind: int, width: Any, height: Any, one: Any, out: Array
) -> None:
    """The surrogate, as `spiking.surrogates` has it."""
    n, zero = h.shape[0], one - one
    two = one + one
    if kind == 0:
        for i in range(n):
            root = one + abs((h[i] - threshold[i]) / width)
            out[i] = height / (root * root)
    elif kind == 1:
        for i in range(n):
            z = (h[i] - threshold[i]) / width
            out[i] = height / (one + z * z)
    elif kind == 2:
        for i in range(n):
            e = np.exp(-abs((h[i] - threshold[i]) / width))
            root = one + e
            out[i] = (two * two * height) * e / (root * root)
    elif kind == 3:
        for i in range(n):
            out[i] = height * max(one - abs((h[i] - threshold[i]) / width), zero)
    elif kind == 4:
        for i in range(n):
            out[i] = height if abs((h[i] - threshold[i]) / width) <= one else zero
    elif kind == 5:
        for i in range(n):
            z = (h[i] - threshold[i]) / width
            out[i] = height * np.exp(-(z * z) / two)
    else:
        for i in range(n):
            out[i] = height
