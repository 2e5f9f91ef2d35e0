"""The layers for torch and Keras, beside the core's bare call and the libraries' own layers."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

import synann_core as syn

from .common import BATCHES, SMOKE, Prepared, Size, make_problem, require
from .meters import Call

SQUARE = ("8x8",) if SMOKE else ("64x64", "768x768")
TORCH = ("bare core", "synapse", "synapse, torch.compile", "nn.Linear")
KERAS = ("synapse", "Dense")


def torch_step(kind: str, batch: int, layer: str) -> Call:
    """Forward and backward of a square layer, as in training."""
    torch = require("torch")
    problem = make_problem(f"{batch}x{layer}", "training")
    size = problem.size
    y, t = torch.from_numpy(problem.y), torch.from_numpy(problem.t)
    if kind == "bare core":
        alpha, beta = torch.ones(size.m), torch.from_numpy(problem.beta)

        return lambda: (
            syn.synapse_tensor(y, y, alpha, beta),
            syn.synapse_tensor_vjp(y, y, alpha, beta, t),
        )
    module = torch_layer(kind, size)
    y = y.requires_grad_()
    inputs = (y, *module.parameters())
    return lambda: torch.autograd.grad(module(y), inputs, t)


def torch_layer(kind: str, size: Size) -> Any:
    """A layer whose initial values are those of a user's."""
    torch, synann_torch = require("torch"), require("synann_torch")
    torch.manual_seed(0)
    if kind == "nn.Linear":
        return torch.nn.Linear(size.n, size.m)
    layer = synann_torch.Synapse(size.n, size.m)
    return torch.compile(layer, fullgraph=True) if "compile" in kind else layer


def torch_inference(kind: str, layer: str) -> Call:
    """One sample through a layer, without gradients."""
    torch = require("torch")
    problem = make_problem(f"1x{layer}")
    module, y = torch_layer(kind, problem.size), torch.from_numpy(problem.y)

    def call() -> object:
        with torch.no_grad():
            return module(y)

    return call


def keras_inference(kind: str, batch: int, layer: str) -> Call:
    """A batch through a layer of Keras, on the backend that KERAS_BACKEND names or torch."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras, synann_keras = require("keras"), require("synann_keras")
    problem = make_problem(f"{batch}x{layer}")
    module = (keras.layers.Dense if kind == "Dense" else synann_keras.Synapse)(problem.size.m)
    y = keras.ops.convert_to_tensor(problem.y)
    return lambda: np.asarray(keras.ops.convert_to_numpy(module(y)))


class TorchLayer(Prepared):
    """A training step of a square layer; the bare core has no logits to turn into strengths."""

    param_names = ("layer", "batch", "size")
    params = (TORCH, BATCHES[-1:], SQUARE)
    make = staticmethod(torch_step)

    def time_step(self, *params: object) -> None:
        """Time one step."""
        self.call()


class TorchInference(Prepared):
    """One sample, without gradients: what a call costs that has little to compute."""

    param_names = ("layer", "size")
    params = (("synapse", "nn.Linear"), SQUARE)
    make = staticmethod(torch_inference)

    def time_call(self, *params: object) -> None:
        """Time one call."""
        self.call()


class KerasLayer(Prepared):
    """A forward pass of a square layer."""

    param_names = ("layer", "batch", "size")
    params = (KERAS, BATCHES[-1:], SQUARE)
    make = staticmethod(keras_inference)

    def time_call(self, *params: object) -> None:
        """Time one call."""
        self.call()
