"""Write models as JSON, readable and exact, and read them safely from anyone.

`schema.json` beside this file describes what is written. Loading accepts nothing else, and executes
nothing.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from synann_core._lib.files import FilePath, path_text, write_whole
from synann_core._lib.typing import NumpyArray
from synann_core.export import json_values as read
from synann_core.export.checks import check_network, parameters
from synann_core.graph import Circuit, GraphParameters, SynapseGraph
from synann_core.graph.wiring import Name
from synann_core.models import passes
from synann_core.models.files import CONFIG
from synann_core.models.mlp import SynaMLP

__all__ = ["load_json", "save_json"]

Model = SynaMLP | SynapseGraph | Circuit

_HEAD = {"format": "synann", "version": 1}
_DTYPES = ("float16", "float32", "float64")
_MOST_INPUTS = 1 << 24  # a number in a small file that asks for memory
_MOST_DRIVES = 1 << 16  # of a circuit, which lists them by name
_SHOWN = 300  # characters of a reason


def save_json(model: Model, path: FilePath, /, *, params: GraphParameters | None = None) -> None:
    """Write a model as JSON, whole or not at all; `load_json` gives it back, bit for bit.

    Parameters
    ----------
    model : SynaMLP, SynapseGraph or Circuit
    path : str or path
    params : GraphParameters, optional
        Of a graph or circuit, to be saved in place of its own: after training, say. Probabilities.

    Notes
    -----
    Weights are saved in their own dtype, in decimal digits that give the same bits again.
    ``synann_core/export/schema.json`` is the JSON Schema of the files.

    Raises
    ------
    TypeError
        If `model` is none of these, or if a SynaMLP comes with `params`.
    ValueError
        If a number is not finite, a graph has a cycle or an unknown name, a circuit more than
        65,536 drives, or `params` do not fit.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from synann_core.export import load_json, save_json
    >>> from synann_core.graph import SynapseGraph
    >>> graph = SynapseGraph()
    >>> graph.input("x", "y")
    >>> z = graph.synapse("z", excitatory="x", inhibitory={"y": 0.7})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "graph.json")
    ...     save_json(graph, path)
    ...     load_json(path).compile().params
    GraphParameters(alpha=array([1.]), beta=array([0.7]))
    """
    document = _HEAD | _document(model, params)
    try:
        text = json.dumps(document, allow_nan=False)
    except ValueError as error:  # not a number, or infinite
        raise ValueError(f"`model` must hold finite numbers. Received: {error}") from None
    write_whole(path, (text + "\n").encode("ascii"))


def load_json(path: FilePath, /) -> Model:
    """Read a model that `save_json` wrote, or that follows its schema.

    Safe for files from anyone: nothing in them is executed, and they take time and memory in
    proportion to their size (docs/export.md has figures).

    Parameters
    ----------
    path : str or path

    Returns
    -------
    SynaMLP, SynapseGraph or Circuit

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it does not hold a model: one line that names the file and the place in it.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from synann_core.export import load_json
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "graph.json")
    ...     _ = path.write_text('{"format": "synann", "version": 2}')
    ...     try:
    ...         load_json(path)
    ...     except ValueError as error:
    ...         print(str(error).split(": ", 2)[2])
    version: expected 1, got 2
    """
    place = Path(path_text(path))
    try:
        return _model(read.parse(place), path)
    except FileNotFoundError:
        raise
    # A reason of the constructors is an error of theirs: what they refuse is in the file.
    except (OSError, OverflowError, RecursionError, TypeError, ValueError) as error:
        reason = str(error)
        if len(reason) > _SHOWN:
            reason = f"{reason[:_SHOWN]} ..."
        raise ValueError(
            "`path` must hold a model as JSON, as `save_json` writes it. "
            f"Received: {os.fspath(path)!r}: {reason}"
        ) from None


def _document(model: Any, params: Any) -> read.Object:
    if isinstance(model, SynapseGraph):
        return _graph_document(model, params)
    if isinstance(model, Circuit):
        if len(model.drives) > _MOST_DRIVES:
            raise ValueError(
                f"`model` must have at most {_MOST_DRIVES} drives, as JSON. "
                f"Received: {len(model.drives)}"
            )
        return {
            "kind": "Circuit",
            "graph": _graph_document(model.graph, params),
            "feedback": [[_name(into), _name(out)] for into, out in model.feedback.items()],
            "clip": model.clip,
        }
    check_network(model, params)
    config, weights = model._content("model")
    tensors = {
        name: {"dtype": str(a.dtype), "shape": list(a.shape), "values": a.ravel().tolist()}
        for name, a in weights.items()
    }
    return {"kind": "SynaMLP", "config": config, "tensors": tensors}


def _graph_document(graph: SynapseGraph, params: GraphParameters | None) -> read.Object:
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


def _name(name: Name) -> Name:
    """A string, or an int of Python."""
    return name if isinstance(name, str) else int(name)


def _model(document: Any, path: FilePath) -> Model:
    read.mapping(document, "the file")
    for key, wanted in _HEAD.items():
        value = document.get(key)
        same = type(value) is type(wanted) and bool(value == wanted)
        read.expect(same, key, repr(wanted), value)
    kind = _kind(document, "SynaMLP", *_GRAPHS, "Circuit")
    if kind == "SynaMLP":
        return _network_model(document, path)
    if kind == "Circuit":
        return _circuit(document)
    return _GRAPHS[kind](document, *_HEAD)


def _kind(document: read.Object, *kinds: str) -> str:
    kind = document.get("kind")
    read.expect(isinstance(kind, str) and kind in kinds, "kind", f"one of {kinds}", kind)
    return str(kind)


def _circuit(document: read.Object) -> Circuit:
    read.keys(document, "the file", *_HEAD, "kind", "graph", "feedback", "clip")
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
        graph = _GRAPHS[_kind(content, *_GRAPHS)](content)
    except ValueError as error:
        raise ValueError(f"graph: {error}") from None
    drives = len(graph.inputs) - len(feedback)
    read.expect(drives <= _MOST_DRIVES, "graph", f"at most {_MOST_DRIVES} drives", drives)
    return Circuit(graph, feedback, clip=document["clip"])


def _network_model(document: read.Object, path: FilePath) -> SynaMLP:
    read.keys(document, "the file", *_HEAD, "kind", "config", "tensors")
    more = ("labels",) if "labels" in read.mapping(document["config"], "config") else ()
    config = read.keys(document["config"], "config", *CONFIG, *more)
    for key in ("in_features", "hidden", "classes"):
        read.integer(config[key], f"config.{key}")
    read.number(config["dropout"], "config.dropout")
    given = read.mapping(document["tensors"], "tensors")
    tensors = {name: _tensor(tensor, f"tensors[{name[:60]!r}]") for name, tensor in given.items()}
    # The tensors first: what the configuration asks for may not fit into memory.
    weights = passes.checked_weights(tensors, config, "path", repr(os.fspath(path)))
    return SynaMLP._restored(config, weights)


def _tensor(value: Any, place: str) -> NumpyArray:
    read.keys(value, place, "dtype", "shape", "values")
    dtype, shape = value["dtype"], read.sequence(value["shape"], f"{place}.shape")
    read.expect(isinstance(dtype, str) and dtype in _DTYPES, f"{place}.dtype", f"{_DTYPES}", dtype)
    read.expect(len(shape) <= 2, f"{place}.shape", "at most two sizes", shape)
    for i, size in enumerate(shape):
        read.integer(size, f"{place}.shape[{i}]")
    values = read.numbers(value["values"], f"{place}.values")
    read.expect(math.prod(shape) == values.size, place, f"{values.size} values by its shape", shape)
    with np.errstate(over="ignore"):
        result = values.astype(dtype)
    finite = bool(np.isfinite(result).all())
    read.expect(finite, f"{place}.values", f"{dtype} numbers", "too large ones")
    return result.reshape(shape)


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


_GRAPHS: dict[str, Callable[..., SynapseGraph]] = {
    "SynapseGraph": _named_graph,
    "SynapseGraph.from_arrays": _array_graph,
}
