"""Codes of change: a spike up or down where a signal moves by a threshold.

Time is the first axis; every further axis holds separate signals. Spikes are +1, −1 and 0. One
decoder serves all: each spike is a step of one threshold. No gradient passes through a spike. NaN
is a gap in a signal: what it would decide gives no spike, means leave it out, and a base stays.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and for options and thresholds that are unknown
or out of range, NaN among them (but for thresholds that ``jax.jit`` traces).
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_int, check_known, check_number, check_option
from synann_core._lib.loops import runner, scan
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.native.host import serves_unwatched
from synann_core.spiking.codes import native
from synann_core.spiking.codes.time_axis import check_fits, check_time_axis, steps_like

FirstValue = Literal["zero", "repeat"]
FirstBase = Literal["past", "window"]
Of = Literal["signed", "absolute"]


def delta_encode(
    x: ArrayT, /, threshold: ArrayT | float = 0.1, *, first: FirstValue = "zero", off: bool = True
) -> ArrayT:
    """Spike where the signal has changed by a threshold since the step before.

    ``s[t] = (x[t] − x[t−1] ≥ threshold) − (x[t] − x[t−1] ≤ −threshold)``.

    Parameters
    ----------
    x : array, shape (T, ...)
        Signals.
    threshold : number or array that broadcasts to (...)
        > 0.
    first : {"zero", "repeat"}
        What the first value is compared with: 0, as if the signal had begun there; or itself, which
        gives no spike.
    off : bool
        Whether falling signals spike at all.

    Returns
    -------
    array, shape (T, ...), promoted dtype
        +1, −1 or 0. A change of many thresholds still gives one spike. None at a NaN, nor in the
        step after it, whose change is not known.

    Notes
    -----
    As ``snntorch.spikegen.delta``, whose `padding` is ``first="repeat"`` and whose `off_spike` is
    off by default.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import delta_encode
    >>> delta_encode(np.array([1.0, 2.0, 0.0, 2.0, 2.9]), 1.0)
    array([ 1.,  1., -1.,  1.,  0.])
    """
    check_option("first", first, get_args(FirstValue))
    with _signals(x, threshold) as given:
        return given.result(_delta(*given.arrays, first=first, off=bool(off), xp=given.xp))


def temporal_contrast_encode(
    x: ArrayT, /, factor: float = 1.0, *, of: Of = "signed", correction: float = 0.0
) -> tuple[ArrayT, ArrayT]:
    """Spike where the signal changes by more than its changes usually are.

    ``d = diff(x)``, ``threshold = mean(d) + factor · std(d)``, a threshold for each signal;
    ``s[t] = (d[t] > threshold) − (d[t] < −threshold)``, d[0] = 0.

    Parameters
    ----------
    x : array, shape (T, ...)
        Signals, T ≥ 2.
    factor : float
        Number of standard deviations.
    of : {"signed", "absolute"}
        Whether mean and deviation are of d, as it is usually written, or of ``|d|``. A falling
        signal's signed mean is negative, and then so may its threshold be: it spikes at every step.
        With "absolute" and factor ≥ 0 that cannot happen.
    correction : float
        The deviation's divisor is T − 1 − correction: 1 for an unbiased variance.

    Returns
    -------
    spikes : array, shape (T, ...), dtype and device of x
        +1, −1 or 0; where the threshold is negative and both hold, 0. None at a NaN, nor in the
        step after it.
    threshold : array, shape (...)
        For `contrast_decode`. Of the changes between two numbers; where these are not more than
        `correction`, the signal is silent and its threshold 0.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import temporal_contrast_encode
    >>> spikes, threshold = temporal_contrast_encode(np.array([0.0, 1.0, 1.0, 0.0, 0.0]), 0.5)
    >>> spikes, round(float(threshold), 3)
    (array([ 0.,  1.,  0., -1.,  0.]), 0.354)
    """
    check_option("of", of, get_args(Of))
    factor = check_number("factor", factor)
    correction = check_number("correction", correction, 0.0)
    with Arguments(x=x) as given:
        shape = check_time_axis(given, "x")
        if shape[0] - 1 <= correction:
            raise ValueError(
                f"`x` must have more than {1 + correction:g} steps. Received: shape {shape}"
            )
        signals, xp = given["x"], given.xp
        change = signals[1:, ...] - signals[:-1, ...]
        usual, enough = _usual_change(change, factor=factor, of=of, correction=correction, xp=xp)
        threshold = given.result(usual)
        spikes = _beyond(change, given.array("threshold", threshold, shape[1:]), xp)
        spikes = xp.concat([xp.zeros_like(signals[:1, ...]), xp.where(enough, spikes, 0.0)])
        return given.result(spikes), threshold


def step_forward_encode(x: ArrayT, /, threshold: ArrayT | float) -> ArrayT:
    """Spike where the signal has left a base by more than a threshold; the base follows by it.

    ``base[0] = x[0]``; ``s[t] = (x[t] > base + threshold) − (x[t] < base − threshold)``;
    ``base += threshold · s[t]``.

    Parameters
    ----------
    x : array, shape (T, ...)
        Signals.
    threshold : number or array that broadcasts to (...)
        > 0.

    Returns
    -------
    array, shape (T, ...), promoted dtype
        +1, −1 or 0. `contrast_decode` with ``start=x[0]`` gives the base: never further than the
        threshold from a signal whose steps are at most the threshold, up to rounding. None at a
        NaN, where the base stays; the first number is the first base.

    Notes
    -----
    Sequential: compiled for NumPy and torch on the CPU, on JAX a scan, elsewhere a Python loop over
    T. N. Kasabov et al., "Evolving spatio-temporal data machines", Neural Networks, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import step_forward_encode
    >>> step_forward_encode(np.array([0.0, 0.6, 1.2, 1.2, 0.4]), 0.5)
    array([ 0.,  1.,  1.,  0., -1.])
    """
    with _signals(x, threshold) as given:
        encode = runner(_step_forward, given.xp)
        return given.result(encode(*given.arrays, xp=given.xp))


def moving_window_encode(
    x: ArrayT, /, threshold: ArrayT | float, window: int, *, first: FirstBase = "past"
) -> ArrayT:
    """Spike where the signal is more than a threshold away from its recent mean.

    ``s[t] = (x[t] > base + threshold) − (x[t] < base − threshold)``, base the mean of the `window`
    values before t.

    Parameters
    ----------
    x : array, shape (T, ...)
        Signals.
    threshold : number or array that broadcasts to (...)
        > 0.
    window : int
        Number of values in the mean, ≥ 1.
    first : {"past", "window"}
        The base while there are fewer values: the mean of those there are (no spike at t = 0), or,
        as published, of the first `window` values, which looks ahead.

    Returns
    -------
    array, shape (T, ...), promoted dtype
        +1, −1 or 0. `contrast_decode` follows the signal's course, with no bound on its error. None
        at a NaN, which the mean leaves out, nor where all values of the mean are NaN.

    Notes
    -----
    Step-forward, moving window and temporal contrast as compared by B. Petro, N. Kasabov and R.
    Kiss, "Selection and optimization of temporal spike encoding methods for spiking neural
    networks", IEEE Transactions on Neural Networks and Learning Systems, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import moving_window_encode
    >>> moving_window_encode(np.array([0.0, 0.0, 1.0, 1.0, 1.0, 0.0]), 0.4, 2)
    array([ 0.,  0.,  1.,  1.,  0., -1.])
    """
    check_option("first", first, get_args(FirstBase))
    window = check_int("window", window, 1)
    with _signals(x, threshold) as given:
        spikes = _moving_window(*given.arrays, window=window, first=first, xp=given.xp)
        return given.result(spikes)


def contrast_decode(
    spikes: ArrayT, /, threshold: ArrayT | float, *, start: ArrayT | float = 0.0
) -> ArrayT:
    """Return the signal whose steps are the spikes: ``start + threshold · cumsum(spikes)``.

    Parameters
    ----------
    spikes : array, shape (T, ...)
        Of any code of this module.
    threshold : number or array that broadcasts to (...)
        As it was for the encoder, or as `temporal_contrast_encode` returned it; finite.
    start : number or array that broadcasts to (...)
        Value from which the signal started: its first (0 for ``delta_encode(first="zero")``).

    Returns
    -------
    array, shape (T, ...), promoted dtype

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import contrast_decode
    >>> contrast_decode(np.array([0.0, 1.0, 1.0, 0.0, -1.0]), 0.5)
    array([0. , 0.5, 1. , 1. , 0.5])
    """
    check_known("threshold", threshold)
    with Arguments(spikes=spikes, threshold=threshold, start=start) as given:
        shape = check_time_axis(given, "spikes")[1:]
        check_fits(given, "threshold", shape)
        check_fits(given, "start", shape)
        return given.result(decode(*given.arrays, xp=given.xp))


def decode(spikes: Array, threshold: Array, start: Array, *, xp: Namespace) -> Array:
    """Return `contrast_decode` of checked arrays."""
    return start + threshold * xp.cumulative_sum(spikes, axis=0)


def _signals(x: ArrayT, threshold: ArrayT | float) -> Arguments[ArrayT]:
    given = Arguments[ArrayT](x=x, threshold=threshold)
    check_fits(given, "threshold", check_time_axis(given, "x")[1:])
    check_known("threshold", threshold, 0.0, ends="()")
    return given


def _beyond(change: Array, threshold: Array, xp: Namespace) -> Array:
    up = xp.astype(change > threshold, change.dtype)
    return up - xp.astype(change < -threshold, change.dtype)


def _delta(x: Array, threshold: Array, *, first: FirstValue, off: bool, xp: Namespace) -> Array:
    before = x[:1, ...] if first == "repeat" else xp.zeros_like(x[:1, ...])
    change = x - xp.concat([before, x[:-1, ...]])
    up = xp.astype(change >= threshold, x.dtype)
    return up - xp.astype(change <= -threshold, x.dtype) if off else up


def _usual_change(
    change: Array, *, factor: float, of: Of, correction: float, xp: Namespace
) -> tuple[Array, Array]:
    """Return the threshold of each signal, and whether it has enough changes for one."""
    change = xp.abs(change) if of == "absolute" else change
    known = xp.isfinite(change)
    count = xp.sum(xp.astype(known, change.dtype), axis=0)
    enough = count > correction
    mean = xp.sum(xp.where(known, change, 0.0), axis=0) / xp.where(enough, count, 1.0)
    apart = xp.where(known, change - mean, 0.0)
    variance = xp.sum(apart * apart, axis=0) / xp.where(enough, count - correction, 1.0)
    varies = variance > 0.0  # the root has no derivative at 0
    deviation = xp.where(varies, xp.sqrt(xp.where(varies, variance, 1.0)), 0.0)
    return xp.where(enough, mean + factor * deviation, 0.0), enough


def _step_forward(x: Array, threshold: Array, *, xp: Namespace) -> Array:
    if serves_unwatched(xp, x, threshold):
        return native.step_forward(x, threshold)
    first = x[0, ...]

    # The base as the decoder has it, a multiple of the threshold: its error does not add up.
    def step(carry: Any, values: tuple[Array, ...]) -> tuple[Any, tuple[Array]]:
        (level, start), (value,) = carry, values
        start = xp.where(xp.isnan(start), value, start)
        base = start + threshold * level
        up = xp.astype(value > base + threshold, x.dtype)
        spike = up - xp.astype(value < base - threshold, x.dtype)
        return (level + spike, start), (spike,)

    spikes: Array = scan(step, (xp.zeros_like(first), first), (x,), xp)[1][0]
    return spikes


def _moving_window(
    x: Array, threshold: Array, *, window: int, first: FirstBase, xp: Namespace
) -> Array:
    steps = x.shape[0]
    window = min(window, steps)
    known = ~xp.isnan(x)

    def summed(a: Array) -> Array:
        padded = xp.concat([xp.zeros_like(a[:window, ...]), a])
        total: Any = sum(padded[k : k + steps, ...] for k in range(window))
        if first == "window":
            t = steps_like(steps, a[0, ...], xp)
            total = xp.where(t < window, xp.sum(a[:window, ...], axis=0), total)
        summed_up: Array = total
        return summed_up

    total, count = summed(xp.where(known, x, 0.0)), summed(xp.astype(known, x.dtype))
    base = xp.where(count > 0.0, total / xp.clip(count, 1.0, None), x)
    return _beyond(x - base, threshold, xp)
