"""SynaMLP and SynaCNN in Keras."""

import keras
import numpy as np
import pytest

import synann_core as syn
from synann_keras import SynaCNN, SynaMLP, SynapseConv2d
from tests.helpers import assert_close
from tests.synann_keras.keras_helpers import FLOAT32

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed"),  # by Keras' TestCase
    pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`"),
]

LAYERS = ("synapse", "dense", "none")
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("gate", ["sigmoid", "softmax"])
def test_mlp_is_the_cores(layer, gate, tmp_path):
    """The weights of `synann_core.SynaMLP` under the same names give the same logits."""
    model = SynaMLP(6, 5, 3, layer=layer, gate=gate, dropout=0.5)
    rng = np.random.default_rng(0)
    X = rng.random((40, 6)).astype(np.float32)
    core = syn.SynaMLP(6, 5, 3, layer=layer, gate=gate)
    core.fit(X, np.arange(40) % 3, epochs=2, batch_size=10)
    for name, value in core.weights.items():
        place, kind = name.split(".")
        weights = {w.name: w for w in model.get_layer(place).weights}
        kinds = {"running_mean": "moving_mean", "running_var": "moving_variance"}
        if place.startswith("norm"):
            kinds |= {"weight": "gamma", "bias": "beta"}
        else:
            kinds |= {"weight": "kernel"}
        weights[kinds.get(kind, kind)].assign(np.asarray(value).T)
    want = core.decision_function(X)
    got = model.predict(X, verbose=0)
    assert_close(got, want, 1000 * FLOAT32)
    if layer == "synapse":
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(again.predict(X, verbose=0), got)


@pytest.mark.parametrize("layer", LAYERS)
def test_cnn(layer):
    model = SynaCNN(1, 3, width=2, hidden=8, layer=layer)
    assert model.output_shape == (None, 3)
    names = {w.path.split("/")[0] for w in model.weights}
    middle = set() if layer == "none" else {layer}
    assert names >= {"conv1", "conv5_norm", "hidden", "norm1", "norm2", "output"} | middle


def test_convolutions_of_synapses():
    model = SynaCNN(1, 3, width=2, hidden=8, convolution="synapse")
    layers = [model.get_layer(f"conv{k}") for k in range(1, 6)]
    assert [isinstance(layer, SynapseConv2d) for layer in layers] == [False] + 4 * [True]
    images = np.random.default_rng(0).random((2, 8, 9, 1)).astype(np.float32)
    assert np.isfinite(keras.ops.convert_to_numpy(model(images))).all()


def test_cnn_learns():
    keras.utils.set_random_seed(0)
    model = SynaCNN(1, 3, width=2, hidden=8)
    rng = np.random.default_rng(0)
    images, labels = rng.random((30, 9, 8, 1)).astype(np.float32), np.arange(30) % 3
    images[:, 3:6, 3:6, 0] += labels[:, None, None]
    model.compile(keras.optimizers.Adam(0.02), CROSS_ENTROPY)
    losses = model.fit(images, labels, epochs=40, batch_size=30, verbose=0).history["loss"]
    assert losses[-1] < 0.5 < losses[0]


BAD_MODELS = [
    (lambda: SynaMLP(0, 5, 3), ValueError, "`in_features` must be at least 1. Received: 0"),
    (lambda: SynaMLP(6, 2.5, 3), TypeError, "`hidden` must be an int. Received: 2.5"),
    (lambda: SynaMLP(6, 5, 1), ValueError, "`classes` must be at least 2. Received: 1"),
    (lambda: SynaMLP(6, 5, 3, layer="lstm"), ValueError, "`layer` must be one of"),
    (lambda: SynaMLP(6, 5, 3, gate="relu"), ValueError, "`gate` must be one of"),
    (lambda: SynaCNN(width=0), ValueError, "`width` must be at least 1. Received: 0"),
    (lambda: SynaCNN(convolution="dense"), ValueError, "`convolution` must be one of"),
    (lambda: SynaCNN(0), ValueError, "`in_channels` must be at least 1. Received: 0"),
]


@pytest.mark.parametrize(("make", "error", "message"), BAD_MODELS)
def test_bad_options(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "model",
    [
        lambda: SynaMLP(6, 5, 3, layer="dense", gate="softmax", dropout=0.5, name="mine"),
        lambda: SynaCNN(2, 3, width=4, hidden=5, layer="none", dropout=0.25),
        lambda: SynaCNN(2, 3, width=4, hidden=5, convolution="synapse"),
    ],
)
def test_configurations(model):
    model = model()
    kind = type(model)
    assert keras.saving.get_registered_name(kind) == f"synann>{kind.__name__}"
    again = kind.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert again.name == model.name
    assert [w.path for w in again.weights] == [w.path for w in model.weights]


def test_cnn_of_file(tmp_path):
    model = SynaCNN(1, 3, width=2, hidden=8)
    images = np.random.default_rng(0).random((4, 9, 8, 1)).astype(np.float32)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        again.predict(images, verbose=0), model.predict(images, verbose=0)
    )
    assert type(again) is SynaCNN
