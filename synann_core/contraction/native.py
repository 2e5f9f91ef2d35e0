"""The contraction by compiled kernels, for NumPy arrays and torch tensors on the CPU.

Most kernels are for the domain: 0 ≤ y, 0 ≤ β, βy ≤ 1. Rows elsewhere have kernels that go one
factor after the other; so has everything if β is not fit. Which way a row goes depends on β and on
the row itself, never on the other rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from synann_core._lib.loops import keep_freed_memory
from synann_core._lib.namespaces import numpy_namespace
from synann_core._lib.numerics import surprisal_floor
from synann_core._lib.threads import run_parts
from synann_core._lib.typing import Array, Namespace, NumpyArray
from synann_core.contraction.factors import Factors, with_faint_sums
from synann_core.native.host import contiguous, enabled, kernels, threads_for, wrap

_WORK = 1 << 18  # factors below which a second thread costs more than it saves
_FEW_WORK = 1 << 20  # of few rows or outputs, whose values take a third of the time
_ROW_GRADIENTS = 1 << 21  # of one row, whose gradients wait for memory
_ROWS, _OUTPUTS = 256, 512  # to a part of the values: at most
_COLUMNS = 128  # to a part of the gradients, a multiple of 64
_FEW = 8  # rows or outputs
_LOOK = 2  # tells a kernel to look whether all numbers are in [0, 1], as it reads them
# Other kinds, shapes and dtypes; and there are no kernels at all (None has no attributes).
_REFUSED = (TypeError, ValueError, AttributeError)


def few_logs(y: Any, beta: Any) -> Any:
    """Log-transmission of NumPy's arrays, None unless they are few and all is as it should be.

    A kernel checks and computes in a fraction of the time that Python takes to check alone. What it
    refuses is for the caller to check, and to explain.
    """
    if not (type(y) is type(beta) is np.ndarray and enabled()):
        return None
    try:
        rows = y if y.ndim == 2 else y[None]
        out = _open_logs(rows, beta)
    except _REFUSED:
        return None
    return out if rows is y or out is None else out[0]


def few_gradients(y: Any, beta: Any, grad: Any) -> Any:
    """Gradients of y and β, as `few_logs` gives the value."""
    if not (type(y) is type(beta) is type(grad) is np.ndarray and enabled()):
        return None
    try:
        rows, upstream = (y, grad) if y.ndim == 2 else (y[None], grad[None])
        found = _open_gradients(rows, beta, upstream)
    except _REFUSED:
        return None
    return found if rows is y or found is None else (found[0][0], found[1])


def _open_logs(y: NumpyArray, beta: NumpyArray, like: Any = None) -> NumpyArray | None:
    """All values at once, None where a factor is not open, or where both sides are many."""
    work, few = len(y) * beta.size, min(len(y), len(beta)) < _FEW
    if 0 < work < (_FEW_WORK if few else _WORK):
        out = np.empty((len(y), len(beta)), y.dtype)
        return out if kernels.log_product_open(y, beta, out) else None
    if not (work and few):
        return None
    keep_freed_memory()
    threads = threads_for(y if like is None else like)
    out = np.empty((len(y), len(beta)), y.dtype)
    # Memory is gone through once: a part for each thread will do.
    parts = [
        (y, None, beta, None, out, *part, _LOOK, 0.0)
        for part in _grid(out.shape, out.shape, threads)
    ]
    return out if _none_refused(kernels.log_product, parts, threads) else None


def _open_gradients(
    y: NumpyArray, beta: NumpyArray, grad: NumpyArray, like: Any = None
) -> tuple[NumpyArray, NumpyArray] | None:
    """Both gradients at once, None where both sides are many or a number is not in [0, 1]."""
    work = len(y) * beta.size
    if 0 < work < _WORK:
        gy, gbeta = np.empty_like(y), np.empty_like(beta)
        return (gy, gbeta) if kernels.gradients_open(y, beta, grad, gy, gbeta) else None
    if not (work and (len(y) == 1 or len(beta) < _FEW)):
        return None
    keep_freed_memory(max(y.nbytes, beta.nbytes))
    gy, gbeta = np.empty_like(y), np.empty_like(beta)
    # (Two threads made those of few outputs a quarter quicker in float64, and slower in float32.)
    several = len(y) == 1 and work >= _ROW_GRADIENTS
    threads = threads_for(y if like is None else like) if several else 1
    floor = float(np.finfo(y.dtype).eps) / 2
    parts = [
        (y, None, beta, None, grad, gy, gbeta, *part, _LOOK, floor)
        for part in _columns(y.shape[1], _share(y.shape[1], threads))
    ]
    return (gy, gbeta) if _none_refused(kernels.gradients, parts, threads) else None


def _none_refused(kernel: Any, parts: list[Any], threads: int) -> bool:
    """Whether a kernel takes all parts; when it refuses one, the rest is left."""
    refused: list[Any] = []

    def look(*part: Any) -> None:
        if not refused and not kernel(*part):
            refused.append(part)

    run_parts(look, parts, threads)
    return not refused


def forward(factors: Factors, *, xp: Namespace) -> tuple[Array, Array]:
    """Sum of log f over j, exact and with every f kept from 0; both (rows, m)."""
    like = factors.y
    if factors.y_bar is None:
        few = _open_logs(contiguous(like), contiguous(factors.beta), like)
        if few is not None:
            return (wrap(few, like),) * 2
    own = _as_numpy(factors)
    exact, guarded = _both(own, like)
    if exact.size and not np.fmax.reduce(exact, axis=None) < -surprisal_floor(exact.dtype, np):

        def again(y: Any, beta: Any) -> Any:
            return _both(own._replace(y=y, y_bar=None, beta=beta, beta_bar=None), like)[0]

        with np.errstate(all="ignore"):
            sums: Any = with_faint_sums(exact, guarded, own, again, xp=numpy_namespace)
        exact, guarded = sums
    return wrap(exact, like), wrap(guarded, like)


def _both(own: Any, like: Any) -> tuple[NumpyArray, NumpyArray]:
    """What `forward` gives, but for products βy below the normal numbers."""
    inside, _, tiny = _domain(own)
    threads = _threads_for(like, own)
    floor = own.floor if own.group > 1 else float(np.finfo(own.y.dtype).smallest_normal)
    if inside is None:
        guarded = exact = _log_product(own, tiny, 0.0, threads)
        if exact.size == 0 or np.minimum.reduce(exact, axis=None) > -np.inf:
            return exact, exact
        inside = np.ones((exact.shape[0],), bool)
    else:
        exact = _empty(own)
        exact[inside] = _log_product(_rows(own, inside), tiny, 0.0, threads)
        guarded = exact.copy()
        rows = len(inside)
        step = -(-rows // threads)
        parts = [
            (*own[:4], inside, exact, guarded, start, min(start + step, rows), floor)
            for start in range(0, rows, step)
        ]
        run_parts(kernels.log_product_outside, parts, threads)
    closed = inside & np.any(np.isneginf(exact), axis=1)
    if closed.any():
        guarded = exact.copy() if guarded is exact else guarded
        guarded[closed] = _log_product(_rows(own, closed), tiny, floor, threads)
    return exact, guarded


def vjp(factors: Factors, grad: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Gradients −Σ_i t β/f and −Σ_b t y/f."""
    like = factors.y
    rows = contiguous(like)
    upstream = contiguous(grad).astype(rows.dtype, copy=False)  # α may be of a wider dtype
    if factors.y_bar is None:
        few = _open_gradients(rows, contiguous(factors.beta), upstream, like)
        if few is not None:
            return wrap(few[0], like), wrap(few[1], like)
    own = _as_numpy(factors)
    inside, careful, _ = _domain(own)
    threads = _threads_for(like, own)
    if inside is None:
        gy, gbeta = _gradients(own, upstream, careful, threads)
    else:
        gy = np.empty_like(own.y)
        gy[inside], gbeta = _gradients(_rows(own, inside), upstream[inside], careful, threads)
        parts = [
            (*own[:4], inside, upstream, gy, gbeta, *part, own.floor)
            for part in _columns(gy.shape[1], _COLUMNS)
        ]
        run_parts(kernels.gradients_outside, parts, threads)
    return wrap(gy, like), wrap(gbeta, like)


