"""Sum of log f over j, compiled: one logarithm for 32 factors, vectors over the outputs i.

A block of 32 inputs j is a running product p of the factors and, beside it, its complement
c = 1 − p, which stays accurate where p is close to 1. Where p becomes small, a power of two moves
out of it into an exponent, exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synann_core._lib.typing import NumpyArray as Array
from synann_core.native.compile import njit
from synann_core.native.intrinsics import fma, log_from, split_exponent

# Inputs to a logarithm. With more, the errors of repeated inputs add up to more than is promised.
BLOCK = 32
OUTPUTS = 512  # to a tile of β
ROWS = 256  # to a pass over a tile: they pay for its transposition


@njit
def log_product_block(
    y: Array,
    y_bar: Array,
    beta: Array,
    beta_bar: Array,
    floor: Any,
    careful: Any,
    scaling: Any,
    out: Array,
    b0: int,
    b1: int,
    i0: int,
    i1: int,
) -> None:
    """Write ``out[b0:b1, i0:i1]``, at most OUTPUTS columns.

    Parameters
    ----------
    y, y_bar : C-contiguous array, shape (rows, n); y_bar is None where it is 1 − y
    beta, beta_bar : C-contiguous array, shape (m, n); likewise
    floor : None, or the number that factors are kept from
    careful : None if every factor is 0 or at least eps/2, else True: the smallest normal number
    out : C-contiguous array, shape (rows, m)
    b0, b1, i0, i1 : rows and outputs; no bit depends on how they are divided
    """
    n = y.shape[1]
    rows, width = b1 - b0, i1 - i0
    padded = (width + 31) // 32 * 32  # a factor of padding is 1
    tile = np.empty(BLOCK * OUTPUTS, beta.dtype)
    tile_bar = None if beta_bar is None else np.empty(BLOCK * OUTPUTS, beta.dtype)
    line = np.zeros(BLOCK, y.dtype)
    line_bar = None if y_bar is None else np.ones(BLOCK, y.dtype)
    state = np.empty(3 * OUTPUTS, beta.dtype)
    sums = np.zeros((rows, 2 * OUTPUTS), beta.dtype)
    for j0 in range(0, n, BLOCK):
        transpose(beta, tile, i0, j0, width, beta.dtype.type(0))
        if tile_bar is not None:
            transpose(beta_bar, tile_bar, i0, j0, width, beta.dtype.type(1))
        for b in range(rows):
            copy(y[b0 + b], line, j0, y.dtype.type(0))
            if line_bar is not None:
                copy(y_bar[b0 + b], line_bar, j0, y.dtype.type(1))
            _multiply(tile, tile_bar, line, line_bar, floor, careful, scaling, state, padded)
            _add_logarithm(state, sums[b], padded)
    for b in range(rows):
        for i in range(width):
            total = sums[b, i]
            # The rounding error of a sum that is −inf is NaN.
            out[b0 + b, i0 + i] = total if total == -np.inf else total + sums[b, OUTPUTS + i]


@njit
def log_product_open(y: Array, beta: Array, scaling: Any, out: Array) -> bool:
    """Write the whole `out` at once, and tell whether every value is in the domain and no factor 0.

    If not, `out` is not to be used. For few values this takes a third of the time of checking and
    dividing the work in Python. The arguments are those of `log_product_block`.
    """
    if not (_in_unit_interval(y) and _in_unit_interval(beta)):
        return False
    rows, m = out.shape
    for b0 in range(0, rows, ROWS):
        b1 = min(b0 + ROWS, rows)
        for i0 in range(0, m, OUTPUTS):
            i1 = min(i0 + OUTPUTS, m)
            log_product_block(y, None, beta, None, None, None, scaling, out, b0, b1, i0, i1)
    least = out.dtype.type(0)
    for b in range(rows):
        for i in range(m):
            least = min(least, out[b, i])
    return bool(least > -np.inf)


@njit
def _in_unit_interval(a: Array) -> bool:
    zero, one = a.dtype.type(0), a.dtype.type(1)
    outside = 0
    for row in range(a.shape[0]):
        for value in a[row]:
            outside += not (value >= zero and value <= one)  # so that NaN is outside
    return outside == 0


@njit
def transpose(beta: Array, tile: Array, i0: int, j0: int, width: int, padding: Any) -> None:
    """Write a block of β, outputs last, padded."""
    size = min(BLOCK, beta.shape[1] - j0)
    padded = (width + 31) // 32 * 32
    for j in range(size):
        for i in range(width):
            tile[j * OUTPUTS + i] = beta[i0 + i, j0 + j]
        for i in range(width, padded):
            tile[j * OUTPUTS + i] = padding
    for j in range(size, BLOCK):
        for i in range(padded):
            tile[j * OUTPUTS + i] = padding


@njit
def copy(row: Array, line: Array, j0: int, padding: Any) -> None:
    """Write a block of a row, padded."""
    size = min(BLOCK, row.size - j0)
    for j in range(size):
        line[j] = row[j0 + j]
    for j in range(size, BLOCK):
        line[j] = padding


@njit
def _multiply(
    tile: Array,
    tile_bar: Array,
    y: Array,
    y_bar: Array,
    floor: Any,
    careful: Any,
    scaling: Any,
    state: Array,
    width: int,
) -> None:
    """The product of the block's factors, its complement and its exponent, for every output."""
    one, zero = tile.dtype.type(1), tile.dtype.type(0)
    for i in range(width):
        state[i] = one
        state[OUTPUTS + i] = zero
        state[2 * OUTPUTS + i] = zero
    # Eight factors to a pass over the state. Numba reads a loop over them as a loop, which LLVM
    # does not turn inside out: they are written out.
    for j in range(0, BLOCK, 8):
        w = tile[j * OUTPUTS : (j + 8) * OUTPUTS]
        v = None if tile_bar is None else tile_bar[j * OUTPUTS : (j + 8) * OUTPUTS]
        for i in range(width):
            now = state[i], state[OUTPUTS + i], state[2 * OUTPUTS + i]
            now = _next(now, w, v, i, y, y_bar, j, floor, careful, scaling)
            now = _next(now, w, v, OUTPUTS + i, y, y_bar, j + 1, floor, careful, scaling)
            now = _next(now, w, v, 2 * OUTPUTS + i, y, y_bar, j + 2, floor, careful, scaling)
            now = _next(now, w, v, 3 * OUTPUTS + i, y, y_bar, j + 3, floor, careful, scaling)
            now = _rescaled(now, scaling)
            now = _next(now, w, v, 4 * OUTPUTS + i, y, y_bar, j + 4, floor, careful, scaling)
            now = _next(now, w, v, 5 * OUTPUTS + i, y, y_bar, j + 5, floor, careful, scaling)
            now = _next(now, w, v, 6 * OUTPUTS + i, y, y_bar, j + 6, floor, careful, scaling)
            now = _next(now, w, v, 7 * OUTPUTS + i, y, y_bar, j + 7, floor, careful, scaling)
            state[i], state[OUTPUTS + i], state[2 * OUTPUTS + i] = _rescaled(now, scaling)


