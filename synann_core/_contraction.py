"""The one expensive contraction, T_bi = Σ_j log f_bij, on any array namespace.

Its factor f = ȳ_bj + y_bj β̄_ij serves both spaces (THEORY: 1 − βy with ȳ = 1 − y, β̄ = 1 − β; in
surprisal space ȳ = −expm1(−v), β̄ = −expm1(−γ)). All terms are positive, so f keeps its relative
accuracy where βy comes close to 1; q = yβ = 1 − f is carried beside it for where βy is small.

The (batch, m, n) array is never built: the work goes by blocks of j, and on eager libraries by
chunks of rows. Which block a j falls in depends on n alone, and within a block only element-wise
operations and fixed trees touch a row, so that a row's bits do not depend on its batch mates.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import array_api_extra as xpx
import numpy as np
from array_api_compat import device, is_jax_namespace

from ._lib._arguments import Array, Namespace, constant
from ._lib._autodiff import (
    attach,
    rematerialise,
    stop_gradient,
    torch_wants_gradients,
    with_torch_gradient,
)
from .surprisal import log_one_minus, surprisal_floor

# Factors j handled together. JAX holds all rows of a block at once, the eager loop a chunk of them.
_BLOCK = 32
_JAX_BLOCK = 8
# Elements of a (rows, block, m) temporary in the eager loop: fits the second-level cache.
_CHUNK = 1 << 17
# log of so many factors at once in probability space: (eps/2)**4 is still a normal number.
_GROUP = 4


class Factors(NamedTuple):
    """The factors ȳ + y β̄ of the contraction; y, ȳ (rows, n) and β, β̄ (m, n)."""

    y: Array
    y_bar: Array
    beta: Array
    beta_bar: Array
    floor: float  # gradients divide by max(f, floor)
    group: int  # factors multiplied before a logarithm is taken

    @property
    def arrays(self) -> tuple[Array, Array, Array, Array]:
        """The four arrays, without the options."""
        return self[:4]


def probability_factors(y: Array, beta: Array, *, xp: Namespace) -> Factors:
    """Factors 1 − βy; y (..., n) loses its batch axes."""
    y = xp.reshape(y, (_rows(y), y.shape[-1]))
    return Factors(y, 1.0 - y, beta, 1.0 - beta, float(xp.finfo(y.dtype).eps) / 2, _GROUP)


def surprisal_factors(v: Array, gamma: Array, *, xp: Namespace) -> Factors:
    """Factors 1 − e^(−γ−v), which may be as small as the smallest normal number."""
    v = xp.reshape(v, (_rows(v), v.shape[-1]))
    floor = surprisal_floor(v.dtype, xp)
    return Factors(xp.exp(-v), -xp.expm1(-v), xp.exp(-gamma), -xp.expm1(-gamma), floor, 1)


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
    """Sum of log f over j, (rows, m): exact, and with every f raised to the floor.

    The first is −inf where a factor is 0 and NaN where one is negative or NaN; its derivatives, as
    autodiff sees them, are those of the second, which is finite.
    """
    _keep_freed_memory()
    run = _jitted(_log_product) if is_jax_namespace(xp) else _log_product
    run = functools.partial(run, floor=factors.floor, group=factors.group, xp=xp)
    if not torch_wants_gradients(xp, *factors.arrays):
        exact, guarded = run(*factors.arrays)
        return exact, guarded

    def vjp(
        y: Array, y_bar: Array, beta: Array, beta_bar: Array, exact: Array, guarded: Array
    ) -> tuple[Array | None, ...]:
        grad = exact + guarded  # both have the derivatives of the guarded one
        gy, gbeta = _log_product_vjp(y, y_bar, beta, beta_bar, grad, floor=factors.floor, xp=xp)
        return gy, None, gbeta, None

    exact, guarded = with_torch_gradient(run, vjp, *factors.arrays)
    return exact, guarded


def log_product_vjp(factors: Factors, grad: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Gradients −Σ_i t β/f and −Σ_b t y/f for the upstream t = `grad` (rows, m)."""
    _keep_freed_memory()
    run = _jitted(_log_product_vjp) if is_jax_namespace(xp) else _log_product_vjp
    return run(*factors.arrays, grad, floor=factors.floor, xp=xp)


def log_product_jvp(factors: Factors, dy: Array, dbeta: Array, *, xp: Namespace) -> Array:
    """Tangent −Σ_j (β dy + y dβ)/f, (rows, m)."""
    run = _jitted(_log_product_jvp) if is_jax_namespace(xp) else _log_product_jvp
    return run(*factors.arrays, dy, dbeta, floor=factors.floor, xp=xp)


