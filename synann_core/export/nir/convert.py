"""Exchange spiking networks with other libraries and with neuromorphic chips, as NIR graphs."""

from __future__ import annotations

import io
import json
import os
from typing import Any, get_args

import numpy as np

from synann_core._lib.checks import check_bool, check_int, check_number, check_option, to_numpy
from synann_core._lib.files import FilePath, path_text, write_whole
from synann_core._lib.namespaces import numpy_namespace
from synann_core._lib.typing import NumpyArray
from synann_core.export.checks import numbers_of
from synann_core.export.nir.files import read_graph
from synann_core.export.nir.layers import KEY, Resistance, layer_of, node_fields, scaled
from synann_core.export.nir.maps import LINEAR, Map
from synann_core.export.nir.nodes import NEURONS, PASSIVE, Node, in_a_row, node_of
from synann_core.layer import beta_of
from synann_core.spiking import Layer, SpikingNetwork
from synann_core.spiking.network import losses
from synann_core.spiking.network.files import MOST_STEPS, checked_weights

__all__ = ["from_nir", "load_nir", "save_nir", "to_nir"]

DT = 1e-4  # seconds; what snnTorch takes
_MOST_WEIGHTS = 1 << 20


def to_nir(
    network: SpikingNetwork,
    /,
    *,
    dt: float = DT,
    resistance: Resistance = "matched",
    strict: bool = True,
) -> Any:
    """Return a spiking network as a graph of the package nir.

    Needs nir (``pip install "synann[spiking]"``).

    Parameters
    ----------
    network : SpikingNetwork
        Linear layers; also synapse layers behind neurons, whose spikes make them linear.
    dt : float
        Seconds of a step, > 0: τ = dt/(1 − decay).
    resistance : {"matched", "unit"}
        How an input comes to move the membrane by the neuron's gain: r = gain τ/dt, as snnTorch has
        it, or r = 1 and larger weights, for Norse, which does not look at r.
    strict : bool
        Refuse neurons that NIR has no word for: those that do not reset to a value, that put spikes
        out a step late, that fire at the threshold itself, or whose threshold adapts. Without it
        they are written as if they did, and the metadata say what they are: `from_nir` reads them,
        others do not.

    Returns
    -------
    nir.NIRGraph
        Nodes Affine, then LIF, CubaLIF, IF, LI, CubaLI or I, and Linear from the spikes back.

    Raises
    ------
    ImportError
        Without nir.
    TypeError
        If it is not a SpikingNetwork.
    ValueError
        If NIR cannot say what a layer does, or `dt` is out of range.

    Examples
    --------
    >>> from synann_core.export import to_nir
    >>> from synann_core.spiking import LIF, Layer, SpikingNetwork
    >>> network = SpikingNetwork(4, [Layer(3, LIF(0.9, reset="zero"))])
    >>> list(to_nir(network).nodes)
    ['input', 'layer0.affine', 'layer0.lif', 'output']
    """
    nir = _nir()
    if not isinstance(network, SpikingNetwork):
        raise TypeError(f"`network` must be a SpikingNetwork. Received: {network!r}")
    dt = check_number("dt", dt, 0.0, ends="()")
    check_option("resistance", resistance, get_args(Resistance))
    strict = check_bool("strict", strict)
    numbers = numbers_of(network, "float64")
    nodes: dict[str, Any] = {"input": nir.Input(input_type=np.array([network.in_features]))}
    edges, before = [], "input"
    for k, layer in enumerate(network.layers):
        own = {
            name[len(str(k)) + 1 :]: value
            for name, value in numbers.items()
            if name.startswith(f"{k}.")
        }
        try:
            weight, bias = _affine(network, k, layer)
            kind, fields, scale = node_fields(layer, own, dt, resistance, strict)
            if "F" not in kind and k + 1 < len(network.layers):
                raise ValueError("it has no threshold, and is not the last one")
        except ValueError as error:
            raise ValueError(
                f"`network` must be one that NIR has words for: layer {k}: {error}"
            ) from None
        name = f"layer{k}"
        nodes[f"{name}.affine"] = nir.Affine(
            weight=scaled(weight, scale), bias=scaled(bias[:, None], scale)[:, 0]
        )
        nodes[f"{name}.lif"] = getattr(nir, kind)(**fields)
        edges += [(before, f"{name}.affine"), (f"{name}.affine", f"{name}.lif")]
        if "recurrent" in own:
            nodes[f"{name}.w_rec"] = nir.Linear(weight=scaled(own["recurrent"], scale))
            edges += [(f"{name}.lif", f"{name}.w_rec"), (f"{name}.w_rec", f"{name}.lif")]
        before = f"{name}.lif"
    nodes["output"] = nir.Output(output_type=np.array([network.classes]))
    edges.append((before, "output"))
    said = json.dumps({"steps": network.steps, "loss": network.loss})
    return nir.NIRGraph(nodes, edges, metadata={KEY: said}, type_check=False)


