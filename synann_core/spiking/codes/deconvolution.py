"""Codes whose decoder is a filter: spikes that, convolved with a kernel, give the signal back.

HSA, Hough's spiker algorithm, and BSA, Ben's: where the kernel fits (nearly) under the signal, or
brings it nearer to 0, they spike and take the kernel away. Both are for signals ≥ 0: subtract the
minimum first. Time is the first axis; every further axis holds separate signals. No gradient passes
through a spike. NaN is a gap in a signal: where the kernel reaches one, there is no spike.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit, for options that are unknown or out of range,
and for kernels that are not finite (but for those that ``jax.jit`` traces).
"""

from __future__ import annotations

from typing import Literal, get_args

from array_api_compat import device

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_known, check_number, check_option
from synann_core._lib.loops import runner, scan
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.native.host import serves_unwatched
from synann_core.spiking.codes import native
from synann_core.spiking.codes.time_axis import check_time_axis

End = Literal["silent", "partial"]
Rule = Literal["difference", "ratio"]
Test = Literal["excess", "difference", "ratio"]


def hsa_encode(
    x: ArrayT, kernel: ArrayT, /, *, threshold: float = 0.0, end: End = "silent"
) -> ArrayT:
    """Hough's spiker algorithm: spike where the kernel fits under what is left of the signal.

    ``s[t] = 1`` if ``Σ_k max(0, h[k] − x[t + k]) ≤ threshold``; then ``x[t + k] −= h[k]``.

    Parameters
    ----------
    x : array, shape (T, ...)
        Signals, ≥ 0.
    kernel : array, shape (F,)
        The decoding filter h, ≥ 0, F ≥ 1.
    threshold : float
        How much of the kernel may be above the signal, in the unit of Σ h, ≥ 0. At 0 the whole
        kernel fits, and above it is the modified HSA.
    end : {"silent", "partial"}
        Whether the last F − 1 steps, where the kernel reaches beyond the signal, never spike, or
        compare the part of it that does not.

    Returns
    -------
    array, shape (T, ...), promoted dtype
        Zeros and ones. What `convolution_decode` gives is above x ≥ 0 by at most `threshold` a
        spike, summed over the steps: with threshold 0 nowhere, up to rounding.

    Notes
    -----
    Sequential: on JAX a scan, elsewhere a Python loop over T. M. Hough et al., "SPIKER: analog
    waveform to digital spiketrain conversion in ATR's artificial brain project", 1999; modified as
    in B. Schrauwen and J. Van Campenhout, "BSA, a fast and accurate spike train encoding scheme",
    IJCNN 2003, and B. Petro, N. Kasabov and R. Kiss, "Selection and optimization of temporal spike
    encoding methods for spiking neural networks", IEEE TNNLS 31, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import hsa_encode
    >>> x, kernel = np.array([0.5, 1.5, 1.2, 0.5, 0.0]), np.array([0.5, 1.0, 0.5])
    >>> hsa_encode(x, kernel)
    array([1., 0., 0., 0., 0.])
    >>> hsa_encode(x, kernel, threshold=0.5)
    array([1., 1., 0., 0., 0.])
    """
    return _encode(x, kernel, check_number("threshold", threshold, 0.0), "excess", end)


def bsa_encode(
    x: ArrayT,
    kernel: ArrayT,
    /,
    threshold: float,
    *,
    rule: Rule = "difference",
    end: End = "silent",
) -> ArrayT:
    """Ben's spiker algorithm: spike where taking the kernel away brings the signal nearer to 0.

    With ``e1 = Σ_k |x[t+k] − h[k]|`` and ``e2 = Σ_k |x[t+k]|``: spike, and ``x[t + k] −= h[k]``,
    if ``e1 ≤ e2 − threshold`` ("difference") or ``e1 ≤ threshold · e2`` ("ratio").

    Parameters
    ----------
    x : array, shape (T, ...)
        Signals, ≥ 0.
    kernel : array, shape (F,)
        The decoding filter h, F ≥ 1.
    threshold : float
        ≥ 0. As difference in the signal's unit (of the order of Σ h), as ratio usually near 1.
    rule : {"difference", "ratio"}
        The published rule, or that of many implementations. Where the signal is 0, the ratio's e1
        is Σ|h| > e2 = 0.
    end : {"silent", "partial"}
        As for `hsa_encode`; the publication is partial.

    Returns
    -------
    array, shape (T, ...), promoted dtype
        Zeros and ones, for `convolution_decode`.

    Notes
    -----
    Sequential: compiled for NumPy and torch on the CPU, on JAX a scan, elsewhere a Python loop over
    T. B. Schrauwen and J. Van Campenhout, "BSA, a fast and accurate spike train encoding scheme",
    IJCNN 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import bsa_encode
    >>> bsa_encode(np.array([0.5, 0.9, 0.4, 0.0, 0.0]), np.array([0.5, 1.0, 0.5]), 0.5)
    array([1., 0., 0., 0., 0.])
    """
    check_option("rule", rule, get_args(Rule))
    return _encode(x, kernel, check_number("threshold", threshold, 0.0), rule, end)