@functools.cache
def _keep_freed_memory() -> None:
    """Let glibc reuse the loop's temporaries (half a megabyte each) instead of returning them.

    Its malloc gives freed blocks above 128 kB back to the system, and every page is then cleared
    and mapped anew: measured, five times the cost of the arithmetic. The limit adapts to the
    largest block freed so far (mallopt(3), M_MMAP_THRESHOLD), at most 32 MB: free one. It is never
    touched, so it costs no memory; elsewhere than on glibc it does nothing.
    """
    np.empty((1 << 25) - (1 << 14), dtype=np.uint8)


@functools.cache
def _jitted(function: Callable[..., Any]) -> Callable[..., Any]:
    # One jitted function per kernel: an eager scan would be traced and compiled at every call.
    import jax

    # jax refuses names that the function does not have.
    options = inspect.getfullargspec(function).kwonlyargs
    compiled: Callable[..., Any] = jax.jit(function, static_argnames=options)
    return compiled


def _log_product(
    y: Array, y_bar: Array, beta: Array, beta_bar: Array, *, floor: float, group: int, xp: Namespace
) -> tuple[Array, Array]:
    m, n = beta.shape
    size = _block_size(n, group, xp)
    columns = [_columns(a, size, pad, xp) for a, pad in ((beta, 0.0), (beta_bar, 1.0))]
    block = rematerialise(
        functools.partial(_block_log_product, floor=floor, group=group, xp=xp), xp
    )

    def step(carry: tuple[Array, Array, Array], part: tuple[Array, ...]) -> tuple[Any, None]:
        total, error, least = carry
        value, smallest = block(*part)
        total, error = _add_exactly(total, error, value)
        return (total, error, xp.minimum(least, smallest)), None

    totals, leasts = [], []
    for rows in _row_chunks(y.shape[0], size * m, xp):
        parts = [_row_blocks(a[rows, :], size, pad, xp) for a, pad in ((y, 0.0), (y_bar, 1.0))]
        zero = xp.zeros((y[rows, :].shape[0], m), dtype=y.dtype, device=device(y))
        (total, error, least), _ = _scan(step, (zero, zero, zero + 1.0), (*parts, *columns), xp)
        totals.append(total + error)
        leasts.append(least)
    guarded = xp.concat(totals, axis=0)
    least = xp.concat(leasts, axis=0)
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
    """Sum of log max(f, floor), and least f, over one block; y (rows, J), beta (J, m)."""
    f, least = _factors(y, y_bar, beta, beta_bar, floor, xp)
    q = stop_gradient(y[:, :, None] * beta[None, :, :], xp)
    while group > 1:  # from pairs (f, q) to the product and its complement, in a tree
        half = f.shape[1] // 2
        q = q[:, :half, :] + f[:, :half, :] * q[:, half:, :]
        f = f[:, :half, :] * f[:, half:, :]
        group //= 2
    return _tree(xp.add, log_complement(f, q, f, xp), 1), _tree(xp.minimum, least, 1)


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
    size = _block_size(n, 1, xp)
    columns = [_columns(a, size, pad, xp) for a, pad in ((beta, 0.0), (beta_bar, 1.0))]

    def block(
        t: Array, y: Array, y_bar: Array, beta: Array, beta_bar: Array
    ) -> tuple[Array, Array]:
        f, _ = _factors(y, y_bar, beta, beta_bar, floor, xp)
        ratio = -t[:, None, :] / f
        gy = _tree(xp.add, ratio * beta[None, :, :], 2)
        return gy, _tree(xp.add, ratio * y[:, :, None], 0)

    block = rematerialise(block, xp)
    gys = []
    gbeta = gbeta_error = xp.zeros_like(columns[0])
    for rows in _row_chunks(y.shape[0], size * m, xp):
        t = grad[rows, :]

        def step(carry: None, part: tuple[Array, ...], t: Array = t) -> tuple[None, Any]:
            return carry, block(t, *part)

        parts = [_row_blocks(a[rows, :], size, pad, xp) for a, pad in ((y, 0.0), (y_bar, 1.0))]
        _, (gy, gbeta_rows) = _scan(step, None, (*parts, *columns), xp)
        gys.append(_unblock(xp.permute_dims(gy, (1, 0, 2)), n, xp))
        gbeta, gbeta_error = _add_exactly(gbeta, gbeta_error, gbeta_rows)
    gbeta = _unblock(xp.permute_dims(gbeta + gbeta_error, (2, 0, 1)), n, xp)
    return xp.concat(gys, axis=0), gbeta


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
    size = _block_size(n, 1, xp)
    columns = [
        _columns(a, size, pad, xp) for a, pad in ((beta, 0.0), (beta_bar, 1.0), (dbeta, 0.0))
    ]

    def block(
        y: Array, y_bar: Array, dy: Array, beta: Array, beta_bar: Array, dbeta: Array
    ) -> Array:
        f = _factors(y, y_bar, beta, beta_bar, floor, xp)[0]
        dq = dy[:, :, None] * beta[None, :, :] + y[:, :, None] * dbeta[None, :, :]
        return -_tree(xp.add, dq / f, 1)

    block = rematerialise(block, xp)

    def step(carry: tuple[Array, Array], part: tuple[Array, ...]) -> tuple[Any, None]:
        return _add_exactly(*carry, block(*part)), None

    tangents = []
    for rows in _row_chunks(y.shape[0], size * m, xp):
        parts = [
            _row_blocks(a[rows, :], size, pad, xp) for a, pad in ((y, 0.0), (y_bar, 1.0), (dy, 0.0))
        ]
        zero = xp.zeros((y[rows, :].shape[0], m), dtype=y.dtype, device=device(y))
        (total, error), _ = _scan(step, (zero, zero), (*parts, *columns), xp)
        tangents.append(total + error)
    return xp.concat(tangents, axis=0)


