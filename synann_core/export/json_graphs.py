"""Graphs and circuits as JSON objects, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from synann_core.export import json_values as read
from synann_core.export.checks import parameters
from synann_core.graph import Circuit, GraphParameters, SynapseGraph
from synann_core.graph.wiring import Name

_MOST_INPUTS = 1 << 24  # a number in a small file that asks for memory
_MOST_DRIVES = 1 << 16  # of a circuit, which lists them by name


def graph_document(graph: SynapseGraph, params: GraphParameters | None) -> read.Object:
    """Return a graph, with other parameters if any are given, as an object."""
    compiled, wiring = graph.compile(), graph._wiring
    values: dict[str, list[Any]] = {
        kind: array.tolist() for kind, array in parameters(compiled, params)._asdict().items()
    }
    if wiring is not None:
        indices = {"alpha_index": wiring.alpha.place, "beta_index": wiring.beta.place}
        return {
            "kind": "SynapseGraph.from_arrays",
            "inputs": wiring.inputs,
            "neurons": len(wiring.names) - wiring.inputs,
            "excitatory": [part.tolist() for part in wiring.excitatory],
            "inhibitory": [part.tolist() for part in wiring.inhibitory],
            **values,
            **{key: None if a is None else a.tolist() for key, a in indices.items()},
            "outputs": wiring.outputs.tolist(),
        }
    names = [_name(name) for name in compiled.nodes]
    read.names(names, "`model`: nodes")
    shared = {name: unused.value for name, unused in graph._parameters.items()}
    for parameter, (kind, place) in compiled.parameters.items():
        shared[parameter], values[kind][place] = values[kind][place], parameter
    neurons = []
    for i, name in enumerate(names[len(compiled.inputs) :]):
        weak = zip(*(part.tolist() for part in compiled.inhibitory.row(i)), strict=True)
        neurons.append(
            {
                "name": name,
                "alpha": values["alpha"][compiled.alpha_index[i]],
                "excitatory": [names[j] for j in compiled.excitatory.row(i)],
                "inhibitory": [[names[j], values["beta"][place]] for j, place in weak],
            }
        )
    return {
        "kind": "SynapseGraph",
        "inputs": names[: len(compiled.inputs)],
        "parameters": shared,
        "neurons": neurons,
        "outputs": [names[i] for i in compiled.output_nodes],
    }


def circuit_document(model: Circuit, params: GraphParameters | None) -> read.Object:
    """Return a circuit as an object that has its graph in it."""
    if len(model.drives) > _MOST_DRIVES:
        raise ValueError(
            f"`model` must have at most {_MOST_DRIVES} drives, as JSON. "
            f"Received: {len(model.drives)}"
        )
    return {
        "kind": "Circuit",
        "graph": graph_document(model.graph, params),
        "feedback": [[_name(into), _name(out)] for into, out in model.feedback.items()],
        "clip": model.clip,
    }


def _name(name: Name) -> Name:
    """A string, or an int of Python."""
    return name if isinstance(name, str) else int(name)


def circuit(document: read.Object, *head: str) -> Circuit:
    """Make a circuit of a file's object."""
    read.keys(document, "the file", *head, "kind", "graph", "feedback", "clip")
    read.expect(type(document["clip"]) is bool, "clip", "true or false", document["clip"])
    feedback: dict[Name, Name] = {}
    for k, pair in enumerate(read.sequence(document["feedback"], "feedback")):
        fits = isinstance(pair, list) and len(pair) == 2
        read.expect(fits, f"feedback[{k}]", "a pair [input, output]", pair)
        into, out = read.names(pair, f"feedback[{k}]")
        read.expect(into not in feedback, f"feedback[{k}]", "a new input", into)
        feedback[into] = out
    content = read.mapping(document.pop("graph"), "graph")
    try:
        graph = GRAPHS[read.kind(content, *GRAPHS)](content)
    except ValueError as error:
        raise ValueError(f"graph: {error}") from None
    drives = len(graph.inputs) - len(feedback)
    read.expect(drives <= _MOST_DRIVES, "graph", f"at most {_MOST_DRIVES} drives", drives)
    return Circuit(graph, feedback, clip=document["clip"])


