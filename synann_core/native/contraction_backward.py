"""Gradients of the sum of log f, compiled: vectors over the inputs j.

Both need t/f for the upstream gradient t. Four reciprocals come from one division, over four inputs
of one row: never over four rows, where one row's bits would depend on its neighbours'. A strip of
128 inputs is worked through by one thread, which alone writes those columns of both gradients: the
bits do not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synann_core._lib.typing import NumpyArray as Array
from synann_core.native.compile import njit
from synann_core.native.intrinsics import fma

COLUMNS = 128  # inputs to a strip
_QUARTER = COLUMNS // 4
_OUTPUTS = 32  # outputs whose β and its gradient stay in the first-level cache
_ROWS = 512  # rows whose y and its gradient stay in the second-level cache
# What is kept of a row, side by side, so that the loop over j sees one array: y, ȳ, the sum over
# _OUTPUTS outputs, and the sum of such sums, which keeps the rounding errors of many outputs small.
_BAR, _PART, _TOTAL, _ROW = COLUMNS, 2 * COLUMNS, 3 * COLUMNS, 4 * COLUMNS


@njit
def gradient_strip(
    y: Array,
    y_bar: Array,
    beta: Array,
    beta_bar: Array,
    grad: Array,
    floor: Any,
    careful: Any,
    gy: Array,
    gbeta: Array,
    j0: int,
) -> None:
    """Write ``gy[:, j0 : j0 + COLUMNS]`` and ``gbeta[:, j0 : j0 + COLUMNS]``.

    Parameters
    ----------
    y, y_bar : C-contiguous array, shape (rows, n); y_bar is None where it is 1 − y
    beta, beta_bar : C-contiguous array, shape (m, n); likewise
    grad : C-contiguous array, shape (rows, m)
    floor : number; gradients divide by max(f, floor)
    careful : None if the product of four factors max(f, floor) is a normal number, else True
    gy, gbeta : C-contiguous array, shape (rows, n) and (m, n)
    j0 : first column
    """
    rows, m = grad.shape
    zero = y.dtype.type(0)
    size = min(COLUMNS, y.shape[1] - j0)
    gbeta[:, j0 : j0 + size] = 0
    held = min(_ROWS, (rows + 3) // 4 * 4)
    lines = np.zeros((held, _ROW), y.dtype)
    if y_bar is not None:
        lines[:, _BAR:_PART] = 1
    upstream = np.empty((_OUTPUTS, held), y.dtype)
    weights = np.zeros((_OUTPUTS, COLUMNS), y.dtype)
    weights_bar = None if beta_bar is None else np.ones((_OUTPUTS, COLUMNS), y.dtype)
    sums = np.empty((_OUTPUTS, COLUMNS), y.dtype)
    for b0 in range(0, rows, _ROWS):
        count = min(_ROWS, rows - b0)
        padded = (count + 3) // 4 * 4
        for b in range(padded):
            lines[b, _PART:] = 0
            for j in range(size):  # a row of padding repeats the last one; its t is 0
                lines[b, j] = y[b0 + min(b, count - 1), j0 + j]
                if y_bar is not None:
                    lines[b, _BAR + j] = y_bar[b0 + min(b, count - 1), j0 + j]
        for i0 in range(0, m, _OUTPUTS):
            width = min(_OUTPUTS, m - i0)
            for i in range(width):
                for j in range(size):
                    weights[i, j] = beta[i0 + i, j0 + j]
                    if weights_bar is not None:
                        weights_bar[i, j] = beta_bar[i0 + i, j0 + j]
                for b in range(count):
                    upstream[i, b] = grad[b0 + b, i0 + i]
                upstream[i, count:padded] = 0
            sums[:] = 0
            for b in range(0, padded, 4):
                four = lines[b : b + 4].reshape(-1)
                for i in range(width):
                    bar = None if weights_bar is None else weights_bar[i]
                    t = upstream[i, b : b + 4]
                    _four_rows(four, weights[i], bar, t, floor, careful, sums[i])
                for r in range(0, 4 * _ROW, _ROW):
                    for j in range(COLUMNS):
                        four[r + _TOTAL + j] += four[r + _PART + j]
                        four[r + _PART + j] = 0
            for i in range(width):
                for j in range(size):
                    gbeta[i0 + i, j0 + j] -= sums[i, j]
        for b in range(count):
            for j in range(size):
                gy[b0 + b, j0 + j] = zero - lines[b, _TOTAL + j]  # never -0


@njit
def _four_rows(
    lines: Array,
    weights: Array,
    bar: Array,
    t: Array,
    floor: Any,
    careful: Any,
    sums: Array,
) -> None:
    """Add t β/f to the four rows' sums and Σ t y/f to the weights' sum."""
    for j in range(_QUARTER):
        now = sums[j], sums[j + _QUARTER], sums[j + 2 * _QUARTER], sums[j + 3 * _QUARTER]
        now = _row(lines, 0, j, weights, bar, t[0], floor, careful, now)
        now = _row(lines, _ROW, j, weights, bar, t[1], floor, careful, now)
        now = _row(lines, 2 * _ROW, j, weights, bar, t[2], floor, careful, now)
        now = _row(lines, 3 * _ROW, j, weights, bar, t[3], floor, careful, now)
        sums[j], sums[j + _QUARTER], sums[j + 2 * _QUARTER], sums[j + 3 * _QUARTER] = now


@njit
def _row(
    lines: Array,
    at: int,
    j: int,
    weights: Array,
    bar: Array,
    t: Any,
    floor: Any,
    careful: Any,
    now: Any,
) -> Any:
    """One row's part of four inputs: j, j + 32, j + 64 and j + 96."""
    ja, jb, jc, jd = j, j + _QUARTER, j + 2 * _QUARTER, j + 3 * _QUARTER
    fa = _factor(lines, at, ja, weights, bar, floor)
    fb = _factor(lines, at, jb, weights, bar, floor)
    fc = _factor(lines, at, jc, weights, bar, floor)
    fd = _factor(lines, at, jd, weights, bar, floor)
    if careful is None:
        ab, cd = fa * fb, fc * fd
        both = type(t)(1) / (ab * cd)
        ab, cd = both * cd, both * ab  # 1/(fa fb), 1/(fc fd); times a large t, they might overflow
        ra, rb, rc, rd = t * (ab * fb), t * (ab * fa), t * (cd * fd), t * (cd * fc)
    else:
        ra, rb, rc, rd = t / fa, t / fb, t / fc, t / fd
    part = at + _PART
    lines[part + ja] = fma(weights[ja], ra, lines[part + ja])
    lines[part + jb] = fma(weights[jb], rb, lines[part + jb])
    lines[part + jc] = fma(weights[jc], rc, lines[part + jc])
    lines[part + jd] = fma(weights[jd], rd, lines[part + jd])
    return (
        fma(lines[at + ja], ra, now[0]),
        fma(lines[at + jb], rb, now[1]),
        fma(lines[at + jc], rc, now[2]),
        fma(lines[at + jd], rd, now[3]),
    )


@njit
def _factor(lines: Array, at: int, j: int, weights: Array, bar: Array, floor: Any) -> Any:
    y = lines[at + j]
    f = fma(-weights[j], y, type(y)(1)) if bar is None else fma(bar[j], y, lines[at + _BAR + j])
    return floor if f < floor else f
