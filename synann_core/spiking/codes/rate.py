"""Rate codes: the larger a number, the more spikes, at random times or as regularly as can be.

Time is the first axis of spike trains. No gradient passes through a spike. NaN is a gap: it gives
no spike, and does not change the others.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and options that are unknown or out of range.
"""

from __future__ import annotations

from array_api_compat import device

from synann_core._lib.arguments import Arguments
from synann_core._lib.autodiff import stop_gradient
from synann_core._lib.checks import check_int, check_number
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.spiking.codes.random import random_uniform
from synann_core.spiking.codes.time_axis import check_time_axis, steps_like


def rate_encode(
    x: ArrayT,
    /,
    steps: int | None = None,
    *,
    key: int | ArrayT,
    max_rate: float = 1.0,
    dt: float = 1.0,
) -> ArrayT:
    """Spike at random with probability ``clip(max_rate · dt · x, 0, 1)`` in each step.

    Parameters
    ----------
    x : array, any shape
        What to encode, usually in [0, 1]. If `steps` is None, its first axis is time.
    steps : int, optional
        Number of steps T, ≥ 1, for values that are constant.
    key : int in [0, 2⁶⁴), or integer array of shape (2,)
        Of the random numbers, see `random_uniform`: the same spikes on every library.
    max_rate : float
        Rate of x = 1, in spikes per unit of time, > 0.
    dt : float
        Length of a step in that unit, > 0. A rate times it is a probability.

    Returns
    -------
    array, shape (T, ...), dtype and device of x
        Zeros and ones. The first steps of a longer train are those of a shorter one. Probabilities
        are accurate to 2⁻²⁴ (float64: 2⁻⁵³).

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import rate_encode
    >>> rate_encode(np.array([0.0, 0.5, 1.0]), 4, key=0)
    array([[0., 1., 1.],
           [0., 0., 1.],
           [0., 0., 1.],
           [0., 0., 1.]])
    """
    with Arguments(x=x) as given:
        scale, shape = _per_step(max_rate, dt), given.shape("x")
        if steps is None:
            check_time_axis(given, "x")
        else:
            shape = (check_int("steps", steps, 1), *shape)
        like = {"dtype": given.work_dtype, "xp": given.xp, "device": device(given["x"])}
        numbers = random_uniform(key, shape, **like)
        # Nothing to clip: numbers are in [0, 1).
        return given.result(given.xp.astype(numbers < scale * given["x"], given.work_dtype))


def deterministic_rate_encode(
    x: ArrayT, /, steps: int, *, max_rate: float = 1.0, dt: float = 1.0
) -> ArrayT:
    """Spike as regularly as steps allow: ``s[t] = ⌊(t + 1)p⌋ − ⌊t p⌋``.

    p = clip(max_rate · dt · x, 0, 1) is the probability of `rate_encode`.

    Parameters
    ----------
    x : array, any shape
        What to encode, usually in [0, 1].
    steps : int
        Number of steps T, ≥ 1.
    max_rate, dt : float
        As for `rate_encode`.

    Returns
    -------
    array, shape (T, ...), dtype and device of x
        Zeros and ones, ⌊T p⌋ ones in all, the first as late as t = ⌈1/p⌉ − 1.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import deterministic_rate_encode
    >>> deterministic_rate_encode(np.array([0.25, 0.5]), 4).T
    array([[0., 0., 0., 1.],
           [0., 1., 0., 1.]])
    """
    with Arguments(x=x) as given:
        steps, scale = check_int("steps", steps, 1), _per_step(max_rate, dt)
        return given.result(_regular(given["x"], steps=steps, scale=scale, xp=given.xp))


def rate_decode(spikes: ArrayT, /, *, max_rate: float = 1.0, dt: float = 1.0) -> ArrayT:
    """Return what a rate code stands for: the mean over time, divided by ``max_rate · dt``.

    Parameters
    ----------
    spikes : array, shape (T, ...)
    max_rate, dt : float
        As for `rate_encode`.

    Returns
    -------
    array, shape (...)
        With p = max_rate·dt·x in [0, 1]: unbiased with variance p(1 − p)/T, over max_rate·dt twice,
        for `rate_encode`; too low by less than 1/(T·max_rate·dt) for `deterministic_rate_encode`.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import rate_decode
    >>> rate_decode(np.array([[0.0, 1.0], [1.0, 1.0]]))
    array([0.5, 1. ])
    """
    with Arguments(spikes=spikes) as given:
        check_time_axis(given, "spikes")
        return given.result(given.xp.mean(given["spikes"], axis=0) / _per_step(max_rate, dt))


def _regular(x: Array, *, steps: int, scale: float, xp: Namespace) -> Array:
    p = xp.clip(scale * stop_gradient(x, xp), 0.0, 1.0)
    p = xp.where(xp.isnan(p), 0.0, p)
    count = xp.floor(steps_like(steps + 1, p, xp) * p)
    return count[1:, ...] - count[:-1, ...]


def _per_step(max_rate: float, dt: float) -> float:
    rate = check_number("max_rate", max_rate, 0.0, ends="()")
    return rate * check_number("dt", dt, 0.0, ends="()")
