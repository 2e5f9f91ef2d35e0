"""Synapse graphs by compiled loops, for NumPy arrays and torch tensors on the CPU.

Some rows of the batch at a time go through the graph in topological order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from synann_core._lib.loops import keep_freed_memory
from synann_core._lib.numerics import surprisal_floor
from synann_core._lib.threads import run_parts, thread_count
from synann_core.native.host import contiguous, read_only, wrap

Array = Any

_ROWS = 8  # to a pass: of float64, a cache line for each node
_PART = 1 << 18  # parameters that a thread moves at a time


class Strengths(NamedTuple):
    """α and β of every neuron and inhibitory edge in order, or θ, e^(−γ) and 1 − e^(−γ)."""

    alpha: Array
    beta: Array
    beta_bar: Array | None  # None in probability space


class _Values(NamedTuple):
    """Values of all nodes, flat, the rows side by side, and in surprisal space y and ȳ."""

    value: Array
    y: Array | None
    y_bar: Array | None


def strengths(structure: Any, alpha: Array, beta: Array, surprisals: bool) -> Strengths:
    """Parameters where the loops meet them."""
    alpha, beta = (
        read_only(a if index is None else a[index])
        for a, index in (
            (contiguous(alpha), structure.alpha_index),
            (contiguous(beta), structure.beta_index),
        )
    )
    if not surprisals:
        return Strengths(alpha, beta, None)
    return Strengths(alpha, read_only(np.exp(-beta)), read_only(-np.expm1(-beta)))


def forward(structure: Any, x: Array, parameters: Strengths, outputs: Array) -> Array:
    """Values of the outputs (nodes in order), (rows, outputs)."""
    rows = contiguous(x)
    out = np.empty((rows.shape[0], outputs.size), rows.dtype)
    for part in _parts(rows):
        values, _, _ = _values(structure, rows[part], parameters)
        out[part] = _by_nodes(values, rows[part])[outputs].T
    return wrap(out, x)


def vjp(
    structure: Any, x: Array, parameters: Strengths, grad: Array, outputs: Array, sizes: Any
) -> tuple[Array, Array, Array]:
    """Gradients of x and of the distinct parameters, of which there are `sizes`."""
    from synann_core.native import graph_loops, graph_surprisal_loops

    rows, upstream = contiguous(x), contiguous(grad)
    alpha, beta, beta_bar = parameters
    gx = np.empty_like(rows)
    galpha, gbeta = np.zeros(alpha.size, rows.dtype), np.zeros(beta.size, rows.dtype)
    graph = _graph(structure)
    for part in _parts(rows):
        now = rows[part]
        s, y, y_bar = _values(structure, now, parameters)
        g = np.zeros_like(s)
        _by_nodes(g, now)[outputs] = upstream[part].T
        count = np.uint64(now.shape[0])
        if beta_bar is None:
            graph_loops.backward(s, g, count, alpha, beta, graph, galpha, gbeta)
        else:
            sums = (galpha, gbeta)
            graph_surprisal_loops.backward(
                y, y_bar, g, count, beta, beta_bar, graph, _floor(s), *sums
            )
        gx[part] = _by_nodes(g, now)[: structure.inputs].T
    galpha = _collected(galpha, structure.alpha_index, sizes[0])
    if structure.own_betas and structure.beta_index is not None:
        gbeta = _moved(gbeta, structure.beta_index)
    else:
        gbeta = _collected(gbeta, structure.beta_index, sizes[1])
    return wrap(gx, x), wrap(galpha, x), wrap(gbeta, x)


def jvp(
    structure: Any,
    x: Array,
    parameters: Strengths,
    tangents: tuple[Array, Array, Array],
    outputs: Array,
) -> Array:
    """Tangent of the outputs."""
    from synann_core.native import graph_loops, graph_surprisal_loops

    rows, dx = contiguous(x), contiguous(tangents[0])
    dalpha, dbeta, _ = strengths(structure, *tangents[1:], surprisals=False)
    alpha, beta, beta_bar = parameters
    out = np.empty((rows.shape[0], outputs.size), rows.dtype)
    graph = _graph(structure)
    for part in _parts(rows):
        now = rows[part]
        s, y, y_bar = _values(structure, now, parameters)
        ds = np.empty_like(s)
        _by_nodes(ds, now)[: structure.inputs] = dx[part].T
        count = np.uint64(now.shape[0])
        if beta_bar is None:
            graph_loops.tangents(s, ds, count, alpha, dalpha, beta, dbeta, graph)
        else:
            both = (beta, beta_bar, dbeta)
            graph_surprisal_loops.tangents(y, y_bar, ds, count, dalpha, *both, graph, _floor(s))
        out[part] = _by_nodes(ds, now)[outputs].T
    return wrap(out, x)


def _values(structure: Any, rows: Array, parameters: Strengths) -> _Values:
    from synann_core.native import graph_loops, graph_surprisal_loops

    keep_freed_memory()
    alpha, beta, beta_bar = parameters
    first, count = structure.inputs * rows.shape[0], np.uint64(rows.shape[0])
    s = np.empty((structure.inputs + structure.neurons) * rows.shape[0], rows.dtype)
    s[:first] = rows.T.ravel()
    if beta_bar is None:
        graph_loops.forward(s, count, alpha, beta, _graph(structure))
        return _Values(s, None, None)
    y, y_bar = np.empty_like(s), np.empty_like(s)
    y[:first], y_bar[:first] = np.exp(-s[:first]), -np.expm1(-s[:first])
    graph_surprisal_loops.forward(s, y, y_bar, count, alpha, beta, beta_bar, _graph(structure))
    return _Values(s, y, y_bar)


def _by_nodes(flat: Array, rows: Array) -> Array:
    """A view as (nodes, rows)."""
    return flat.reshape(flat.size // rows.shape[0], rows.shape[0])


def _graph(structure: Any) -> tuple[Array, ...]:
    """The structure as unsigned integers."""
    return tuple(map(_unsigned, (*structure.excitatory, *structure.inhibitory)))


def _moved(values: Array, index: Array) -> Array:
    """Each value where its parameter stands; none is shared.

    A pass of its own: random writes between the random reads of the loops took twice as long.
    """
    from synann_core.native.graph_loops import move

    out = np.empty_like(values)
    parts = range(0, values.size, _PART)
    arguments = (read_only(values), _unsigned(index), out)
    ranges = [(np.uint64(k), np.uint64(min(k + _PART, values.size))) for k in parts]
    run_parts(move, [(*arguments, *part) for part in ranges], thread_count())
    return out


def _unsigned(index: Array) -> Array:
    return read_only(index.view(f"u{index.dtype.itemsize}"))


def _parts(rows: Array) -> list[slice]:
    return [slice(start, start + _ROWS) for start in range(0, rows.shape[0], _ROWS)]


def _floor(like: Array) -> Any:
    return like.dtype.type(surprisal_floor(like.dtype, np))


def _collected(gradients: Array, index: Array | None, size: int) -> Array:
    """Gradients of the distinct parameters."""
    if index is None:
        return gradients
    sums = np.bincount(index, weights=gradients, minlength=size)
    return sums.astype(gradients.dtype, copy=False)