def _rows(y: Array) -> int:
    rows = 1
    for size in y.shape[:-1]:
        rows *= size
    return rows


def _block_size(n: int, group: int, xp: Namespace) -> int:
    """Power of two: the whole of a small n, else the block length of the library."""
    size = _JAX_BLOCK if is_jax_namespace(xp) else _BLOCK
    while size > group and size // 2 >= n:
        size //= 2
    return size


def _row_chunks(rows: int, elements: int, xp: Namespace) -> Iterator[slice]:
    """Slices of the batch, so that a temporary of `elements` per row stays small."""
    step = rows if is_jax_namespace(xp) else max(1, _CHUNK // max(elements, 1))
    for start in range(0, rows, max(step, 1)) or (0,):
        yield slice(start, min(start + max(step, 1), rows))


def _row_blocks(a: Array, size: int, pad: float, xp: Namespace) -> Array:
    """(rows, n) as (blocks, rows, size); padded where size does not divide n."""
    a = _pad(a, size, pad, xp)
    return xp.permute_dims(xp.reshape(a, (a.shape[0], a.shape[1] // size, size)), (1, 0, 2))


def _columns(a: Array, size: int, pad: float, xp: Namespace) -> Array:
    """(m, n) as (blocks, size, m) with m contiguous, which the flat array in between ensures."""
    a = xp.matrix_transpose(_pad(a, size, pad, xp))
    n, m = a.shape
    return xp.reshape(xp.reshape(a, (n * m,)), (n // size, size, m))


def _pad(a: Array, size: int, pad: float, xp: Namespace) -> Array:
    missing = -a.shape[1] % size
    return xpx.pad(a, ((0, 0), (0, missing)), constant_values=pad, xp=xp) if missing else a


def _unblock(a: Array, n: int, xp: Namespace) -> Array:
    """(rows, blocks, size) back to (rows, n), without the padding."""
    return xp.reshape(a, (a.shape[0], a.shape[1] * a.shape[2]))[:, :n]


def _add_exactly(total: Array, error: Array, value: Array) -> tuple[Array, Array]:
    """Two-sum: many blocks add up without drift, also when every block is the same number."""
    new = total + value
    part = new - total
    return new, error + ((total - (new - part)) + (value - part))


def _tree(operation: Callable[[Array, Array], Array], a: Array, axis: int) -> Array:
    """Reduce a non-empty axis by halves: the same order for every batch size and library."""
    before = (slice(None),) * axis
    rest = None
    while (size := a.shape[axis]) > 1:
        half = size // 2
        if size % 2:
            odd = a[(*before, -1, ...)]
            rest = odd if rest is None else operation(rest, odd)
        a = operation(a[(*before, slice(0, half), ...)], a[(*before, slice(half, 2 * half), ...)])
    a = a[(*before, 0, ...)]
    return a if rest is None else operation(a, rest)


def _scan(
    step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, parts: tuple[Array, ...], xp: Namespace
) -> tuple[Any, Any]:
    """`jax.lax.scan` over the leading axis of `parts`; elsewhere the loop it stands for."""
    if is_jax_namespace(xp):
        import jax

        carry, results = jax.lax.scan(step, carry, parts)
        return carry, results
    outputs = []
    for i in range(parts[0].shape[0]):
        carry, output = step(carry, tuple(part[i, ...] for part in parts))
        outputs.append(output)
    if not outputs or outputs[0] is None:
        return carry, None
    return carry, tuple(xp.stack(list(group)) for group in zip(*outputs, strict=True))
