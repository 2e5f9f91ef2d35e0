"""Rate codes: the larger a number, the more spikes, at random times or as regularly as can be.

Time is the first axis of spike trains. No gradient passes a spike.
"""

from __future__ import annotations

from functools import partial

from array_api_compat import device

from synann_core._lib.arguments import Call
from synann_core._lib.autodiff import stop_gradient
from synann_core._lib.checks import check_int, check_number
from synann_core._lib.typing import Array, Namespace
from synann_core.spiking.codes.random import uniform
from synann_core.spiking.codes.time_axis import check_time_axis, steps_like

__all__ = ["deterministic_rate_encode", "rate_decode", "rate_encode"]


def rate_encode(
    x: Array,
    /,
    steps: int | None = None,
    *,
    key: int | Array,
    max_rate: float = 1.0,
    dt: float = 1.0,
) -> Array:
    """Spike at random with probability ``clip(max_rate · dt · x, 0, 1)`` in each step.

    Parameters
    ----------
    x : array, any shape
        What to encode, usually in [0, 1]. If `steps` is None, its first axis is time.
    steps : int, optional
        Number of steps T, ≥ 1, of a value that stays.
    key : int in [0, 2⁶⁴), or integer array of shape (2,)
        Of the random numbers, see `synann_core.spiking.random`: the same spikes on every library.
    max_rate : float
        Rate of x = 1, in spikes per unit of time, > 0.
    dt : float
        Length of a step in that unit, > 0. A rate is no probability until it is multiplied by it.

    Returns
    -------
    array, shape (T, ...), dtype and device of x
        Zeros and ones; NaN gives no spike. The first steps of a longer train are those of a shorter
        one. Probabilities are met to 2⁻²⁴ (float64: 2⁻⁵³).

    Raises
    ------
    TypeError, ValueError
        If `x` is no real floating-point array, or an option is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.codes.rate import rate_encode
    >>> rate_encode(np.array([0.0, 0.5, 1.0]), 4, key=0)
    array([[0., 1., 1.],
           [0., 0., 1.],
           [0., 0., 1.],
           [0., 0., 1.]])
    """
    call = Call(x=x)
    scale = _per_step(max_rate, dt)
    shape = call.shape("x")
    if steps is None:
        check_time_axis(call, "x")
    else:
        shape = (check_int("steps", steps, 1), *shape)
    numbers = uniform(key, shape, dtype=call.work_dtype, xp=call.xp, device=device(call["x"]))
    return call.value(partial(_bernoulli, scale=scale), call["x"], numbers)


def deterministic_rate_encode(
    x: Array, /, steps: int, *, max_rate: float = 1.0, dt: float = 1.0
) -> Array:
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
        Zeros and ones, ⌊T p⌋ ones in all, the first as late as t = ⌈1/p⌉ − 1; NaN gives no spike.

    Raises
    ------
    TypeError, ValueError
        If `x` is no real floating-point array, or an option is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.codes.rate import deterministic_rate_encode
    >>> deterministic_rate_encode(np.array([0.25, 0.5]), 4).T
    array([[0., 0., 0., 1.],
           [0., 1., 0., 1.]])
    """
    call = Call(x=x)
    steps = check_int("steps", steps, 1)
    return call.value(partial(_regular, steps=steps, scale=_per_step(max_rate, dt)))


def rate_decode(spikes: Array, /, *, max_rate: float = 1.0, dt: float = 1.0) -> Array:
    """What a rate code stands for: the mean over time, divided by ``max_rate · dt``.

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

    Raises
    ------
    TypeError, ValueError
        If `spikes` is no real floating-point array with a time axis, or an option is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.codes.rate import rate_decode
    >>> rate_decode(np.array([[0.0, 1.0], [1.0, 1.0]]))
    array([0.5, 1. ])
    """
    call = Call(spikes=spikes)
    check_time_axis(call, "spikes")
    return call.value(partial(_mean, scale=_per_step(max_rate, dt)))


def _bernoulli(x: Array, numbers: Array, *, scale: float, xp: Namespace) -> Array:
    # Nothing to clip: numbers are in [0, 1).
    return xp.astype(numbers < scale * x, x.dtype)


def _regular(x: Array, *, steps: int, scale: float, xp: Namespace) -> Array:
    p = xp.clip(scale * stop_gradient(x, xp), 0.0, 1.0)
    p = xp.where(xp.isnan(p), 0.0, p)
    count = xp.floor(steps_like(steps + 1, p, xp) * p)
    return count[1:, ...] - count[:-1, ...]


def _mean(spikes: Array, *, scale: float, xp: Namespace) -> Array:
    return xp.mean(spikes, axis=0) / scale


def _per_step(max_rate: float, dt: float) -> float:
    return check_number("max_rate", max_rate, 0.0, ends="()") * check_number(
        "dt", dt, 0.0, ends="()"
    )
