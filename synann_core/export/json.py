"""Write models as JSON, readable and exact, and read them safely from anyone.

`schema.json` beside this file describes what is written. Loading accepts nothing else, and executes
nothing.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from synann_core._lib.files import FilePath, path_text, write_whole
from synann_core._lib.typing import NumpyArray
from synann_core.export import json_graphs as graphs
from synann_core.export import json_values as read
from synann_core.export.checks import check_network
from synann_core.graph import Circuit, GraphParameters, SynapseGraph
from synann_core.models import passes
from synann_core.models.files import CONFIG
from synann_core.models.mlp import SynaMLP
from synann_core.spiking.network import files as spiking_files
from synann_core.spiking.network.network import SpikingNetwork

__all__ = ["load_json", "save_json"]

_HEAD = {"format": "synann", "version": 1}
_DTYPES = ("float16", "float32", "float64")
_SHOWN = 300  # characters of a reason

Model = SynaMLP | SynapseGraph | Circuit | SpikingNetwork


def save_json(model: Model, path: FilePath, /, *, params: GraphParameters | None = None) -> None:
    """Write a model as JSON, whole or not at all; `load_json` gives it back, bit for bit.

    Parameters
    ----------
    model : SynaMLP, SynapseGraph, Circuit or SpikingNetwork
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
        If `model` is none of these, or neither a graph nor a circuit and comes with `params`.
    ValueError
        If a number is not finite (but for thresholds of ∞ among others), a graph has a cycle or an
        unknown name, a circuit more than 65,536 drives, or `params` do not fit.

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
    SynaMLP, SynapseGraph, Circuit or SpikingNetwork

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
        return graphs.graph_document(model, params)
    if isinstance(model, Circuit):
        return graphs.circuit_document(model, params)
    check_network(model, params)
    config, weights = model._content("model")
    tensors = {
        name: {"dtype": str(a.dtype), "shape": list(a.shape), "values": _values(name, a)}
        for name, a in weights.items()
    }
    return {"kind": type(model).__name__, "config": config, "tensors": tensors}


def _values(name: str, a: NumpyArray) -> list[Any]:
    """Numbers for JSON: null is a threshold of ∞, that of a neuron that never fires."""
    values: list[Any] = a.ravel().tolist()
    return [None if v == math.inf else v for v in values] if _may_never_fire(name) else values


def _may_never_fire(name: str) -> bool:
    return name.endswith(".neuron.threshold")


def _model(document: Any, path: FilePath) -> Model:
    read.mapping(document, "the file")
    for key, wanted in _HEAD.items():
        value = document.get(key)
        same = type(value) is type(wanted) and bool(value == wanted)
        read.expect(same, key, repr(wanted), value)
    kind = read.kind(document, "SynaMLP", *graphs.GRAPHS, "Circuit", "SpikingNetwork")
    if kind == "SynaMLP":
        return _network_model(document, path)
    if kind == "SpikingNetwork":
        return _spiking_network(document, path)
    if kind == "Circuit":
        return graphs.circuit(document, *_HEAD)
    return graphs.GRAPHS[kind](document, *_HEAD)


def _network_model(document: read.Object, path: FilePath) -> SynaMLP:
    read.keys(document, "the file", *_HEAD, "kind", "config", "tensors")
    more = ("labels",) if "labels" in read.mapping(document["config"], "config") else ()
    config = read.keys(document["config"], "config", *CONFIG, *more)
    for key in ("in_features", "hidden", "classes"):
        read.integer(config[key], f"config.{key}")
    read.number(config["dropout"], "config.dropout")
    tensors = _tensors(document)
    # The tensors first: what the configuration asks for may not fit into memory.
    weights = passes.checked_weights(tensors, config, "path", repr(os.fspath(path)))
    return SynaMLP._restored(config, weights)


def _spiking_network(document: read.Object, path: FilePath) -> SpikingNetwork:
    read.keys(document, "the file", *_HEAD, "kind", "config", "tensors")
    config = read.keys(document["config"], "config", *spiking_files.CONFIG)
    return SpikingNetwork._restored(config, _tensors(document), "path", repr(os.fspath(path)))


def _tensors(document: read.Object) -> dict[str, NumpyArray]:
    given = read.mapping(document["tensors"], "tensors")
    return {name: _tensor(name, tensor) for name, tensor in given.items()}


def _tensor(name: str, value: Any) -> NumpyArray:
    place = f"tensors[{name[:60]!r}]"
    read.keys(value, place, "dtype", "shape", "values")
    dtype, shape = value["dtype"], read.sequence(value["shape"], f"{place}.shape")
    read.expect(isinstance(dtype, str) and dtype in _DTYPES, f"{place}.dtype", f"{_DTYPES}", dtype)
    read.expect(len(shape) <= 2, f"{place}.shape", "at most two sizes", shape)
    for i, size in enumerate(shape):
        read.integer(size, f"{place}.shape[{i}]")
    given = read.sequence(value["values"], f"{place}.values")
    if _may_never_fire(name):
        given = [math.inf if v is None else v for v in given]
    values = read.numbers(given, f"{place}.values")
    read.expect(math.prod(shape) == values.size, place, f"{values.size} values by its shape", shape)
    with np.errstate(over="ignore"):
        result = values.astype(dtype)
    finite = bool((np.isfinite(result) | np.isinf(values)).all())
    read.expect(finite, f"{place}.values", f"{dtype} numbers", "too large ones")
    return result.reshape(shape)
