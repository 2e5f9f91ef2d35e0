"""Latency codes: one spike for each number, the larger, the earlier; linear and logarithmic.

Time is the first axis of spike trains. Each number is encoded on its own: none depends on the other
samples of a batch. No gradient passes through a spike. NaN is a gap: it gives no spike, and its
time is NaN.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and options that are unknown or out of range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_int, check_number
from synann_core._lib.numerics import constant
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.spiking.codes.time_axis import check_time_axis, first_spikes, spikes_at


def latency_times(
    x: ArrayT,
    /,
    steps: int | None = None,
    *,
    tau: float = 1.0,
    threshold: float = 0.01,
    first_spike: float = 0.0,
    linear: bool = False,
    normalise: bool = False,
    epsilon: float = 1e-7,
) -> ArrayT:
    """Return the time at which a value fires: the larger, the earlier. Not rounded.

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
        Smallest distance from the threshold that counts in the logarithmic code, > 0.

    Returns
    -------
    array, shape, dtype and device of x

    Notes
    -----
    The times of ``snntorch.spikegen.latency_code``. Its normalised logarithmic form differs: it
    divides by the latest time in the batch, so that samples change each other's codes; here, by the
    latest time there can be. Both are the same where some value is below the threshold.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import latency_times
    >>> latency_times(np.array([0.02, 0.5, 1.0]), 5, linear=True, normalise=True)
    array([3.92, 2.  , 0.  ])
    """
    steps = steps if steps is None else check_int("steps", steps, 1)
    code = _Code(steps, tau, threshold, first_spike, linear, normalise, epsilon)
    with Arguments(x=x) as given:
        return given.result(code.times(given["x"], xp=given.xp))


def latency_encode(
    x: ArrayT,
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
) -> ArrayT:
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

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import latency_encode
    >>> latency_encode(np.array([0.02, 0.5, 1.0]), 5, linear=True, normalise=True).T
    array([[0., 0., 0., 0., 1.],
           [0., 0., 1., 0., 0.],
           [1., 0., 0., 0., 0.]])
    """
    steps = check_int("steps", steps, 1)
    code = _Code(steps, tau, threshold, first_spike, linear, normalise, epsilon)
    with Arguments(x=x) as given:
        return given.result(code.spikes(given["x"], clip=bool(clip), xp=given.xp))


def latency_decode(
    spikes: ArrayT,
    /,
    *,
    tau: float = 1.0,
    threshold: float = 0.01,
    first_spike: float = 0.0,
    linear: bool = False,
    normalise: bool = False,
    epsilon: float = 1e-7,
) -> ArrayT:
    """Return the value whose latency code has its first spike where `spikes` have it; 0 if silent.

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
        For values above the threshold the linear code is accurate to 1/(2τ), and the logarithmic
        one to half a step of time, which is coarse for large values.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import latency_decode, latency_encode
    >>> spikes = latency_encode(np.array([0.02, 0.5, 1.0]), 5, linear=True, normalise=True)
    >>> latency_decode(spikes, linear=True, normalise=True)
    array([0. , 0.5, 1. ])
    """
    with Arguments(spikes=spikes) as given:
        steps = check_time_axis(given, "spikes")[0]
        code = _Code(steps, tau, threshold, first_spike, linear, normalise, epsilon)
        return given.result(code.value(given["spikes"], xp=given.xp))


def first_spike_times(spikes: ArrayT, /) -> ArrayT:
    """Return the step of each train's first spike; T, the number of steps, where there is none.

    Parameters
    ----------
    spikes : array, shape (T, ...)
        A spike is a number above 0.

    Returns
    -------
    array, shape (...), dtype of spikes
        Whole numbers from 0 to T.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import first_spike_times
    >>> first_spike_times(np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]]))
    array([2., 1., 0.])
    """
    with Arguments(spikes=spikes) as given:
        check_time_axis(given, "spikes")
        return given.result(first_spikes(given["spikes"], xp=given.xp))


@dataclass(frozen=True)
class _Code:
    """The options of a latency code, checked, and its formulas."""

    steps: Any  # int; None where it is neither given nor needed
    tau: float
    threshold: float
    first_spike: float
    linear: bool
    normalise: bool
    epsilon: float

    def __post_init__(self) -> None:
        if self.normalise and self.steps is None:
            raise ValueError("`steps` must be given to normalise. Received: None")
        last = math.inf if self.steps is None else self.steps - 1
        ranges = {
            "tau": (math.inf, "()"),
            "threshold": (1.0, "()"),
            "epsilon": (math.inf, "()"),
            "first_spike": (last, "[]"),
        }
        for name, (most, ends) in ranges.items():
            number = check_number(name, getattr(self, name), 0.0, most, ends)
            object.__setattr__(self, name, number)

    def times(self, x: Array, *, xp: Namespace) -> Array:
        tau = self._tau(x, xp)
        if self.linear:
            threshold = constant(self.threshold, x, xp)
            return xp.minimum(-tau * (x - 1.0), -tau * (threshold - 1.0)) + self.first_spike
        return tau * self._charging(x, xp) + self.first_spike

    def spikes(self, x: Array, *, clip: bool, xp: Namespace) -> Array:
        once = spikes_at(xp.round(self.times(x, xp=xp)), self.steps, xp)
        return xp.where(x < self.threshold, 0.0, once) if clip else once

    def value(self, spikes: Array, *, xp: Namespace) -> Array:
        times = first_spikes(spikes, xp=xp)
        late = times - self.first_spike
        # A time can be rounded to before the first, and τ be 0 in the last of the steps.
        age = xp.where(late > 0.0, late / self._tau(times, xp), 0.0)
        value = 1.0 - age if self.linear else self.threshold / xp.abs(xp.expm1(-age))
        value = xp.clip(value, 0.0, 1.0)
        return xp.where(times < spikes.shape[0], value, 0.0)

    def _tau(self, like: Array, xp: Namespace) -> Array:
        if not self.normalise:
            return constant(self.tau, like, xp)
        span = constant(self.steps - 1 - self.first_spike, like, xp)
        return span if self.linear else span / self._charging(constant(0.0, like, xp), xp)

    def _charging(self, x: Array, xp: Namespace) -> Array:
        """Return the time to the threshold, in time constants."""
        # ln(x'/(x' − threshold)) without the rounding of x', which can be as large as epsilon.
        above = xp.maximum(x - self.threshold, constant(self.epsilon, x, xp))
        return xp.log1p(self.threshold / above)
