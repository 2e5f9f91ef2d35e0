"""Exchange spiking modules: with files, and with networks of the core."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from synann_core.extending import (
    check_tensors,
    neuron_described,
    neuron_restored,
    read_config,
    read_tensors,
    to_numpy,
    write_tensors,
)
from synann_core.spiking import LIF, Layer, SpikingNetwork

from .spiking import LEARNED, Spiking

__all__ = ["load_spiking", "save_spiking", "to_core", "to_torch"]

_FORMAT, _OWN = "synann.Spiking", "neuron."


def save_spiking(module: Spiking, path: str | os.PathLike[str], /) -> None:
    """Write neurons as one safetensors file: configuration, parameters and buffers.

    Parameters
    ----------
    module : Spiking
    path : str or path
        Written whole or not at all. The tensors have the names of the state dict.

    Raises
    ------
    TypeError
        If it is not a Spiking.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from synann_core.spiking import LIF
    >>> from synann_torch.spiking import Spiking
    >>> from synann_torch.exchange import load_spiking, save_spiking
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "neurons.safetensors")
    ...     save_spiking(Spiking(LIF(decay=0.9), learn=("decay",), units=3), path)
    ...     load_spiking(path).decay.shape
    torch.Size([3])
    """
    if not isinstance(module, Spiking):
        raise TypeError(f"`module` must be a Spiking. Received: {module!r}")
    config, arrays = neuron_described(module.neuron)
    state = module.state_dict()
    state.pop("_extra_state")  # numbers for the options, which the configuration tells in words
    tensors = {name: to_numpy(tensor) for name, tensor in state.items()}
    tensors |= {f"{_OWN}{name}": array for name, array in arrays.items()}
    content = json.dumps({"neuron": config, "learn": module.learned})
    write_tensors(path, tensors, {"format": _FORMAT, "config": content})


def load_spiking(path: str | os.PathLike[str], /) -> Spiking:
    """Read neurons that `save_spiking` wrote, in the dtype of the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or holds something else.
    """
    tensors, metadata = read_tensors(path)
    config = read_config(path, metadata, required=("neuron", "learn"))
    own = {name[len(_OWN) :]: a for name, a in tensors.items() if name.startswith(_OWN)}
    source = repr(os.fspath(path))
    try:
        if not isinstance(config["learn"], list):
            raise TypeError("`learn` is not a list")
        neuron = neuron_restored(config["neuron"], own)
        learn, units = tuple(config["learn"]), None
        shapes = {name: np.shape(getattr(neuron, name)) for name in _parts(neuron)}
        for name in learn:
            given = np.shape(tensors.get(name, 0.0))
            if shapes.get(name) == () and len(given) == 1:
                shapes[name] = given
                units = given[0]
        check_tensors("path", source, tensors, shapes, lambda name: name.startswith(_OWN))
        module = Spiking(neuron, learn=learn, units=units)
    except (TypeError, ValueError, RecursionError) as error:
        if str(error).startswith("`path`"):
            raise
        raise ValueError(
            f"`path` must hold neurons that `save_spiking` wrote. Received: {source}, where {error}"
        ) from None
    module.to(torch.from_numpy(np.array(tensors["decay"])).dtype)
    module.load_state_dict({name: torch.from_numpy(np.array(tensors[name])) for name in shapes})
    return module


def to_core(
    modules: Iterable[nn.Module], /, *, steps: int = 25, loss: Any = "membrane"
) -> SpikingNetwork:
    """Make a network of the core from torch's Linear and Spiking modules, in turn.

    From there the network goes everywhere: JSON, ONNX, C and NIR (docs/export.md).

    Parameters
    ----------
    modules : iterable of nn.Module
        ``nn.Linear``, `Spiking`, ``nn.Linear``, `Spiking`, … : a list or an ``nn.ModuleList``.
    steps, loss
        As for `SpikingNetwork`.

    Returns
    -------
    SpikingNetwork
        With NumPy arrays of the tensors' dtypes.

    Raises
    ------
    TypeError
        If a module is neither, or they do not take turns.
    ValueError
        If what was learned is out of its range: a threshold that is not above 0, say.

    Examples
    --------
    >>> import torch
    >>> from synann_core.spiking import LIF
    >>> from synann_torch.spiking import Spiking
    >>> from synann_torch.exchange import to_core
    >>> network = to_core([torch.nn.Linear(5, 3), Spiking(LIF(0.9))])
    >>> network.in_features, network.classes
    (5, 3)
    """
    given = list(modules)
    weights: dict[str, Any] = {}
    layers: list[Layer] = []
    for k, (linear, spiking) in enumerate(zip(given[::2], given[1::2], strict=False)):
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"`modules` must hold an nn.Linear at {2 * k}. Received: {linear!r}")
        if not isinstance(spiking, Spiking):
            raise TypeError(f"`modules` must hold a Spiking at {2 * k + 1}. Received: {spiking!r}")
        units = linear.out_features
        weights[f"{k}.weight"] = _array(linear.weight)
        bias = torch.zeros(units).to(linear.weight) if linear.bias is None else linear.bias
        weights[f"{k}.bias"] = _array(bias)
        layer, learned = _layer(spiking, units)
        layers.append(layer)
        weights |= {f"{k}.{name}": value for name, value in learned.items()}
    if not layers or len(given) % 2:
        raise TypeError(
            f"`modules` must be an nn.Linear and a Spiking, in turn. Received: {len(given)} modules"
        )
    network = SpikingNetwork(given[0].in_features, layers, steps=steps, loss=loss)
    for name, value in network.weights.items():
        if weights[name].shape != value.shape:
            raise ValueError(
                f"`modules` must fit each other: layer {name.partition('.')[0]} has `{name}` of "
                f"shape {value.shape}. Received: shape {weights[name].shape}"
            )
    network.weights = weights
    return network


def to_torch(network: SpikingNetwork, /) -> nn.ModuleList:
    """Make torch's modules of a network: Linear, Spiking, Linear, Spiking, …

    Parameters
    ----------
    network : SpikingNetwork
        Of layers of kind "linear".

    Returns
    -------
    nn.ModuleList
        In torch's default dtype.

    Raises
    ------
    TypeError, ValueError
        If it is not a SpikingNetwork, or has a synapse layer.

    Examples
    --------
    >>> from synann_core.spiking import Layer, SpikingNetwork
    >>> from synann_torch.exchange import to_torch
    >>> [type(module).__name__ for module in to_torch(SpikingNetwork(4, [Layer(3), Layer(2)]))]
    ['Linear', 'Spiking', 'Linear', 'Spiking']
    """
    if not isinstance(network, SpikingNetwork):
        raise TypeError(f"`network` must be a SpikingNetwork. Received: {network!r}")
    modules: list[nn.Module] = []
    inputs = network.in_features
    values = {name: torch.as_tensor(to_numpy(a)) for name, a in network.weights.items()}
    for k, layer in enumerate(network.layers):
        if layer.kind != "linear":
            raise ValueError(f"`network` must have linear layers. Received: {layer.kind!r} at {k}")
        linear = nn.Linear(inputs, layer.units)
        neuron = layer.neuron
        if layer.recurrent:
            neuron = neuron.with_parameters(recurrent=to_numpy(network.weights[f"{k}.recurrent"]))
        spiking = Spiking(neuron, learn=layer.learned, units=layer.units)
        with torch.no_grad():
            linear.weight.copy_(values[f"{k}.weight"])
            linear.bias.copy_(values[f"{k}.bias"])
            for name in layer.learned:
                getattr(spiking, name).copy_(values[f"{k}.{name}"])
        modules += [linear, spiking]
        inputs = layer.units
    return nn.ModuleList(modules)


def _layer(module: Spiking, units: int) -> tuple[Layer, dict[str, Any]]:
    """A layer, and what its neurons have learned."""
    values = {name: _array(getattr(module, name)) for name in _parts(module.neuron)}
    for name in ("decay", "synaptic_decay"):
        if name in values:
            values[name] = values[name].clip(0.0, 1.0)
    learned = module.learned
    recurrent = "recurrent" in learned
    own: Mapping[str, Any] = {
        name: float(value) if value.ndim == 0 else value for name, value in values.items()
    }
    neuron = dataclasses.replace(module.neuron, **own)
    if recurrent:
        neuron = dataclasses.replace(neuron, recurrent=None)
    numbers: Any = tuple(name for name in learned if name != "recurrent")
    weights = {
        name: values[name] if name == "recurrent" else np.broadcast_to(values[name], units).copy()
        for name in learned
    }
    return Layer(units, neuron, recurrent=recurrent, learn=numbers), weights


def _parts(neuron: LIF) -> list[str]:
    return [name for name in LEARNED if getattr(neuron, name) is not None]


def _array(tensor: Tensor) -> Any:
    return to_numpy(tensor).copy()
