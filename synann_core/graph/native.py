"""Synapse graphs by compiled kernels, for NumPy arrays and torch tensors on the CPU.

Some rows of the batch at a time go through the graph in topological order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from synann_core._lib.loops import keep_freed_memory
from synann_core._lib.numerics import surprisal_floor
from synann_core._lib.threads import run_parts, thread_count
from synann_core.native.host import contiguous, kernels, wrap

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
        a if index is None else a[index]
        for a, index in (
            (contiguous(alpha), structure.alpha_index),
            (contiguous(beta), structure.beta_index),
        )
    )
    if not surprisals:
        return Strengths(alpha, beta, None)
    return Strengths(alpha, np.exp(-beta), -np.expm1(-beta))


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
        rest = (*graph, galpha, gbeta, now.shape[0], structure.inputs)
        if beta_bar is None:
            kernels.graph_backward(s, g, alpha, beta, *rest)
        else:
            kernels.graph_surprisal_backward(y, y_bar, g, beta, beta_bar, *rest, _floor(s))
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
        rest = (*graph, now.shape[0], structure.inputs)
        if beta_bar is None:
            kernels.graph_tangents(s, ds, alpha, dalpha, beta, dbeta, *rest)
        else:
            moved = (dalpha, beta, beta_bar, dbeta)
            kernels.graph_surprisal_tangents(y, y_bar, ds, *moved, *rest, _floor(s))
        out[part] = _by_nodes(ds, now)[outputs].T
    return wrap(out, x)


def _values(structure: Any, rows: Array, parameters: Strengths) -> _Values:
    keep_freed_memory()
    alpha, beta, beta_bar = parameters
    first, rest = structure.inputs * rows.shape[0], (rows.shape[0], structure.inputs)
    s = np.empty((structure.inputs + structure.neurons) * rows.shape[0], rows.dtype)
    s[:first] = rows.T.ravel()
    if beta_bar is None:
        kernels.graph_forward(s, alpha, beta, *_graph(structure), *rest)
        return _Values(s, None, None)
    y, y_bar = np.empty_like(s), np.empty_like(s)
    y[:first], y_bar[:first] = np.exp(-s[:first]), -np.expm1(-s[:first])
    values = (s, y, y_bar)
    kernels.graph_surprisal_forward(*values, *parameters, *_graph(structure), *rest)
    return _Values(s, y, y_bar)


def _by_nodes(flat: Array, rows: Array) -> Array:
    """A view as (nodes, rows)."""
    return flat.reshape(flat.size // rows.shape[0], rows.shape[0])


def _graph(structure: Any) -> tuple[Array, ...]:
    """The structure as the kernels take it, checked when it is first asked for."""
    made = structure.__dict__.get("_unsigned")
    if made is None:
        rows = (structure.excitatory, structure.inhibitory)
        made = tuple(a for indptr, indices in rows for a in (indptr, _unsigned(indices)))
        kernels.graph_check(*made, structure.inputs)
        structure._unsigned = made
    return made


def _moved(values: Array, index: Array) -> Array:
    """Each value where its parameter stands; none is shared.

    A pass of its own: random writes between the random reads of the loops took twice as long.
    """
    out, places = np.empty_like(values), _unsigned(index)
    ends = [(k, min(k + _PART, values.size)) for k in range(0, values.size, _PART)]
    run_parts(kernels.graph_move, [(values, places, out, *part) for part in ends], thread_count())
    return out


def _unsigned(index: Array) -> Array:
    """Indices, none of them negative, as the kernels take them."""
    return index.view(np.uint32) if index.itemsize == 4 else index.astype(np.uint32)


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