def jvp(factors: Factors, dy: Array, dbeta: Array, *, xp: Namespace) -> Array:
    """Tangent −Σ_j (β dy + y dβ)/f, of all rows by one kernel."""
    like, own = factors.y, _as_numpy(factors)
    out, (y, y_bar, beta, beta_bar) = _empty(own), own[:4]
    threads = _threads_for(like, own)
    parts = [
        (y, y_bar, contiguous(dy), beta, beta_bar, contiguous(dbeta), out, *part, own.floor)
        for part in _grid(out.shape, (_ROWS, _OUTPUTS), threads)
    ]
    run_parts(kernels.tangent, parts, threads)
    return wrap(out, like)


def _empty(factors: Any) -> NumpyArray:
    """Room for a value of each row and output."""
    return np.empty((factors.y.shape[0], factors.beta.shape[0]), factors.y.dtype)


def _log_product(factors: Any, tiny: bool, floor: float, threads: int) -> NumpyArray:
    out = _empty(factors)
    parts = [
        (*factors[:4], out, *part, tiny, floor)
        for part in _grid(out.shape, (_ROWS, _OUTPUTS), threads)
    ]
    run_parts(kernels.log_product, parts, threads)
    return out


def _gradients(
    factors: Any, grad: NumpyArray, careful: bool, threads: int
) -> tuple[NumpyArray, NumpyArray]:
    gy, gbeta = np.empty_like(factors.y), np.empty_like(factors.beta)
    n = gy.shape[1]
    # Of few rows or outputs whole rows are read, as they lie in memory.
    width = _COLUMNS if min(len(gy), len(gbeta)) >= _FEW else _share(n, threads)
    parts = [
        (*factors[:4], grad, gy, gbeta, *part, careful, factors.floor)
        for part in _columns(n, width)
    ]
    run_parts(kernels.gradients, parts, threads)
    return gy, gbeta


