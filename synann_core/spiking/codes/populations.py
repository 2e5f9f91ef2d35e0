"""Codes that use several neurons: the order in which they fire, or which of them fire, and when.

Neurons are on the last axis; time is the first axis of spike trains. No gradient passes a spike.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from array_api_compat import device

from synann_core._lib.arguments import Call
from synann_core._lib.checks import check_int, check_number
from synann_core._lib.typing import Array, Namespace
from synann_core.spiking.codes.time_axis import check_time_axis, first_spikes, spikes_at

__all__ = [
    "population_decode",
    "population_encode",
    "population_response",
    "rank_order_activation",
    "rank_order_decode",
    "rank_order_encode",
]


def rank_order_encode(x: Array, /, steps: int | None = None) -> Array:
    """Fire one neuron per step, the one with the largest value first.

    ``rank = argsort(argsort(−x, stable))`` over the last axis is the step; of equal values the
    first fires first.

    Parameters
    ----------
    x : array, shape (..., n)
    steps : int, optional
        Number of steps T, ≥ 1: only the T largest fire. All n unless told.

    Returns
    -------
    array, shape (T, ..., n), dtype and device of x
        Zeros and ones.

    Raises
    ------
    TypeError, ValueError
        If `x` is no real floating-point array with an axis, or `steps` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.codes.populations import rank_order_encode
    >>> rank_order_encode(np.array([0.2, 0.9, 0.5]))
    array([[0., 1., 0.],
           [0., 0., 1.],
           [1., 0., 0.]])
    """
    call = Call(x=x)
    call.expect(x=(..., "n"))
    steps = max(call.shape("x")[-1], 1) if steps is None else check_int("steps", steps, 1)
    return call.value(partial(_rank_spikes, steps=steps))


def rank_order_decode(spikes: Array, /, *, modulation: float = 0.9) -> Array:
    """Approximate values from an order of firing: ``modulation^rank``; 0 for silent neurons.

    The order says nothing of sizes: the largest value is taken for 1, and each neuron's for that of
    the one before it times `modulation`.

    Parameters
    ----------
    spikes : array, shape (T, ..., n)
        The rank is the step of the first spike.
    modulation : float
        Factor from one rank to the next, in (0, 1).

    Returns
    -------
    array, shape (..., n), dtype and device of spikes
        Its order is that of the encoded values.

    Raises
    ------
    TypeError, ValueError
        If `spikes` is no real floating-point array with a time axis, or `modulation` out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.codes.populations import rank_order_decode, rank_order_encode
    >>> rank_order_decode(rank_order_encode(np.array([0.2, 0.9, 0.5])), modulation=0.5)
    array([0.25, 1.  , 0.5 ])
    """
    call = Call(spikes=spikes)
    check_time_axis(call, "spikes")
    modulation = check_number("modulation", modulation, 0.0, 1.0, ends="()")
    return call.value(partial(_faded, modulation=modulation))


def rank_order_activation(spikes: Array, weights: Array, /, *, modulation: float = 0.9) -> Array:
    """How well an order of firing fits each neuron's weights: ``Σ_i w_ki modulation^rank_i``.

    Largest for the neuron whose weights have the order of the ranks.

    Parameters
    ----------
    spikes : array, shape (T, ..., n)
    weights : array, shape (m, n)
    modulation : float
        How much less each further spike counts, in (0, 1).

    Returns
    -------
    array, shape (..., m), promoted dtype

    Raises
    ------
    TypeError, ValueError
        As for `rank_order_decode`; also if the shapes do not fit.

    Notes
    -----
    S. Thorpe and J. Gautrais, "Rank order coding", Computational Neuroscience, 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.codes.populations import rank_order_activation, rank_order_encode
    >>> spikes = rank_order_encode(np.array([0.2, 0.9, 0.5]))
    >>> weights = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.5]])
    >>> rank_order_activation(spikes, weights, modulation=0.5)
    array([1.25, 0.5 ])
    """
    call = Call(spikes=spikes, weights=weights)
    call.expect(weights=("m", "n"), spikes=(..., "n"))
    _check_neurons(call, 1)
    modulation = check_number("modulation", modulation, 0.0, 1.0, ends="()")
    return call.value(partial(_activation, modulation=modulation))


def population_response(
    x: Array,
    /,
    neurons: int,
    *,
    low: float = 0.0,
    high: float = 1.0,
    width: float = 1.5,
) -> Array:
    """Gaussian receptive fields: how much each of m neurons responds to a value.

    ``r_i = exp(−(x − μ_i)²/2σ²)`` with ``μ_i = low + (2i − 3)/2 · (high − low)/(m − 2)``,
    i = 1 … m, and ``σ = (high − low)/(width · (m − 2))``: the outermost centres lie half a spacing
    outside the range.

    Parameters
    ----------
    x : array, any shape
        What to encode, in [low, high].
    neurons : int
        Number of neurons m, ≥ 3: with two there is no spacing.
    low, high : float
        The range.
    width : float
        Spacing of the centres in standard deviations, > 0: from 1, with broad fields, to 2.

    Returns
    -------
    array, shape (..., m), dtype and device of x
        In [0, 1].

    Raises
    ------
    TypeError, ValueError
        If `x` is no real floating-point array, or an option is out of range.

    Notes
    -----
    S. Bohte, H. La Poutré and J. Kok, "Unsupervised clustering with spiking neurons by sparse
    temporal coding and multilayer RBF networks", IEEE Transactions on Neural Networks, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.codes.populations import population_response
    >>> population_response(np.array([0.5, 0.75]), 5).round(3)
    array([[0.011, 0.325, 1.   , 0.325, 0.011],
           [0.   , 0.032, 0.531, 0.932, 0.172]])
    """
    call = Call(x=x)
    return call.value(partial(_response, **_fields(neurons, low, high, width)))


def population_encode(
    x: Array,
    /,
    steps: int,
    neurons: int,
    *,
    low: float = 0.0,
    high: float = 1.0,
    width: float = 1.5,
    least: float = 0.1,
) -> Array:
    """Spike once per neuron, the earlier the more it responds: at ``round(T(1 − r_i))``.

    Parameters
    ----------
    x : array, any shape
        What to encode, in [low, high].
    steps : int
        Number of steps T, ≥ 1.
    neurons, low, high, width
        As for `population_response`.
    least : float
        Neurons that respond less than this are silent, in [0, 1].

    Returns
    -------
    array, shape (T, ..., m), dtype and device of x
        Zeros and ones. Times are rounded half to even; T itself is after the last step: silent.

    Raises
    ------
    TypeError, ValueError
        If `x` is no real floating-point array, or an option is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.codes.latency import first_spike_times
    >>> from synann_core.spiking.codes.populations import population_encode
    >>> spikes = population_encode(np.array([0.5, 0.75]), 10, 5)
    >>> first_spike_times(spikes)
    array([[10.,  7.,  0.,  7., 10.],
           [10., 10.,  5.,  1.,  8.]])
    """
    call = Call(x=x)
    fields = _fields(neurons, low, high, width)
    steps, least = check_int("steps", steps, 1), check_number("least", least, 0.0, 1.0)
    return call.value(partial(_population_spikes, steps=steps, least=least, **fields))


def population_decode(spikes: Array, /, *, low: float = 0.0, high: float = 1.0) -> Array:
    """Mean of the centres of a population's receptive fields, weighted by how early they fire.

    ``x = Σ r_i μ_i / Σ r_i`` with ``r_i = 1 − t_i/T``, 0 where neuron i is silent.

    Parameters
    ----------
    spikes : array, shape (T, ..., m)
    low, high : float
        As they were for `population_encode`.

    Returns
    -------
    array, shape (...), dtype and device of spikes
        For `width` 1.5, `least` 0.1 and T ≥ 20, met to 0.09 of the spacing of the centres. NaN
        where all neurons are silent.

    Raises
    ------
    TypeError, ValueError
        If `spikes` is no real floating-point array of time and at least three neurons, or an option
        is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.codes.populations import population_decode, population_encode
    >>> population_decode(population_encode(np.array([0.5, 0.75, 0.8]), 100, 12)).round(3)
    array([0.5 , 0.75, 0.8 ])
    """
    call = Call(spikes=spikes)
    _check_neurons(call, 3)
    low, high = _range(low, high)
    return call.value(partial(_weighted_mean, low=low, high=high))


def _rank_spikes(x: Array, *, steps: int, xp: Namespace) -> Array:
    rank = xp.argsort(xp.argsort(-x, axis=-1, stable=True), axis=-1, stable=True)
    return spikes_at(xp.astype(rank, x.dtype), steps, xp)


def _faded(spikes: Array, *, modulation: float, xp: Namespace) -> Array:
    rank = first_spikes(spikes, xp=xp)
    base = xp.asarray(modulation, dtype=spikes.dtype, device=device(spikes))
    return xp.where(rank < spikes.shape[0], base**rank, 0.0)


def _activation(spikes: Array, weights: Array, *, modulation: float, xp: Namespace) -> Array:
    return _faded(spikes, modulation=modulation, xp=xp) @ xp.matrix_transpose(weights)


def _centres(neurons: int, low: float, high: float, like: Array, xp: Namespace) -> Array:
    i = xp.arange(1, neurons + 1, dtype=like.dtype, device=device(like))
    return low + (2.0 * i - 3.0) * (0.5 * (high - low) / (neurons - 2))


def _response(
    x: Array, *, neurons: int, low: float, high: float, width: float, xp: Namespace
) -> Array:
    sigma = (high - low) / (width * (neurons - 2))
    z = (x[..., None] - _centres(neurons, low, high, x, xp)) / sigma
    return xp.exp(-0.5 * z * z)


def _population_spikes(
    x: Array, *, steps: int, least: float, xp: Namespace, **fields: Any
) -> Array:
    response = _response(x, **fields, xp=xp)
    spikes = spikes_at(xp.round(steps * (1.0 - response)), steps, xp)
    return xp.where(response < least, 0.0, spikes)


def _weighted_mean(spikes: Array, *, low: float, high: float, xp: Namespace) -> Array:
    weight = 1.0 - first_spikes(spikes, xp=xp) / spikes.shape[0]
    centres = _centres(spikes.shape[-1], low, high, spikes, xp)
    return xp.sum(weight * centres, axis=-1) / xp.sum(weight, axis=-1)


def _check_neurons(call: Call, least: int) -> None:
    shape = check_time_axis(call, "spikes")
    if len(shape) < 2 or shape[-1] < least:
        raise ValueError(
            f"`spikes` must have shape (time, ..., neurons), neurons ≥ {least}. "
            f"Received: shape {shape}"
        )


def _range(low: float, high: float) -> tuple[float, float]:
    low = check_number("low", low)
    return low, check_number("high", high, low, ends="()")


def _fields(neurons: int, low: float, high: float, width: float) -> dict[str, Any]:
    """The checked options of the receptive fields."""
    low, high = _range(low, high)
    return {
        "neurons": check_int("neurons", neurons, 3),
        "low": low,
        "high": high,
        "width": check_number("width", width, 0.0, ends="()"),
    }
