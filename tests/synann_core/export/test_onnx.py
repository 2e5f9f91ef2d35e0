"""ONNX files: run by onnxruntime, they compute what the models compute."""

import sys

import numpy as np
import onnx
import onnxruntime
import pytest

import synann_core as syn
from synann_core import tensor, transmission
from synann_core.export import save_onnx
from synann_core.export.onnx import traced
from synann_core.graph import GraphParameters, SynapseGraph
from tests.export_models import fitted, random_graph
from tests.helpers import EPS, assert_close, assert_relative, spread


def run(data, **inputs):
    """Outputs of onnxruntime."""
    session = onnxruntime.InferenceSession(data)
    (output,) = session.run(None, inputs)
    return output


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


def points(n):
    """Rows of ordinary inputs, of tiny ones, and with closed factors; β likewise."""
    rng = np.random.default_rng(0)
    y, beta = rng.random((9, n)), rng.random((6, n))
    y[3:6] = spread(rng, 1e-30, 1e-8, (3, n))
    beta[:2] = spread(rng, 1e-9, 1e-3, (2, n))
    y[8, 0] = beta[5, 0] = 1.0
    return y.astype(np.float32), beta.astype(np.float32)


@pytest.mark.parametrize("n", [1, 3, 70])
def test_the_log_transmission_keeps_small_terms(n):
    y, beta = points(n)

    def formula(y, *, xp):
        return transmission._log_transmission(y, xp.asarray(beta), xp=xp)

    got = run(traced(formula, {"y": (n,)}, "T", "float32"), y=y)
    want = syn.log_transmission(y.astype(np.float64), beta.astype(np.float64))
    assert (want[3:6] < 0).all()
    assert (want[3:6, :2] > -1e-9).all()
    assert_relative(got, want, 2 * (10 + n**0.5) * EPS["float32"])


def test_the_surprisal_synapse_tensor():
    """From γ + v near 0, where e^(−v) would round to 1, to where e^(−γ−v) is tiny."""
    rng = np.random.default_rng(0)
    m, n = 5, 70
    u, v = (spread(rng, 1e-6, 60.0, (8, size)).astype(np.float32) for size in (m, n))
    theta = rng.random(m).astype(np.float32)
    gamma = spread(rng, 1e-6, 60.0, (m, n)).astype(np.float32)
    v[0, 0] = gamma[1, 0] = 0.0

    def formula(u, v, *, xp):
        constants = xp.asarray(theta), xp.asarray(gamma)
        return tensor._surprisal_synapse_tensor(u, v, *constants, xp=xp)

    got = run(traced(formula, {"u": (m,), "v": (n,)}, "z", "float32"), u=u, v=v)
    exact = (a.astype(np.float64) for a in (u, v, theta, gamma))
    want = syn.surprisal_synapse_tensor(*exact)
    assert np.isinf(want[0, 1])
    assert_relative(got, want, 2 * (10 + n**0.5) * EPS["float32"])


def test_the_synapse_tensor():
    y, beta = points(33)
    alpha = np.linspace(0.5, 1.5, 6, dtype=np.float32)

    def formula(x, y, *, xp):
        return tensor._synapse_tensor(x, y, xp.asarray(alpha), xp.asarray(beta), xp=xp)

    x = y[:, :6]
    got = run(traced(formula, {"x": (6,), "y": (33,)}, "s", "float32"), x=x, y=y)
    exact = (a.astype(np.float64) for a in (x, y, alpha, beta))
    assert_relative(got, syn.synapse_tensor(*exact), 1e-5)  # |T| is up to 30


@pytest.mark.parametrize("space", ["probability", "surprisal"])
def test_graphs(space, tmp_path):
    rng = np.random.default_rng(1)
    graph = random_graph(rng, inputs=4, neurons=14)
    x = rng.random((7, 4))
    x[0], x[1], x[2, 0] = 0.0, 1.0, 1e-9
    if space == "surprisal":
        with np.errstate(divide="ignore"):
            x = 0.0 - np.log(x)
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
    ],
)
def test_bad_input_is_refused(write, error, message, tmp_path):
    with pytest.raises(error, match=f"{message}.*Received"):
        write(tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_without_ndonnx_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ndonnx", None)
    with pytest.raises(ImportError, match=r"pip install \"synann\[onnx\]\""):
        save_onnx(fitted(hidden=3)[0], tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())
