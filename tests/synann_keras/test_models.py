"""Keras' own checks of a layer, files, exports, the models and the recurrent cell."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase
from synann_keras import SynaCNN, SynaMLP, Synapse, SynaRNNCell

import synann_core as syn
from reference import tensor as reference
from tests.helpers import assert_close
from tests.synann_keras.keras_helpers import BACKEND, FLOAT32, gradients, randomise, to_numpy

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed"),  # by Keras' TestCase
    pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`"),
]

LAYERS = ("synapse", "dense", "none")
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.mark.parametrize(
    ("options", "weights"),
    [
        ({"units": 3}, 2),
        ({"units": 4, "alpha": False, "mask": np.eye(3, 4), "output": "surprisal"}, 2),
        ({"units": 4, "space": "surprisal", "theta_initializer": "ones"}, 3),
    ],
)
def test_keras_checks_of_a_layer(options, weights):
    TestCase().run_layer_test(
        Synapse,
        init_kwargs=options,
        input_shape=(2, 5, 3),
        expected_output_shape=(2, 5, options["units"]),
        expected_num_trainable_weights=weights,
        expected_num_non_trainable_weights=0,
        expected_num_seed_generators=0,
        expected_num_losses=0,
        supports_masking=True,
    )


def test_keras_checks_of_the_cell():
    TestCase().run_layer_test(
        keras.layers.RNN,
        init_kwargs={"cell": SynaRNNCell(4, kernel_regularizer="l2"), "return_sequences": True},
        input_shape=(2, 5, 3),
        expected_output_shape=(2, 5, 4),
        expected_num_trainable_weights=4,
        expected_num_non_trainable_weights=0,
        supports_masking=True,
    )


def test_masks_are_passed_on():
    y = np.random.default_rng(0).random((2, 4, 3)).astype(np.float32)
    y[1, 2:] = 0.0
    masking = keras.layers.Masking()
    result = Synapse(5)(masking(y))
    want = [[True] * 4, [True, True, False, False]]
    np.testing.assert_array_equal(to_numpy(keras.src.backend.get_keras_mask(result)), want)
    # A masked step leaves the state of a recurrent layer as it is.
    rnn = keras.layers.RNN(SynaRNNCell(3))
    assert_close(to_numpy(rnn(masking(y)))[1], to_numpy(rnn(y[1:, :2]))[0], 8 * FLOAT32)


@pytest.mark.parametrize("space", ["probability", "surprisal"])
def test_symbolic_shapes(space):
    """Batch, and steps, of any size; what the model then computes is what the layer computes."""
    inputs = keras.Input((None, 6))
    x = keras.Input((None, 4))
    layer = Synapse(4, space=space, output="surprisal", excitation="none")
    model = keras.Model([inputs, x], [layer(inputs), layer(inputs, x=x)])
    assert [o.shape for o in model.outputs] == [(None, None, 4)] * 2
    rng = np.random.default_rng(0)
    for shape in ((2, 3), (5, 1)):
        y, given = rng.random((*shape, 6)), rng.random((*shape, 4))
        alone, together = model.predict([y, given], verbose=0)
        assert_close(alone, to_numpy(layer(y)), 32 * FLOAT32)
        assert_close(together, to_numpy(layer(y, x=given)), 32 * FLOAT32)
    assert Synapse(4)(keras.KerasTensor((None, None, 6))).shape == (None, None, 4)
    assert tuple(Synapse(4)(np.ones(6, "float32")).shape) == (4,)


def network(**options):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((None, 6)),
            keras.layers.RNN(SynaRNNCell(5), return_sequences=True, name="rnn"),
            Synapse(4, mask=np.eye(5, 4), name="synapse", **options),
            keras.layers.Dense(3, name="dense"),
        ]
    )


def test_files(tmp_path):
    model = network(output="surprisal", beta_logit_regularizer="l2", alpha=False)
    randomise(model)
    y = np.random.default_rng(0).random((8, 4, 6))
    want = model.predict(y, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(y, verbose=0), want)
    assert again.get_layer("synapse").get_config() == model.get_layer("synapse").get_config()
    cells = [m.get_layer("rnn").cell for m in (again, model)]
    assert cells[0].get_config() == cells[1].get_config()
    model.save_weights(tmp_path / "model.weights.h5")
    fresh = network(output="surprisal", alpha=False)
    fresh.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(fresh.predict(y, verbose=0), want)


def rewrite(path, change_config=None, change_weights=None):
    """Change the contents of a .keras file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if change_config:
        config = json.loads(members["config.json"])
        change_config({layer["config"]["name"]: layer for layer in config["config"]["layers"]})
        members["config.json"] = json.dumps(config).encode()
    if change_weights:
        content = io.BytesIO(members["model.weights.h5"])
        with h5py.File(content, "r+") as file:
            change_weights(file["layers"])
        members["model.weights.h5"] = content.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_files_with_wrong_shapes(tmp_path):
    def of_other_shape(layers):
        del layers["synapse/vars/0"]
        layers["synapse/vars/0"] = np.zeros((5, 7), np.float32)

    def with_one_too_few(layers):
        del layers["synapse/vars/2"]

    def more_units(layers):
        layers["synapse"]["config"]["units"] = 9

    network().save(tmp_path / "good.keras")
    wrong_shape = r"shape=\(5, 4\), Received: value.shape=.*5, 7.*path=synapse/beta_logit"
    cases = [
        ({"change_weights": of_other_shape}, wrong_shape),
        ({"change_weights": with_one_too_few}, "expected 3 variables, but received 2"),
        ({"change_config": more_units}, r"`mask` must have shape \(input_dim, 9\)"),
    ]
    for change, message in cases:
        path = tmp_path / "bad.keras"
        path.write_bytes((tmp_path / "good.keras").read_bytes())
        rewrite(path, **change)
        with pytest.raises((ValueError, TypeError), match=message):
            keras.models.load_model(path)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a SavedModel is tensorflow's")
