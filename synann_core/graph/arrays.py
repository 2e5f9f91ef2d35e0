"""Check the index arrays that a graph is built from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from synann_core._lib.arguments import check_shape
from synann_core._lib.checks import as_numbers, check_int, check_pair, check_range
from synann_core._lib.typing import NumpyArray
from synann_core.graph.wiring import Distinct, Edges, Ints, Kind, Wiring, find_outputs

_LARGEST = np.iinfo(np.int32).max


def wiring_from_arrays(
    inputs: int,
    neurons: int,
    *,
    edges: dict[str, tuple[ArrayLike, ArrayLike]],
    parameters: dict[Kind, tuple[ArrayLike, ArrayLike | None]],
    outputs: ArrayLike | None,
) -> Wiring:
    """Check the arguments of `SynapseGraph.from_arrays`."""
    inputs, neurons = check_int("inputs", inputs, 0), check_int("neurons", neurons, 0)
    nodes = inputs + neurons
    if nodes > _LARGEST:
        raise ValueError(f"a graph must have at most {_LARGEST} nodes. Received: {nodes}")
    strong, weak = checked = [_edges(name, pair, inputs, nodes) for name, pair in edges.items()]
    alpha = _distinct("alpha", *parameters["alpha"], neurons)
    beta = _distinct("beta", *parameters["beta"], weak[0].size)
    if outputs is None:
        chosen = find_outputs(inputs, nodes, checked)
    else:
        chosen = _indices("outputs", outputs, 0, nodes, "nodes")
        once, times = np.unique(chosen, return_counts=True)
        if once.size < chosen.size:
            raise ValueError(
                f"`outputs` must name each node once. Received: {once[times > 1][0]} twice"
            )
    return Wiring(
        names=range(nodes),
        inputs=inputs,
        excitatory=strong,
        inhibitory=weak,
        alpha=alpha,
        beta=beta,
        outputs=chosen,
        parameters={},
    )


def _edges(name: str, pair: Any, inputs: int, nodes: int) -> Edges:
    first, second = check_pair(name, pair, "(targets, sources)")
    targets = _indices(f"{name}[0]", first, inputs, nodes, "neurons")
    sources = _indices(f"{name}[1]", second, 0, nodes, "nodes")
    if targets.size != sources.size:
        raise ValueError(
            f"`{name}` must be two arrays of one length. Received: {targets.size} targets and "
            f"{sources.size} sources"
        )
    return targets, sources


def _distinct(name: Kind, given: ArrayLike, index: ArrayLike | None, count: int) -> Distinct:
    """Check the distinct parameters of `count` neurons or edges."""
    if index is None:
        return Distinct(check_values(name, given, count), None)
    values = check_values(name, given, None)
    checked = _indices(f"{name}_index", index, 0, values.size, "parameters")
    check_shape(f"{name}_index", checked, count)
    return Distinct(values, checked)


def _indices(name: str, given: ArrayLike, low: int, high: int, what: str) -> Ints:
    """Integers in [low, high), as int32."""
    index = as_numbers(name, given)
    if index.size == 0:
        index = index.astype(np.int32)
    if index.dtype.kind not in "iu":
        raise TypeError(f"`{name}` must hold integers. Received: {index.dtype}")
    if index.ndim != 1:
        raise ValueError(f"`{name}` must have one axis. Received: shape {index.shape}")
    if index.size and (index.min() < low or index.max() >= high):
        wrong = index[(index < low) | (index >= high)][0]
        raise ValueError(
            f"`{name}` must hold numbers of {what}, {low} to {high - 1}. Received: {wrong}"
        )
    return index.astype(np.int32)


def check_values(name: Kind, given: ArrayLike, size: int | None) -> NumpyArray:
    """Copy parameters as float64 and check them; a number stands for `size` of them."""
    values = check_range(name, given, 0.0, 1.0 if name == "beta" else math.inf)
    values = values.astype(np.float64, copy=False)
    if values.ndim == 0 and size is not None:
        values = np.full(size, values)
    check_shape(name, values, "parameters" if size is None else size)
    return values
