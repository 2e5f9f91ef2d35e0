"""A training step of the article's spiking network, beside snnTorch and Norse; spike codes.

Batch 128, 784–1000–10, every image shown for 25 steps, the cross-entropy of the output's membrane
at every step: forward, backward and Adam. The codes are those that go through a signal in order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from synann_core.optim import Adam
from synann_core.spiking import (
    LIF,
    Layer,
    SpikingNetwork,
    arctan,
    bsa_encode,
    events_to_counts,
    step_forward_encode,
)

from .common import BACKENDS, SMOKE, Prepared, bind, require, without_kernels
from .meters import Call

BATCH, HIDDEN, STEPS = (4, 8, 3) if SMOKE else (128, 1000, 25)
FEATURES, CLASSES, DECAY, RATE = 784, 10, 0.95, 5e-4
SIGNALS = (20, 4) if SMOKE else (1000, 256)  # steps, channels


def problem(batch: int = BATCH) -> tuple[np.ndarray, np.ndarray]:
    """Images about as dark as MNIST's, and labels."""
    rng = np.random.default_rng(0)
    lit = rng.random((batch, FEATURES)) < 0.19
    x = np.where(lit, rng.random((batch, FEATURES)), 0.0).astype(np.float32)
    return x, rng.integers(0, CLASSES, batch)


def ours(batch: int = BATCH, hidden: int = HIDDEN) -> Call:
    """The library on NumPy arrays."""
    x, labels = problem(batch)
    neuron = LIF(DECAY, surrogate=arctan())
    network = SpikingNetwork(FEATURES, [Layer(hidden, neuron), Layer(CLASSES, neuron)], steps=STEPS)
    network.weights = {name: w.astype(np.float32) for name, w in network.weights.items()}
    rule = Adam(RATE)
    state = rule.init(network.weights)

    def call() -> object:
        nonlocal state
        loss, gradients = network.gradients(x, labels)
        network.weights, state = rule.update(network.weights, gradients, state, RATE)
        return loss

    return call


def without_compiled(batch: int = BATCH, hidden: int = HIDDEN) -> Call:
    """The library on NumPy arrays, without compiled loops."""
    call = ours(batch, hidden)
    return lambda: without_kernels(call)


def snntorch(batch: int = BATCH, hidden: int = HIDDEN, *, hoisted: bool = False) -> Call:
    """What snnTorch's tutorial does; or with the product of the constant input done once."""
    torch, snn = require("torch"), require("snntorch")
    first, second = torch.nn.Linear(FEATURES, hidden), torch.nn.Linear(hidden, CLASSES)
    lif1, lif2 = snn.Leaky(beta=DECAY), snn.Leaky(beta=DECAY)

    def forward(x: Any) -> Any:
        mem1, mem2, membranes = lif1.reset_mem(), lif2.reset_mem(), []
        constant = first(x) if hoisted else None
        for _ in range(STEPS):
            spikes, mem1 = lif1(first(x) if constant is None else constant, mem1)
            _, mem2 = lif2(second(spikes), mem2)
            membranes.append(mem2)
        return torch.stack(membranes)

    return _torch_step(forward, (first, second), batch)


def norse(batch: int = BATCH, hidden: int = HIDDEN) -> Call:
    """Norse's cells in the place of snnTorch's layers, as printed."""
    torch = require("torch")
    cells = require("norse.torch")
    first, second = torch.nn.Linear(FEATURES, hidden), torch.nn.Linear(hidden, CLASSES)
    lif1, lif2 = cells.LIFCell(), cells.LIFCell()

    def forward(x: Any) -> Any:
        state1, state2, membranes = None, None, []
        for _ in range(STEPS):
            spikes, state1 = lif1(first(x), state1)
            _, state2 = lif2(second(spikes), state2)
            membranes.append(state2.v)
        return torch.stack(membranes)

    return _torch_step(forward, (first, second), batch)


def _torch_step(forward: Any, layers: tuple[Any, ...], batch: int) -> Call:
    torch = require("torch")
    x, labels = map(torch.from_numpy, problem(batch))
    optimizer = torch.optim.Adam([p for layer in layers for p in layer.parameters()], lr=RATE)
    criterion = torch.nn.CrossEntropyLoss()

    def call() -> object:
        loss = torch.zeros(1)
        for membrane in forward(x):
            loss += criterion(membrane, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return call


OURS = "synann, NumPy"
CONTENDERS: dict[str, Callable[..., Call]] = {
    OURS: ours,
    "synann, NumPy, no kernels": without_compiled,
    "snnTorch as printed": snntorch,
    "snnTorch, first layer hoisted": functools.partial(snntorch, hoisted=True),
    "Norse as printed": norse,
}


class SpikingStep(Prepared):
    """Forward, backward and optimizer."""

    param_names = ("contender",)
    params = (tuple(CONTENDERS),)
    make = staticmethod(lambda name: CONTENDERS[name]())

    def time_step(self, name: str) -> None:
        """Time one step."""
        self.call()

    time_step.pretty_name = "Spiking network: a training step"

    def peakmem_step(self, name: str) -> None:
        """Peak memory of the process."""
        self.call()

    peakmem_step.pretty_name = "Spiking network: peak memory of a training step"


def sequential_code(code: str, backend: str) -> Call:
    """Encode smooth signals by step-forward or BSA."""
    steps, channels = SIGNALS
    rng = np.random.default_rng(0)
    phase = np.arange(steps)[:, None] * rng.uniform(0.01, 0.1, channels)
    x = (0.5 + 0.5 * np.sin(phase)).astype(np.float32)
    if code == "step forward":
        return bind(backend, functools.partial(step_forward_encode, threshold=0.1), x)
    kernel = np.hanning(22)[1:-1].astype(np.float32)
    return bind(backend, functools.partial(bsa_encode, threshold=0.9), x, kernel / kernel.sum())


class SequentialCode(Prepared):
    """Step-forward and BSA."""

    param_names = ("code", "backend")
    params = (("step forward", "bsa"), BACKENDS)
    make = staticmethod(sequential_code)

    def time_encode(self, code: str, backend: str) -> None:
        """Time one call."""
        self.call()

    time_encode.pretty_name = "Spike codes: a signal, step by step"


def count_events(how: str) -> Call:
    """Count a million events of a camera in frames, or add them up by NumPy."""
    rng = np.random.default_rng(0)
    steps, height, width = shape = (2, 4, 4) if SMOKE else (50, 480, 640)
    sizes = (steps, width, height, 2)
    t, x, y, p = (rng.integers(0, size, 100 if SMOKE else 10**6, np.int32) for size in sizes)
    signs = 2 * p - 1
    if how == "events_to_counts":
        return lambda: events_to_counts((t, x, y, signs), shape)

    def add() -> object:
        counts = np.zeros(shape)
        np.add.at(counts, (t, y, x), signs)
        return counts

    return add


class EventCounts(Prepared):
    """Events to frames."""

    param_names = ("how",)
    params = (("events_to_counts", "numpy.add.at"),)
    make = staticmethod(count_events)

    def time_count(self, how: str) -> None:
        """Time one call."""
        self.call()

    time_count.pretty_name = "Spike codes: a million events to frames"