def save_nir(
    network: SpikingNetwork,
    path: FilePath,
    /,
    *,
    dt: float = DT,
    resistance: Resistance = "matched",
    strict: bool = True,
) -> None:
    """Write a spiking network as a NIR file, whole or not at all; arguments as for `to_nir`."""
    path_text(path)
    graph, data = to_nir(network, dt=dt, resistance=resistance, strict=strict), io.BytesIO()
    _nir().write(data, graph)
    write_whole(path, data.getvalue())


def from_nir(
    graph: Any,
    /,
    *,
    dt: float = DT,
    steps: int | None = None,
    loss: losses.Loss | None = None,
    most_weights: int = _MOST_WEIGHTS,
) -> SpikingNetwork:
    """Make a spiking network of a graph of the package nir.

    Parameters
    ----------
    graph : nir.NIRGraph
        One node after the other: Affine, Linear, Scale, Conv1d, Conv2d, SumPool2d, AvgPool2d and
        Flatten, then LIF, CubaLIF or IF (at the end also LI, CubaLI or I), and so on. A Linear or
        Affine node may lead from neurons back to them.
    dt : float
        Seconds of a step: decay = 1 − dt/τ. snnTorch writes and reads 1e-4.
    steps, loss
        As for `SpikingNetwork`; what the metadata say, or its defaults, if not given.
    most_weights : int
        Convolutions and pooling are written out as matrices of at most so many numbers.

    Returns
    -------
    SpikingNetwork
        Neurons in the order "immediate" that reset to a value, if the metadata do not say another.

    Raises
    ------
    TypeError
        If it is not a NIRGraph.
    ValueError
        If a network cannot hold the graph: the message names the node.

    Examples
    --------
    >>> from synann_core.export import from_nir, to_nir
    >>> from synann_core.spiking import LIF, Layer, SpikingNetwork
    >>> network = SpikingNetwork(4, [Layer(3, LIF(0.9, reset="zero"))], steps=10)
    >>> again = from_nir(to_nir(network))
    >>> again.steps, again.layers[0].neuron.decay
    (10, 0.9)
    """
    if type(graph).__name__ != "NIRGraph":
        raise TypeError(f"`graph` must be a nir.NIRGraph. Received: {graph!r}")
    try:
        return _network(node_of(graph), dt, steps, loss, most_weights)
    except _UnfitError as error:
        raise ValueError(
            f"`graph` must be one that a network can hold. Received: one where {error}"
        ) from None


def load_nir(
    path: FilePath,
    /,
    *,
    dt: float = DT,
    steps: int | None = None,
    loss: losses.Loss | None = None,
    most_weights: int = _MOST_WEIGHTS,
) -> SpikingNetwork:
    """Read a spiking network from a NIR file; options as for `from_nir`.

    Needs h5py, and not nir. Safe for files from anyone as far as HDF5's own library is: nothing is
    followed out of the file or executed, and sizes are checked before memory is asked for.

    Raises
    ------
    ImportError
        Without h5py.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or holds a graph that a network cannot hold.
    """
    name = path_text(path)
    try:
        return _network(read_graph(name), dt, steps, loss, most_weights)
    except _UnfitError as error:
        raise ValueError(
            "`path` must hold a NIR graph that a network can hold. "
            f"Received: {os.fspath(path)!r}, where {error}"
        ) from None


class _UnfitError(ValueError):
    """A graph that does not fit."""


