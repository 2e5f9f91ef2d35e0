"""The Keras example, on a few small drawings in place of MNIST, on the backend of this process."""

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import torch

from mnist import mnist_keras, mnist_torch, training
from mnist.checkpoints import RunError, load_checkpoint
from mnist.files import load_mnist
from mnist.mnist_keras import MODELS, KerasTrainer, affine, build
from mnist.recipes import LAYERS, RECIPES
from tests.examples.mnist.idx_files import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, idx
from tests.helpers import assert_same

# Keras asks NumPy for an array in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SCRIPT = Path(mnist_keras.__file__)
COMBINATIONS = [(model, layer) for model in MODELS for layer in LAYERS[model]]
SHAPE = (16, 16)
STILL = {"shift": 0.0, "turn": 0.0, "scale": 0.0, "shear": 0.0}


@pytest.fixture(autouse=True)
def _own_random_numbers():
    state = random.getstate()
    with torch.random.fork_rng():
        yield
    random.setstate(state)


def drawings_of(count, seed):
    """Images and labels: the class is the place of a bright bar, in noise."""
    y = np.arange(count) % 10
    x = np.random.default_rng(seed).integers(0, 60, (count, *SHAPE))
    for image, label in zip(x, y, strict=True):
        top, left = 2 + 7 * (label // 5), 1 + 3 * (label % 5)
        image[top : top + 5, left : left + 2] = 255
    return x, y


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """Folder of the four files."""
    folder = tmp_path_factory.mktemp("mnist")
    parts = ((264, TRAIN_IMAGES, TRAIN_LABELS), (40, TEST_IMAGES, TEST_LABELS))
    for seed, (count, images, labels) in enumerate(parts):
        x, y = drawings_of(count, seed)
        (folder / images).write_bytes(idx(x))
        (folder / labels).write_bytes(idx(y))
    return folder


def train(drawings, output, *options):
    return mnist_keras.main(["--data-dir", str(drawings), "--output", str(output), *options])


def arrays_of(folder, name="last.safetensors"):
    return load_checkpoint(folder / name)[0]


@pytest.mark.parametrize(("model", "layer"), COMBINATIONS)
def test_every_model_trains_and_leaves_its_files(drawings, tmp_path, capsys, model, layer):
    options = ["--model", model, "--layer", layer, "--epochs", "2", "--batch-size", "22"]
    results = train(drawings, tmp_path, *options)
    assert results == json.loads((tmp_path / "results.json").read_text())
    first, second = results["history"]
    assert second["loss"] < first["loss"]
    settings = results["settings"]
    assert (settings["model"], settings["layer"], settings["epochs"]) == (model, layer, 2)
    assert settings["recipe"] == f"{model}-keras-{keras.config.backend()}"
    assert {"learning_rate", "weight_decay", "seed", "data"} <= settings.keys()
    trained = build(model, layer, SHAPE, 10).trainable_variables
    assert results["parameters"] == sum(int(np.prod(w.shape)) for w in trained)
    for name in ("learning-curves.png", "confusion-matrix.png"):
        assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"
    assert f"test accuracy {100 * results['test_accuracy']:.2f} %" in capsys.readouterr().out


def test_the_best_weights_predict_alike_in_any_batch(drawings, tmp_path):
    options = ["--model", "mlp", "--epochs", "12", "--batch-size", "22", "--eval-batch", "40", "7"]
    results = train(drawings, tmp_path, *options)
    assert results["test_accuracy"] > 0.8
    losses = [score["loss"] for score in results["test"]]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    model = build("mlp", "synapse", SHAPE, 10)
    trainer = KerasTrainer(model, RECIPES["mlp"], SHAPE, 5)
    trainer.load_weights(arrays_of(tmp_path, "best.safetensors"))
    logits = trainer.predict(load_mnist(drawings).test_x, 1000)
    predictions = np.loadtxt(tmp_path / "predictions.csv", delimiter=",", skiprows=1)[:, 2]
    assert np.mean(logits.argmax(axis=1) == predictions) > 0.97  # up to rounding, at a tie


def interrupted(drawings, output, options, monkeypatch, after):
    """Train until so many batches are done, then break off."""
    steps = []

    def step(self, *args, **kwargs):
        if len(steps) == after:
            raise KeyboardInterrupt
        steps.append(None)
        return own_step(self, *args, **kwargs)

    own_step = keras.Model.train_on_batch
    with monkeypatch.context() as patched:
        patched.setattr(keras.Model, "train_on_batch", step)
        with pytest.raises(KeyboardInterrupt):
            train(drawings, output, *options)


# With dropout and augmentation, and without either.
@pytest.mark.parametrize("model", ["mlp", "rnn"])
def test_an_interrupted_run_ends_as_if_nothing_had_happened(drawings, tmp_path, monkeypatch, model):
    options = ["--model", model, "--epochs", "2", "--batch-size", "22"]
    expected = train(drawings, tmp_path / "whole", *options)
    interrupted(drawings, tmp_path / "broken", options, monkeypatch, after=16)  # of 11 an epoch
    results = train(drawings, tmp_path / "broken", *options, "--resume")
    for name in ("last.safetensors", "best.safetensors"):
        assert_same(arrays_of(tmp_path / "broken", name), arrays_of(tmp_path / "whole", name))
    assert results["test"] == expected["test"]
    assert results["best_epoch"] == expected["best_epoch"]


@pytest.mark.parametrize("lost", ["dropout", "optimizer", "batches", "steps"])
def test_a_resumed_run_needs_all_that_is_saved(drawings, tmp_path, monkeypatch, lost):
    """Whatever the checkpoint does not bring back, the comparison above would notice."""
    options = ["--model", "mlp", "--epochs", "2", "--batch-size", "44"]
    train(drawings, tmp_path / "whole", *options)
    interrupted(drawings, tmp_path / "broken", options, monkeypatch, after=6)  # of 5 an epoch
    load_state = KerasTrainer.load_state

    def forget(self, arrays, numbers):
        fresh_arrays, fresh_numbers = self.state()
        parts = ("seed_generator", "rng.") if lost == "dropout" else (f"{lost}.",)
        forgotten = {k: v for k, v in fresh_arrays.items() if any(part in k for part in parts)}
        numbers = {k: fresh_numbers[k] if k == lost else v for k, v in numbers.items()}
        assert forgotten or lost in numbers
        load_state(self, {**arrays, **forgotten}, numbers)

    monkeypatch.setattr(KerasTrainer, "load_state", forget)
    train(drawings, tmp_path / "broken", *options, "--resume")
    broken, whole = arrays_of(tmp_path / "broken"), arrays_of(tmp_path / "whole")
    assert not np.array_equal(broken["model.0.kernel"], whole["model.0.kernel"])


def test_another_backend_trains_in_a_process_of_its_own(drawings, tmp_path):
    backend = "torch" if keras.config.backend() == "jax" else "jax"
    options = ["--data-dir", str(drawings), "--output", str(tmp_path), "--model", "mlp"]
    options += ["--epochs", "2", "--batch-size", "44"]
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": "0"}
    subprocess.run([sys.executable, SCRIPT, *options], env=environment, check=True, timeout=200)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["backend"] == backend
    assert results["history"][1]["loss"] < results["history"][0]["loss"]
    # What was begun on another backend is not continued on this one.
    with pytest.raises(SystemExit, match=f"--resume: .* has recipe mlp-keras-{backend}, not"):
        mnist_keras.main([*options, "--resume"])


def data_and_trainer(model="rnn", layer="synapse", **changes):
    x, y = drawings_of(40, 0)
    recipe = replace(RECIPES[model], **{**STILL, "batch_size": 10, "epochs": 2, **changes})
    keras.utils.set_random_seed(0)
    trainer = KerasTrainer(build(model, layer, SHAPE, 10), recipe, SHAPE, 0)
    return (x.reshape(40, -1) / 255).astype(np.float32), y, trainer


def test_losses_are_of_one_batch_and_the_rate_follows_the_cycle(monkeypatch):
    x, y, trainer = data_and_trainer()
    expected, rates = [], []
    own_step = keras.Model.train_on_batch

    def step(self, images, labels, **options):
        logits = keras.ops.convert_to_numpy(self(images, training=True))
        loss = training.cross_entropy(logits, labels)
        expected.append((10, pytest.approx(loss, rel=1e-4), (logits.argmax(1) == labels).sum()))
        rates.append(float(keras.ops.convert_to_numpy(trainer.optimizer.learning_rate)))
        return own_step(self, images, labels, **options)

    monkeypatch.setattr(keras.Model, "train_on_batch", step)
    seen = [batch for _ in range(2) for batch in trainer.train_epoch(x, y)]
    assert seen == expected
    assert len({loss for _, loss, _ in seen}) == 8
    peak = RECIPES["rnn"].learning_rate
    np.testing.assert_allclose(rates, [peak * training.cosine_cycle(k / 8) for k in range(8)])


def test_weight_decay_spares_norms_biases_and_synapses():
    trained = []
    for weight_decay in (0.0, 10.0):
        x, y, trainer = data_and_trainer("cnn", epochs=1, batch_size=40, weight_decay=weight_decay)
        assert len(list(trainer.train_epoch(x, y))) == 1
        trained.append(trainer.weights())
    without, with_decay = trained
    changed = {k for k, v in without.items() if not np.array_equal(v, with_decay[k])}
    kernels = {k for k in without if k.endswith("/kernel")}
    assert changed == kernels
    assert len(kernels) == 7  # five convolutions, hidden and output
    assert "synapse/beta_logit" in without


def test_the_rivals_have_the_same_number_of_parameters():
    def count(model, layer):
        return sum(int(np.prod(w.shape)) for w in build(model, layer, (28, 28), 10).weights)

    # A unit more or less is about 0.9 % of them.
    assert abs(count("rnn", "gru") / count("rnn", "synapse") - 1) < 0.01
    assert count("cnn", "none") < count("cnn", "synapse") <= count("cnn", "dense")


class Draws:
    """In place of a generator: the given numbers in [−1, 1)."""

    def __init__(self, drawn):
        self.drawn = drawn

    def uniform(self, low, high, shape):
        assert (low, high) == (-1, 1)
        return self.drawn.reshape(shape)


@pytest.mark.parametrize("shape", [(28, 28), (9, 9)])
def test_the_augmentation_is_that_of_the_torch_example(monkeypatch, shape):
    rng = np.random.default_rng(0)
    images = rng.random((30, *shape), dtype=np.float32)
    drawn = rng.uniform(-1, 1, (6, 30)).astype(np.float32)
    monkeypatch.setattr(torch, "rand", lambda *_, generator: torch.from_numpy((drawn + 1) / 2))
    recipe = replace(RECIPES["cnn"], turn=40.0, scale=0.5, shear=0.3)
    theirs = mnist_torch.affine(torch.from_numpy(images)[:, None], recipe, torch.Generator())
    moved = affine(images, recipe, Draws(drawn))
    assert (moved.dtype, moved.shape) == (np.float32, images.shape)
    np.testing.assert_allclose(moved, theirs[:, 0].numpy(), atol=1e-4)
    assert np.abs(moved - images).mean() > 0.1
    still = affine(images, replace(recipe, **STILL), Draws(drawn))
    np.testing.assert_allclose(still, images, atol=1e-5)
    far = affine(images, replace(recipe, **{**STILL, "shift": 100.0}), Draws(np.ones((6, 30))))
    assert (far == 0).all()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--model", "mlp", "--layer", "gru"), "mlp has synapse, dense, none"),
        (("--model", "rnn", "--layer", "dense"), "rnn has synapse, gru"),
        (("--model", "vit"), "invalid choice"),
        (("--seed", str(2**32)), "argument --seed: Keras takes less than 2**32"),
    ],
)
def test_options_that_do_not_fit_are_named(options, text, capsys):
    with pytest.raises(SystemExit):
        mnist_keras.main(list(options))
    assert text in capsys.readouterr().err.splitlines()[-1]


def test_mistakes_give_one_line(tmp_path):
    with pytest.raises(SystemExit, match="file not found") as error:
        train(tmp_path / "none", tmp_path / "run")
    assert "\n" not in str(error.value)
    environment = {**os.environ, "KERAS_BACKEND": "abacus"}
    command = [sys.executable, str(SCRIPT)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    expected = "KERAS_BACKEND: must be torch, jax or tensorflow. Received: abacus\n"
    assert result.stderr == expected


def test_a_checkpoint_of_another_model_changes_nothing():
    _, _, trainer = data_and_trainer("mlp")
    before = trainer.weights()
    _, _, other = data_and_trainer("mlp", "none")
    with pytest.raises(RunError, match=r"of another model: synapse/beta_logit is None, not \(280"):
        trainer.load_weights(other.weights())
    arrays, numbers = other.state()
    with pytest.raises(RunError, match="the checkpoint is of another model") as error:
        trainer.load_state(arrays, numbers)
    assert "\n" not in str(error.value)
    assert_same(trainer.weights(), before)
