"""When a sum of delayed responses first crosses a threshold, and its derivatives.

Between two arrivals the potential is ``(a + b s) e^(−s/τ)`` of the time s since the first of them,
which rises at most once: the first crossing of the threshold is found by looking at every arrival,
not on a grid, and none is missed.
"""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import device

from synann_core._lib.loops import over_rows, runner, scan
from synann_core._lib.numerics import constant
from synann_core._lib.typing import Array, Namespace


def response(s: Array, tau: float, xp: Namespace) -> Array:
    """Return the spike response ``ε(s) = s/τ · e^(1 − s/τ)``, 0 before the arrival."""
    s = _after(s, xp) / tau
    return s * xp.exp(1.0 - s)


def response_slope(s: Array, tau: float, xp: Namespace) -> Array:
    """Return the derivative of `response`."""
    started = (s > 0.0) & ~xp.isinf(s)
    s = _after(s, xp) / tau
    return xp.where(started, (1.0 - s) * xp.exp(1.0 - s) / tau, 0.0 * s)


def _after(s: Array, xp: Namespace) -> Array:
    """Return the time since an arrival; 0 before it and where it never comes, as ε is 0 there."""
    return xp.where((s > 0.0) & ~xp.isinf(s) | xp.isnan(s), s, xp.zeros_like(s))


def _arrivals(times: Array, delays: Array, xp: Namespace) -> Array:
    """Return the arrivals (B, n·K) of times (B, n) and delays (K,)."""
    rows = times.shape[0]
    return xp.reshape(times[:, :, None] + delays, (rows, times.shape[1] * delays.shape[0]))


def first_crossings(
    times: Array, weights: Array, delays: Array, *, tau: float, threshold: float, xp: Namespace
) -> Array:
    """Return firing times (B, m), inf where the threshold is never reached."""
    m, n, count = weights.shape
    if n * count == 0:
        return xp.full((times.shape[0], m), xp.inf, dtype=times.dtype, device=device(times))
    flat = xp.reshape(weights, (m, n * count))

    def chunk(times: Array) -> tuple[tuple[Array], tuple[()]]:
        arrivals = _arrivals(times, delays, xp)
        first = runner(_first_crossing, xp)
        return (first(arrivals, flat, tau=tau, threshold=threshold, xp=xp),), ()

    return over_rows(chunk, ((times, 0.0),), m * n * count, xp)[0][0]


def _first_crossing(
    arrivals: Array, weights: Array, *, tau: float, threshold: float, xp: Namespace
) -> Array:
    """Return firing times (B, m) for arrivals (B, P) and weights (m, P)."""
    order = xp.argsort(arrivals, axis=-1)
    arrivals = xp.take_along_axis(arrivals, order, axis=-1)
    first = arrivals[:, :1]
    comes = ~xp.isinf(arrivals)
    # In units of τ since the sample's first arrival; what never comes stands at 0 with weight 0.
    u = xp.where(comes, (arrivals - first) / tau, xp.zeros_like(arrivals))
    sorted_weights = xp.permute_dims(xp.take(weights, xp.reshape(order, (-1,)), axis=1), (1, 0))
    sorted_weights = xp.reshape(sorted_weights, (*order.shape, weights.shape[0]))
    grown = (xp.exp(u) * xp.astype(comes, u.dtype))[:, :, None] * sorted_weights
    plain = xp.cumulative_sum(grown, axis=1)
    timed = xp.cumulative_sum(grown * u[:, :, None], axis=1)
    # After arrival p the potential is (a + b s) e^(1 − s), s = time since then in units of τ.
    fade = xp.exp(-u)[:, :, None]
    b = fade * plain
    a = u[:, :, None] * b - fade * timed
    nothing = xp.zeros_like(a)
    gap = u[:, 1:] - u[:, :-1]
    gap = xp.concat([gap, xp.full_like(first, xp.inf)], axis=1)
    gap = xp.where(xp.concat([comes[:, 1:], xp.zeros_like(comes[:, :1])], axis=1), gap, xp.inf)
    # It rises until s = 1 − a/b, or not at all. The first interval that reaches the threshold holds
    # the crossing: at its very start where it only is at the threshold by rounding.
    rising = b > 0.0
    peak = 1.0 - a / xp.where(rising, b, xp.ones_like(b))
    end = xp.minimum(xp.where(rising, xp.maximum(peak, nothing), nothing), gap[:, :, None])
    level = threshold / math.e
    reaches = ((a + b * end) * xp.exp(-end) >= level) & comes[:, :, None]
    place = xp.argmax(xp.astype(reaches, xp.int32), axis=1)[:, None, :]
    a, b, end, fires = (
        xp.take_along_axis(value, place, axis=1)[:, 0, :]
        for value in (a, b, end, xp.astype(reaches, a.dtype))
    )
    start = xp.take_along_axis(arrivals, place[:, 0, :], axis=1)

    def halve(bracket: Any, _: Any) -> tuple[Any, None]:
        low, high = bracket
        middle = 0.5 * (low + high)
        above = (a + b * middle) * xp.exp(-middle) >= level
        return (xp.where(above, low, middle), xp.where(above, middle, high)), None

    halvings = 2 - round(math.log2(float(xp.finfo(end.dtype).eps)))
    turns = xp.zeros((halvings,), dtype=end.dtype, device=device(end))
    (_, end), _ = scan(halve, (xp.zeros_like(end), end), (turns,), xp)
    fired = xp.where(fires > 0.0, start + tau * end, xp.inf)
    broken = xp.any(~xp.isfinite(plain + timed), axis=1)
    return xp.where(broken, xp.nan, fired)


def first_crossings_vjp(
    times: Array,
    weights: Array,
    delays: Array,
    fired: Array,
    grad: Array,
    *,
    tau: float,
    floor: float,
    xp: Namespace,
) -> tuple[Array, Array]:
    """Return the gradients of the input times and the weights for those of the firing times."""

    def chunk(*rows: Array) -> tuple[tuple[Array], tuple[Array]]:
        gtimes, gweights = runner(_chunk_vjp, xp)(
            *rows, weights, delays, tau=tau, floor=floor, xp=xp
        )
        return (gtimes,), (gweights,)

    # A row that is not there has an input that never comes, and a neuron that never fires.
    rows = ((times, math.inf), (fired, math.inf), (grad, 0.0))
    elements = weights.shape[0] * weights.shape[1] * weights.shape[2]
    (gtimes,), (gweights,) = over_rows(chunk, rows, elements, xp)
    return gtimes, gweights


def _chunk_vjp(
    times: Array,
    fired: Array,
    grad: Array,
    weights: Array,
    delays: Array,
    *,
    tau: float,
    floor: float,
    xp: Namespace,
) -> tuple[Array, Array]:
    s = fired[:, :, None, None] - times[:, None, :, None] - delays
    # inf − inf, where a neuron or its input is silent
    s = xp.where(xp.isinf(fired)[:, :, None, None], -xp.ones_like(s), s)
    pushes = weights * response_slope(s, tau, xp)
    slope = xp.maximum(xp.sum(pushes, axis=(2, 3)), constant(floor, times, xp))
    delta = xp.where(xp.isinf(fired), xp.zeros_like(grad), grad / slope)[:, :, None, None]
    gweights = -xp.sum(delta * response(s, tau, xp), axis=0)
    return xp.sum(delta * pushes, axis=(1, 3)), gweights
