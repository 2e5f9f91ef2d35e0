"""Models as JSON: readable, exact, and safe to load from anyone.

`schema.json` beside this file describes what is written. Loading takes no more than that, and
executes nothing.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from synann_core._lib.checks import to_numpy
from synann_core._lib.files import FilePath, write_whole
from synann_core.export.checks import expect_network, parameters
from synann_core.graph.builder import SynapseGraph
from synann_core.graph.dispatch import GraphParameters
from synann_core.models import passes
from synann_core.models.mlp import _CONFIG, SynaMLP

__all__ = ["load_json", "save_json"]

_HEAD = {"format": "synann", "version": 1}
_DTYPES = ("float16", "float32", "float64")
_MOST_INPUTS = 1 << 24  # a number in a small file that asks for memory
_LARGEST = 1 << 63
_SHOWN = 300  # characters of a reason

Object = dict[str, Any]


def save_json(
    model: SynaMLP | SynapseGraph, path: FilePath, /, *, params: GraphParameters | None = None
) -> None:
    """Write a model as JSON, whole or not at all; `load_json` gives it back, bit for bit.

    Parameters
    ----------
    model : SynaMLP or SynapseGraph
    path : str or path
    params : GraphParameters, optional
        Of a graph, to be saved in place of its own: after training, say. Probabilities.

    Notes
    -----
    Weights are saved in their own dtype, in decimal digits that give the same bits again.
    ``synann_core/export/schema.json`` is the JSON Schema of the files.

    Raises
    ------
    TypeError
        If `model` is neither, or if a SynaMLP comes with `params`.
    ValueError
        If a number is not finite, a graph has a cycle or an unknown name, or `params` do not fit.

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


