"""The contraction on a GPU: one Triton kernel for its value, one for both of its gradients.

A program owns a tile of the result and keeps it in registers while it walks along the summed axis.
Every entry of the tile sees the same operations in the same order, and none depends on another
entry: a row's bits are its own, wherever in the batch it stands.

Numbers that follow the size of the batch are kept out of Triton's specialisation of kernels, and
all pointers are aligned alike: one compiled kernel serves every batch.
"""

# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators, allow-untyped-calls
from __future__ import annotations

import os

import triton
import triton.language as tl

# Triton's interpreter (on a CPU, for tests) has no inline assembly.
COMPILED = tl.constexpr(os.environ.get("TRITON_INTERPRET") != "1")


@triton.jit(do_not_specialize=["rows", "row_tiles"])
def log_product_kernel(
    y,  # (n, row_tiles · ROWS), like its complement y_bar: transposed and padded
    y_bar,
    beta,  # (n, output_tiles · OUTPUTS), like beta_bar
    beta_bar,
    exact,  # (rows, m)
    guarded,
    rows,
    m,
    n,  # a multiple of STEP
    row_tiles,
    output_tiles,
    SURPRISAL: tl.constexpr,
    FLOOR: tl.constexpr,  # of a factor in `guarded`
    LOW: tl.constexpr,  # a product below it is multiplied by SCALE ...
    SCALE: tl.constexpr,
    LOG_SCALE: tl.constexpr,
    STEP: tl.constexpr,  # ... after so many factors, which then cannot underflow
    BLOCK: tl.constexpr,  # factors per logarithm
    BITS: tl.constexpr,  # integer type as wide as the floating-point one
    ROWS: tl.constexpr,
    OUTPUTS: tl.constexpr,
):
    """Sum of log f over j, exact and guarded, for ROWS rows and OUTPUTS outputs."""
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None]
    output = (tl.program_id(1) * OUTPUTS + tl.arange(0, OUTPUTS))[None, :]
    y_stride = row_tiles * ROWS
    beta_stride = output_tiles * OUTPUTS
    # Scalar pointers, moved on row by row: offsets from the start could exceed 32 bits.
    y_at, y_bar_at, beta_at, beta_bar_at = y, y_bar, beta, beta_bar

    dtype = y.dtype.element_ty
    at = row.to(tl.int64) * m + output
    mask = (row < rows) & (output < m)
    total = _zeros(exact + at, mask, rows)
    error = total
    signs = total.to(BITS, bitcast=True)
    for start in range(0, n, BLOCK):
        complement = _zeros(exact + at, mask, rows)
        product = complement + 1.0
        scaled = complement
        for _ in range(start, tl.minimum(start + BLOCK, n), STEP):
            for _ in tl.static_range(STEP):
                y_j = tl.load(y_at + row)
                beta_j = tl.load(beta_at + output)
                q = y_j * beta_j
                if SURPRISAL:
                    f = tl.fma(y_j, tl.load(beta_bar_at + output), tl.load(y_bar_at + row))
                    y_bar_at += y_stride
                    beta_bar_at += beta_stride
                    signs |= (f - FLOOR).to(BITS, bitcast=True)
                    # 1 − c stands for the product, which may be scaled from its first factor on.
                    complement = tl.fma(q, 1.0 - complement, complement)
                else:
                    f = tl.fma(-beta_j, y_j, 1.0)
                    signs |= f.to(BITS, bitcast=True)
                    complement = tl.fma(q, product, complement)
                product *= f
                y_at += y_stride
                beta_at += beta_stride
            low = product < LOW
            product = tl.where(low, product * SCALE, product)
            scaled = tl.where(low, scaled + 1.0, scaled)
        value = _log_of_product(product, complement, scaled, SURPRISAL, SCALE, LOG_SCALE)
        total, error = _add_exactly(total, error, value)
    total += error

    # Not a number, infinite, or with a factor below 0 (below the floor in surprisal space).
    special = ((signs < 0) | ~(tl.abs(total) < float("inf"))) & mask
    if tl.max(tl.max(special.to(tl.int32), 1), 0) == 0:
        tl.store(exact + at, total, mask)
        tl.store(guarded + at, total, mask)
    else:
        y_at, y_bar_at, beta_at, beta_bar_at = y, y_bar, beta, beta_bar
        zero = tl.full((ROWS, OUTPUTS), 0.0, dtype)
        careful, error = zero, zero
        least = tl.full((ROWS, OUTPUTS), 1.0, dtype)
        for _ in range(0, n):
            y_j = tl.load(y_at + row)
            beta_j = tl.load(beta_at + output)
            if SURPRISAL:
                f = tl.fma(y_j, tl.load(beta_bar_at + output), tl.load(y_bar_at + row))
            else:
                f = tl.fma(-beta_j, y_j, 1.0)
            least = tl.minimum(least, f, propagate_nan=tl.PropagateNan.ALL)
            f = tl.maximum(f, FLOOR, propagate_nan=tl.PropagateNan.ALL)
            value = _log_of_product(f, y_j * beta_j, zero, SURPRISAL, SCALE, LOG_SCALE)
            careful, error = _add_exactly(careful, error, value)
            y_at += y_stride
            y_bar_at += y_stride
            beta_at += beta_stride
            beta_bar_at += beta_stride
        careful += error
        outside = tl.where(least == 0.0, -float("inf"), float("nan"))
        tl.store(guarded + at, tl.where(special, careful, total), mask)
        careful = tl.where(least > 0.0, careful, outside)
        tl.store(exact + at, tl.where(special, careful, total), mask)