def _columns(n: int, width: int) -> list[tuple[int, int]]:
    return [(start, min(start + width, n)) for start in range(0, n, width)]


def _share(n: int, threads: int) -> int:
    """Columns for each thread, a multiple of 64."""
    return -(-max(1, n) // (64 * threads)) * 64


def _grid(
    shape: tuple[int, int], most: tuple[int, int], threads: int
) -> list[tuple[int, int, int, int]]:
    """(b0, b1, i0, i1) of parts of equal size, at least one for a thread where that is sensible."""
    (rows, m), (height, width) = shape, most
    while -(-rows // height) * -(-m // width) < threads and (height > 32 or width > 64):
        height, width = (height // 2, width) if height > 32 else (height, width // 2)
    height, width = _even(rows, height), _even(m, width)
    return [
        (b, min(b + height, rows), i, min(i + width, m))
        for b in range(0, rows, height)
        for i in range(0, m, width)
    ]


def _even(size: int, most: int) -> int:
    """Size of the parts, a multiple of 32, when `size` is divided into parts of at most `most`."""
    parts = max(1, -(-size // most))
    return -(-max(1, -(-size // parts)) // 32) * 32


class _Domain(NamedTuple):
    """Which rows the kernels are made for, None if all; and of those, what factors may be."""

    inside: NumpyArray | None
    closed: bool  # 0 or, with ȳ and β̄, less than eps/2
    tiny: bool  # as small as the smallest normal number


def _domain(factors: Any) -> _Domain:
    inside = np.empty(factors.y.shape[0], bool)
    flags = kernels.domain(*factors[:4], inside)  # of kernels.h
    return _Domain(inside if flags & 1 else None, bool(flags & 2), bool(flags & 4))


def _threads_for(like: Array, factors: Any) -> int:
    return threads_for(like) if factors.y.shape[0] * factors.beta.size >= _WORK else 1


def _as_numpy(factors: Factors) -> Any:
    keep_freed_memory()
    y_bar = None if factors.y_bar is None else contiguous(factors.y_bar)
    beta_bar = None if factors.beta_bar is None else contiguous(factors.beta_bar)
    y, beta = contiguous(factors.y), contiguous(factors.beta)
    return Factors(y, y_bar, beta, beta_bar, factors.floor, factors.group)


def _rows(factors: Any, which: NumpyArray) -> Any:
    y_bar = None if factors.y_bar is None else factors.y_bar[which]
    return factors._replace(y=factors.y[which], y_bar=y_bar)
