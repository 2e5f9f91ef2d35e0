"""Burst code: the larger a number, the more spikes in its burst, and the shorter their intervals.

Time is the first axis of spike trains. No gradient passes through a spike. NaN is a gap: it gives
no spike.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and options that are out of range.
"""

from __future__ import annotations

from bisect import bisect_right

from synann_core._lib.arguments import Arguments
from synann_core._lib.autodiff import stop_gradient
from synann_core._lib.checks import check_int
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.spiking.codes.time_axis import check_time_axis, steps_like


def burst_encode(
    x: ArrayT, /, steps: int, *, most: int = 5, shortest: int = 2, longest: int | None = None
) -> ArrayT:
    """Spike ``N = ⌈most · x⌉`` times, at intervals of ``⌈longest − (longest − shortest) x⌉`` steps.

    The first spike is in the first step. A single one (N = 1) has no interval.

    Parameters
    ----------
    x : array, any shape
        In [0, 1]; cut off outside.
    steps : int
        Number of steps T, enough for every burst.
    most : int
        Spikes of x = 1, ≥ 1.
    shortest, longest : int
        Intervals of x = 1 and, nearly, of x = 1/most; 1 ≤ shortest ≤ longest. By default the
        longest, up to T, with which every burst ends within T steps.

    Returns
    -------
    array, shape (T, ...), dtype and device of x
        Zeros and ones.

    Raises
    ------
    ValueError
        Also if a burst would not end within `steps`.

    Notes
    -----
    W. Guo, M. Fouda, A. Eltawil and K. Salama, "Neural coding in spiking neural networks: a
    comparative study for robust neuromorphic systems", Frontiers in Neuroscience 15, 2021, where
    N ≤ 5 and the shortest interval is 2.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import burst_encode
    >>> burst_encode(np.array([0.1, 0.5, 1.0]), 12, most=3, longest=7).T
    array([[1., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.],
           [1., 0., 0., 0., 0., 1., 0., 0., 0., 0., 0., 0.],
           [1., 0., 1., 0., 1., 0., 0., 0., 0., 0., 0., 0.]])
    """
    steps = check_int("steps", steps, 1)
    options = _intervals(steps, most, shortest, longest)
    with Arguments(x=x) as given:
        return given.result(_bursts(given["x"], steps, *options, given.xp))


def burst_decode(
    spikes: ArrayT, /, *, most: int = 5, shortest: int = 2, longest: int | None = None
) -> ArrayT:
    """Return the middle of the numbers that have such a burst.

    Parameters
    ----------
    spikes : array, shape (T, ...)
    most, shortest, longest
        As they were for `burst_encode`.

    Returns
    -------
    array, shape (...), dtype and device of spikes
        In [0, 1]. Off by at most ½/most where there is one spike, and where there are more by at
        most ½/max(most, longest − shortest); 0 is 0.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import burst_decode, burst_encode
    >>> burst_decode(burst_encode(np.array([0.0, 0.1, 0.5, 1.0]), 50)).round(3)
    array([0. , 0.1, 0.5, 1. ])
    """
    with Arguments(spikes=spikes) as given:
        steps = check_time_axis(given, "spikes")[0]
        options = _intervals(steps, most, shortest, longest)
        return given.result(_middle(given["spikes"], *options, given.xp))


def _intervals(steps: int, most: int, shortest: int, longest: int | None) -> tuple[int, int, int]:
    """Check the options; return most, shortest and longest."""
    most, shortest = check_int("most", most, 1), check_int("shortest", shortest, 1)
    least = 1 + (most - 1) * shortest  # steps of the burst of 1, without a look at all the others
    if longest is None:
        choices = range(shortest, steps + 1 if least <= steps else shortest)
        fitting = bisect_right(choices, steps, key=lambda n: _length(most, shortest, n))
        longest = shortest + max(fitting - 1, 0)
    longest = check_int("longest", longest, shortest)
    length = _length(most, shortest, longest) if least <= steps else least
    if length > steps:
        raise ValueError(f"`steps` must be at least {length} for such bursts. Received: {steps}")
    return most, shortest, longest


def _length(most: int, shortest: int, longest: int) -> int:
    """Steps of the longest burst: the smallest numbers of so many spikes have it."""
    spread = longest - shortest
    return 1 + max((n - 1) * (longest - spread * (n - 1) // most) for n in range(1, most + 1))


def _bursts(x: Array, steps: int, most: int, shortest: int, longest: int, xp: Namespace) -> Array:
    x = stop_gradient(x, xp)
    x = xp.where(xp.isnan(x), 0.0, xp.clip(x, 0.0, 1.0))
    number = xp.ceil(most * x)
    # ⌈longest − spread·x⌉, of which only the product is rounded: everywhere the same.
    interval = longest - xp.floor((longest - shortest) * x)
    t = steps_like(steps, x, xp)
    place = xp.floor(t / interval)
    return xp.astype((place * interval == t) & (place < number), x.dtype)


def _middle(spikes: Array, most: int, shortest: int, longest: int, xp: Namespace) -> Array:
    """Between the bounds that the number of spikes sets, and those that their interval sets."""
    there = spikes > 0.0
    number = xp.sum(xp.astype(there, spikes.dtype), axis=0)
    last = xp.max(xp.where(there, steps_like(spikes.shape[0], number, xp), 0.0), axis=0)
    low, high = (number - 1.0) / most, number / most
    spread = longest - shortest
    if spread:
        parts = longest - last / xp.clip(number - 1.0, 1.0, None)
        several = number > 1.0
        low = xp.where(several, xp.maximum(low, parts / spread), low)
        high = xp.where(several, xp.minimum(high, (parts + 1.0) / spread), high)
    return xp.where(number > 0.0, xp.clip(0.5 * (low + high), 0.0, 1.0), 0.0)
