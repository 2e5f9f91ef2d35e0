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
KERAS_BACKENDS = ("torch", "jax", "tensorflow")
KERAS_STEPS = ("fit", "by hand")
KERAS_SIZES = ("4x8x8",) if SMOKE else ("512x768x768",)
KERAS_BATCHES = 8  # of the epoch that `fit` is timed on


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
    os.environ.setdefault("KERAS_BACKEND", KERAS_BACKENDS[0])
    keras, synann_keras = require("keras"), require("synann_keras")
    problem = make_problem(f"{batch}x{layer}")
    module = (keras.layers.Dense if kind == "Dense" else synann_keras.Synapse)(problem.size.m)
    y = keras.ops.convert_to_tensor(problem.y)
    return lambda: np.asarray(keras.ops.convert_to_numpy(module(y)))


def keras_step(layer: str, backend: str, step: str, size: str) -> Call:
    """Train a model that is one layer, by Adam on a squared error: `KERAS_BATCHES` batches a call.

    A process has one backend: the first that it is asked for, unless KERAS_BACKEND names another.
    """
    os.environ.setdefault("KERAS_BACKEND", backend)
    require(backend)
    keras, synann_keras = require("keras"), require("synann_keras")
    if keras.config.backend() != backend:
        raise NotImplementedError(f"this process runs Keras on {keras.config.backend()}")
    problem = make_problem(size, "training")
    keras.utils.set_random_seed(0)
    kind = keras.layers.Dense if layer == "Dense" else synann_keras.Synapse
    model = keras.Sequential([keras.Input((problem.size.n,)), kind(problem.size.m)])
    y, target = problem.y, np.abs(problem.t) / 8
    if step == "by hand":
        by_hand = {"torch": _torch_by_hand, "jax": _jax_by_hand, "tensorflow": _tensorflow_by_hand}
        once = by_hand[backend](model, y, target)
        return lambda: [once() for _ in range(KERAS_BATCHES)][-1]
    model.compile("adam", "mse")
    many = [np.concatenate([a] * KERAS_BATCHES) for a in (y, target)]
    return lambda: model.fit(*many, batch_size=problem.size.batch, shuffle=False, verbose=0)


def _torch_by_hand(model: Any, y: np.ndarray, target: np.ndarray) -> Call:
    torch, keras = require("torch"), require("keras")
    optimizer, weights = keras.optimizers.Adam(), model.trainable_weights
    y, target = torch.from_numpy(y), torch.from_numpy(target)

    def step() -> object:
        loss = torch.mean((model(y) - target) ** 2)
        gradients = torch.autograd.grad(loss, [weight.value for weight in weights])
        with torch.no_grad():
            optimizer.apply(gradients, weights)
        return float(loss.detach())

    return step


def _tensorflow_by_hand(model: Any, y: np.ndarray, target: np.ndarray) -> Call:
    tf, keras = require("tensorflow"), require("keras")
    optimizer, weights = keras.optimizers.Adam(), model.trainable_weights
    optimizer.build(weights)

    @tf.function
    def step(y: Any, target: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(y) - target) ** 2)
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        optimizer.apply(gradients, weights)
        return loss

    y, target = tf.constant(y), tf.constant(target)
    return lambda: float(step(y, target))


def _jax_by_hand(model: Any, y: np.ndarray, target: np.ndarray) -> Call:
    jax, keras = require("jax"), require("keras")
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_weights)

    def loss_of(weights: Any, y: Any, target: Any) -> Any:
        return jax.numpy.mean((model.stateless_call(weights, [], y)[0] - target) ** 2)

    @jax.jit
    def step(state: Any, y: Any, target: Any) -> Any:
        weights, moments = state
        loss, gradients = jax.value_and_grad(loss_of)(weights, y, target)
        return loss, optimizer.stateless_apply(moments, gradients, weights)

    y, target = map(jax.numpy.asarray, (y, target))
    variables = (model.trainable_weights, optimizer.variables)
    state: Any = tuple([variable.value for variable in group] for group in variables)

    def call() -> object:
        nonlocal state
        loss, state = step(state, y, target)
        return float(loss)

    return call


class TorchLayer(Prepared):
    """A training step of a square layer; the bare core has no logits to turn into strengths."""

    param_names = ("layer", "batch", "size")
    params = (TORCH, BATCHES[-1:], SQUARE)
    make = staticmethod(torch_step)

    def time_step(self, *params: object) -> None:
        """Time one step."""
        self.call()

    time_step.pretty_name = "PyTorch layers: a training step"


class TorchInference(Prepared):
    """One sample, without gradients: what a call costs that has little to compute."""

    param_names = ("layer", "size")
    params = (("synapse", "nn.Linear"), SQUARE)
    make = staticmethod(torch_inference)

    def time_call(self, *params: object) -> None:
        """Time one call."""
        self.call()

    time_call.pretty_name = "PyTorch layers: one row, without gradients"


class KerasLayer(Prepared):
    """A forward pass of a square layer."""

    param_names = ("layer", "batch", "size")
    params = (KERAS, BATCHES[-1:], SQUARE)
    make = staticmethod(keras_inference)

    def time_call(self, *params: object) -> None:
        """Time one call."""
        self.call()

    time_call.pretty_name = "Keras layers: a call without gradients"


class KerasStep(Prepared):
    """Steps of training on each backend, in a process of its own: batches of one epoch."""

    param_names = ("layer", "backend", "step", "size")
    params = (KERAS, KERAS_BACKENDS, KERAS_STEPS, KERAS_SIZES)
    make = staticmethod(keras_step)

    def time_steps(self, *params: object) -> None:
        """Time the batches of a call."""
        self.call()

    time_steps.pretty_name = "Keras: training steps by fit and by hand"
