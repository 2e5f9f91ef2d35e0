"""ONNX files: run by onnxruntime, they compute what the models compute."""

import sys

import numpy as np
import onnx
import onnxruntime
import pytest

from synann_core import SynaMLP
from synann_core.export import save_onnx
from synann_core.graph import GraphParameters, SynapseGraph
from synann_core.spiking import LIF, Layer, SpikingNetwork, leaky_integrator
from tests.export_models import broken, fitted, odd_inputs, random_graph, strong
from tests.helpers import assert_close
from tests.synann_core.export.onnx.cases import run
from tests.synann_core.spiking.network.cases import make


@pytest.mark.parametrize(
    ("layer", "gate"),
    [("synapse", "sigmoid"), ("dense", "softmax"), ("none", "sigmoid")],
)
def test_networks(layer, gate, tmp_path):
    """Trained, with closed and with silent synapses; batches of any size."""
    model, X = fitted(layer, gate, hidden=33)
    path = tmp_path / "net.onnx"
    save_onnx(model, path)
    x = X.astype(np.float32)
    want = model.decision_function(x)
    for batch in (x, x[:1], x[:0]):
        assert_close(run(path, x=batch), want[: len(batch)], 1e-6)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    assert {s.domain for s in proto.opset_import} == {""}  # no operators but ONNX's own


def test_float64(tmp_path):
    model, X = fitted(hidden=5)
    save_onnx(model, tmp_path / "net.onnx", dtype="float64")
    got = run(tmp_path / "net.onnx", x=X)
    assert got.dtype == np.float64
    assert_close(got, model.decision_function(X), 1e-13)


@pytest.mark.parametrize("layer", ["synapse", "dense", "none"])
def test_networks_of_a_single_unit(layer, tmp_path):
    """The size of an axis of 1 is lost while ONNX's shapes are inferred."""
    model = SynaMLP(1, 1, 2, layer=layer)
    save_onnx(model, tmp_path / "net.onnx")
    x = np.array([[0.25], [0.75]], np.float32)
    assert_close(run(tmp_path / "net.onnx", x=x), model.decision_function(x), 1e-6)


@pytest.mark.parametrize("space", ["probability", "surprisal"])
def test_graphs(space, tmp_path):
    rng = np.random.default_rng(1)
    graph = random_graph(rng, inputs=4, neurons=14)
    x = odd_inputs(rng, 7, 4, space)
    compiled = graph.compile()
    save_onnx(graph, tmp_path / "graph.onnx", space=space)
    got = run(tmp_path / "graph.onnx", x=x.astype(np.float32))
    want = compiled(x.astype(np.float32), space=space)
    assert_close(got, want, 1e-6, scale=np.maximum(1.0, np.abs(np.nan_to_num(want, posinf=1.0))))


def test_a_trained_graph(tmp_path):
    graph = random_graph(np.random.default_rng(2), inputs=3, neurons=5)
    compiled = graph.compile()
    params = GraphParameters(compiled.params.alpha * 0.5, compiled.params.beta**2)
    save_onnx(graph, tmp_path / "graph.onnx", params=params, dtype="float64")
    x = np.random.default_rng(0).random((3, 3))
    assert_close(run(tmp_path / "graph.onnx", x=x), compiled(x, params), 1e-14)


def test_graphs_at_the_edges(tmp_path):
    """An output that is an input, a neuron that reads nothing, and a row that is empty."""
    graph = SynapseGraph()
    graph.input("x", "unused")
    graph.synapse("leak", alpha=0.25)
    graph.output("leak", "x")
    save_onnx(graph, tmp_path / "graph.onnx")
    x = np.array([[0.5, 0.1], [0.75, 0.2]], np.float32)
    assert run(tmp_path / "graph.onnx", x=x).tolist() == [[0.25, 0.5], [0.25, 0.75]]
    assert run(tmp_path / "graph.onnx", x=x[:0]).shape == (0, 2)


