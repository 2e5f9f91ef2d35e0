"""LIF neurons beside snnTorch, Norse, SpikingJelly and sinabs: a wide layer, and a small network.

The layer is that of Open Neuromorphic's "SNN library benchmarks" (2023, updated 2024): 16,384
neurons, 500 steps, batch 16, and the gradient of the sum of all spikes. There a square Linear layer
stands in front, whose two products, the same for everyone, hide what the neurons take on a CPU;
`layer` can have it. The network is 784-256-10, with batches of 128 rate-coded images of 25 steps,
and the cross-entropy of the numbers of spikes. Everyone gets the same sequence of tensors, time
first; unlike a constant input it has to be multiplied at every step.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from synann_core.optim import Adam
from synann_core.spiking import LIF, Layer, SpikingNetwork

from .common import SMOKE, Prepared, require
from .meters import Call, Clock

STEPS, BATCH, NEURONS = (5, 2, 8) if SMOKE else (500, 16, 16384)
SHOWN, IMAGES, SIZES = (4, 3, (8, 6, 4)) if SMOKE else (25, 128, (784, 256, 10))
DECAY, RATE = 0.95, 5e-4
OURS, ON_NUMPY = "synann, torch", "synann, NumPy"

Run = Callable[[Any], Any]  # currents or spikes (steps, batch, n) to spikes, tensors


class Network(NamedTuple):
    """What makes currents of each layer's inputs, and the run of all layers, with neurons."""

    stages: list[Any]
    run: Run


def stages_of(sizes: tuple[int, ...]) -> list[Any]:
    """Linear layers between these sizes; for one size, only its neurons."""
    nn = require("torch").nn
    require("torch").manual_seed(0)
    return [nn.Linear(*pair) for pair in itertools.pairwise(sizes)] or [nn.Identity()]


def ours(sizes: tuple[int, ...]) -> Network:
    """The library's module, all steps at once."""
    spiking = require("synann_torch.spiking")
    stages = stages_of(sizes)
    neurons = [spiking.Spiking(LIF(DECAY)) for _ in stages]

    def run(x: Any) -> Any:
        for stage, neuron in zip(stages, neurons, strict=True):
            x, _, _ = neuron.sequence(stage(x))
        return x

    return Network(stages, run)


def snntorch(sizes: tuple[int, ...], *, compiled: bool = False) -> Network:
    """Its neurons step by step, as in its tutorials and in the public benchmark."""
    snn, stages = require("snntorch"), stages_of(sizes)
    neurons = [snn.Leaky(beta=DECAY) for _ in stages]
    return _by_steps(stages, neurons, compiled, lambda: [neuron.reset_mem() for neuron in neurons])


def norse(sizes: tuple[int, ...], *, compiled: bool = False) -> Network:
    """The cell that the public benchmark takes, which there sees all steps as one."""
    cells, torch, stages = require("norse.torch"), require("torch"), stages_of(sizes)
    parameters = cells.LIFBoxParameters(tau_mem_inv=torch.tensor(1000 * (1 - DECAY)))
    neurons = [cells.LIFBoxCell(parameters) for _ in stages]
    return _by_steps(stages, neurons, compiled, lambda: [None for _ in neurons])


def _by_steps(
    stages: list[Any], neurons: list[Any], compiled: bool, start: Callable[[], list[Any]]
) -> Network:
    torch = require("torch")
    if compiled:
        if SMOKE:
            raise NotImplementedError("compiling takes a minute")
        neurons = [torch.compile(neuron) for neuron in neurons]

    def run(x: Any) -> Any:
        states, shown = start(), []
        for spikes in x:
            for k, (stage, neuron) in enumerate(zip(stages, neurons, strict=True)):
                spikes, states[k] = neuron(stage(spikes), states[k])
            shown.append(spikes)
        return torch.stack(shown)

    return Network(stages, run)


def spikingjelly(sizes: tuple[int, ...], *, backend: str = "torch") -> Network:
    """Its neurons in their multi-step mode."""
    neuron = require("spikingjelly.activation_based.neuron")
    base = "spikingjelly.activation_based"
    functional, surrogate = require(f"{base}.functional"), require(f"{base}.surrogate")
    if backend != "torch" and SMOKE:
        raise NotImplementedError("compiling takes a minute")
    stages = stages_of(sizes)
    options = {"tau": 1 / (1 - DECAY), "decay_input": False, "v_reset": None, "detach_reset": True}
    options |= {"surrogate_function": surrogate.ATan(), "step_mode": "m"}
    neurons = [neuron.LIFNode(**options) for _ in stages]
    for own in neurons:
        own.backend = backend

    def run(x: Any) -> Any:
        for stage, own in zip(stages, neurons, strict=True):
            functional.reset_net(own)
            x = own(stage(x))
        return x

    return Network(stages, run)


def sinabs(sizes: tuple[int, ...]) -> Network:
    """Its layers, which take the batch first."""
    layers, stages = require("sinabs.layers"), stages_of(sizes)
    tau = -1 / math.log(DECAY)
    neurons = [layers.LIF(tau_mem=tau, norm_input=False) for _ in stages]

    def run(x: Any) -> Any:
        x = x.transpose(0, 1)
        for stage, neuron in zip(stages, neurons, strict=True):
            neuron.reset_states()
            x = neuron(stage(x))
        return x.transpose(0, 1)

    return Network(stages, run)


