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
    sum_along,
    tree,
    unblock,
    zeros,
)
from synann_core._lib.numerics import (
    cheap_to_look_at,
    constant,
    halves,
    known_inside,
    log_complement,
    minus_product,
)
from synann_core._lib.typing import Array, Namespace
from synann_core.contraction.factors import Factors, with_faint_sums

Arrays = tuple[Array, ...]

# What stands for an input or an output that is not there, in each of the arrays of `_sides`.
_ROW_PADS = (0.0, 1.0, 0.0, 0.0, 0.0)
_WEIGHT_PADS = (0.0, 1.0, 0.0, 0.0)


def forward(factors: Factors, *, xp: Namespace) -> tuple[Array, Array]:
    """Sum of log f over j, exact and with every f kept from 0; both (rows, m)."""
    run = functools.partial(runner(_log_product, xp), group=factors.group, xp=xp)
    exact, guarded = run(*factors[:4], floor=factors.floor)
    if not cheap_to_look_at(xp, *factors[:4]):
        return exact, guarded

    def again(y: Array, beta: Array) -> Array:
        values: Array = run(y, None, beta, None, floor=factors.floor)[0]
        return values

    return with_faint_sums(exact, guarded, factors, again, xp=xp)


def vjp(factors: Factors, grad: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Gradients −Σ_i t β/f and −Σ_b t y/f for the upstream t = `grad` (rows, m)."""
    gy, gbeta = runner(_log_product_vjp, xp)(*factors[:4], grad, floor=factors.floor, xp=xp)
    return gy, gbeta


def jvp(factors: Factors, dy: Array, dbeta: Array, *, xp: Namespace) -> Array:
    """Tangent −Σ_j (β dy + y dβ)/f, (rows, m)."""
    run = runner(_log_product_jvp, xp)
    tangent: Array = run(*factors[:4], dy, dbeta, floor=factors.floor, xp=xp)
    return tangent


def _sides(
    y: Array, y_bar: Array | None, beta: Array, beta_bar: Array | None, xp: Namespace
) -> tuple[Arrays, Arrays]:
    """What factors are formed of: arrays of rows (rows, n), and of weights (m, n).

    The first are y and ȳ, β and β̄. The terms of ȳ + y β̄ are huge where y is not in [0, 1], or a β
    of that input is above 1, unless these are known not to be there. Behind the first come the y
    that are to go into y β̄, and halves of the other y and of β, for the product to be taken from 1.
    """
    y_bar = 1.0 - y if y_bar is None else y_bar
    beta_bar = 1.0 - beta if beta_bar is None else beta_bar
    if known_inside(xp, y, beta):
        return (y, y_bar), (beta, beta_bar)
    own, strength = stop_gradient(y, xp), stop_gradient(beta, xp)
    near = (own >= 0.0) & (own <= 1.0) & ~xp.any(strength > 1.0, axis=0)
    # NaN where y is infinite, whatever β.
    y_bar = xp.where(near, stop_gradient(y_bar, xp), 1.0 + (own - own))
    apart = halves(xp.where(near, 0.0, own), xp)
    return (y, y_bar, xp.where(near, own, 0.0), *apart), (beta, beta_bar, *halves(strength, xp))


def _row_blocks(rows: Arrays, n: int, size: int, xp: Namespace) -> Arrays:
    pads = zip(rows, _ROW_PADS, strict=False)
    return tuple(row_blocks(a, n, size, pad, xp) for a, pad in pads)


def _weight_blocks(weights: Arrays, size: int, xp: Namespace) -> Arrays:
    pads = zip(weights, _WEIGHT_PADS, strict=False)
    return tuple(columns(a, size, pad, xp) for a, pad in pads)


def _padded_rows(rows: Arrays) -> tuple[tuple[Array, float], ...]:
    return tuple(zip(rows, _ROW_PADS, strict=False))


def _log_product(
    y: Array,
    y_bar: Array | None,
    beta: Array,
    beta_bar: Array | None,
    *,
    floor: float,
    group: int,
    xp: Namespace,
) -> tuple[Array, Array]:
    rows, weights = _sides(y, y_bar, beta, beta_bar, xp)
    m, n = beta.shape
    size = block_size(n, group, xp)
    weights = _weight_blocks(weights, size, xp)
    block = rematerialise(
        functools.partial(_block_log_product, floor=floor, group=group, xp=xp), xp
    )

    def step(carry: tuple[Array, Array, Array], part: Arrays) -> tuple[Any, None]:
        total, error, least = carry
        value, smallest = block(part[: len(rows)], part[len(rows) :])
        total, error = add_exactly(total, error, value)
        return (total, error, xp.minimum(least, smallest)), None

    def chunk(*rows: Array) -> tuple[Arrays, Arrays]:
        zero = zeros(rows[0], m, xp)
        parts = (*_row_blocks(rows, n, size, xp), *weights)
        (total, error, least), _ = scan(step, (zero, zero, zero + 1.0), parts, xp)
        return (total + error, least), ()

    (guarded, least), _ = over_rows(chunk, _padded_rows(rows), size * m, xp)
    inf, nan = (constant(float(name), least, xp) for name in ("inf", "nan"))
    outside = xp.where(least == 0.0, -inf, nan)
    return attach(xp.where(least > 0.0, guarded, outside), lambda: guarded, xp), guarded


def _block_log_product(
    rows: Arrays, weights: Arrays, *, floor: float, group: int, xp: Namespace
) -> tuple[Array, Array]:
    """Sum of log f, f kept from 0, and least f, over one block; rows (rows, J), weights (J, m)."""
    f, least = _factors(rows, weights, floor, xp)
    q = stop_gradient(rows[0][:, :, None] * weights[0][None, :, :], xp)
    # Alone, a factor may be smaller than the floor of its gradient: its logarithm need not be.
    p = f if group > 1 else xp.maximum(least, constant(_smallest_normal(f, xp), f, xp))
    while group > 1 and f.shape[1] > 1:  # pairs (f, q) to the product and its complement, in a tree
        half = f.shape[1] // 2
        q = q[:, :half, :] + f[:, :half, :] * q[:, half:, :]
        p = f = f[:, :half, :] * f[:, half:, :]
        group //= 2
    return tree(xp.add, log_complement(p, q, f, xp), 1), tree(xp.minimum, least, 1)


def _factors(rows: Arrays, weights: Arrays, floor: float, xp: Namespace) -> tuple[Array, Array]:
    """Max(f, floor) with the derivative of 1 − yβ, and f itself without one; (rows, J, m)."""
    y, y_bar, *large = (a[:, :, None] for a in rows)
    beta, beta_bar, *strength = (a[None, :, :] for a in weights)
    f = y_bar + (large[0] if large else y) * beta_bar
    if large:
        f = minus_product(f, (large[1], large[2]), (strength[0], strength[1]))
    f = stop_gradient(f, xp)
    # An array as second operand: NumPy is three times slower with a number there.
    floors = xp.full_like(weights[0], floor)[None, :, :]
    return attach(xp.maximum(f, floors), lambda: 1.0 - y * beta, xp), f


def _log_product_vjp(
    y: Array,
    y_bar: Array | None,
    beta: Array,
    beta_bar: Array | None,
    grad: Array,
    *,
    floor: float,
    xp: Namespace,
) -> tuple[Array, Array]:
    m, n = beta.shape
    if 0 in (y.shape[0], m, n):
        return xp.zeros_like(y), xp.zeros_like(beta)
    rows, weights = _sides(y, y_bar, beta, beta_bar, xp)
    size = block_size(n, 1, xp)

    def block(t: Array, rows: Arrays, weights: Arrays) -> tuple[Array, Array]:
        f, _ = _factors(rows, weights, floor, xp)
        ratio = -t[:, None, :] / f
        gy = sum_along(ratio * weights[0][None, :, :], 2, xp)
        return gy, sum_along(ratio * rows[0][:, :, None], 0, xp)

    block = rematerialise(block, xp)

    def step(carry: None, part: Arrays) -> tuple[None, Any]:
        own, weights = part[: len(rows)], part[len(rows) :]

        def chunk(t: Array, *rows: Array) -> tuple[Arrays, Arrays]:
            gy, gbeta = block(t, rows, weights)
            return (gy,), (gbeta,)

        (gy,), (gbeta,) = over_rows(chunk, ((grad, 0.0), *_padded_rows(own)), size * m, xp)
        return carry, (gy, gbeta)

    parts = (*_row_blocks(rows, n, size, xp), *_weight_blocks(weights, size, xp))
    _, (gy, gbeta) = scan(step, None, parts, xp)
    gy = unblock(xp.permute_dims(gy, (1, 0, 2)), n, xp)
    return gy, unblock(xp.permute_dims(gbeta, (2, 0, 1)), n, xp)


def _log_product_jvp(
    y: Array,
    y_bar: Array | None,
    beta: Array,
    beta_bar: Array | None,
    dy: Array,
    dbeta: Array,
    *,
    floor: float,
    xp: Namespace,
) -> Array:
    rows, weights = _sides(y, y_bar, beta, beta_bar, xp)
    m, n = beta.shape
    size = block_size(n, 1, xp)
    weights = (columns(dbeta, size, 0.0, xp), *_weight_blocks(weights, size, xp))

    def block(dy: Array, rows: Arrays, dbeta: Array, weights: Arrays) -> Array:
        f = _factors(rows, weights, floor, xp)[0]
        y, beta = rows[0], weights[0]
        dq = dy[:, :, None] * beta[None, :, :] + y[:, :, None] * dbeta[None, :, :]
        return -tree(xp.add, dq / f, 1)

    block = rematerialise(block, xp)

    def step(carry: tuple[Array, Array], part: Arrays) -> tuple[Any, None]:
        dy, own, (dbeta, *weights) = part[0], part[1 : len(rows) + 1], part[len(rows) + 1 :]
        return add_exactly(*carry, block(dy, own, dbeta, tuple(weights))), None

    def chunk(dy: Array, *rows: Array) -> tuple[Arrays, Arrays]:
        zero = zeros(rows[0], m, xp)
        parts = (row_blocks(dy, n, size, 0.0, xp), *_row_blocks(rows, n, size, xp), *weights)
        (total, error), _ = scan(step, (zero, zero), parts, xp)
        return (total + error,), ()

    (tangent,), _ = over_rows(chunk, ((dy, 0.0), *_padded_rows(rows)), size * m, xp)
    return tangent


def _smallest_normal(a: Array, xp: Namespace) -> float:
    return float(xp.finfo(a.dtype).smallest_normal)