@njit
def _next(
    now: Any,
    w: Array,
    v: Array,
    at: int,
    y: Array,
    y_bar: Array,
    j: int,
    floor: Any,
    careful: Any,
    scaling: Any,
) -> Any:
    if v is None:
        return _times(now, w[at], None, y[j], None, floor, careful, scaling)
    return _times(now, w[at], v[at], y[j], y_bar[j], floor, careful, scaling)


@njit
def _times(
    now: Any, w: Any, v: Any, y: Any, y_bar: Any, floor: Any, careful: Any, scaling: Any
) -> Any:
    """(p, c, exponent) after the factor of the weight w, β̄ = v and the input y, ȳ."""
    p, c, e = now
    c = fma(w * y, p, c)
    f = fma(-w, y, type(p)(1)) if v is None else fma(v, y, y_bar)
    if floor is not None:
        f = f if f > floor or f != f else floor
    if careful is None:
        return p * f, c, e
    f, _, e = _rescaled((f, c, e), scaling)
    return _rescaled((p * f, c, e), scaling)


@njit
def _rescaled(now: Any, scaling: Any) -> Any:
    """The same with p moved away from the smallest numbers."""
    p, c, e = now
    small, scale, shift = scaling
    return (p * scale, c, e + shift) if p < small else (p, c, e)


@njit
def _add_logarithm(state: Array, sums: Array, width: int) -> None:
    """Add log p to each sum, which is a number and its rounding error."""
    one, two = state.dtype.type(1), state.dtype.type(2)
    closed = state.dtype.type(-np.inf)
    for i in range(width):
        p = state[i]
        m, k = split_exponent(p)
        k = k - state[2 * OUTPUTS + i]
        c = state[OUTPUTS + i]
        # m − 1 = 2^−k (1 − c) − 1, exact from c, which is the more accurate one down to p ≈ 0.35.
        x = -c if k == 0 else (fma(-two, c, one) if k == -one else m - one)
        value = log_from(x / (two + x), k)
        # Taking p apart makes ordinary numbers of these.
        value = value if p > 0 else (closed if p == 0 else type(p)(np.nan))
        total = sums[i]
        new = total + value
        part = new - total
        sums[OUTPUTS + i] += (total - (new - part)) + (value - part)
        sums[i] = new
