"""Codes that use several neurons: the order in which they fire, or which of them fire, and when.

Neurons are on the last axis; time is the first axis of spike trains. No gradient passes through a
spike. NaN is a gap: it gives no spike, and does not change the others.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and options that are unknown or out of range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from array_api_compat import device

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_int, check_number
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.spiking.codes.time_axis import check_time_axis, first_spikes, spikes_at


def rank_order_encode(x: ArrayT, /, steps: int | None = None) -> ArrayT:
    """Fire one neuron per step, the one with the largest value first.

    ``rank = argsort(argsort(−x, stable))`` over the last axis is the step; of equal values the
    first fires first, and a NaN never does.

    Parameters
    ----------
    x : array, shape (..., n)
    steps : int, optional
        Number of steps T, ≥ 1: only the T largest fire. All n by default.

    Returns
    -------
    array, shape (T, ..., n), dtype and device of x
        Zeros and ones.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import rank_order_encode
    >>> rank_order_encode(np.array([0.2, 0.9, 0.5]))
    array([[0., 1., 0.],
           [0., 0., 1.],
           [1., 0., 0.]])
    """
    with Arguments(x=x) as given:
        given.check_shapes(x=(..., "n"))
        count = given.shape("x")[-1] or 1
        steps = count if steps is None else check_int("steps", steps, 1)
        return given.result(_rank_spikes(given["x"], steps=steps, xp=given.xp))


def rank_order_decode(spikes: ArrayT, /, *, modulation: float = 0.9) -> ArrayT:
    """Return approximate values from an order of firing: ``modulation^rank``; 0 for silent neurons.

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

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import rank_order_decode, rank_order_encode
    >>> rank_order_decode(rank_order_encode(np.array([0.2, 0.9, 0.5])), modulation=0.5)
    array([0.25, 1.  , 0.5 ])
    """
    with Arguments(spikes=spikes) as given:
        check_time_axis(given, "spikes")
        modulation = check_number("modulation", modulation, 0.0, 1.0, ends="()")
        return given.result(_faded(given["spikes"], modulation=modulation, xp=given.xp))


def rank_order_activation(spikes: ArrayT, weights: ArrayT, /, *, modulation: float = 0.9) -> ArrayT:
    """Return how well an order of firing fits each neuron's weights.

    ``Σ_i w_ki modulation^rank_i``.

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

    Notes
    -----
    S. Thorpe and J. Gautrais, "Rank order coding", Computational Neuroscience, 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import rank_order_activation, rank_order_encode
    >>> spikes = rank_order_encode(np.array([0.2, 0.9, 0.5]))
    >>> weights = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.5]])
    >>> rank_order_activation(spikes, weights, modulation=0.5)
    array([1.25, 0.5 ])
    """
    with Arguments(spikes=spikes, weights=weights) as given:
        given.check_shapes(weights=("m", "n"), spikes=(..., "n"))
        _check_neurons(given, 1)
        modulation = check_number("modulation", modulation, 0.0, 1.0, ends="()")
        return given.result(_activation(*given.arrays, modulation=modulation, xp=given.xp))


def population_response(
    x: ArrayT, /, neurons: int, *, low: float = 0.0, high: float = 1.0, width: float = 1.5
) -> ArrayT:
    """Return how much each of m neurons responds to a value: Gaussian receptive fields.

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

    Notes
    -----
    S. Bohte, H. La Poutré and J. Kok, "Unsupervised clustering with spiking neurons by sparse
    temporal coding and multilayer RBF networks", IEEE Transactions on Neural Networks, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import population_response
    >>> population_response(np.array([0.5, 0.75]), 5).round(3)
    array([[0.011, 0.325, 1.   , 0.325, 0.011],
           [0.   , 0.032, 0.531, 0.932, 0.172]])
    """
    fields = _Fields(neurons, low, high, width)
    with Arguments(x=x) as given:
        return given.result(fields.response(given["x"], given.xp))


def population_encode(
    x: ArrayT,
    /,
    steps: int,
    neurons: int,
    *,
    low: float = 0.0,
    high: float = 1.0,
    width: float = 1.5,
    least: float = 0.1,
) -> ArrayT:
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

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import first_spike_times
    >>> from synann_core.spiking import population_encode
    >>> spikes = population_encode(np.array([0.5, 0.75]), 10, 5)
    >>> first_spike_times(spikes)
    array([[10.,  7.,  0.,  7., 10.],
           [10., 10.,  5.,  1.,  8.]])
    """
    fields = _Fields(neurons, low, high, width)
    steps, least = check_int("steps", steps, 1), check_number("least", least, 0.0, 1.0)
    with Arguments(x=x) as given:
        xp, response = given.xp, fields.response(given["x"], given.xp)
        spikes = spikes_at(xp.round(steps * (1.0 - response)), steps, xp)
        return given.result(xp.where(response < least, 0.0, spikes))


