"""Evaluate graphs by compiled kernels, for NumPy arrays and torch tensors on the CPU.

Some rows of the batch at a time go through the graph in topological order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from synann_core._lib.loops import keep_freed_memory
from synann_core._lib.numerics import surprisal_floor
from synann_core._lib.threads import run_parts
from synann_core._lib.typing import Array, NumpyArray
from synann_core.graph.parameters import Gradients, GraphParameters, Parameters
from synann_core.graph.structure import Structure, Task
from synann_core.graph.wiring import Ints
from synann_core.native.host import contiguous, kernels, serves, threads_for, wrap

_ROWS = 8  # to a pass: of float64, a cache line for each node
_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
_PART = 1 << 18  # parameters that a thread moves at a time


class _Plan(NamedTuple):
    """All that a kernel is given of a graph and its parameters, and the nodes that are wanted."""

    structure: Structure
    strengths: _Strengths
    graph: tuple[Ints, ...]
    outputs: Ints


class _Strengths(NamedTuple):
    """α and β of every neuron and inhibitory edge in order, or θ, e^(−γ) and 1 − e^(−γ)."""

    alpha: NumpyArray
    beta: NumpyArray
    beta_bar: NumpyArray | None  # None in probability space
    inside: bool = False  # whether α and β are known to be in [0, 1]


def own_values(structure: Structure, x: Any) -> NumpyArray | None:
    """Probabilities of the outputs by the graph's own parameters, (..., outputs), at small cost.

    None unless x is NumPy's and all is as it should be: the caller checks, and explains.
    """
    if not (type(x) is np.ndarray and 1 <= x.ndim <= 2 and x.dtype in _DTYPES and serves(np, x)):
        return None
    if x.shape[-1] != structure.inputs:
        return None

    def make() -> _Plan:
        task = Task(structure, np)
        return _plan(task, structure.own("probability", x.dtype))

    plan = structure.once(("plan", x.dtype), make)
    out = _run(plan, contiguous(x if x.ndim == 2 else x[None]))
    return out if x.ndim == 2 else out[0]


def forward(task: Task, x: Array, params: Parameters) -> Array:
    """Values of the outputs, (rows, outputs)."""
    return wrap(_run(_plan(task, params), contiguous(x)), x)


def _plan(task: Task, params: Parameters) -> _Plan:
    structure = task.structure
    return _Plan(structure, _strengths(task, params), _graph(structure), task.outputs)


def _run(plan: _Plan, rows: NumpyArray) -> NumpyArray:
    out = np.empty((len(rows), plan.outputs.size), rows.dtype)
    for part in _parts(rows):
        values, _ = _values(plan, rows[part])
        out[part] = values[plan.outputs].T
    return out


def vjp(task: Task, x: Array, params: Parameters, grad: Array) -> Gradients:
    """Gradients of x (rows, inputs) and of the parameters for those of the outputs."""
    plan = _plan(task, params)
    structure, (alpha, beta, beta_bar, _), graph, outputs = plan
    rows, upstream = contiguous(x), contiguous(grad)
    gx = np.empty_like(rows)
    new = np.empty if len(rows) else np.zeros  # the first rows write them
    sums = new(alpha.size, rows.dtype), new(beta.size, rows.dtype)
    for number, part in enumerate(_parts(rows)):
        now = rows[part]
        values, opened = _values(plan, now)
        rest = (*graph, *sums, len(now), structure.inputs, number == 0)
        pairs, g = _beside(values) if opened is None else (opened, np.empty_like(values))
        g[:] = 0.0
        g[outputs] = upstream[part].T
        if beta_bar is None:
            kernels.graph_backward(pairs.ravel(), alpha, beta, *rest)
        else:
            both = (pairs.ravel(), g.ravel(), beta, beta_bar)
            kernels.graph_surprisal_backward(*both, *rest, _floor(values))
        gx[part] = g[: structure.inputs].T
    galpha = _collected(sums[0], structure.alpha_index, structure.params.alpha.size)
    if structure.own_betas and structure.beta_index is not None:
        gbeta = _moved(sums[1], structure.beta_index, threads_for(x))
    else:
        gbeta = _collected(sums[1], structure.beta_index, structure.params.beta.size)
    return wrap(gx, x), GraphParameters(wrap(galpha, x), wrap(gbeta, x))


def jvp(task: Task, x: Array, params: Parameters, dx: Array, dparams: Parameters) -> Array:
    """Tangents of the outputs, (rows, outputs)."""
    plan = _plan(task, params)
    structure, (alpha, beta, beta_bar, _), graph, outputs = plan
    rows, moved = contiguous(x), contiguous(dx)
    dalpha, dbeta = _in_order(structure, dparams)
    out = np.empty((rows.shape[0], outputs.size), rows.dtype)
    for part in _parts(rows):
        now = rows[part]
        values, opened = _values(plan, now)
        rest = (*graph, len(now), structure.inputs)
        pairs, ds = _beside(values) if opened is None else (opened, np.empty_like(values))
        ds[: structure.inputs] = moved[part].T
        if beta_bar is None:
            kernels.graph_tangents(pairs.ravel(), alpha, dalpha, beta, dbeta, *rest)
        else:
            both = (pairs.ravel(), ds.ravel(), dalpha, beta, beta_bar, dbeta)
            kernels.graph_surprisal_tangents(*both, *rest, _floor(values))
        out[part] = ds[outputs].T
    return wrap(out, x)


def _strengths(task: Task, params: Parameters) -> _Strengths:
    """Parameters as the kernels take them; of the graph's own ones they are kept."""

    def make() -> _Strengths:
        alpha, beta = _in_order(task.structure, params)
        if task.space == "probability":
            inside = own and all(np.all((a >= 0.0) & (a <= 1.0)) for a in (alpha, beta))
            return _Strengths(alpha, beta, None, inside)
        return _Strengths(alpha, np.exp(-beta), -np.expm1(-beta))

    own = task.structure.is_own(params, task.space)
    if not own:  # they would have to be looked at in every call
        return make()
    return task.structure.once(("strengths", task.space, params.alpha.dtype), make)