@pytest.mark.parametrize(
    ("write", "error", "message"),
    [
        (lambda p: save_onnx({}, p), TypeError, "`model`"),
        (lambda p: save_onnx(fitted()[0], p, dtype="float16"), ValueError, "`dtype`"),
        (lambda p: save_onnx(fitted()[0], p, space="log"), ValueError, "`space`"),
        (lambda p: save_onnx(fitted()[0], p, space="surprisal"), ValueError, "`space`"),
        (lambda p: save_onnx(fitted()[0], p, params=1), TypeError, "`params`"),
        (lambda p: save_onnx(SynapseGraph(), p, params=1), TypeError, "`params`"),
        (lambda p: save_onnx(SynapseGraph(), p, params=([1.0], [])), ValueError, "`alpha`"),
        (lambda p: save_onnx(strong(), p), ValueError, "`alpha`.*float32"),
        (lambda p: save_onnx(broken("output.bias", 1e39), p), ValueError, "`model`.*float32"),
        (lambda p: save_onnx(broken("output.bias", np.nan), p), ValueError, "`model`.*finite"),
    ],
)
def test_bad_input_is_refused(write, error, message, tmp_path):
    with pytest.raises(error, match=f"{message}.*Received"):
        write(tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_without_onnx_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "synann_core.export.onnx.graph")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install \"synann\[onnx\]\""):
        save_onnx(fitted(hidden=3)[0], tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "sequence", "number"),
    [
        ("article's", False, "float32"),
        ("learned", False, "float64"),
        ("norse", True, "float64"),
        ("adaptive", True, "float64"),
        ("synapse of spikes", True, "float64"),
    ],
)
def test_spiking_networks(kind, sequence, number, tmp_path):
    """The spikes and membranes of every step, in a loop of ONNX's own."""
    network, x, _ = make(kind, sequence=sequence)
    if number == "float32":
        network.weights = {key: weight.astype(number) for key, weight in network.weights.items()}
    path, x = tmp_path / "net.onnx", x.astype(number)
    save_onnx(network, path, dtype=number, sequence=sequence)
    session = onnxruntime.InferenceSession(path)
    for rows in (x, x[..., :1, :]):
        spikes, membranes = network.run(rows)[-1]
        found = session.run(["scores", "spikes", "membranes"], {"x": rows})
        np.testing.assert_array_equal(found[1], spikes)
        assert_close(found[2], membranes, 1e-5 if number == "float32" else 1e-13)
        assert_close(found[0], network.decision_function(rows), 1e-5)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    assert {s.domain for s in proto.opset_import} == {""}
    assert [node.op_type for node in proto.graph.node].count("Loop") == len(network.layers)


@pytest.mark.parametrize("sequence", [False, True])
def test_layers_of_one_neuron(sequence, tmp_path):
    """An axis of one entry, which a product of matrices must not forget."""
    recurrent = np.full((1, 1), 0.5)
    layers = [
        Layer(1, LIF(0.9, 0.2, 0.5, adaptation=0.1), recurrent=True),
        Layer(1, LIF(0.9, 0.2, recurrent=recurrent), kind="synapse"),
        Layer(2, kind="synapse"),
    ]
    network = SpikingNetwork(3, layers, steps=6)
    x = np.random.default_rng(0).random((6, 5, 3) if sequence else (5, 3))
    save_onnx(network, tmp_path / "net.onnx", dtype="float64", sequence=sequence)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    for rows in (x, x[..., :1, :]):
        spikes, membranes = session.run(["spikes", "membranes"], {"x": rows})
        want_spikes, want = network.run(rows)[-1]
        np.testing.assert_array_equal(spikes, want_spikes)
        assert_close(membranes, want, 1e-13)


def test_a_readout_without_threshold(tmp_path):
    network = SpikingNetwork(3, [Layer(4), Layer(2, leaky_integrator(0.9))], steps=6)
    x = np.random.default_rng(0).random((5, 3))
    save_onnx(network, tmp_path / "net.onnx", dtype="float64")
    found = onnxruntime.InferenceSession(tmp_path / "net.onnx").run(["spikes", "scores"], {"x": x})
    assert found[0].shape == (6, 5, 2)
    assert not found[0].any()
    assert_close(found[1], network.decision_function(x), 1e-13)


def test_sequences_are_for_spiking_networks(tmp_path):
    for model, sequence in ((fitted(hidden=3)[0], True), (make("article's")[0], "yes")):
        with pytest.raises(ValueError, match=r"`sequence` must be False.*Received"):
            save_onnx(model, tmp_path / "net.onnx", sequence=sequence)