def _named_graph(document: read.Object, *head: str) -> SynapseGraph:
    read.keys(document, "the object", *head, "kind", "inputs", "parameters", "neurons", "outputs")
    graph = SynapseGraph()
    graph.input(*read.names(document["inputs"], "inputs"))
    shared = read.mapping(document["parameters"], "parameters")
    handles = {name: graph.parameter(name, value) for name, value in shared.items()}

    def strength(value: Any, place: str) -> Any:
        if isinstance(value, str):
            read.expect(value in handles, place, "a parameter of the file", value)
            return handles[value]
        return read.number(value, place)

    neurons = read.sequence(document["neurons"], "neurons")
    for i, neuron in enumerate(neurons):
        neurons[i] = None  # the graph's own objects take its place in memory
        place = f"neurons[{i}]"
        read.keys(neuron, place, "name", "alpha", "excitatory", "inhibitory")
        pairs = read.sequence(neuron["inhibitory"], f"{place}.inhibitory")
        weak = []
        for k, pair in enumerate(pairs):
            if not (isinstance(pair, list) and len(pair) == 2):
                read.expect(False, f"{place}.inhibitory[{k}]", "a pair [name, beta]", pair)
            source, beta = pair
            if type(source) is not str:
                read.names([source], f"{place}.inhibitory[{k}]")
            if type(beta) is not float:
                beta = strength(beta, f"{place}.inhibitory[{k}][1]")
            weak.append((source, beta))
        graph.synapse(
            read.names([neuron["name"]], f"{place}.name")[0],
            excitatory=read.names(neuron["excitatory"], f"{place}.excitatory"),
            inhibitory=weak,
            alpha=strength(neuron["alpha"], f"{place}.alpha"),
        )
    graph.output(*read.names(document["outputs"], "outputs"))
    graph.compile()  # finds unknown names and cycles
    return graph


def _array_graph(document: read.Object, *head: str) -> SynapseGraph:
    edges, arrays, sizes = ("excitatory", "inhibitory"), ("alpha", "beta"), ("inputs", "neurons")
    indices = ("alpha_index", "beta_index")
    read.keys(document, "the object", *head, "kind", *sizes, *edges, *arrays, *indices, "outputs")
    inputs, neurons = (read.integer(document[key], key) for key in sizes)
    read.expect(inputs <= _MOST_INPUTS, "inputs", f"at most {_MOST_INPUTS}", inputs)
    # Sizes that ask for memory: both must be those of arrays in the file.
    given = document["alpha"] if document["alpha_index"] is None else document["alpha_index"]
    count = len(read.sequence(given, "alpha"))
    read.expect(count == neurons, "neurons", f"{count}, as many as alphas", neurons)
    # Lists of numbers are let go: they are larger than the arrays made of them.
    values: read.Object = {key: read.numbers(document.pop(key), key) for key in arrays}
    for key in indices:
        index = document.pop(key)
        values[key] = None if index is None else read.indices(index, key)
    for key in edges:
        pair = read.sequence(document.pop(key), key)
        read.expect(len(pair) == 2, key, "[targets, sources]", pair)
        values[key] = tuple(read.indices(part, f"{key}[{k}]") for k, part in enumerate(pair))
    outputs = read.indices(document["outputs"], "outputs")
    graph = SynapseGraph.from_arrays(inputs, neurons, outputs=outputs, **values)
    graph.compile()
    return graph


# Each makes a graph of an object, which may have more keys: those of the head of a file.
GRAPHS: dict[str, Callable[..., SynapseGraph]] = {
    "SynapseGraph": _named_graph,
    "SynapseGraph.from_arrays": _array_graph,
}
