"""Write a spiking network as a safetensors file, with its configuration, and read it back."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any, Self, get_args

import numpy as np

from synann_core._lib.checks import check_int, check_option, to_numpy
from synann_core._lib.files import (
    FilePath,
    check_tensors,
    read_config,
    read_tensors,
    write_tensors,
)
from synann_core._lib.typing import NumpyArray
from synann_core.spiking.network import losses, passes
from synann_core.spiking.network.layer import Layer
from synann_core.spiking.neurons.files import described, keys, restored

FORMAT = "synann.SpikingNetwork"
CONFIG = ("in_features", "steps", "loss", "layers")
LAYER = tuple(field.name for field in dataclasses.fields(Layer))
MOST_STEPS = 10_000  # of a constant input: a number in a small file that asks for time and memory

Config = dict[str, Any]
Tensors = dict[str, NumpyArray]
_OWN = "neuron"  # 0.neuron.decay is what the neuron was made with, 0.decay what it has learned


class Saved:
    """The files of `SpikingNetwork`."""

    in_features: int
    layers: tuple[Layer, ...]
    steps: int
    loss: losses.Loss
    weights: dict[str, Any]

    def save(self, path: FilePath, /) -> None:
        """Write weights and configuration as one safetensors file, whole or not at all.

        ValueError if `load` would not take them: numbers that are not finite, or more than 10,000
        steps. The old file stays.
        """
        config, tensors = self._content("weights")
        write_tensors(path, tensors, {"format": FORMAT, "config": json.dumps(config)})

    def load(self, path: FilePath, /) -> None:
        """Read the weights of a safetensors file into this network.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged, does not hold this network's tensors in their shapes, or says
            that its network had other layers; the network is then as it was.
        """
        tensors, metadata = read_tensors(path)
        own, arrays = self._content("weights")
        found = read_config(path, metadata).get("layers", own["layers"])
        same = (
            np.array_equal(array, tensors.get(name, array))
            for name, array in arrays.items()
            if _of_neuron(name)
        )
        if found != own["layers"] or not all(same):
            raise ValueError(
                "`path` must hold a network with these layers (`from_file` makes any). "
                f"Received: {os.fspath(path)!r} with others"
            )
        self.weights = checked_weights(
            tensors, self.in_features, self.layers, "path", repr(os.fspath(path))
        )

    @classmethod
    def from_file(cls, path: FilePath, /) -> Self:
        """Make the network that `save` wrote; raises as `load` does."""
        tensors, metadata = read_tensors(path)
        config = read_config(path, metadata, required=CONFIG)
        try:
            return cls._restored(config, tensors, "path", repr(os.fspath(path)))
        except (TypeError, ValueError, RecursionError) as error:
            if str(error).startswith("`path`"):
                raise
            raise ValueError(
                "`path` must hold a network's configuration. "
                f"Received: {os.fspath(path)!r}, where {error}"
            ) from None

    def _content(self, parameter: str) -> tuple[Config, Tensors]:
        """Configuration and tensors for a file, checked as if they were read from one."""
        layers: list[Config] = []
        tensors: Tensors = {}
        for k, layer in enumerate(self.layers):
            neuron, arrays = described(layer.neuron)
            fields = {name: getattr(layer, name) for name in LAYER}
            layers.append(fields | {"learn": list(layer.learn), "neuron": neuron})
            tensors |= {f"{k}.{_OWN}.{name}": array for name, array in arrays.items()}
        config = {
            "in_features": self.in_features,
            "steps": _checked_steps(self.steps),
            "loss": self.loss,
            "layers": layers,
        }
        weights = {name: to_numpy(weight) for name, weight in self.weights.items()}
        weights = checked_weights(
            weights, self.in_features, self.layers, parameter, "a SpikingNetwork"
        )
        return config, weights | tensors

    @classmethod
    def _restored(cls, config: Config, tensors: Tensors, parameter: str, source: str) -> Self:
        """A network with known weights; nothing of a size that only the configuration asks for."""
        keys(config, "config", CONFIG)
        in_features = check_int("in_features", config["in_features"], 1)
        steps = _checked_steps(config["steps"])
        loss = check_option("loss", config["loss"], get_args(losses.Loss))
        if not isinstance(config["layers"], list) or not config["layers"]:
            raise TypeError("layers must be a list with one or more")
        own: dict[str, Tensors] = {}
        for name, tensor in tensors.items():
            if _of_neuron(name):
                place, _, parameter_name = name.split(".")
                own.setdefault(place, {})[parameter_name] = tensor
        layers = tuple(
            _layer(value, k, own.pop(str(k), {})) for k, value in enumerate(config["layers"])
        )
        if own:
            raise ValueError(f"there is no layer {next(iter(own))[:80]!r}, which a tensor is of")
        network = cls.__new__(cls)
        network.in_features, network.layers, network.steps = in_features, layers, steps
        network.loss = loss
        network.weights = checked_weights(tensors, in_features, layers, parameter, source)
        return network


def _layer(value: Any, k: int, arrays: Tensors) -> Layer:
    fields = keys(value, f"layers[{k}]", LAYER)
    if not isinstance(fields["learn"], list):
        raise TypeError(f"layers[{k}].learn must be a list. Received: {str(fields['learn'])[:80]}")
    neuron = restored(fields["neuron"], arrays, f"layers[{k}].neuron")
    return Layer(**(fields | {"neuron": neuron}))


def _of_neuron(name: str) -> bool:
    return name.count(".") == 2 and name.split(".")[1] == _OWN


def _checked_steps(steps: Any) -> int:
    if check_int("steps", steps, 1) > MOST_STEPS:
        raise ValueError(f"`steps` must be at most {MOST_STEPS} in a file. Received: {steps}")
    return int(steps)


def checked_weights(
    tensors: Tensors, in_features: int, layers: tuple[Layer, ...], parameter: str, source: str
) -> dict[str, Any]:
    """Return the weights of a network with these layers, which must be in `tensors`.

    Messages name the `parameter` that holds them, and the `source` that they were read from.
    """
    shapes = passes.shapes(in_features, layers)
    check_tensors(parameter, source, tensors, shapes, _of_neuron)
    for name in shapes:
        learned = name.rpartition(".")[2]
        most = {"decay": 1.0, "synaptic_decay": 1.0, "threshold": float("inf")}.get(learned)
        if most is not None and not (tensors[name].min() >= 0.0 and tensors[name].max() <= most):
            raise ValueError(
                f"`{parameter}` must hold numbers in [0, {most:g}] in `{name}`. Received: {source} "
                f"with {tensors[name].min()} to {tensors[name].max()}"
            )
    return {name: tensors[name] for name in shapes}