def _network(
    graph: Node, dt: float, steps: int | None, loss: losses.Loss | None, most_weights: int
) -> SpikingNetwork:
    dt = check_number("dt", dt, 0.0, ends="()")
    most = check_int("most_weights", most_weights, 1)
    given = None if steps is None else check_int("steps", steps, 1)
    if loss is not None:
        check_option("loss", loss, get_args(losses.Loss))
    name = "the graph"
    try:
        said = _said(graph)
        row = in_a_row(graph)
        name = row[0].name
        linear = Map(_shape(row[0].node), most)
        inputs, layers = linear.inputs, list[Layer]()
        weights: dict[str, NumpyArray] = {}
        for link in row:
            name, kind = link.name, link.node.kind
            if kind in LINEAR:
                linear.add(link.node)
            elif kind == "Flatten":
                linear.flatten()
            elif kind in NEURONS:
                if layers and layers[-1].neuron.threshold is None:
                    raise ValueError("it follows neurons that do not spike")
                with np.errstate(all="ignore"):  # what is not finite is refused below
                    layer, own = layer_of(link, linear, dt)
                weights |= {f"{len(layers)}.{part}": value for part, value in own.items()}
                layers.append(layer)
                linear = linear.after_neurons()
            elif kind not in PASSIVE:
                raise ValueError(f"it is of kind {kind[:80]!r}, which a network does not have")
        if not layers or not linear.is_identity:
            raise ValueError("neurons must be the last of its nodes")
        found = checked_weights(weights, inputs, tuple(layers), "graph", "a NIR graph")
    except (TypeError, ValueError, RecursionError) as error:
        raise _UnfitError(f"{name[:80]!r}: {' '.join(str(error).split())[:300]}") from None
    network = SpikingNetwork.__new__(SpikingNetwork)
    network.in_features, network.layers = inputs, tuple(layers)
    network.steps = said.get("steps", 25) if given is None else given
    network.loss = said.get("loss", "membrane") if loss is None else loss
    network.weights = found
    return network


def _said(graph: Node) -> dict[str, Any]:
    """Steps and loss, if this library wrote the graph."""
    metadata = graph.fields.get("metadata")
    text = metadata.get(KEY) if isinstance(metadata, dict) else None
    if text is None:
        return {}
    said = json.loads(text)
    if not isinstance(said, dict) or said.keys() != {"steps", "loss"}:
        raise ValueError(f"its metadata {KEY!r} are not steps and loss")
    check_option("loss", said["loss"], get_args(losses.Loss))
    if check_int("steps", said["steps"], 1) > MOST_STEPS:
        raise ValueError(f"its metadata {KEY!r} ask for more than {MOST_STEPS} steps")
    return said


def _shape(node: Node) -> tuple[int, ...]:
    """The shape of an input node."""
    value = node.fields.get("shape")
    if value is None:
        types = node.fields.get("input_type")
        value = types.get("input") if isinstance(types, dict) else None
    sizes = np.asarray(value)
    if sizes.dtype.kind not in "iu" or sizes.ndim != 1 or not 1 <= sizes.size <= 8:
        raise ValueError("it has no shape")
    shape = tuple(int(size) for size in sizes)
    if min(shape) < 1 or max(shape) > 1 << 24:
        raise ValueError(f"it has shape {shape}")
    return shape


def _affine(network: SpikingNetwork, k: int, layer: Layer) -> tuple[NumpyArray, NumpyArray]:
    """Matrix and bias of a layer's currents."""
    arrays = {
        name: to_numpy(network.weights[f"{k}.{name}"])
        for name in ("weight", "beta_logit", "gain", "bias")
        if f"{k}.{name}" in network.weights
    }
    if layer.kind == "linear":
        return arrays["weight"], arrays["bias"]
    if k == 0:
        raise ValueError("`kind` must be 'linear' in the first layer. Received: 'synapse'")
    # A spike takes log(1 − β) away, and what is not one takes nothing.
    beta: NumpyArray = np.asarray(beta_of(arrays["beta_logit"], xp=numpy_namespace))
    taken = np.log1p(-beta)
    return arrays["gain"][:, None] * taken, arrays["bias"]


def _nir() -> Any:
    try:
        import nir
    except ImportError as error:
        raise ImportError(f'{error}. Install it with: pip install "synann[spiking]"') from None
    return nir
