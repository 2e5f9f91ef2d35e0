"""The one expensive contraction, T_bi = Σ_j log f_bij, on any array namespace.

Its factor f = ȳ_bj + y_bj β̄_ij serves both spaces (docs/theory.md, section 5.1): 1 − βy with
ȳ = 1 − y, β̄ = 1 − β; in surprisal space ȳ = −expm1(−v), β̄ = −expm1(−γ). All terms are positive, so
f keeps its relative accuracy where βy comes close to 1; q = yβ = 1 − f is carried beside it for
where βy is small.

The (batch, m, n) array is never built: the work goes by blocks of j, and on eager libraries by
chunks of rows. Which block a j falls in depends on n alone, and within a block only element-wise
operations and fixed trees touch a row, so that a row's bits do not depend on its batch mates.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import array_api_compat.numpy as np
from array_api_compat import is_jax_namespace

from synann_core._lib.arguments import Array, Namespace, constant, silence
from synann_core._lib.autodiff import (
    attach,
    builds_graphs,
    is_torch_namespace,
    rematerialise,
    stop_gradient,
    torch_observes,
    torch_operator,
    torch_wants_gradients,
    with_torch_gradient,
)
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
from synann_core.contraction import native, triton
from synann_core.surprisals import expm1, log_one_minus, surprisal_floor

# log of so many factors at once in probability space: (eps/2)**4 is still a normal number.
_GROUP = 4


class Factors(NamedTuple):
    """The factors ȳ + y β̄ of the contraction; y, ȳ (rows, n) and β, β̄ (m, n)."""

    y: Array
    y_bar: Array | None  # None stands for 1 − y
    beta: Array
    beta_bar: Array | None  # None stands for 1 − β
    floor: float  # gradients divide by max(f, floor)
    group: int  # factors multiplied before a logarithm is taken

    @property
    def arrays(self) -> tuple[Array, Array | None, Array, Array | None]:
        """The four arrays, without the options."""
        return self[:4]

    def complete(self) -> tuple[Array, Array, Array, Array]:
        """The four arrays, none of them None."""
        y, y_bar, beta, beta_bar = self.arrays
        if y_bar is None:
            y_bar, beta_bar = 1.0 - y, 1.0 - beta
        return y, y_bar, beta, beta_bar


def probability_factors(y: Array, beta: Array, *, xp: Namespace) -> Factors:
    """Factors 1 − βy; y (..., n) loses its batch axes."""
    y = y if y.ndim == 2 else xp.reshape(y, (row_count(y), y.shape[-1]))
    return Factors(y, None, beta, None, float(xp.finfo(y.dtype).eps) / 2, _GROUP)


def surprisal_factors(v: Array, gamma: Array, *, xp: Namespace) -> Factors:
    """Factors 1 − e^(−γ−v), which may be as small as the smallest normal number."""
    v = xp.reshape(v, (row_count(v), v.shape[-1]))
    floor = surprisal_floor(v.dtype, xp)
    v_bar, gamma_bar = -expm1(-v, xp), -expm1(-gamma, xp)
    return Factors(xp.exp(-v), v_bar, xp.exp(-gamma), gamma_bar, floor, 1)


def log_complement(p: Array, q: Array, smooth: Array, xp: Namespace) -> Array:
    """Log p where q = 1 − p is known as well: relatively accurate at both ends.

    log1p(−q) where q < ½ and log p = log ½ + log 2p elsewhere, each term being 0 or log ½ where the
    other one rules: on NumPy much faster than a choice by `where`. Derivatives are those of
    log `smooth`, which is p kept away from 0.
    """
    half, one = constant(0.5, p, xp), constant(1.0, p, xp)
    value = log_one_minus(xp.minimum(q, half), xp) + xp.log(xp.minimum(p + p, one))
    return attach(value, lambda: xp.log(smooth), xp)


def log_product(factors: Factors, *, xp: Namespace) -> tuple[Array, Array]:
    """Sum of log f over j, (rows, m): exact, and with every f kept from 0.

    The first is −inf where a factor is 0 and NaN where one is negative or NaN; its derivatives, as
    autodiff sees them, are those of the second, which is finite.
    """
    operator = torch_operator(xp, factors.y, factors.beta)
    if operator is not None:
        exact, guarded = operator(*factors)
        return exact, guarded
    if not (builds_graphs(xp) or torch_wants_gradients(xp, factors.y, factors.beta)):
        return run_log_product(factors, xp)

    def rebuilt(y: Array, y_bar: Array, beta: Array, beta_bar: Array) -> Factors:
        return factors._replace(y=y, y_bar=y_bar, beta=beta, beta_bar=beta_bar)

    # Nothing is recorded inside, so that the compiled kernels may serve.
    def forward(*arrays: Array) -> tuple[Array, Array]:
        return run_log_product(rebuilt(*arrays), xp)

    def vjp(*arguments: Array) -> tuple[Array | None, ...]:
        *arrays, exact, guarded = arguments
        grad = exact + guarded  # both have the derivatives of the guarded one
        gy, gbeta = log_product_vjp(rebuilt(*arrays), grad, xp=xp)
        return gy, None, gbeta, None

    record = xp.with_gradient if builds_graphs(xp) else with_torch_gradient
    exact, guarded = record(forward, vjp, *factors.arrays)
    return exact, guarded


def log_product_vjp(factors: Factors, grad: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Gradients −Σ_i t β/f and −Σ_b t y/f for the upstream t = `grad` (rows, m)."""
    branch = variant(xp, *factors.arrays, grad)
    if branch == "numba":
        return native.log_product_vjp(factors, grad, _on_numpy(_agnostic_vjp))
    if branch == "triton":
        return triton.log_product_vjp(factors, grad)
    return _agnostic_vjp(factors, grad, xp=xp)


