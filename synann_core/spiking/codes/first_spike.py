"""Time to first spike: a threshold falls, and a number spikes once, when it is reached.

An exponential threshold makes times that are logarithms of the numbers, a straight one linear ones.
Time is the first axis of spike trains. No gradient passes through a spike. NaN is a gap: it gives
no spike.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and options that are out of range.
"""

from __future__ import annotations

import math

from array_api_compat import device

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_int, check_number
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.spiking.codes.time_axis import check_time_axis, first_spikes


def ttfs_encode(
    x: ArrayT,
    /,
    steps: int,
    *,
    threshold: float = 1.0,
    tau: float | None = None,
    linear: bool = False,
) -> ArrayT:
    """Spike once, at the first step whose threshold the number reaches.

    ``θ(t) = threshold · e^(−t/τ)``, which x reaches at ``t = ⌈τ ln(threshold/x)⌉``; if `linear`,
    ``θ(t) = threshold · (1 − t/T)``, reached at ``t = ⌈T (1 − x/threshold)⌉``.

    Parameters
    ----------
    x : array, any shape
        In [0, threshold]; larger numbers spike at once.
    steps : int
        Number of steps T, ≥ 1.
    threshold : float
        That of the first step, > 0: the largest number that there is.
    tau : float, optional
        Time constant in steps, > 0. By default the last threshold is a hundredth of the first.
    linear : bool
        A straight threshold instead of the exponential one; it has no `tau`.

    Returns
    -------
    array, shape (T, ...), dtype and device of x
        Zeros and ones; a number below the last threshold is silent. Numbers are only compared with
        the thresholds, so that every library has the same spikes.

    Notes
    -----
    The exponential threshold of S. Park, S. Kim, B. Na and S. Yoon, "T2FSNN: deep spiking neural
    networks with time-to-first-spike coding", DAC 2020, and of W. Guo, M. Fouda, A. Eltawil and
    K. Salama, "Neural coding in spiking neural networks: a comparative study for robust
    neuromorphic systems", Frontiers in Neuroscience 15, 2021. Linear times as in S. Kheradpisheh
    and T. Masquelier, "Temporal backpropagation for spiking neural networks with one spike per
    neuron", International Journal of Neural Systems 30, 2020, who round them down. `latency_encode`
    differs: it has the times of a circuit that charges, rounded to the nearest step.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import ttfs_encode
    >>> ttfs_encode(np.array([0.1, 0.5, 1.0]), 4, linear=True).T
    array([[0., 0., 0., 0.],
           [0., 0., 1., 0.],
           [1., 0., 0., 0.]])
    """
    with Arguments(x=x) as given:
        levels = _levels(check_int("steps", steps, 1), threshold, tau, linear)
        return given.result(_crossings(given["x"], levels, given.xp))


def ttfs_decode(
    spikes: ArrayT, /, *, threshold: float = 1.0, tau: float | None = None, linear: bool = False
) -> ArrayT:
    """Return the threshold at each train's first spike; 0 where there is none.

    Parameters
    ----------
    spikes : array, shape (T, ...)
    threshold, tau, linear
        As they were for `ttfs_encode`.

    Returns
    -------
    array, shape (...), dtype and device of spikes
        Not above x ≤ threshold, and below it by a factor of less than e^(1/τ), or, if `linear`, by
        less than threshold/T; where there is no spike, x is below the last threshold.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import ttfs_decode, ttfs_encode
    >>> x = np.array([0.001, 0.3, 0.5, 1.0])
    >>> ttfs_decode(ttfs_encode(x, 50, tau=10.0), tau=10.0).round(3)
    array([0.   , 0.273, 0.497, 1.   ])
    """
    with Arguments(spikes=spikes) as given:
        steps = check_time_axis(given, "spikes")[0]
        levels = [*_levels(steps, threshold, tau, linear), 0.0]
        times = first_spikes(given["spikes"], xp=given.xp)
        return given.result(_looked_up(times, levels, given.xp))


def _levels(steps: int, threshold: float, tau: float | None, linear: bool) -> list[float]:
    """Thresholds of all steps, as Python's numbers: a library's exp would round in its own way."""
    threshold = check_number("threshold", threshold, 0.0, ends="()")
    if linear:
        if tau is not None:
            raise ValueError(f"`tau` must be None for a linear threshold. Received: {tau!r}")
        return [threshold * (steps - t) / steps for t in range(steps)]
    if tau is None:
        tau = max(steps - 1, 1) / math.log(100.0)
    tau = check_number("tau", tau, 0.0, ends="()")
    return [threshold * math.exp(-t / tau) for t in range(steps)]


def _crossings(x: Array, levels: list[float], xp: Namespace) -> Array:
    column = xp.asarray(levels, dtype=x.dtype, device=device(x))
    reached = x >= xp.reshape(column, (len(levels),) + (1,) * x.ndim)
    before = xp.concat([xp.zeros_like(reached[:1, ...]), reached[:-1, ...]])
    return xp.astype(reached & ~before, x.dtype)


def _looked_up(times: Array, levels: list[float], xp: Namespace) -> Array:
    table = xp.asarray(levels, dtype=times.dtype, device=device(times))
    places = xp.astype(xp.reshape(times, (-1,)), xp.int32)
    return xp.reshape(xp.take(table, places), times.shape)
