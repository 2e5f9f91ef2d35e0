"""Tangent of the sum of log f, compiled: −Σ_j (β dy + y dβ)/f, vectors over the outputs i."""

from __future__ import annotations

from typing import Any

import numpy as np

from synann_core._lib.typing import NumpyArray as Array
from synann_core.native.compile import njit
from synann_core.native.contraction_forward import BLOCK, OUTPUTS, copy, transpose
from synann_core.native.intrinsics import fma


@njit
def tangent_block(
    y: Array,
    y_bar: Array,
    dy: Array,
    beta: Array,
    beta_bar: Array,
    dbeta: Array,
    floor: Any,
    out: Array,
    b0: int,
    b1: int,
    i0: int,
    i1: int,
) -> None:
    """Write ``out[b0:b1, i0:i1]``, at most OUTPUTS columns.

    Parameters
    ----------
    y, y_bar, dy : C-contiguous array, shape (rows, n); y_bar is None where it is 1 − y
    beta, beta_bar, dbeta : C-contiguous array, shape (m, n); likewise
    floor : number; divides by max(f, floor)
    out : C-contiguous array, shape (rows, m)
    b0, b1, i0, i1 : rows and outputs
    """
    n = y.shape[1]
    rows, width = b1 - b0, i1 - i0
    zero, one = y.dtype.type(0), y.dtype.type(1)
    tile = np.zeros(BLOCK * OUTPUTS, y.dtype)
    tile_bar = None if beta_bar is None else np.ones(BLOCK * OUTPUTS, y.dtype)
    tile_tangent = np.zeros(BLOCK * OUTPUTS, y.dtype)
    line, line_tangent = np.zeros(BLOCK, y.dtype), np.zeros(BLOCK, y.dtype)
    line_bar = None if y_bar is None else np.ones(BLOCK, y.dtype)
    part = np.empty(OUTPUTS, y.dtype)
    out[b0 : b0 + rows, i0 : i0 + width] = 0
    for j0 in range(0, n, BLOCK):
        transpose(beta, tile, i0, j0, width, zero)
        transpose(dbeta, tile_tangent, i0, j0, width, zero)
        if tile_bar is not None:
            transpose(beta_bar, tile_bar, i0, j0, width, one)
        for b in range(rows):
            copy(y[b0 + b], line, j0, zero)
            copy(dy[b0 + b], line_tangent, j0, zero)
            if line_bar is not None:
                copy(y_bar[b0 + b], line_bar, j0, one)
            part[:] = 0
            for j in range(BLOCK):
                at = slice(j * OUTPUTS, (j + 1) * OUTPUTS)
                bar = None if tile_bar is None else tile_bar[at]
                a_bar = None if line_bar is None else line_bar[j]
                a, da = line[j], line_tangent[j]
                _add_tangent(part, tile[at], bar, tile_tangent[at], a, a_bar, da, floor, width)
            for i in range(width):
                out[b0 + b, i0 + i] -= part[i]


@njit
def _add_tangent(
    part: Array,
    w: Array,
    w_bar: Array,
    dw: Array,
    y: Any,
    y_bar: Any,
    dy: Any,
    floor: Any,
    width: int,
) -> None:
    for i in range(width):
        f = fma(-w[i], y, type(y)(1)) if w_bar is None else fma(w_bar[i], y, y_bar)
        f = floor if f < floor else f
        part[i] += fma(w[i], dy, y * dw[i]) / f