def log_product_jvp(factors: Factors, dy: Array, dbeta: Array, *, xp: Namespace) -> Array:
    """Tangent −Σ_j (β dy + y dβ)/f, (rows, m)."""
    if variant(xp, *factors.arrays, dy, dbeta) == "numba":
        return native.log_product_jvp(factors, dy, dbeta, _on_numpy(_agnostic_jvp))
    return _agnostic_jvp(factors, dy, dbeta, xp=xp)


def variant(xp: Namespace, *arrays: Array | None) -> str:
    """Which branch serves these arrays: the one place where that is decided."""
    if is_jax_namespace(xp):
        return "jax-scan"
    if os.environ.get("SYNANN_KERNELS", "").lower() != "off":
        given = [a for a in arrays if a is not None]
        if native.serves(xp, *given):
            return "numba"
        if triton.serves(*given) and not (is_torch_namespace(xp) and torch_observes(*given)):
            return "triton"
    return "array-api"


def run_log_product(factors: Factors, xp: Namespace) -> tuple[Array, Array]:
    """`log_product`, on the branch that serves these arrays."""
    branch = variant(xp, *factors.arrays)
    if branch == "numba":
        return native.log_product(factors, _on_numpy(_agnostic_log_product))
    if branch == "triton":
        return triton.log_product(factors)
    return _agnostic_log_product(factors, xp=xp)


def _on_numpy(branch: Callable[..., Any]) -> Callable[..., Any]:
    """The branch for NumPy arrays, silent also where they were torch's tensors."""

    def run(*arguments: Any) -> Any:
        with silence(np):
            return branch(*arguments, xp=np)

    return run


def _agnostic_log_product(factors: Factors, *, xp: Namespace) -> tuple[Array, Array]:
    run = runner(_log_product, xp)
    exact, guarded = run(*factors.complete(), floor=factors.floor, group=factors.group, xp=xp)
    return exact, guarded


def _agnostic_vjp(factors: Factors, grad: Array, *, xp: Namespace) -> tuple[Array, Array]:
    gy, gbeta = runner(_log_product_vjp, xp)(*factors.complete(), grad, floor=factors.floor, xp=xp)
    return gy, gbeta


def _agnostic_jvp(factors: Factors, dy: Array, dbeta: Array, *, xp: Namespace) -> Array:
    run = runner(_log_product_jvp, xp)
    return run(*factors.complete(), dy, dbeta, floor=factors.floor, xp=xp)


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
    outside = xp.where(least == 0.0, constant(-float("inf"), least, xp), least * float("nan"))
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


def row_count(y: Array) -> int:
    """Rows of (..., n) without its batch axes; −1, for `reshape`, where a graph does not know."""
    rows = 1
    for size in y.shape[:-1]:
        if size is None:
            return -1
        rows *= size
    return rows
