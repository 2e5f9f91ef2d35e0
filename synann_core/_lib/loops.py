"""The loop over blocks that the contraction is made of, for eager libraries and for JAX.

Which block an input falls in depends on their number alone, and sums are fixed trees of additions:
a row's bits do not depend on how many rows there are.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import array_api_extra as xpx
import numpy as np
from array_api_compat import device, is_jax_namespace, is_numpy_namespace

from synann_core._lib.autodiff import builds_graphs, rematerialise
from synann_core._lib.threads import side_by_side, thread_count
from synann_core._lib.torch_modes import exports_to_onnx
from synann_core._lib.typing import Array, Namespace

# Factors j handled together. Where XLA compiles (on JAX, and in a graph), more than one were two
# times slower: it takes the sums apart.
_BLOCK = 32
_XLA_BLOCK = 1
# Elements of a (rows, block, m) temporary: the eager loop's are near the second-level cache, and
# large enough that threads do not spend their time on handing over Python's lock.
_CHUNK = 1 << 18
_JAX_CHUNK = 1 << 22
# Bytes of the largest block that glibc can be made to keep, and of a page.
_LARGEST_KEPT, _PAGE = (1 << 25) - (1 << 14), 1 << 12


@functools.lru_cache(maxsize=64)
def keep_freed_memory(largest: int = 0) -> None:
    """Let glibc reuse temporaries and results of megabytes instead of returning them.

    Its malloc gives freed blocks above 128 kB back to the system, and every page is then cleared
    and mapped anew: measured, five times the cost of the arithmetic. The limit adapts to the
    largest block freed so far (mallopt(3), M_MMAP_THRESHOLD), at most 32 MB: free one. It is never
    touched, so it costs no memory; elsewhere than on glibc it does nothing.

    `largest` is the size in bytes of a result to come. If it is above that limit, malloc takes it
    from freed memory all the same where that is in one piece: two halves, freed. Pieces of more
    than twice the limit go back to the system.
    """
    np.empty(_LARGEST_KEPT, dtype=np.uint8)
    half = largest // 2 + _PAGE
    if largest > _LARGEST_KEPT > half:
        halves = [np.empty(half, dtype=np.uint8) for _ in range(2)]
        del halves


def runner(function: Callable[..., Any], xp: Namespace) -> Callable[..., Any]:
    """`function` as the library runs it best; its keyword-only arguments are constants to JAX."""
    if is_jax_namespace(xp):
        return _jitted(function)
    keep_freed_memory()
    return function


@functools.cache
def _jitted(function: Callable[..., Any]) -> Callable[..., Any]:
    # One jitted function per kernel: an eager scan would be traced and compiled at every call.
    import jax

    # jax refuses names that the function does not have.
    options = inspect.getfullargspec(function).kwonlyargs
    compiled: Callable[..., Any] = jax.jit(function, static_argnames=options)
    return compiled


def block_size(n: int, group: int, xp: Namespace) -> int:
    """Power of two: the whole of a small n, else the block length of the library."""
    size = _XLA_BLOCK if is_jax_namespace(xp) or builds_graphs(xp) else _BLOCK
    while size > group and size // 2 >= n:
        size //= 2
    return size


def over_rows(
    function: Callable[..., tuple[tuple[Array, ...], tuple[Array, ...]]],
    arrays: tuple[tuple[Array, float], ...],
    elements: int,
    xp: Namespace,
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """``function(*chunks)`` on chunks of the rows, so that `elements` for every row are not much.

    `arrays` come with the number that stands for a row that is not there. The function's first
    results have a row for each row, its second ones are sums over the rows and are added up.
    """
    rows, chunk = arrays[0][0].shape[0], _JAX_CHUNK if is_jax_namespace(xp) else _CHUNK
    step = max(1, chunk // max(elements, 1))
    # In a file or a graph for any number of rows there is no loop over chunks of them.
    whole = exports_to_onnx(xp) or any(_divided(a, 0, xp) for a, _ in arrays)
    if whole or _any_number(rows, xp) or rows <= step:
        return function(*(a for a, _ in arrays))
    function = rematerialise(function, xp)

    def add(carry: Any, sums: tuple[Array, ...]) -> Any:
        if carry is None:
            return tuple((value, xp.zeros_like(value)) for value in sums)
        pairs = zip(carry, sums, strict=True)
        return tuple(add_exactly(total, error, value) for (total, error), value in pairs)

    if is_jax_namespace(xp):
        padded = [_pad_rows(a, -rows % step, value, xp) for a, value in arrays]
        chunks = tuple(xp.reshape(a, (-1, step, *a.shape[1:])) for a in padded)

        def add_chunk(carry: Any, part: tuple[Array, ...]) -> tuple[Any, tuple[Array, ...]]:
            results, sums = function(*part)
            return add(carry, sums), results

        _, sums = function(*(a[0] for a in chunks))
        carry = add(None, tuple(xp.zeros_like(value) for value in sums))
        carry, stacked = scan(add_chunk, carry, chunks, xp)
        results = tuple(xp.reshape(a, (-1, *a.shape[2:]))[:rows, ...] for a in stacked)
    else:
        carry, parts = None, []
        starts = range(0, rows, step)
        # What is added to what does not depend on the number of threads.
        width = thread_count() if is_numpy_namespace(xp) else 1
        for wave in (starts[k : k + width] for k in range(0, len(starts), width)):
            slices = [slice(start, min(start + step, rows)) for start in wave]
            groups = [tuple(a[rows_now, ...] for a, _ in arrays) for rows_now in slices]
            for result, sums in side_by_side(function, groups):
                carry = add(carry, sums)
                parts.append(result)
        results = tuple(xp.concat(list(group), axis=0) for group in zip(*parts, strict=True))
    return results, tuple(total + error for total, error in carry)


def _as_it_leaves(step: Callable[..., Any], carry: Any, parts: tuple[Array, ...]) -> Any:
    """The carry of a scan of JAX, of the type that it leaves the step with.

    Inside a `shard_map` the type says over which axes of the mesh an array varies, and on a mesh
    with explicit axes how it is divided. A carry of zeros has neither.
    """
    import jax
    import jax.numpy as jnp

    mesh: Any = getattr(jax.sharding, "get_abstract_mesh", tuple)()
    if not (
        getattr(mesh, "manual_axes", ()) or any(map(mesh_axes, jax.tree.leaves((carry, parts))))
    ):
        return carry
    first = tuple(jnp.sum(part[:1, ...], axis=0) for part in parts)  # there may be none
    for _ in range(2):  # what the step before made of one part of the carry reaches another
        after = jax.tree.map(jax.lax.stop_gradient, step(carry, first)[0])
        # Minus 0, which XLA leaves out, with the type of what the step returns.
        nothing = jax.tree.map(lambda a: jnp.logical_and(a != a, False), after)
        carry = jax.tree.map(lambda a, zero: a - zero.astype(a.dtype), carry, nothing)
    return carry


def mean_over_rows(
    function: Callable[[Array], Array], rows: Array, elements: int, xp: Namespace
) -> Array:
    """Mean over the rows of ``function(rows)``, with `elements` for each, by chunks of rows."""
    count = rows.shape[0]
    shares = xp.full((count,), 1.0 / count, dtype=rows.dtype, device=device(rows))

    def chunk(rows: Array, shares: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        values = function(rows)
        axes = (1,) * (values.ndim - 1)
        return (), (sum_along(values * xp.reshape(shares, (-1, *axes)), 0, xp),)

    _, (mean,) = over_rows(chunk, ((rows, 0.0), (shares, 0.0)), elements, xp)
    return mean


def _any_number(rows: Any, xp: Namespace) -> bool:
    """Whether what is traced serves any number of rows: in a graph, and in exports of JAX."""
    return builds_graphs(xp) or (is_jax_namespace(xp) and not isinstance(rows, int))


def _pad_rows(a: Array, missing: int, value: float, xp: Namespace) -> Array:
    widths = ((0, missing), *((0, 0) for _ in a.shape[1:]))
    return xpx.pad(a, widths, constant_values=value, xp=xp) if missing else a


def row_blocks(a: Array, n: int, size: int, pad: float, xp: Namespace) -> Array:
    """(rows, n) as (blocks, rows, size); padded where size does not divide n.

    `n` is given, since an array whose values are not known yet may not tell it.
    """
    a, blocks = _pad(a, n, size, pad, xp), -(-n // size)
    return xp.permute_dims(xp.reshape(a, (a.shape[0], blocks, size)), (1, 0, 2))


def columns(a: Array, size: int, pad: float, xp: Namespace) -> Array:
    """(m, n) as (blocks, size, m) with m contiguous, which the flat array in between ensures.

    XLA chooses itself what is contiguous, and m may be divided over devices.
    """
    a = xp.matrix_transpose(_pad(a, a.shape[1], size, pad, xp))
    n, m = a.shape
    flat = a if is_jax_namespace(xp) else xp.reshape(a, (n * m,))
    return xp.reshape(flat, (n // size, size, m))


def _pad(a: Array, n: int, size: int, pad: float, xp: Namespace) -> Array:
    missing = -n % size
    return xpx.pad(a, ((0, 0), (0, missing)), constant_values=pad, xp=xp) if missing else a


def unblock(a: Array, n: int, xp: Namespace) -> Array:
    """(rows, blocks, size) back to (rows, n), without the padding."""
    return xp.reshape(a, (a.shape[0], a.shape[1] * a.shape[2]))[:, :n]


def zeros(rows_of: Array, m: int, xp: Namespace) -> Array:
    """(rows, m) zeros, as many rows as an array has."""
    rows = rows_of.shape[0]
    rows = xp.shape(rows_of)[0] if rows is None else rows
    return xp.zeros((rows, m), dtype=rows_of.dtype, device=device(rows_of))


def sum_along(a: Array, axis: int, xp: Namespace) -> Array:
    """Sum over an axis that is not empty: by halves, unless it is divided or of any length."""
    if _any_number(a.shape[axis], xp) or _divided(a, axis, xp):
        return xp.sum(a, axis=axis)
    return tree(xp.add, a, axis)


def _divided(a: Array, axis: int, xp: Namespace) -> bool:
    """Whether the array's type says that devices hold parts of this axis: of JAX, if explicit."""
    return is_jax_namespace(xp) and any(mesh_axes(a)[axis : axis + 1])


