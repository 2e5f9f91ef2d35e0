"""Models and a compiler for the tests of exports."""

import ctypes
import functools
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

import synann_core as syn
from synann_core.export import load_json, save_json
from synann_core.graph import Circuit, SynapseGraph
from synann_core.spiking import LIF, Layer, SpikingNetwork, triangle


@functools.cache
def _trained(layer, gate, hidden):
    rng = np.random.default_rng(0)
    X = rng.random((300, 7))
    model = syn.SynaMLP(7, hidden, 3, layer=layer, gate=gate)
    model.fit(X, (X[:, 0] > 0.5).astype(int) + (X[:, 1] > 0.7), epochs=3)
    return model.weights, X


def fitted(layer="synapse", gate="sigmoid", hidden=30):
    """A new model whose running statistics are not the initial ones, and features.

    Some of its synapses are closed but for eps, of others 1 − βy rounds to 1.
    """
    weights, X = _trained(layer, gate, hidden)
    model = syn.SynaMLP(7, hidden, 3, layer=layer, gate=gate)
    model.weights = {name: weight.copy() for name, weight in weights.items()}
    if layer == "synapse":
        model.weights["synapse.beta_logit"][:3, :5] = 40.0
        model.weights["synapse.beta_logit"][3:6] = -40.0
    return model, X


def broken(key, value):
    """A model with a weight that files cannot hold."""
    model = fitted(hidden=3)[0]
    model.weights[key] = np.full_like(model.weights[key], value)
    return model


def strong():
    """A graph with a gain beyond float32, whose logarithm is not."""
    graph = SynapseGraph()
    graph.input("x")
    graph.synapse("z", excitatory="x", alpha=1e39)
    return graph


def odd_inputs(rng, rows, inputs, space):
    """Rows of ordinary inputs, of zeros, of ones, and one tiny input; of a graph in this space."""
    x = rng.random((rows, inputs))
    x[0], x[1], x[2, 0] = 0.0, 1.0, 1e-9
    if space == "surprisal":
        with np.errstate(divide="ignore"):
            x = 0.0 - np.log(x)
    return x


def random_graph(rng, inputs, neurons):
    """Any wiring: repeated inputs, neurons that read nothing, shared parameters, β of 0 and 1."""
    graph = SynapseGraph()
    names = [f"x{i}" for i in range(inputs)]
    graph.input(*names)
    gain, strength = graph.parameter("gain", 0.75), graph.parameter("strength", 0.4)
    for i in range(neurons):
        strong = [names[k] for k in rng.integers(0, len(names), rng.integers(0, 3))]
        weak = [names[k] for k in rng.integers(0, len(names), rng.integers(0, 6))]
        betas = [[rng.random(), 0.0, 1.0, strength][k] for k in rng.choice(4, len(weak), p=P)]
        alpha = gain if rng.random() < 0.3 else 0.5 + rng.random()
        pairs = list(zip(weak, betas, strict=True))
        names.append(graph.synapse(i, excitatory=strong, inhibitory=pairs, alpha=alpha))
    graph.output(*names[-3:], names[0])
    return graph


P = (0.7, 0.1, 0.1, 0.1)


FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-shared", "-fPIC"]


def compiled(source, flags=FLAGS):
    """The file's functions."""
    library = source.with_suffix(".so")
    subprocess.run(["gcc", *flags, "-o", library, source, "-lm"], check=True)
    return ctypes.CDLL(str(library))


def call(function, *arguments):
    function(*(a.ctypes.data_as(ctypes.c_void_p) if isinstance(a, np.ndarray) else a
               for a in arguments))  # fmt: skip


def rows(function, X, outputs, dtype=None):
    """The function on each row of X, whose dtype the outputs have if no other is given."""
    out = np.empty((len(X), outputs), dtype or X.dtype)
    for x, y in zip(X, out, strict=True):
        call(function, x, y)
    return out


def array_graph():
    """Shared and unused parameters, edges out of order, an output that is read."""
    return SynapseGraph.from_arrays(
        2,
        3,
        excitatory=([4, 2, 3], [3, 0, 2]),
        inhibitory=([3, 2, 3], [1, 1, 1]),
        beta=[0.25, 0.5, 1 / 3],
        beta_index=[2, 0, 2],
        alpha=[0.5, 0.75],
        alpha_index=[1, 1, 0],
        outputs=[4, 2],
    )


def small_mlp():
    return syn.SynaMLP(2, 2, 2, dropout=0.25)


def named_graph():
    return random_graph(np.random.default_rng(5), inputs=2, neurons=4)


def spiking():
    """Arrays of numbers, a neuron that never fires, recurrent and learned weights."""
    one = LIF(np.array([0.5, 0.75]), np.array([0.5, np.inf]), 0.25, reset="zero", gain=1.5)
    two = LIF(0.8, 0.7, order="immediate", surrogate=triangle(0.5), adaptation=0.1)
    layers = [Layer(2, one, kind="synapse"), Layer(2, two, recurrent=True, learn=("decay",))]
    return SpikingNetwork(3, layers, steps=5, loss="count")


def circuit(seed=6, inputs=4, states=3, neurons=8, clip=True):
    """Any wiring: one state may be another one, or the drive, a step ago."""
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, inputs=inputs, neurons=neurons)
    into = rng.permutation(graph.inputs)[:states].tolist()
    out = rng.permutation(np.array(graph.outputs, dtype=object))[:states].tolist()
    return Circuit(graph, dict(zip(into, out, strict=True)), clip=clip)


def evaluated(model):
    """What a model makes of numbers between 0.1 and 0.9."""
    if isinstance(model, syn.SynaMLP | SpikingNetwork):
        return model.predict(np.full((1, model.in_features), 0.5))
    if isinstance(model, Circuit):
        drive = np.linspace(0.2, 0.8, len(model.drives)) if model.drives else None
        return model.iterate(np.linspace(0.1, 0.9, len(model.states)), 3, drive=drive)
    return model.compile()(np.linspace(0.1, 0.9, len(model.inputs))[None, :])


MODELS = {
    "mlp": small_mlp, "graph": named_graph, "arrays": array_graph, "spiking": spiking,
    "circuit": circuit,
}  # fmt: skip


@functools.cache
def json_text(name):
    with tempfile.TemporaryDirectory() as folder:
        save_json(MODELS[name](), Path(folder, "model.json"))
        return Path(folder, "model.json").read_text()


def document(name):
    return json.loads(json_text(name))


def refusal(path):
    """The message of the one clear error."""
    with pytest.raises(ValueError, match=r"`path` must hold.*Received") as caught:
        load_json(path)
    message = str(caught.value)
    assert type(caught.value) is ValueError
    assert message.isprintable()  # one line, and nothing for a terminal to act on
    assert len(message) < 700 + len(str(path))
    assert repr(str(path)) in message
    return message
