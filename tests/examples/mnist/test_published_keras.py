"""The published Keras network and its callbacks, on a few small drawings."""

import json

import keras
import numpy as np
import pytest

from mnist import mnist_keras, published_keras
from mnist.files import load_mnist
from synann_keras import Synapse
from tests.examples.mnist.test_mnist_keras import drawings, train

__all__ = ["drawings"]  # a fixture

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SMALL = ((4, 3, 1), (6, 5, 2), (8, 5, 2), (24, 7, 1))


@pytest.mark.parametrize("layer", ["synapse", "dense", "none"])
def test_it_has_the_published_number_of_parameters(layer):
    model = published_keras.build(layer, (28, 28), 10)
    counts = {"synapse": 5_124_878, "dense": 5_125_662, "none": 4_510_222}
    assert sum(int(np.prod(w.shape)) for w in model.trainable_variables) == counts[layer]
    assert model.output_shape == (None, 10)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_it_trains_restores_and_tests(drawings, tmp_path, monkeypatch, capsys, ending):
    monkeypatch.setattr(published_keras, "CONVOLUTIONS", SMALL)
    options = ["--recipe", "published", "--epochs", "12", "--batch-size", "22"]
    options += ["--learning-rate", "0.01", "--eval-batch", "40", "7", "--checkpoint", ending]
    results = train(drawings, tmp_path, *options)
    assert results == json.loads((tmp_path / "results.json").read_text())
    assert results["test_accuracy"] > 0.5
    assert f"test accuracy {100 * results['test_accuracy']:.2f} %" in capsys.readouterr().out
    history = results["history"]
    assert len(history) == 12
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"} <= history[0].keys()
    rates = [entry["learning_rate"] for entry in history]
    assert rates[1] == pytest.approx(0.9 * rates[0])
    best = history[results["best_epoch"] - 1]
    assert best["val_accuracy"] == max(entry["val_accuracy"] for entry in history)
    assert (tmp_path / "learning-curves.png").read_bytes()[:4] == b"\x89PNG"
    data = load_mnist(drawings)
    x = data.test_x.reshape(-1, *data.image_shape, 1)
    restored = keras.models.load_model(
        tmp_path / f"best.{ending}", custom_objects={"Synapse": Synapse}
    )
    logits = restored.predict(x, verbose=0)
    again = published_keras.restore(tmp_path / f"last.{ending}")
    assert again.predict(x, verbose=0).shape == (40, 10)
    assert type(again.optimizer) is type(keras.optimizers.AdamW())
    predictions = np.loadtxt(tmp_path / "predictions.csv", delimiter=",", skiprows=1)[:, 2]
    assert np.mean(logits.argmax(axis=1) == predictions) > 0.97  # up to rounding, at a tie
    with pytest.raises(SystemExit, match=r"--output: .* holds a run; name another folder"):
        train(drawings, tmp_path, *options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--recipe", "published", "--model", "mlp"), "argument --recipe: only --model cnn"),
        (("--recipe", "published", "--resume"), "argument --resume: a run by Keras' callbacks"),
    ],
)
def test_options_that_do_not_fit_are_named(options, text, capsys):
    with pytest.raises(SystemExit):
        mnist_keras.main(list(options))
    assert text in capsys.readouterr().err.splitlines()[-1]