def test_saved_model(tmp_path):
    import tensorflow as tf

    model = network(output="surprisal")
    model.export(tmp_path / "model", format="tf_saved_model", verbose=False)
    exported = tf.saved_model.load(tmp_path / "model")
    for shape in ((3, 2), (1, 5)):
        y = np.random.default_rng(0).random((*shape, 6)).astype(np.float32)
        assert_close(to_numpy(exported.serve(y)), model.predict(y, verbose=0), 32 * FLOAT32)
    # Where β y is small, 1 − β y is 1: log1p must stay what it is.
    layer = Synapse(4, excitation="none", output="surprisal", alpha=False)
    model = keras.Sequential([keras.Input((6,)), layer])
    model.export(tmp_path / "small", format="tf_saved_model", verbose=False)
    y = np.float32(1e-9 * np.random.default_rng(0).random((3, 6)))
    exported = tf.saved_model.load(tmp_path / "small")
    got = to_numpy(exported.serve(y))
    assert_close(got, np.float64(y) @ to_numpy(layer.beta), 32 * FLOAT32)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="jax always does; torch has its own compiler")
def test_xla():
    """The same losses whether XLA compiles a step or not."""
    rng = np.random.default_rng(0)
    y, target = rng.random((8, 2, 6)), rng.random((8, 2, 3))
    losses = []
    for compiled in (True, False):
        model = network(output="surprisal")
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=compiled)
        history = model.fit(y, target, epochs=2, batch_size=8, verbose=0).history
        losses.append(history["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0][1] < losses[0][0]


@pytest.mark.skipif(BACKEND != "torch", reason="the compiler of torch")
def test_torch_compile():
    import torch

    layer = Synapse(4)
    y = torch.rand(8, 6)
    want = layer(y)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    assert_close(to_numpy(compiled(y)), to_numpy(want), 16 * FLOAT32)


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
    (lambda: SynaCNN(0), ValueError, "`in_channels` must be at least 1. Received: 0"),
    (lambda: SynaRNNCell(-2), ValueError, "`units` must be at least 1. Received: -2"),
]


@pytest.mark.parametrize(("make", "error", "message"), BAD_MODELS)
def test_bad_options(make, error, message):
    with pytest.raises(error, match=message):
        make()


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def test_cell_formula():
    rng = np.random.default_rng(0)
    cell = SynaRNNCell(4)
    rnn = keras.layers.RNN(cell, return_sequences=True, return_state=True)
    y = rng.normal(size=(3, 5, 6)).astype(np.float32)
    rnn(y)
    randomise(cell)
    assert {w.name: w.shape for w in cell.weights} == {
        "kernel": (6, 8),
        "recurrent_kernel": (4, 4),
        "bias": (8,),
        "beta_logit": (4, 4),
    }
    W, U, b = (to_numpy(w) for w in (cell.kernel, cell.recurrent_kernel, cell.bias))
    beta = sigmoid(to_numpy(cell.synapse.beta_logit)).T
    h, states = np.zeros((3, 4)), []
    for t in range(5):
        projected = np.float64(y[:, t]) @ W + b
        s = reference.synapse_tensor(sigmoid(projected[:, :4]), h, np.ones(4), beta)
        z = sigmoid(projected[:, 4:] + h @ U)
        h = (1 - z) * h + z * s
        states.append(h)
    got, last = rnn(y)
    assert_close(to_numpy(got), np.stack(states, axis=1), 100 * FLOAT32)
    assert_close(to_numpy(last), h, 100 * FLOAT32)
    with pytest.raises(ValueError, match=r"`inputs` must have shape \(..., 6\)"):
        rnn(y[..., :5])
    with pytest.raises(TypeError, match="`inputs` must have a real floating-point dtype"):
        cell(np.ones((3, 6), "int32"), [h])
    with pytest.raises(ValueError, match=r"`states` must have shape \(..., 4\)"):
        cell(y[:, 0], [h[:, :3]])
    with pytest.raises(ValueError, match="`inputs` must have a last axis of known size"):
        SynaRNNCell(4).build((None, None))


def test_cell_in_keras_layers():
    """Unrolled, stacked, in both directions: all as a plain loop."""
    y = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    cell = SynaRNNCell(3)
    want = to_numpy(keras.layers.RNN(cell)(y))
    assert_close(to_numpy(keras.layers.RNN(cell, unroll=True)(y)), want, 16 * FLOAT32)
    both = keras.layers.Bidirectional(keras.layers.RNN(SynaRNNCell(3)))
    both(y)
    both.backward_layer.set_weights(both.forward_layer.get_weights())
    assert_close(to_numpy(both(y))[:, 3:], to_numpy(both(y[:, ::-1]))[:, :3], 16 * FLOAT32)
    stacked = keras.layers.RNN([cell, SynaRNNCell(2)], return_state=True)(y)
    assert_close(to_numpy(stacked[1][0]), want, 16 * FLOAT32)
    assert tuple(stacked[0].shape) == (2, 2)


def test_cell_gradients_are_finite_differences():
    rnn = keras.layers.RNN(SynaRNNCell(3))
    rng = np.random.default_rng(0)
    y, upstream = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 3))
    rnn(np.float32(y))
    randomise(rnn, spread=0.3)
    got = gradients(rnn, y, upstream=upstream)

    def loss():
        return np.sum(upstream * to_numpy(rnn(ops.convert_to_tensor(y, dtype="float32"))))

    for weight, gradient in zip(rnn.trainable_weights, got[1:], strict=True):
        value, direction = to_numpy(weight), rng.normal(size=weight.shape)
        ends = []
        for sign in (1, -1):
            weight.assign(value + sign * 0.01 * direction)
            ends.append(loss())
        weight.assign(value)
        want = (ends[0] - ends[1]) / 0.02
        assert np.sum(gradient * direction) == pytest.approx(want, rel=2e-3, abs=2e-4)


def test_cell_keeps_probabilities_and_learns():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    y = rng.normal(size=(64, 6, 4)).astype(np.float32)
    labels = (y[:, -1, 0] > 0).astype(int)
    states = keras.layers.RNN(SynaRNNCell(16))(10 * y)
    assert 0.0 <= to_numpy(states).min() < to_numpy(states).max() <= 1.0
    model = keras.Sequential([keras.layers.RNN(SynaRNNCell(16)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.03), CROSS_ENTROPY)
    losses = model.fit(y, labels, epochs=30, batch_size=64, verbose=0).history["loss"]
    assert losses[-1] < 0.3 < losses[0]
