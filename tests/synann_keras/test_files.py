"""Files of layers: what is saved is loaded, and what does not fit is refused."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from synann_keras import InitialBetaLogit, Synapse
from tests.synann_keras.keras_helpers import network, randomise

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


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


@pytest.mark.parametrize(
    "options",
    [{"output": "surprisal"}, {"space": "surprisal"}, {"excitation": "none"}, {"gate": "exp"}],
    ids=str,
)
def test_weights_of_another_computation_are_refused(options, tmp_path):
    def model_of(**options):
        return keras.Sequential([keras.Input((3,)), Synapse(3, name="synapse", **options)])

    path = tmp_path / "model.weights.h5"
    model_of(**options).save_weights(path)
    model_of(**options).load_weights(path)
    name, value = next(iter(options.items()))
    with pytest.raises(ValueError, match=rf"layer with {name} .*Received: {value!r}"):
        model_of().load_weights(path)
    # An older file does not say what its layers compute.
    with h5py.File(path, "r+") as file:
        del file["layers/synapse/vars/computes"]
    model_of().load_weights(path)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_checkpoints_of_callbacks(ending, tmp_path):
    """As the published script saves and restores them."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(5, activation="relu"),
            Synapse(
                5, gate="exp", output="surprisal", beta_logit_initializer=InitialBetaLogit(0.9)
            ),
            keras.layers.Dense(3),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    x, y = np.random.default_rng(0).random((32, 6)), np.arange(32) % 3
    path = tmp_path / f"best.{ending}"
    callbacks = [
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 * rate),
        keras.callbacks.ReduceLROnPlateau("loss", patience=1),
        keras.callbacks.ModelCheckpoint(path, monitor="loss", save_best_only=True),
    ]
    model.fit(x, y, epochs=2, callbacks=callbacks, verbose=0)
    again = keras.models.load_model(path, custom_objects={"Synapse": Synapse})
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert again.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))