@triton.jit
def _zeros(result, mask, rows):
    """Zeros in the layout of the result, where a thread has four neighbouring outputs of a row.

    It then gets their strengths in one load. The load here is an empty one, as rows is positive.
    """
    return tl.load(result, mask & (rows < 0), other=0.0)


@triton.jit
def _log_of_product(
    product,
    complement,
    scaled,
    SURPRISAL: tl.constexpr,
    SCALE: tl.constexpr,
    LOG_SCALE: tl.constexpr,
):
    """Log(product / SCALE**scaled), where 1 minus that is also known as the complement."""
    if SURPRISAL:
        # Scaled more than it was small: undone, or the two logarithms would cancel.
        undo = (scaled > 0.0) & (product > 9.2e18)
        product = tl.where(undo, product * (1.0 / SCALE), product)
        scaled = tl.where(undo, scaled - 1.0, scaled)
    # log1p(−c), where what rounding took from 1 − c comes back as a term of first order. Not where
    # c has gone through large numbers, as negative inputs make it do: it has lost its digits then.
    # A limit of 0.7 is the best: with equal factors, ½ and 0.8 come a third closer to the promise.
    rest = 1.0 - complement
    slack: tl.constexpr = 3.0e-5 if product.dtype == tl.float32 else 6.0e-14  # 256 eps
    near_one = (scaled == 0.0) & (complement < 0.7) & (tl.abs(rest - product) < slack)
    lost = ((rest - 1.0) + complement) * _reciprocal(rest)
    correction = tl.where(near_one, lost, scaled * LOG_SCALE)
    return tl.log(tl.where(near_one, rest, product)) - correction


@triton.jit
def _add_exactly(total, error, value):
    """Two-sum: many blocks add up without drift."""
    new = total + value
    part = new - total
    return new, error + ((total - (new - part)) + (value - part))


@triton.jit(do_not_specialize=["rows", "terms", "row_tiles", "chunk"])
def gradient_kernel(
    own,  # (rows, n), like own_bar
    own_bar,
    other,  # (terms, column_tiles · COLUMNS), like other_bar
    other_bar,
    grad,  # (terms, row_tiles · ROWS)
    result,  # (parts, rows, n)
    rows,
    n,
    terms,  # even
    row_tiles,
    column_tiles,
    chunk,  # terms of a part, a multiple of BLOCK
    SURPRISAL: tl.constexpr,
    FLOOR: tl.constexpr,
    BLOCK: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Sum −Σ_k grad_kr · other_kj / f over one part of the terms k.

    With y as `own` and β as `other` it is the gradient of y, the other way round that of β; the
    factor is symmetric in the two.
    """
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None]
    column = (tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    part = tl.program_id(2)
    mask = (row < rows) & (column < n)
    at = row.to(tl.int64) * n + column
    own_j = tl.load(own + at, mask, other=0.0)
    if SURPRISAL:
        own_bar_j = tl.load(own_bar + at, mask, other=1.0)

    first = part * chunk
    last = tl.minimum(first + chunk, terms)
    grad_stride = row_tiles * ROWS
    stride = column_tiles * COLUMNS
    grad_at = grad + first.to(tl.int64) * grad_stride
    other_at = other + first.to(tl.int64) * stride
    other_bar_at = other_bar + first.to(tl.int64) * stride

    dtype = own.dtype.element_ty
    total = tl.full((ROWS, COLUMNS), 0.0, dtype)
    error = total
    for start in range(first, last, BLOCK):
        block = tl.full((ROWS, COLUMNS), 0.0, dtype)
        for _ in range(start, tl.minimum(start + BLOCK, last), 2):
            t = tl.load(grad_at + row)
            t2 = tl.load(grad_at + grad_stride + row)
            other_k = tl.load(other_at + column)
            other_k2 = tl.load(other_at + stride + column)
            if SURPRISAL:  # f may be as small as its floor, where a product of two underflows
                bar, bar2 = tl.load(other_bar_at + column), tl.load(other_bar_at + stride + column)
                f = _at_least(tl.fma(own_j, bar, own_bar_j), FLOOR)
                f2 = _at_least(tl.fma(own_j, bar2, own_bar_j), FLOOR)
                block += t * other_k * _reciprocal(f)
                block += t2 * other_k2 * _reciprocal(f2)
                other_bar_at += 2 * stride
            else:  # one division for two terms, both of the same entry of the result
                f = _at_least(tl.fma(-other_k, own_j, 1.0), FLOOR)
                f2 = _at_least(tl.fma(-other_k2, own_j, 1.0), FLOOR)
                inverse = _reciprocal(f * f2)
                block = tl.fma(t * other_k, inverse * f2, block)
                block = tl.fma(t2 * other_k2, inverse * f, block)
            grad_at += 2 * grad_stride
            other_at += 2 * stride
        total, error = _add_exactly(total, error, block)
    at += part.to(tl.int64) * rows * n
    tl.store(result + at, -(total + error), mask)


@triton.jit
def _at_least(f, FLOOR: tl.constexpr):
    """Max(f, FLOOR), NaN where f is."""
    return tl.maximum(f, FLOOR, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def _reciprocal(x):
    """1/x of a normal number, to an ulp; Triton's own division guards against subnormal results."""
    if COMPILED and x.dtype == tl.float32:
        return tl.inline_asm_elementwise(
            "rcp.approx.ftz.f32 $0, $1;", "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1
        )
    else:
        return 1.0 / x


def integer(bits):
    """Triton's integer type of 32 or 64 bits."""
    return tl.int32 if bits == 32 else tl.int64
