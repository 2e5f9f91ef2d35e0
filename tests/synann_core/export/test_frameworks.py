"""Weights trained in torch or Keras: in C, ONNX and JSON as the core's own."""

import keras
import numpy as np
import onnxruntime
import pytest
import safetensors.torch
import torch

import synann_core as syn
import synann_torch
from synann_core.export import load_json, save_c, save_json, save_onnx
from synann_keras import SynaMLP
from synann_keras.convert import to_core
from tests.export_models import compiled, rows
from tests.helpers import assert_close

# Keras asks NumPy for copies as it was before NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LAYERS = ("synapse", "dense", "none")


def check_exports(model, X, want, folder):
    """The model's C and JSON give these logits."""
    save_c(model, folder / "net.c", name="net")
    in_c = rows(compiled(folder / "net.c").net_logits, X, want.shape[1])
    assert_close(in_c, want, 2e-6)  # the framework's own rounding, too
    save_json(model, folder / "net.json")
    assert_close(load_json(folder / "net.json").decision_function(X), want, 2e-6)


@pytest.fixture(scope="module")
def data():
    X = np.random.default_rng(0).random((120, 6), dtype=np.float32)
    return X, (X[:, 0] > 0.5).astype(np.int64) + (X[:, 1] > 0.7)


@pytest.mark.parametrize("layer", LAYERS)
def test_torch(layer, data, tmp_path):
    torch.manual_seed(0)
    X, labels = (torch.from_numpy(a) for a in data)
    net = synann_torch.SynaMLP(6, 9, 3, layer=layer)
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(X), labels).backward()
        optimizer.step()
    safetensors.torch.save_file(net.state_dict(), tmp_path / "net.safetensors")
    model = syn.SynaMLP(6, 9, 3, layer=layer)
    model.load(tmp_path / "net.safetensors")
    with torch.no_grad():
        want = net.eval()(X).numpy()
    check_exports(model, data[0], want, tmp_path)
    if layer == "synapse":
        save_onnx(model, tmp_path / "net.onnx")
        session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
        assert_close(session.run(None, {"x": data[0]})[0], want, 2e-6)


@pytest.mark.parametrize(
    ("layer", "gate"), [("synapse", "sigmoid"), ("dense", "softmax"), ("none", "sigmoid")]
)
def test_keras(layer, gate, data, tmp_path):
    keras.utils.set_random_seed(0)
    X, labels = data
    net = SynaMLP(6, 9, 3, layer=layer, gate=gate, dropout=0.1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(0.02), loss)
    net.fit(X, labels, epochs=4, batch_size=30, verbose=0)
    model = to_core(net)
    assert (model.layer, model.gate, model.dropout) == (layer, gate, 0.1)
    check_exports(model, X, net.predict(X, verbose=0), tmp_path)
    # ... and on to torch, by the core's file
    model.save(tmp_path / "net.safetensors")
    again = synann_torch.SynaMLP(6, 9, 3, layer=layer, gate=gate)
    again.load_state_dict(safetensors.torch.load_file(tmp_path / "net.safetensors"), strict=False)
    with torch.no_grad():
        assert_close(again.eval()(torch.from_numpy(X)), net.predict(X, verbose=0), 2e-6)
