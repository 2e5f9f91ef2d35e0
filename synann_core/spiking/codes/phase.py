"""Phase code: the binary digits of a number, one a step, and over again; a phase has a weight.

Time is the first axis of spike trains. No gradient passes through a spike. NaN is a gap: it gives
no spike.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and options that are out of range.
"""

from __future__ import annotations

from array_api_compat import device

from synann_core._lib.arguments import Arguments
from synann_core._lib.autodiff import stop_gradient
from synann_core._lib.checks import check_int
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.spiking.codes.time_axis import check_time_axis

_MOST_BITS = 24  # of float32's significand


def phase_encode(x: ArrayT, /, steps: int | None = None, *, bits: int = 8) -> ArrayT:
    """Spike at phase k, of weight ``2^−(k + 1)``, if binary digit k of the number is 1.

    ``s[t] = ⌊2^(k + 1) x⌋ mod 2`` with ``k = t mod bits``.

    Parameters
    ----------
    x : array, any shape
        In [0, 1]; cut off outside. 1 is taken for the largest number of so many digits.
    steps : int, optional
        Number of steps T, ≥ 1: the digits repeat. One period of them by default.
    bits : int
        Digits K, from 1 to 24: the period.

    Returns
    -------
    array, shape (T, ...), dtype and device of x
        Zeros and ones; nothing is rounded on the way.

    Notes
    -----
    The weighted spikes of J. Kim, H. Kim, S. Huh, J. Lee and K. Choi, "Deep neural networks with
    weighted spikes", Neurocomputing 311, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import phase_encode
    >>> phase_encode(np.array([0.0, 0.625, 1.0]), bits=4).T
    array([[0., 0., 0., 0.],
           [1., 0., 1., 0.],
           [1., 1., 1., 1.]])
    """
    bits = _check_bits(bits)
    steps = bits if steps is None else check_int("steps", steps, 1)
    with Arguments(x=x) as given:
        return given.result(_digits(given["x"], steps=steps, bits=bits, xp=given.xp))


def phase_decode(spikes: ArrayT, /, *, bits: int = 8) -> ArrayT:
    """Return what a phase code stands for: the sum of the weights, a mean over whole periods.

    Parameters
    ----------
    spikes : array, shape (T, ...)
        Of fewer steps than a period, the leading digits; of more, whole periods count.
    bits : int
        As for `phase_encode`.

    Returns
    -------
    array, shape (...), dtype and device of spikes
        Too low by less than 2^−K, for x = 1 by 2^−K; after T < K steps 2^−T.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import phase_decode, phase_encode
    >>> phase_decode(phase_encode(np.array([0.0, 0.3, 1.0]), bits=4), bits=4)
    array([0.    , 0.25  , 0.9375])
    """
    bits = _check_bits(bits)
    with Arguments(spikes=spikes) as given:
        steps = check_time_axis(given, "spikes")[0]
        whole = steps // bits * bits or steps
        weights = [2.0 ** -(t % bits + 1) / max(whole // bits, 1) for t in range(whole)]
        return given.result(_weighted(given["spikes"], weights, given.xp))


def _check_bits(bits: int) -> int:
    if check_int("bits", bits, 1) > _MOST_BITS:
        raise ValueError(f"`bits` must be at most {_MOST_BITS}. Received: {bits}")
    return bits


def _digits(x: Array, *, steps: int, bits: int, xp: Namespace) -> Array:
    x = stop_gradient(x, xp)
    x = xp.where(xp.isnan(x), 0.0, xp.clip(x, 0.0, 1.0 - 2.0**-bits))
    whole = [xp.floor(x * 2.0**k) for k in range(bits + 1)]
    period = [whole[k + 1] - 2.0 * whole[k] for k in range(bits)]
    return xp.stack([period[t % bits] for t in range(steps)])


def _weighted(spikes: Array, weights: list[float], xp: Namespace) -> Array:
    """Sum of the first steps, each with its weight."""
    shape = (len(weights),) + (1,) * (spikes.ndim - 1)
    column = xp.asarray(weights, dtype=spikes.dtype, device=device(spikes))
    return xp.sum(xp.reshape(column, shape) * spikes[: len(weights), ...], axis=0)