def population_decode(spikes: ArrayT, /, *, low: float = 0.0, high: float = 1.0) -> ArrayT:
    """Return the mean of the fields' centres, weighted by how early their neurons fire.

    ``x = Σ r_i μ_i / Σ r_i`` with ``r_i = 1 − t_i/T``, 0 where neuron i is silent.

    Parameters
    ----------
    spikes : array, shape (T, ..., m)
    low, high : float
        As they were for `population_encode`.

    Returns
    -------
    array, shape (...), dtype and device of spikes
        For `width` 1.5, `least` 0.1 and T ≥ 20, accurate to 0.09 of the spacing of the centres. NaN
        where all neurons are silent.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import population_decode, population_encode
    >>> population_decode(population_encode(np.array([0.5, 0.75, 0.8]), 100, 12)).round(3)
    array([0.5 , 0.75, 0.8 ])
    """
    with Arguments(spikes=spikes) as given:
        neurons = _check_neurons(given, 3)
        fields = _Fields(neurons, low, high, 1.0)
        return given.result(_weighted_mean(given["spikes"], fields, given.xp))


def _rank_spikes(x: Array, *, steps: int, xp: Namespace) -> Array:
    # (Every library sorts NaN to the end: the ranks of the others are theirs.)
    rank = xp.argsort(xp.argsort(-x, axis=-1, stable=True), axis=-1, stable=True)
    return spikes_at(xp.where(xp.isnan(x), -1.0, xp.astype(rank, x.dtype)), steps, xp)


def _faded(spikes: Array, *, modulation: float, xp: Namespace) -> Array:
    rank = first_spikes(spikes, xp=xp)
    base = xp.asarray(modulation, dtype=spikes.dtype, device=device(spikes))
    return xp.where(rank < spikes.shape[0], base**rank, 0.0)


def _activation(spikes: Array, weights: Array, *, modulation: float, xp: Namespace) -> Array:
    return _faded(spikes, modulation=modulation, xp=xp) @ xp.matrix_transpose(weights)


@dataclass(frozen=True)
class _Fields:
    """The receptive fields of a population, checked."""

    neurons: int
    low: float
    high: float
    width: float

    def __post_init__(self) -> None:
        check_int("neurons", self.neurons, 3)
        low = check_number("low", self.low)
        for name, least in (("low", -math.inf), ("high", low), ("width", 0.0)):
            number = check_number(name, getattr(self, name), least, ends="()")
            object.__setattr__(self, name, number)

    def centres(self, like: Array, xp: Namespace) -> Array:
        i = xp.arange(1, self.neurons + 1, dtype=like.dtype, device=device(like))
        spacing = 0.5 * (self.high - self.low) / (self.neurons - 2)
        return self.low + (2.0 * i - 3.0) * spacing

    def response(self, x: Array, xp: Namespace) -> Array:
        sigma = (self.high - self.low) / (self.width * (self.neurons - 2))
        z = (x[..., None] - self.centres(x, xp)) / sigma
        return xp.exp(-0.5 * z * z)


def _weighted_mean(spikes: Array, fields: _Fields, xp: Namespace) -> Array:
    weight = 1.0 - first_spikes(spikes, xp=xp) / spikes.shape[0]
    return xp.sum(weight * fields.centres(spikes, xp), axis=-1) / xp.sum(weight, axis=-1)


def _check_neurons(given: Arguments[ArrayT], least: int) -> int:
    shape = check_time_axis(given, "spikes")
    if len(shape) < 2 or shape[-1] < least:
        raise ValueError(
            f"`spikes` must have shape (time, ..., neurons), neurons ≥ {least}. "
            f"Received: shape {shape}"
        )
    return shape[-1]
