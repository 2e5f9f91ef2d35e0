"""Latency codes: one spike for each number, the larger, the earlier; linear and logarithmic.

Time is the first axis of spike trains. Each number is encoded on its own: none depends on the other
samples of a batch. No gradient passes a spike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from synann_core._lib.arguments import Call
from synann_core._lib.checks import check_int, check_number
from synann_core._lib.numerics import constant
from synann_core._lib.typing import Array, Namespace
from synann_core.spiking.codes.time_axis import check_time_axis, first_spikes, spikes_at

__all__ = ["first_spike_times", "latency_decode", "latency_encode", "latency_times"]


def latency_times(
    x: Array,
    /,
    steps: int | None = None,
    *,
    tau: float = 1.0,
    threshold: float = 0.01,
    first_spike: float = 0.0,
    linear: bool = False,
    normalise: bool = False,
    epsilon: float = 1e-7,
) -> Array:
    """Time at which a value fires: the larger, the earlier. Not rounded.

    ``t = τ ln(x'/(x' − threshold))`` with ``x' = max(x, threshold + epsilon)``, when an RC circuit
    with time constant τ and drive x reaches the threshold; or, if `linear`,
    ``t = min(τ(1 − x), τ(1 − threshold))``. To both `first_spike` is added.

    Parameters
    ----------
    x : array, any shape
        In [0, 1].
    steps : int, optional
        Number of steps T, for `normalise`.
    tau : float
        Time constant in steps, > 0.
    threshold : float
        In (0, 1). All values below fire together, last.
    first_spike : float
        Step of the first spike, ≥ 0.
    linear : bool
        The linear code instead of the logarithmic one.
    normalise : bool
        Choose τ so that all times fit in T steps: T − 1 − first_spike if `linear`, else the τ that
        has values at or below the threshold fire in the last step.
    epsilon : float
        Distance from the threshold that is as good as none in the logarithmic code, > 0.

    Returns
    -------
    array, shape, dtype and device of x

    Raises
    ------
    TypeError, ValueError
        If `x` is no real floating-point array, or an option is out of range.

    Notes
    -----
    The times of ``snntorch.spikegen.latency_code``. Its normalised logarithmic form differs: it
    divides by the latest time in the batch, so that samples change each other's codes; here, by the
    latest time there can be. Both are the same where some value is below the threshold.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.codes.latency import latency_times
    >>> latency_times(np.array([0.02, 0.5, 1.0]), 5, linear=True, normalise=True)
    array([3.92, 2.  , 0.  ])
    """
    call = Call(x=x)
    code = _checked(steps, tau, threshold, first_spike, linear, normalise, epsilon)
    return call.value(code.times)


def latency_encode(
    x: Array,
    /,
    steps: int,
    *,
    tau: float = 1.0,
    threshold: float = 0.01,
    first_spike: float = 0.0,
    linear: bool = False,
    normalise: bool = False,
    clip: bool = False,
    epsilon: float = 1e-7,
) -> Array:
    """Spike once, at the step next to the value's `latency_times`: the larger, the earlier.

    Parameters
    ----------
    x : array, any shape
        In [0, 1].
    steps : int
        Number of steps T, ≥ 1.
    tau, threshold, first_spike, linear, normalise, epsilon
        As for `latency_times`.
    clip : bool
        Values below the threshold are silent, instead of the last to fire.

    Returns
    -------
    array, shape (T, ...), dtype and device of x
        Zeros and ones. Times are rounded half to even; one outside the T steps gives no spike.

    Raises
    ------
    TypeError, ValueError
        If `x` is no real floating-point array, or an option is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.codes.latency import latency_encode
    >>> latency_encode(np.array([0.02, 0.5, 1.0]), 5, linear=True, normalise=True).T
    array([[0., 0., 0., 0., 1.],
           [0., 0., 1., 0., 0.],
           [1., 0., 0., 0., 0.]])
    """
    call = Call(x=x)
    steps = check_int("steps", steps, 1)
    code = _checked(steps, tau, threshold, first_spike, linear, normalise, epsilon)
    return call.value(partial(code.spikes, clip=bool(clip)))


def latency_decode(
    spikes: Array,
    /,
    *,
    tau: float = 1.0,
    threshold: float = 0.01,
    first_spike: float = 0.0,
    linear: bool = False,
    normalise: bool = False,
    epsilon: float = 1e-7,
) -> Array:
    """Value whose latency code has its first spike where `spikes` have it; 0 where they are silent.

    ``x = threshold / (1 − e^(−(t − first_spike)/τ))`` or, if `linear`,
    ``x = 1 − (t − first_spike)/τ``, in [0, 1]; 1 at `first_spike` and before.

    Parameters
    ----------
    spikes : array, shape (T, ...)
    tau, threshold, first_spike, linear, normalise, epsilon
        As they were for `latency_encode`.

    Returns
    -------
    array, shape (...), dtype and device of spikes
        For values above the threshold the linear code is met to 1/(2τ); the logarithmic one to half
        a step of time, which is coarse for large values.

    Raises
    ------
    TypeError, ValueError
        If `spikes` is no real floating-point array with a time axis, or an option is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.codes.latency import latency_decode, latency_encode
    >>> spikes = latency_encode(np.array([0.02, 0.5, 1.0]), 5, linear=True, normalise=True)
    >>> latency_decode(spikes, linear=True, normalise=True)
    array([0. , 0.5, 1. ])
    """
    call = Call(spikes=spikes)
    steps = check_time_axis(call, "spikes")[0]
    code = _checked(steps, tau, threshold, first_spike, linear, normalise, epsilon)
    return call.value(code.value)


def first_spike_times(spikes: Array, /) -> Array:
    """Step of the first spike of each train; T, the number of steps, where there is none.

    Parameters
    ----------
    spikes : array, shape (T, ...)
        A spike is a number above 0.

    Returns
    -------
    array, shape (...), dtype of spikes
        Whole numbers from 0 to T.

    Raises
    ------
    TypeError, ValueError
        If `spikes` is no real floating-point array with a time axis.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.codes.latency import first_spike_times
    >>> first_spike_times(np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]]))
    array([2., 1., 0.])
    """
    call = Call(spikes=spikes)
    check_time_axis(call, "spikes")
    return call.value(first_spikes)


def _checked(
    steps: int | None,
    tau: float,
    threshold: float,
    first_spike: float,
    linear: bool,
    normalise: bool,
    epsilon: float,
) -> _Code:
    if normalise and steps is None:
        raise ValueError("`steps` must be given to normalise. Received: None")
    if steps is not None:
        steps = check_int("steps", steps, 1)
    return _Code(
        last=0 if steps is None else steps - 1,
        tau=check_number("tau", tau, 0.0, ends="()"),
        threshold=check_number("threshold", threshold, 0.0, 1.0, ends="()"),
        first=check_number(
            "first_spike", first_spike, 0.0, math.inf if steps is None else steps - 1
        ),
        linear=bool(linear),
        normalise=bool(normalise),
        epsilon=check_number("epsilon", epsilon, 0.0, ends="()"),
    )


@dataclass(frozen=True)
class _Code:
    """The checked options of a latency code, and its formulas."""

    last: int  # step; 0 where the number of steps is neither given nor needed
    tau: float
    threshold: float
    first: float
    linear: bool
    normalise: bool
    epsilon: float

    def times(self, x: Array, *, xp: Namespace) -> Array:
        tau = self._tau(x, xp)
        if self.linear:
            threshold = constant(self.threshold, x, xp)
            return xp.minimum(-tau * (x - 1.0), -tau * (threshold - 1.0)) + self.first
        return tau * self._charging(x, xp) + self.first

    def spikes(self, x: Array, *, clip: bool, xp: Namespace) -> Array:
        once = spikes_at(xp.round(self.times(x, xp=xp)), self.last + 1, xp)
        return xp.where(x < self.threshold, 0.0, once) if clip else once

    def value(self, spikes: Array, *, xp: Namespace) -> Array:
        times = first_spikes(spikes, xp=xp)
        late = times - self.first
        # A time can be rounded to before the first, and τ be 0 in the last of the steps.
        age = xp.where(late > 0.0, late / self._tau(times, xp), 0.0)
        value = 1.0 - age if self.linear else self.threshold / xp.abs(xp.expm1(-age))
        value = xp.clip(value, 0.0, 1.0)
        return xp.where(times < spikes.shape[0], value, 0.0)

    def _tau(self, like: Array, xp: Namespace) -> Array:
        if not self.normalise:
            return constant(self.tau, like, xp)
        span = constant(self.last - self.first, like, xp)
        return span if self.linear else span / self._charging(constant(0.0, like, xp), xp)

    def _charging(self, x: Array, xp: Namespace) -> Array:
        """Time to the threshold, in time constants."""
        # ln(x'/(x' − threshold)) without the rounding of x', which can be as large as epsilon.
        above = xp.maximum(x - self.threshold, constant(self.epsilon, x, xp))
        return xp.log1p(self.threshold / above)
