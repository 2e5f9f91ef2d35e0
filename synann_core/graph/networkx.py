"""Read synapse graphs from networkx, and write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from synann_core._lib.checks import check_int, check_option
from synann_core.graph.names import Neuron, Parameter
from synann_core.graph.wiring import Kind, Name, Wiring

if TYPE_CHECKING:
    import networkx


def write_networkx(wiring: Wiring, parameters: Mapping[str, Parameter]) -> networkx.DiGraph:
    """Return the graph as `SynapseGraph.to_networkx` describes it."""
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
    unused = {p.name: p.value for p in parameters.values() if p.name not in wiring.parameters}
    if unused:
        g.graph["parameters"] = unused
    return g


def _written(kind: Kind, wiring: Wiring, count: int) -> list[dict[str, Any]]:
    """Attributes of each α or β: its value and, where it is shared, its name."""
    values, index = wiring.alpha if kind == "alpha" else wiring.beta
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


def read_networkx(
    g: networkx.DiGraph, parameter: Callable[[str, float], Parameter]
) -> tuple[list[Name], dict[Name, Neuron], list[Name]]:
    """Return inputs, neurons and outputs; `parameter` makes each shared one."""
    if not (hasattr(g, "is_directed") and g.is_directed()):
        raise TypeError(
            f"`g` must be a networkx.DiGraph or MultiDiGraph. Received: {type(g).__qualname__}"
        )
    kinds = {
        name: check_option(f"kind of node {name!r}", attributes.get("kind"), ("input", "neuron"))
        for name, attributes in g.nodes(data=True)
    }
    shared: dict[str, Parameter] = {}

    def strength(attributes: dict[str, Any], kind: Kind) -> Any:
        value, name = attributes.get(kind, 1.0), attributes.get("parameter")
        if name is None:
            return value
        if not isinstance(name, str):
            raise TypeError(f"`parameter` must be a string. Received: {name!r}")
        if name not in shared:
            shared[name] = parameter(name, value)
        if shared[name].value != value:
            raise ValueError(
                f"parameter {name!r} must have one value. "
                f"Received: {shared[name].value} and {value}"
            )
        return shared[name]

    neurons: dict[Name, Neuron] = {}
    for name, kind in kinds.items():
        strong, weak = [], []
        for source, _, attributes in g.in_edges(name, data=True):
            if kind == "input":
                raise ValueError(f"input {name!r} must not read. Received: an edge from {source!r}")
            edge, found = f"kind of edge {source!r} -> {name!r}", attributes.get("kind")
            if check_option(edge, found, ("excitatory", "inhibitory")) == "excitatory":
                strong.append(source)
            else:
                weak.append((source, strength(attributes, "beta")))
        if kind == "neuron":
            alpha = strength(g.nodes[name], "alpha")
            neurons[name] = Neuron(tuple(strong), tuple(weak), alpha)
    unused = g.graph.get("parameters", {})
    if not isinstance(unused, Mapping):
        raise TypeError(f"`graph['parameters']` must map names to numbers. Received: {unused!r}")
    for name, value in unused.items():
        strength({"alpha": value, "parameter": name}, "alpha")
    placed = [
        (check_int(f"output of node {name!r}", a["output"], 0), name)
        for name, a in g.nodes(data=True)
        if "output" in a
    ]
    outputs = [name for _, name in sorted(placed, key=lambda pair: pair[0])]
    return [name for name, kind in kinds.items() if kind == "input"], neurons, outputs
