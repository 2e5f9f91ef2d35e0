"""Rate codes: the larger a number, the more spikes, at random times or as regularly as can be.

Random spikes are at most one in a step (Bernoulli), or any number of them (Poisson); for numbers of
both signs, spikes have the number's sign.

Time is the first axis of spike trains. No gradient passes through a spike. NaN is a gap: it gives
no spike, and does not change the others.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and options that are unknown or out of range.
"""

from __future__ import annotations

import itertools
import math

from array_api_compat import device

from synann_core._lib.arguments import Arguments
from synann_core._lib.autodiff import stop_gradient
from synann_core._lib.checks import check_int, check_number
from synann_core._lib.numerics import constant
from synann_core._lib.typing import AnyArray, Array, ArrayT, Namespace, Shape
from synann_core.spiking.codes.random import fold_in, random_uniform
from synann_core.spiking.codes.time_axis import check_time_axis, steps_like

_MOST_SPIKES = 64.0  # in a step on average: each possible spike takes a random number


def rate_encode(
    x: ArrayT,
    /,
    steps: int | None = None,
    *,
    key: int | ArrayT,
    max_rate: float = 1.0,
    dt: float = 1.0,
    signed: bool = False,
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
    signed : bool
        Let a number below 0 have spikes of −1, with the probability of its magnitude; else it is
        silent.

    Returns
    -------
    array, shape (T, ...), dtype and device of x
        Zeros and ones, and −1 if `signed`. The first steps of a longer train are those of a shorter
        one. Probabilities are accurate to 2⁻²⁴ (float64: 2⁻⁵³).

    Notes
    -----
    Signed as in N. Rathi, G. Srinivasan, P. Panda and K. Roy, "Enabling deep spiking neural
    networks with hybrid conversion and spike timing dependent backpropagation", ICLR 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import rate_encode
    >>> rate_encode(np.array([0.0, 0.5, 1.0]), 4, key=0)
    array([[0., 1., 1.],
           [0., 0., 1.],
           [0., 0., 1.],
           [0., 0., 1.]])
    >>> rate_encode(np.array([-1.0, -0.5, 1.0]), 2, key=0, signed=True)
    array([[-1., -1.,  1.],
           [-1.,  0.,  1.]])
    """
    with Arguments(x=x) as given:
        scale, shape = _per_step(max_rate, dt), _train_shape(given, steps)
        # Nothing to clip: numbers are in [0, 1).
        spikes = _uniform(given, key, shape) < scale * _size(given, signed)
        return _signed(given, given.xp.astype(spikes, given.work_dtype), signed)


def poisson_encode(
    x: ArrayT,
    /,
    steps: int | None = None,
    *,
    key: int | ArrayT,
    max_rate: float = 1.0,
    dt: float = 1.0,
    signed: bool = False,
) -> ArrayT:
    """Count the spikes of a Poisson process in each step: several may fall into one.

    The mean is ``max_rate · dt · clip(x, 0, 1)``. `rate_encode`, with at most one spike a step, is
    the same where that is small.

    Parameters
    ----------
    x : array, any shape
        What to encode, in [0, 1], or [−1, 1] if `signed`; cut off outside. If `steps` is None, its
        first axis is time.
    steps, key
        As for `rate_encode`.
    max_rate, dt : float
        As for `rate_encode`; ``max_rate · dt``, the mean number of spikes of x = 1 in a step, is at
        most 64.
    signed : bool
        As for `rate_encode`.

    Returns
    -------
    array, shape (T, ...), dtype and device of x
        Whole numbers ≥ 0, or of the sign of x. The first steps of a longer train are those of a
        shorter one, and of a larger x no count is smaller. Probabilities are accurate to 2⁻²⁴
        (float64: 2⁻⁵³).

    Notes
    -----
    By thinning (P. Lewis and G. Shedler, "Simulation of nonhomogeneous Poisson processes by
    thinning", Naval Research Logistics 26, 1979): a step has a Poisson number of candidates, of
    mean ``max_rate · dt``, each kept with probability x. Random numbers are only compared, so that
    every library counts the same. A step takes one, and one for every candidate that there could
    be: 11 in all with ``max_rate · dt = 1`` in float32, 18 in float64.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import poisson_encode
    >>> poisson_encode(np.array([0.0, 0.5, 1.0]), 4, key=2, max_rate=2.0)
    array([[0., 0., 3.],
           [0., 1., 4.],
           [0., 0., 0.],
           [0., 0., 3.]])
    """
    with Arguments(x=x) as given:
        xp, shape, scale = given.xp, _train_shape(given, steps), _per_step(max_rate, dt)
        if scale > _MOST_SPIKES:
            raise ValueError(
                f"`max_rate` times `dt` must be at most {_MOST_SPIKES:g}. Received: {scale:g}"
            )
        size = _size(given, signed)
        candidates = _uniform(given, fold_in(key, 0), shape)
        count = xp.zeros_like(candidates)
        eps = float(xp.finfo(given.work_dtype).eps) / 2.0  # the numbers are multiples of it
        for k, chance in enumerate(_fewer_than(scale, eps), 1):
            kept = _uniform(given, fold_in(key, k), shape) < size
            there = candidates >= constant(chance, candidates, xp)
            count = count + xp.astype(there & kept, given.work_dtype)
        return _signed(given, count, signed)


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
        With ``p = max_rate·dt·|x|``: unbiased with variance p(1 − p)/T, over max_rate·dt twice, for
        `rate_encode`, and p/T likewise for `poisson_encode`; too low by less than
        1/(T·max_rate·dt) for `deterministic_rate_encode`.

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


def _train_shape(given: Arguments[ArrayT], steps: int | None) -> Shape:
    """Shape of the train of a number x, or of an x in time."""
    if steps is None:
        return check_time_axis(given, "x")
    return (check_int("steps", steps, 1), *given.shape("x"))


def _uniform(given: Arguments[ArrayT], key: int | AnyArray, shape: Shape) -> Array:
    like = {"dtype": given.work_dtype, "xp": given.xp, "device": device(given["x"])}
    numbers: Array = random_uniform(key, shape, **like)
    return numbers


def _size(given: Arguments[ArrayT], signed: bool) -> Array:
    return given.xp.abs(given["x"]) if signed else given["x"]


def _signed(given: Arguments[ArrayT], spikes: Array, signed: bool) -> ArrayT:
    if signed:  # no product with the sign: a gradient would be recorded for it
        spikes = given.xp.where(given["x"] < 0.0, 0.0 - spikes, spikes)
    return given.result(spikes)


def _fewer_than(mean: float, eps: float) -> list[float]:
    """P(N < k) of a Poisson number, k = 1, 2, …, as long as the others have at least eps."""
    terms = [math.exp(-mean)]
    while terms[-1] >= 1e-3 * eps or len(terms) <= mean:
        terms.append(terms[-1] * mean / len(terms))
    at_least = [*itertools.accumulate(reversed(terms))][-2::-1]  # k = 1, 2, …; small ones first
    return [1.0 - chance for chance in at_least if chance >= eps]