def mesh_axes(a: Any) -> tuple[Any, ...]:
    """Axes of a mesh by dimension that the type of an array of JAX names; empty if it names none.

    It does where the axes are explicit; `a` may be the type itself.
    """
    spec = tuple(getattr(getattr(getattr(a, "aval", a), "sharding", None), "spec", None) or ())
    return spec if any(spec) else ()


def add_exactly(total: Array, error: Array, value: Array) -> tuple[Array, Array]:
    """Two-sum: many blocks add up without drift, also when every block is the same number."""
    new = total + value
    part = new - total
    return new, error + ((total - (new - part)) + (value - part))


def tree(operation: Callable[[Array, Array], Array], a: Array, axis: int) -> Array:
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


def scan(
    step: Callable[[Any, Any], tuple[Any, Any]],
    carry: Any,
    parts: tuple[Array, ...],
    xp: Namespace,
    *,
    in_time: bool = False,
) -> tuple[Any, Any]:
    """`jax.lax.scan` over the leading axis of `parts`; elsewhere the loop it stands for.

    `in_time` says that steps come one after the other: a graph may take blocks together, not those.
    """
    if builds_graphs(xp):
        loop: Any = xp.scan_steps if in_time else xp.scan_blocks
        carry, outputs = loop(step, carry, parts)
        return carry, outputs
    if is_jax_namespace(xp):
        import jax

        carry, outputs = jax.lax.scan(step, _as_it_leaves(step, carry, parts), parts)
        return carry, outputs
    steps = range(parts[0].shape[0])
    outputs = []
    if carry is None and is_numpy_namespace(xp):  # NumPy releases Python's lock
        arguments = [(None, tuple(part[i, ...] for part in parts)) for i in steps]
        outputs = [output for _, output in side_by_side(step, arguments)]
    else:
        for i in steps:
            carry, output = step(carry, tuple(part[i, ...] for part in parts))
            outputs.append(output)
    if not outputs or outputs[0] is None:
        return carry, None
    return carry, tuple(xp.stack(list(group)) for group in zip(*outputs, strict=True))