NETWORKS: dict[str, Callable[[tuple[int, ...]], Network]] = {
    OURS: ours,
    "snnTorch": snntorch,
    "snnTorch, compiled": functools.partial(snntorch, compiled=True),
    "Norse": norse,
    "Norse, compiled": functools.partial(norse, compiled=True),
    "SpikingJelly": spikingjelly,
    "SpikingJelly, inductor": functools.partial(spikingjelly, backend="inductor"),
    "sinabs": sinabs,
}
NAMES = (OURS, ON_NUMPY, *itertools.islice(NETWORKS, 1, None))


def layer(
    name: str,
    neurons: int = NEURONS,
    steps: int = STEPS,
    batch: int = BATCH,
    *,
    linear: bool = False,
    clock: Clock = time.perf_counter,
) -> Callable[[], tuple[float, float]]:
    """Return a call that runs a layer forward and backward, and returns the seconds of both.

    Without a Linear layer in front there are gradients of the currents; with it, of its weights.
    """
    rng = np.random.default_rng(0)
    x = rng.standard_normal((steps, batch, neurons), dtype=np.float32)
    x *= np.float32(0.5)
    if name == ON_NUMPY:
        if linear:
            raise NotImplementedError("a Linear layer is torch's")
        return functools.partial(_layer_on_numpy, x, clock)
    torch = require("torch")
    stages, run = NETWORKS[name]((neurons, neurons) if linear else (neurons,))
    x = torch.from_numpy(x).requires_grad_(not linear)

    def call() -> tuple[float, float]:
        start = clock()
        spikes = run(x)
        middle = clock()
        spikes.sum().backward()
        end = clock()
        x.grad = None
        for stage in stages:
            stage.zero_grad()
        return middle - start, end - middle

    return call


def _layer_on_numpy(x: np.ndarray, clock: Clock) -> tuple[float, float]:
    neuron, start = LIF(DECAY), clock()
    _, record = neuron.run(x)
    middle = clock()
    neuron.vjp(record, spikes=1.0)
    return middle - start, clock() - middle


def problem(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Spikes as rate-coded images have them, (steps, batch, inputs), and labels."""
    rng = np.random.default_rng(0)
    rates = np.where(rng.random((batch, SIZES[0])) < 0.19, rng.random((batch, SIZES[0])), 0.0)
    spikes = rng.random((SHOWN, batch, SIZES[0])) < rates
    return spikes.astype(np.float32), rng.integers(0, SIZES[-1], batch)


def training(name: str, batch: int = IMAGES) -> Call:
    """Forward, backward and Adam."""
    x, labels = problem(batch)
    if name == ON_NUMPY:
        return _training_on_numpy(x, labels)
    torch = require("torch")
    stages, run = NETWORKS[name](SIZES)
    x, labels = torch.from_numpy(x), torch.from_numpy(labels)
    rule = torch.optim.Adam([p for stage in stages for p in stage.parameters()], lr=RATE)

    def call() -> object:
        loss = torch.nn.functional.cross_entropy(run(x).sum(0), labels)
        rule.zero_grad()
        loss.backward()
        rule.step()
        return loss

    return call


def _on_numpy() -> SpikingNetwork:
    features, *units = SIZES
    layers = [Layer(n, LIF(DECAY)) for n in units]
    network = SpikingNetwork(features, layers, steps=SHOWN, loss="count")
    network.weights = {name: w.astype(np.float32) for name, w in network.weights.items()}
    return network


def _training_on_numpy(x: np.ndarray, labels: np.ndarray) -> Call:
    network, rule = _on_numpy(), Adam(RATE)
    state = rule.init(network.weights)

    def call() -> object:
        nonlocal state
        loss, gradients = network.gradients(x, labels)
        network.weights, state = rule.update(network.weights, gradients, state, RATE)
        return loss

    return call


def inference(name: str, batch: int = IMAGES) -> Call:
    """Classes by the numbers of spikes, without a graph for gradients."""
    x, _ = problem(batch)
    if name == ON_NUMPY:
        return functools.partial(_on_numpy().predict, x, readout="count")
    torch = require("torch")
    run, x = NETWORKS[name](SIZES).run, torch.from_numpy(x)

    def call() -> object:
        with torch.no_grad():
            return run(x).sum(0).argmax(1)

    return call


USES: dict[str, Callable[..., Call]] = {"training": training, "inference": inference}


class SpikingLayer(Prepared):
    """A wide layer, forward and backward."""

    param_names = ("contender",)
    params = (NAMES,)
    make = staticmethod(layer)
    repeat = 3
    timeout = 1200

    def time_layer(self, name: str) -> None:
        """Time one run."""
        self.call()

    time_layer.pretty_name = "Spiking layer: 16,384 neurons, 500 steps, forward and backward"

    def peakmem_layer(self, name: str) -> None:
        """Peak memory of the process."""
        self.call()

    peakmem_layer.pretty_name = "Spiking layer: peak memory of 16,384 neurons, 500 steps"


class SmallSpikingNetwork(Prepared):
    """A training step, and an inference."""

    param_names = ("use", "contender")
    params = (tuple(USES), NAMES)
    make = staticmethod(lambda use, name: USES[use](name))
    timeout = 600

    def time_network(self, use: str, name: str) -> None:
        """Time one batch."""
        self.call()

    time_network.pretty_name = "Spiking network 784-256-10 beside other libraries"