def load_json(path: FilePath, /) -> SynaMLP | SynapseGraph:
    """Read a model that `save_json` wrote, or that follows its schema.

    Safe for files from anyone: nothing in them is executed, and the memory they take is in
    proportion to their size.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    SynaMLP or SynapseGraph

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
    try:
        document = _parse(Path(path).read_bytes())
        return _model(document, path)
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


def _document(model: Any, params: Any) -> Object:
    if isinstance(model, SynapseGraph):
        return _graph_document(model, params)
    expect_network(model, params)
    tensors = {}
    for name, weight in model.weights.items():
        values = to_numpy(weight)
        tensors[name] = {
            "dtype": str(values.dtype),
            "shape": list(values.shape),
            "values": values.ravel().tolist(),
        }
    config = {key: getattr(model, key) for key in _CONFIG}
    return {"kind": "SynaMLP", "config": config, "tensors": tensors}


def _graph_document(graph: SynapseGraph, params: GraphParameters | None) -> Object:
    compiled = graph.compile()
    alpha, beta = (values.tolist() for values in parameters(compiled, params))
    wiring = graph._wiring
    if wiring is not None:
        indices = {
            "alpha_index": wiring.alpha_index,
            "beta_index": wiring.beta_index,
            "outputs": wiring.outputs,
        }
        return {
            "kind": "SynapseGraph.from_arrays",
            "inputs": wiring.inputs,
            "neurons": len(wiring.names) - wiring.inputs,
            "excitatory": [part.tolist() for part in wiring.excitatory],
            "inhibitory": [part.tolist() for part in wiring.inhibitory],
            "alpha": alpha,
            "beta": beta,
            **{key: None if a is None else a.tolist() for key, a in indices.items()},
        }
    names = [name if isinstance(name, str) else int(name) for name in compiled.nodes]
    _names(names, "`model`: nodes")
    shared: dict[str, dict[int, str]] = {"alpha": {}, "beta": {}}
    for parameter, (kind, place) in compiled.parameters.items():
        shared[kind][place] = parameter
    strong, weak = compiled.excitatory, compiled.inhibitory
    neurons = []
    for i, name in enumerate(names[len(compiled.inputs) :]):
        place = int(compiled.alpha_index[i])
        part = slice(*weak.indptr[i : i + 2])
        pairs = zip(weak.indices[part].tolist(), weak.beta_index[part].tolist(), strict=True)
        neurons.append(
            {
                "name": name,
                "alpha": shared["alpha"].get(place, alpha[place]),
                "excitatory": [names[j] for j in strong.indices[slice(*strong.indptr[i : i + 2])]],
                "inhibitory": [[names[j], shared["beta"].get(b, beta[b])] for j, b in pairs],
            }
        )
    values = {"alpha": alpha, "beta": beta}
    return {
        "kind": "SynapseGraph",
        "inputs": names[: len(compiled.inputs)],
        "parameters": {p: values[kind][place] for p, (kind, place) in compiled.parameters.items()},
        "neurons": neurons,
        "outputs": [names[i] for i in compiled.output_nodes],
    }


def _parse(data: bytes) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> Object:
        result = dict(pairs)
        if len(result) < len(pairs):
            keys = [key for key, _ in pairs]
            raise ValueError(f"the key {max(keys, key=keys.count)!r} twice in one object")
        return result

    def refuse(word: str) -> Any:
        raise ValueError(f"{word}, which is no number of JSON")

    return json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse)


def _model(document: Any, path: FilePath) -> SynaMLP | SynapseGraph:
    place = "the file"
    _expect(isinstance(document, dict), place, "an object", document)
    for key, wanted in _HEAD.items():
        _expect(_same(document.get(key), wanted), key, repr(wanted), document.get(key))
    kinds: dict[str, Callable[[Object, FilePath], SynaMLP | SynapseGraph]] = {
        "SynaMLP": _network_model,
        "SynapseGraph": _named_graph,
        "SynapseGraph.from_arrays": _array_graph,
    }
    kind = document.get("kind")
    _expect(isinstance(kind, str) and kind in kinds, "kind", f"one of {tuple(kinds)}", kind)
    return kinds[kind](document, path)


def _network_model(document: Object, path: FilePath) -> SynaMLP:
    _keys(document, "the file", *_HEAD, "kind", "config", "tensors")
    config = _keys(document["config"], "config", *_CONFIG)
    for key in ("in_features", "hidden", "classes"):
        _integer(config[key], f"config.{key}")
    _number(config["dropout"], "config.dropout")
    given = document["tensors"]
    _expect(isinstance(given, dict), "tensors", "an object", given)
    tensors = {name: _tensor(tensor, f"tensors[{name!r}]") for name, tensor in given.items()}
    # The tensors first: what the configuration asks for may not fit into memory.
    weights = passes.checked_weights(path, tensors, config)
    model = SynaMLP(**config)
    model.weights = weights
    return model


def _tensor(value: Any, place: str) -> np.ndarray[Any, Any]:
    _keys(value, place, "dtype", "shape", "values")
    dtype, shape = value["dtype"], _list(value["shape"], f"{place}.shape")
    _expect(isinstance(dtype, str) and dtype in _DTYPES, f"{place}.dtype", f"{_DTYPES}", dtype)
    _expect(len(shape) <= 2, f"{place}.shape", "at most two sizes", shape)
    for i, size in enumerate(shape):
        _integer(size, f"{place}.shape[{i}]")
    values = _numbers(value["values"], f"{place}.values")
    _expect(math.prod(shape) == values.size, place, f"{values.size} values by its shape", shape)
    with np.errstate(over="ignore"):
        result = values.astype(dtype)
    _expect(
        bool(np.isfinite(result).all()), f"{place}.values", f"{dtype} numbers", "too large ones"
    )
    return result.reshape(shape)


def _named_graph(document: Object, path: FilePath) -> SynapseGraph:
    _keys(document, "the file", *_HEAD, "kind", "inputs", "parameters", "neurons", "outputs")
    graph = SynapseGraph()
    graph.input(*_names(document["inputs"], "inputs"))
    shared = document["parameters"]
    _expect(isinstance(shared, dict), "parameters", "an object", shared)
    handles = {name: graph.parameter(name, value) for name, value in shared.items()}

    def strength(value: Any, place: str) -> Any:
        if isinstance(value, str):
            _expect(value in handles, place, "a parameter of the file", value)
            return handles[value]
        return _number(value, place)

    for i, neuron in enumerate(_list(document["neurons"], "neurons")):
        place = f"neurons[{i}]"
        _keys(neuron, place, "name", "alpha", "excitatory", "inhibitory")
        pairs = _list(neuron["inhibitory"], f"{place}.inhibitory")
        for k, pair in enumerate(pairs):
            fits = isinstance(pair, list) and len(pair) == 2
            _expect(fits, f"{place}.inhibitory[{k}]", "a pair [name, beta]", pair)
            _names(pair[:1], f"{place}.inhibitory[{k}]")
        graph.synapse(
            _names([neuron["name"]], f"{place}.name")[0],
            excitatory=_names(neuron["excitatory"], f"{place}.excitatory"),
            inhibitory=[
                (source, strength(beta, f"{place}.inhibitory[{k}][1]"))
                for k, (source, beta) in enumerate(pairs)
            ],
            alpha=strength(neuron["alpha"], f"{place}.alpha"),
        )
    graph.output(*_names(document["outputs"], "outputs"))
    graph.compile()  # finds unknown names and cycles
    return graph


def _array_graph(document: Object, path: FilePath) -> SynapseGraph:
    edges, arrays = ("excitatory", "inhibitory"), ("alpha", "beta")
    indices = ("alpha_index", "beta_index")
    sizes = ("inputs", "neurons")
    _keys(document, "the file", *_HEAD, "kind", *sizes, *edges, *arrays, *indices, "outputs")
    inputs, neurons = (_integer(document[key], key) for key in sizes)
    _expect(inputs <= _MOST_INPUTS, "inputs", f"at most {_MOST_INPUTS}", inputs)
    # Sizes that ask for memory: both must be those of arrays in the file.
    given = document["alpha"] if document["alpha_index"] is None else document["alpha_index"]
    count = len(_list(given, "alpha"))
    _expect(count == neurons, "neurons", f"{count}, as many as alphas", neurons)
    values: Object = {key: _numbers(document[key], key) for key in arrays}
    for key in indices:
        values[key] = None if document[key] is None else _indices(document[key], key)
    for key in edges:
        pair = _list(document[key], key)
        _expect(len(pair) == 2, key, "[targets, sources]", pair)
        values[key] = tuple(_indices(part, f"{key}[{k}]") for k, part in enumerate(pair))
    outputs = _indices(document["outputs"], "outputs")
    graph = SynapseGraph.from_arrays(inputs, neurons, outputs=outputs, **values)
    graph.compile()
    return graph


def _expect(fits: bool, place: str, wanted: str, value: Any) -> None:
    if not fits:
        raise ValueError(f"{place[:120]}: expected {wanted}, got {_short(value)}")


def _short(value: Any) -> str:
    if isinstance(value, dict | list):  # not all of it: it may be very large
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]} ..."


def _same(value: Any, wanted: Any) -> bool:
    return type(value) is type(wanted) and bool(value == wanted)


def _keys(value: Any, place: str, *keys: str) -> Object:
    _expect(isinstance(value, dict), place, "an object", value)
    for key in keys:
        _expect(key in value, place, f"the key {key!r}", value)
    for key in value:
        _expect(key in keys, place, f"only the keys {keys}", key)
    return dict(value)


def _list(value: Any, place: str) -> list[Any]:
    _expect(isinstance(value, list), place, "a list", value)
    return list(value)


def _names(value: Any, place: str) -> list[Any]:
    """Strings, and integers of 64 bits: larger ones could be made to share their hash."""
    names = _list(value, place)
    for i, name in enumerate(names):
        fits = isinstance(name, str) or (type(name) is int and -_LARGEST <= name < _LARGEST)
        _expect(fits, f"{place}[{i}]", "a name", name)
    return names


def _integer(value: Any, place: str) -> int:
    _expect(type(value) is int and value >= 0, place, "an integer >= 0", value)
    return int(value)


def _number(value: Any, place: str) -> float:
    _expect(type(value) in (int, float) and abs(value) < math.inf, place, "a finite number", value)
    return float(value)


def _numbers(value: Any, place: str) -> np.ndarray[Any, Any]:
    values = _list(value, place)
    if not {*map(type, values)} <= {int, float}:
        for i, entry in enumerate(values):
            _number(entry, f"{place}[{i}]")
    return np.asarray(values, dtype=np.float64)


def _indices(value: Any, place: str) -> np.ndarray[Any, Any]:
    values = _list(value, place)
    if not {*map(type, values)} <= {int}:
        for i, entry in enumerate(values):
            _integer(entry, f"{place}[{i}]")
    return np.asarray(values, dtype=np.int64)
