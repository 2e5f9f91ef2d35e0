"""Evaluate the contraction with array operations, on any namespace.

The (batch, m, n) array is never built: the work goes by blocks of j, and on eager libraries by
chunks of rows. Which block a j falls in depends on n alone, and within a block only element-wise
operations and fixed trees touch a row, so that a row's bits do not depend on its batch mates.
"""

from __future__ import annotations

import functools
from typing import Any

from synann_core._lib.autodiff import attach, rematerialise, stop_gradient
from synann_core._lib.loops import (
    add_exactly,
    block_size,
    columns,
    over_rows,
    row_blocks,
    runner,
    scan,
    sum_rows,
    tree,
    unblock,
    zeros,
)
from synann_core._lib.numerics import constant, log_complement
from synann_core._lib.typing import Array, Namespace
from synann_core.contraction.factors import Factors


def forward(factors: Factors, *, xp: Namespace) -> tuple[Array, Array]:
    """Sum of log f over j, exact and with every f kept from 0; both (rows, m)."""
    run = runner(_log_product, xp)
    exact, guarded = run(*factors.complete(), floor=factors.floor, group=factors.group, xp=xp)
    return exact, guarded


def vjp(factors: Factors, grad: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Gradients −Σ_i t β/f and −Σ_b t y/f for the upstream t = `grad` (rows, m)."""
    gy, gbeta = runner(_log_product_vjp, xp)(*factors.complete(), grad, floor=factors.floor, xp=xp)
    return gy, gbeta


def jvp(factors: Factors, dy: Array, dbeta: Array, *, xp: Namespace) -> Array:
    """Tangent −Σ_j (β dy + y dβ)/f, (rows, m)."""
    run = runner(_log_product_jvp, xp)
    tangent: Array = run(*factors.complete(), dy, dbeta, floor=factors.floor, xp=xp)
    return tangent


def _log_product(
    y: Array, y_bar: Array, beta: Array, beta_bar: Array, *, floor: float, group: int, xp: Namespace
) -> tuple[Array, Array]:
    m, n = beta.shape
    size = block_size(n, group, xp)
    weights = [columns(a, size, pad, xp) for a, pad in ((beta, 0.0), (beta_bar, 1.0))]
    block = rematerialise(
        functools.partial(_block_log_product, floor=floor, group=group, xp=xp), xp
    )

    def step(carry: tuple[Array, Array, Array], part: tuple[Array, ...]) -> tuple[Any, None]:
        total, error, least = carry
        value, smallest = block(*part)
        total, error = add_exactly(total, error, value)
        return (total, error, xp.minimum(least, smallest)), None

    def chunk(y: Array, y_bar: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        parts = [row_blocks(a, size, pad, xp) for a, pad in ((y, 0.0), (y_bar, 1.0))]
        zero = zeros(y, m, xp)
        (total, error, least), _ = scan(step, (zero, zero, zero + 1.0), (*parts, *weights), xp)
        return (total + error, least), ()

    (guarded, least), _ = over_rows(chunk, ((y, 0.0), (y_bar, 1.0)), size * m, xp)
    inf, nan = (constant(float(name), least, xp) for name in ("inf", "nan"))
    outside = xp.where(least == 0.0, -inf, nan)
    return attach(xp.where(least > 0.0, guarded, outside), lambda: guarded, xp), guarded


def _block_log_product(
    y: Array,
    y_bar: Array,
    beta: Array,
    beta_bar: Array,
    *,
    floor: float,
    group: int,
    xp: Namespace,
) -> tuple[Array, Array]:
    """Sum of log f, f kept from 0, and least f, over one block; y (rows, J), beta (J, m)."""
    f, least = _factors(y, y_bar, beta, beta_bar, floor, xp)
    q = stop_gradient(y[:, :, None] * beta[None, :, :], xp)
    # Alone, a factor may be smaller than the floor of its gradient: its logarithm need not be.
    p = f if group > 1 else xp.maximum(least, constant(_smallest_normal(f, xp), f, xp))
    while group > 1 and f.shape[1] > 1:  # pairs (f, q) to the product and its complement, in a tree
        half = f.shape[1] // 2
        q = q[:, :half, :] + f[:, :half, :] * q[:, half:, :]
        p = f = f[:, :half, :] * f[:, half:, :]
        group //= 2
    return tree(xp.add, log_complement(p, q, f, xp), 1), tree(xp.minimum, least, 1)


def _factors(
    y: Array, y_bar: Array, beta: Array, beta_bar: Array, floor: float, xp: Namespace
) -> tuple[Array, Array]:
    """Max(f, floor) with the derivative of 1 − yβ, and f itself without one; (rows, J, m)."""
    f = stop_gradient(y_bar[:, :, None] + y[:, :, None] * beta_bar[None, :, :], xp)
    # An array as second operand: NumPy is three times slower with a number there.
    floors = xp.full_like(beta_bar, floor)[None, :, :]
    smooth = attach(xp.maximum(f, floors), lambda: 1.0 - y[:, :, None] * beta[None, :, :], xp)
    return smooth, f


def _log_product_vjp(
    y: Array,
    y_bar: Array,
    beta: Array,
    beta_bar: Array,
    grad: Array,
    *,
    floor: float,
    xp: Namespace,
) -> tuple[Array, Array]:
    m, n = beta.shape
    if 0 in (y.shape[0], m, n):
        return xp.zeros_like(y), xp.zeros_like(beta)
    size = block_size(n, 1, xp)
    weights = [columns(a, size, pad, xp) for a, pad in ((beta, 0.0), (beta_bar, 1.0))]

    def block(
        t: Array, y: Array, y_bar: Array, beta: Array, beta_bar: Array
    ) -> tuple[Array, Array]:
        f, _ = _factors(y, y_bar, beta, beta_bar, floor, xp)
        ratio = -t[:, None, :] / f
        gy = tree(xp.add, ratio * beta[None, :, :], 2)
        return gy, sum_rows(ratio * y[:, :, None], xp)

    block = rematerialise(block, xp)

    def step(carry: None, part: tuple[Array, ...]) -> tuple[None, Any]:
        y, y_bar, beta, beta_bar = part

        def chunk(y: Array, y_bar: Array, t: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
            gy, gbeta = block(t, y, y_bar, beta, beta_bar)
            return (gy,), (gbeta,)

        (gy,), (gbeta,) = over_rows(chunk, ((y, 0.0), (y_bar, 1.0), (grad, 0.0)), size * m, xp)
        return carry, (gy, gbeta)

    parts = [row_blocks(a, size, pad, xp) for a, pad in ((y, 0.0), (y_bar, 1.0))]
    _, (gy, gbeta) = scan(step, None, (*parts, *weights), xp)
    gy = unblock(xp.permute_dims(gy, (1, 0, 2)), n, xp)
    return gy, unblock(xp.permute_dims(gbeta, (2, 0, 1)), n, xp)


def _log_product_jvp(
    y: Array,
    y_bar: Array,
    beta: Array,
    beta_bar: Array,
    dy: Array,
    dbeta: Array,
    *,
    floor: float,
    xp: Namespace,
) -> Array:
    m, n = beta.shape
    size = block_size(n, 1, xp)
    weights = [columns(a, size, pad, xp) for a, pad in ((beta, 0.0), (beta_bar, 1.0), (dbeta, 0.0))]

    def block(
        y: Array, y_bar: Array, dy: Array, beta: Array, beta_bar: Array, dbeta: Array
    ) -> Array:
        f = _factors(y, y_bar, beta, beta_bar, floor, xp)[0]
        dq = dy[:, :, None] * beta[None, :, :] + y[:, :, None] * dbeta[None, :, :]
        return -tree(xp.add, dq / f, 1)

    block = rematerialise(block, xp)

    def step(carry: tuple[Array, Array], part: tuple[Array, ...]) -> tuple[Any, None]:
        return add_exactly(*carry, block(*part)), None

    def chunk(y: Array, y_bar: Array, dy: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        parts = [row_blocks(a, size, pad, xp) for a, pad in ((y, 0.0), (y_bar, 1.0), (dy, 0.0))]
        zero = zeros(y, m, xp)
        (total, error), _ = scan(step, (zero, zero), (*parts, *weights), xp)
        return (total + error,), ()

    (tangent,), _ = over_rows(chunk, ((y, 0.0), (y_bar, 1.0), (dy, 0.0)), size * m, xp)
    return tangent


def _smallest_normal(a: Array, xp: Namespace) -> float:
    return float(xp.finfo(a.dtype).smallest_normal)