def convolution_decode(spikes: ArrayT, kernel: ArrayT, /) -> ArrayT:
    """Return the signal that the spikes stand for: ``x[t] = Σ_k h[k] s[t − k]``.

    Parameters
    ----------
    spikes : array, shape (T, ...)
    kernel : array, shape (F,)
        The filter h, F ≥ 1.

    Returns
    -------
    array, shape (T, ...), promoted dtype
        What the last spikes add after step T is left out.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import convolution_decode
    >>> convolution_decode(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.5, 1.0, 0.5]))
    array([0.5, 1.5, 1.5, 0.5])
    """
    with _signals(kernel, spikes=spikes) as given:
        return given.result(_convolution(*given.arrays, xp=given.xp))


def _signals(kernel: ArrayT, **signals: ArrayT) -> Arguments[ArrayT]:
    given = Arguments[ArrayT](**signals, kernel=kernel)
    check_time_axis(given, *signals)
    given.check_shapes(kernel=("taps",))
    if given.shape("kernel")[0] < 1:
        raise ValueError("`kernel` must not be empty. Received: shape (0,)")
    check_known("kernel", kernel)
    return given


def _encode(x: ArrayT, kernel: ArrayT, threshold: float, test: Test, end: End) -> ArrayT:
    check_option("end", end, get_args(End))
    with _signals(kernel, x=x) as given:
        if test != "excess" and serves_unwatched(given.xp, *given.arrays):
            spikes = native.bsa(*given.arrays, threshold=threshold, rule=test, end=end)
            return given.result(spikes)
        take_away = runner(_take_away, given.xp)
        options = {"threshold": threshold, "test": test, "end": end, "xp": given.xp}
        return given.result(take_away(*given.arrays, **options))


def _take_away(
    x: Array, kernel: Array, *, threshold: float, test: Test, end: End, xp: Namespace
) -> Array:
    """Go through the signal, take the kernel away where the test says so, and return where.

    The carry holds the next F values of what is left; beyond the end there are zeros, marked as
    outside.
    """
    steps, taps = x.shape[0], kernel.shape[0]
    h = xp.reshape(kernel, (taps,) + (1,) * (x.ndim - 1))
    outside = xp.zeros((taps, *x.shape[1:]), dtype=x.dtype, device=device(x))
    padded = xp.concat([x, outside])
    t = xp.arange(steps, device=device(x))
    k = xp.reshape(xp.arange(taps, device=device(x)), h.shape)

    def passes(left: Array, inside: Array) -> Array:
        if test == "excess":
            above = xp.where(inside, xp.maximum(h - left, xp.zeros_like(left)), 0.0)
            return xp.sum(above, axis=0) <= threshold
        with_kernel = xp.sum(xp.where(inside, xp.abs(left - h), 0.0), axis=0)
        without = xp.sum(xp.where(inside, xp.abs(left), 0.0), axis=0)
        return with_kernel <= (without - threshold if test == "difference" else threshold * without)

    def step(left: Array, parts: tuple[Array, ...]) -> tuple[Array, tuple[Array]]:
        now, entering = parts
        spike = passes(left, now + k < steps)
        if end == "silent":
            spike = spike & (now + taps <= steps)
        spike = xp.astype(spike, x.dtype)
        left = left - spike * h
        return xp.concat([left[1:, ...], entering[None, ...]]), (spike,)

    spikes: Array = scan(step, padded[:taps, ...], (t, padded[taps:, ...]), xp)[1][0]
    return spikes


def _convolution(spikes: Array, kernel: Array, *, xp: Namespace) -> Array:
    steps = spikes.shape[0]
    total = xp.zeros_like(spikes)
    for k in range(min(kernel.shape[0], steps)):
        late = xp.concat([xp.zeros_like(spikes[:k, ...]), spikes[: steps - k, ...]])
        total = total + kernel[k] * late
    return total