def _in_order(structure: Structure, params: Parameters) -> tuple[NumpyArray, NumpyArray]:
    """An α or its tangent for every neuron, and a β for every inhibitory edge."""
    alpha, beta = map(contiguous, params)
    if structure.alpha_index is not None:
        alpha = alpha[structure.alpha_index]
    if structure.beta_index is not None:
        beta = beta[structure.beta_index]
    return alpha, beta


def _values(plan: _Plan, rows: NumpyArray) -> tuple[NumpyArray, NumpyArray | None]:
    """Values (nodes, rows), and in surprisal space y and ȳ = 1 − y of each, (nodes, 2, rows)."""
    keep_freed_memory()
    structure, (alpha, beta, beta_bar, inside), graph, _ = plan
    inputs = structure.inputs
    values = np.empty((inputs + structure.neurons, len(rows)), rows.dtype)
    values[:inputs] = rows.T
    rest = (*graph, len(rows), inputs)
    if beta_bar is None:
        kernels.graph_forward(values.ravel(), alpha, beta, *rest, inside)
        return values, None
    opened = np.empty((len(values), 2, len(rows)), rows.dtype)
    opened[:inputs, 0], opened[:inputs, 1] = np.exp(-rows.T), -np.expm1(-rows.T)
    kernels.graph_surprisal_forward(values.ravel(), opened.ravel(), alpha, beta, beta_bar, *rest)
    return values, opened


def _beside(values: NumpyArray) -> tuple[NumpyArray, NumpyArray]:
    """Pairs of each node's values and derivatives, (nodes, 2, rows); and a view of the latter."""
    pairs = np.empty((len(values), 2, values.shape[1]), values.dtype)
    pairs[:, 0] = values
    return pairs, pairs[:, 1]


def _graph(structure: Structure) -> tuple[Ints, ...]:
    """The structure as the kernels take it, checked when it is first asked for."""

    def make() -> tuple[Ints, ...]:
        rows = (structure.excitatory, structure.inhibitory)
        made = tuple(a for indptr, indices in rows for a in (indptr, _unsigned(indices)))
        kernels.graph_check(*made, structure.inputs)
        return made

    return structure.once("unsigned", make)


def _moved(values: NumpyArray, index: Ints, threads: int) -> NumpyArray:
    """Each value where its parameter stands; none is shared.

    A pass of its own: random writes between the random reads of the kernels took twice as long.
    """
    out, places = np.empty_like(values), _unsigned(index)
    ends = [(k, min(k + _PART, values.size)) for k in range(0, values.size, _PART)]
    run_parts(kernels.graph_move, [(values, places, out, *part) for part in ends], threads)
    return out


def _unsigned(index: Ints) -> Ints:
    """Indices, none of them negative, as the kernels take them."""
    unsigned: Ints = index.view(np.uint32) if index.itemsize == 4 else index.astype(np.uint32)
    return unsigned


def _parts(rows: NumpyArray) -> list[slice]:
    return [slice(start, start + _ROWS) for start in range(0, rows.shape[0], _ROWS)]


def _floor(like: NumpyArray) -> Any:
    return like.dtype.type(surprisal_floor(like.dtype, np))


def _collected(gradients: NumpyArray, index: Ints | None, size: int) -> NumpyArray:
    """Gradients of the distinct parameters."""
    if index is None:
        return gradients
    sums = np.bincount(index, weights=gradients, minlength=size)
    return sums.astype(gradients.dtype, copy=False)
