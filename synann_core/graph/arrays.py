"""Synapse graphs from index arrays and from networkx, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from synann_core._lib.checks import check_int, check_option
from synann_core.graph.wiring import Floats, Ints, Wiring, find_outputs

_LARGEST = np.iinfo(np.int32).max


def wiring_from_arrays(
    inputs: int,
    neurons: int,
    *,
    edges: dict[str, Any],
    parameters: dict[str, tuple[Any, Any]],
    outputs: Any,
) -> Wiring:
    """Check what `SynapseGraph.from_arrays` was given."""
    inputs, neurons = check_int("inputs", inputs, 0), check_int("neurons", neurons, 0)
    nodes = inputs + neurons
    if nodes > _LARGEST:
        raise ValueError(f"a graph must have at most {_LARGEST} nodes. Received: {nodes}")
    checked = []
    for name, pair in edges.items():
        _pair(name, pair)
        ends = [
            _indices(f"{name}[{k}]", end, low, nodes, what)
            for k, (end, low, what) in enumerate(
                ((pair[0], inputs, "neurons"), (pair[1], 0, "nodes"))
            )
        ]
        if ends[0].size != ends[1].size:
            raise ValueError(
                f"`{name}` must be two arrays of one length. Received: {ends[0].size} targets and "
                f"{ends[1].size} sources"
            )
        checked.append((ends[0], ends[1]))
    strong, weak = checked
    alpha, alpha_index = _parameters("alpha", *parameters["alpha"], neurons)
    beta, beta_index = _parameters("beta", *parameters["beta"], weak[0].size)
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
        alpha_index=alpha_index,
        beta_index=beta_index,
        outputs=chosen,
        parameters={},
    )


def _parameters(name: str, given: Any, index: Any, count: int) -> tuple[Floats, Ints | None]:
    """Distinct parameters, and which of them each of `count` neurons or edges has."""
    if index is None:
        return _values(name, given, count), None
    values = _values(name, given, None)
    checked = _indices(f"{name}_index", index, 0, values.size, "parameters")
    if checked.size != count:
        raise ValueError(
            f"`{name}_index` must have shape ({count},). Received: shape ({checked.size},)"
        )
    return values, checked


def _pair(name: str, pair: Any) -> None:
    if not (isinstance(pair, tuple | list) and len(pair) == 2):
        raise TypeError(
            f"`{name}` must be a pair (targets, sources). Received: {type(pair).__qualname__}"
        )


def _indices(name: str, given: Any, low: int, high: int, what: str) -> Ints:
    """Integers in [low, high), as int32."""
    try:
        index = np.asarray(given)
    except ValueError:  # rows of several lengths
        raise ValueError(f"`{name}` must have one axis. Received: {given!r}") from None
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


def _values(name: str, given: Any, size: int | None) -> Floats:
    """A copy as float64, checked; a number stands for `size` of them."""
    values = np.asarray(given)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"`{name}` must hold real numbers. Received: {values.dtype}")
    if values.ndim == 0 and size is not None:
        values = np.full(size, values)
    if values.ndim != 1 or (size is not None and values.size != size):
        wanted = "(parameters,)" if size is None else f"({size},)"
        raise ValueError(f"`{name}` must have shape {wanted}. Received: shape {values.shape}")
    most = 1.0 if name == "beta" else np.finfo(np.float64).max
    # Comparisons with NaN are false.
    if values.size and not (values.min() >= 0.0 and values.max() <= most):
        place = int(np.flatnonzero(~((values >= 0.0) & (values <= most)))[0])
        wanted = "in [0, 1]" if name == "beta" else "finite and at least 0"
        raise ValueError(f"`{name}` must be {wanted}. Received: {values[place]} at {place}")
    return values.astype(np.float64)


def write_networkx(wiring: Wiring) -> Any:
    """The graph as `SynapseGraph.to_networkx` describes it."""
    import networkx as nx

    edges = [
        (kind, *pair)
        for kind, ends in (("excitatory", wiring.excitatory), ("inhibitory", wiring.inhibitory))
        for pair in zip(*(end.tolist() for end in ends), strict=True)
    ]
    several = len({(target, source) for _, target, source in edges}) < len(edges)
    g = nx.MultiDiGraph() if several else nx.DiGraph()
    inputs, names = wiring.inputs, wiring.names
    g.add_nodes_from(names[:inputs], kind="input")
    alphas = _written("alpha", wiring, len(names) - inputs)
    for name, attributes in zip(names[inputs:], alphas, strict=True):
        g.add_node(name, kind="neuron", **attributes)
    for place, node in enumerate(wiring.outputs.tolist()):
        g.nodes[names[node]]["output"] = place
    betas = iter(_written("beta", wiring, wiring.inhibitory[0].size))
    for kind, target, source in edges:
        attributes = next(betas) if kind == "inhibitory" else {}
        g.add_edge(names[source], names[target], kind=kind, **attributes)
    return g


def _written(kind: str, wiring: Wiring, count: int) -> list[dict[str, Any]]:
    """Attributes of each α or β: its value and, where it is shared, its name."""
    values, index = getattr(wiring, kind), getattr(wiring, f"{kind}_index")
    index = np.arange(count) if index is None else index
    named = {place: name for name, (other, place) in wiring.parameters.items() if other == kind}
    used = np.bincount(index, minlength=values.size)
    attributes = []
    for place in index.tolist():
        attribute: dict[str, Any] = {kind: float(values[place])}
        if place in named or used[place] > 1:
            attribute["parameter"] = named.get(place, f"{kind}[{place}]")
        attributes.append(attribute)
    return attributes


def read_networkx(graph: Any, g: Any) -> None:
    """Declare in a `SynapseGraph` all that a graph of networkx holds."""
    if not (hasattr(g, "is_directed") and g.is_directed()):
        raise TypeError(
            f"`g` must be a networkx.DiGraph or MultiDiGraph. Received: {type(g).__qualname__}"
        )
    kinds = {}
    for name, attributes in g.nodes(data=True):
        kinds[name] = check_option(
            f"kind of node {name!r}", attributes.get("kind"), ("input", "neuron")
        )
    graph.input(*(name for name, kind in kinds.items() if kind == "input"))
    shared: dict[str, Any] = {}

    def strength(attributes: dict[str, Any], kind: str) -> Any:
        value, name = attributes.get(kind, 1.0), attributes.get("parameter")
        if name is None:
            return value
        if not isinstance(name, str):
            raise TypeError(f"`parameter` must be a string. Received: {name!r}")
        if name not in shared:
            shared[name] = graph.parameter(name, value)
        if shared[name].value != value:
            raise ValueError(
                f"parameter {name!r} must have one value. "
                f"Received: {shared[name].value} and {value}"
            )
        return shared[name]

    for name, kind in kinds.items():
        strong, weak = [], []
        for source, _, attributes in g.in_edges(name, data=True):
            edge = f"kind of edge {source!r} -> {name!r}"
            if kind == "input":
                raise ValueError(f"input {name!r} must not read. Received: an edge from {source!r}")
            if check_option(edge, attributes.get("kind"), ("excitatory", "inhibitory")) == (
                "excitatory"
            ):
                strong.append(source)
            else:
                weak.append((source, strength(attributes, "beta")))
        if kind == "neuron":
            alpha = strength(g.nodes[name], "alpha")
            graph.synapse(name, excitatory=strong, inhibitory=weak, alpha=alpha)
    placed = [
        (check_int(f"output of node {name!r}", a["output"], 0), name)
        for name, a in g.nodes(data=True)
        if "output" in a
    ]
    graph.output(*(name for _, name in sorted(placed, key=lambda pair: pair[0])))
