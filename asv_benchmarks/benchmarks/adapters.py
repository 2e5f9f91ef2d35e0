"""The layers for torch and Keras, beside the core's bare call and the libraries' own layers."""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np

import synann_core as syn

from .common import BATCHES, SMOKE, Call, Prepared, Size, make_problem, require

SQUARE = ("8x8",) if SMOKE else ("64x64", "768x768")
TORCH = ("bare core", "synapse", "synapse, torch.compile", "nn.Linear")
KERAS = ("synapse", "Dense")


def torch_step(kind: str, size: Size) -> Call:
    """Forward and backward of a square layer, as in training."""
    torch = require("torch")
    problem = make_problem(size, "training")
    y, t = torch.from_numpy(problem.y), torch.from_numpy(problem.t)
    if kind == "bare core":
        alpha, beta = torch.ones(size.m), torch.from_numpy(problem.beta)

        def bare() -> Any:
            return (
                syn.synapse_tensor(y, y, alpha, beta),
                syn.synapse_tensor_vjp(y, y, alpha, beta, t),
            )

        return bare
    layer = torch_layer(kind, size)
    y = y.requires_grad_()
    inputs = (y, *layer.parameters())

    def step() -> Any:
        return torch.autograd.grad(layer(y), inputs, t)

    return step


def torch_layer(kind: str, size: Size) -> Any:
    """A layer whose initial values are those of a user's."""
    torch, synann_torch = require("torch"), require("synann_torch")
    torch.manual_seed(0)
    if kind == "nn.Linear":
        return torch.nn.Linear(size.n, size.m)
    layer = synann_torch.Synapse(size.n, size.m)
    return torch.compile(layer, fullgraph=True) if "compile" in kind else layer


@functools.lru_cache(maxsize=1)
def prepare_torch(kind: str, batch: int, layer: str) -> Call:
    """A step that has run once."""
    call = torch_step(kind, Size.parse(f"{batch}x{layer}"))
    call()
    return call


@functools.lru_cache(maxsize=1)
def prepare_inference(kind: str, layer: str) -> Call:
    """One sample through a layer, without gradients."""
    torch = require("torch")
    size = Size.parse(f"1x{layer}")
    module, y = torch_layer(kind, size), torch.from_numpy(make_problem(size).y)

    def call() -> Any:
        with torch.no_grad():
            return module(y)

    call()
    return call


@functools.lru_cache(maxsize=1)
def prepare_keras(kind: str, batch: int, layer: str) -> Call:
    """A batch through a layer of Keras, on the backend that KERAS_BACKEND names or torch."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras, synann_keras = require("keras"), require("synann_keras")
    size = Size.parse(f"{batch}x{layer}")
    module = keras.layers.Dense(size.m) if kind == "Dense" else synann_keras.Synapse(size.m)
    y = keras.ops.convert_to_tensor(make_problem(size).y)

    def call() -> Any:
        return np.asarray(keras.ops.convert_to_numpy(module(y)))

    call()
    return call


class TorchLayer(Prepared):
    """A training step of a square layer; the bare core has no logits to turn into strengths."""

    param_names = ("layer", "batch", "size")
    params = (TORCH, BATCHES[-1:], SQUARE)

    def setup(self, *params: Any) -> None:
        """Prepare the step."""
        self.call = prepare_torch(*params)

    def time_step(self, *params: Any) -> None:
        """Time one step."""
        self.call()


class TorchInference(Prepared):
    """One sample, without gradients: what a call costs that has little to compute."""

    param_names = ("layer", "size")
    params = (("synapse", "nn.Linear"), SQUARE)

    def setup(self, *params: Any) -> None:
        """Prepare the call."""
        self.call = prepare_inference(*params)

    def time_call(self, *params: Any) -> None:
        """Time one call."""
        self.call()


class KerasLayer(Prepared):
    """A forward pass of a square layer."""

    param_names = ("layer", "batch", "size")
    params = (KERAS, BATCHES[-1:], SQUARE)

    def setup(self, *params: Any) -> None:
        """Prepare the call."""
        self.call = prepare_keras(*params)

    def time_call(self, *params: Any) -> None:
        """Time one call."""
        self.call()
