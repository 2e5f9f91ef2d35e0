"""The torch example, on a few drawings in place of MNIST."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

import synann_core as syn
from mnist import mnist_torch
from mnist.checkpoints import RunError, load_checkpoint
from mnist.mnist_torch import RECIPES, TorchTrainer, affine
from mnist.models_torch import build, parameter_count
from mnist.recipes import LAYERS
from tests.helpers import assert_same

COMBINATIONS = [(model, layer) for model, layers in LAYERS.items() for layer in layers]


def train(drawings, output, *options):
    return mnist_torch.main(["--data-dir", str(drawings), "--output", str(output), *options])


def tensors(folder, name="last.safetensors"):
    return load_checkpoint(folder / name)[0]


@pytest.mark.parametrize(("model", "layer"), COMBINATIONS)
def test_every_model_trains_and_leaves_its_files(few_drawings, tmp_path, capsys, model, layer):
    options = ["--model", model, "--layer", layer, "--epochs", "2", "--batch-size", "8"]
    results = train(few_drawings, tmp_path, *options)
    assert results == json.loads((tmp_path / "results.json").read_text())
    first, second = results["history"]
    assert second["loss"] < first["loss"]
    settings = results["settings"]
    assert (settings["model"], settings["layer"], settings["epochs"]) == (model, layer, 2)
    assert {"learning_rate", "optimizer", "weight_decay", "seed", "data"} <= settings.keys()
    assert results["parameters"] == parameter_count(build(model, layer, model, (28, 28), 10))
    for name in ("learning-curves.png", "confusion-matrix.png"):
        assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"
    assert f"test accuracy {100 * results['test_accuracy']:.2f} %" in capsys.readouterr().out


@pytest.mark.parametrize("model", ["mlp", "published"])
def test_it_learns(drawings, tmp_path, model):
    options = ["--recipe", "free"] if model == "published" else []
    options += ["--model", model, "--epochs", "15", "--batch-size", "22"]
    assert train(drawings, tmp_path, *options)["test_accuracy"] > 0.8


def test_what_the_mlp_saves_the_core_loads(drawings, tmp_path):
    train(drawings, tmp_path, "--model", "mlp", "--epochs", "1")
    model = syn.SynaMLP(784, 280, 10)
    model.load(tmp_path / "best.safetensors")
    images = mnist_torch.files.load_mnist(drawings).test_x
    predictions = np.loadtxt(tmp_path / "predictions.csv", delimiter=",", skiprows=1)[:, 2]
    assert np.mean(model.predict(images) == predictions) > 0.97  # up to rounding, at a tie


def interrupted(drawings, output, options, monkeypatch, after):
    """Train until so many optimizer steps are done, then break off."""
    steps = []

    def step(self, *args, **kwargs):
        if len(steps) == after:
            raise KeyboardInterrupt
        steps.append(None)
        return own_step(self, *args, **kwargs)

    own_step = torch.optim.AdamW.step
    with monkeypatch.context() as patched:
        patched.setattr(torch.optim.AdamW, "step", step)
        with pytest.raises(KeyboardInterrupt):
            train(drawings, output, *options)


@pytest.mark.parametrize("model", ["mlp", "cnn"])  # the one with dropout, both with augmentation
def test_an_interrupted_run_ends_as_if_nothing_had_happened(
    few_drawings, tmp_path, monkeypatch, model
):
    options = ["--model", model, "--epochs", "3", "--batch-size", "22"]
    expected = train(few_drawings, tmp_path / "whole", *options)
    interrupted(few_drawings, tmp_path / "broken", options, monkeypatch, after=6)  # of 4 an epoch
    results = train(few_drawings, tmp_path / "broken", *options, "--resume")
    for name in ("last.safetensors", "best.safetensors"):
        assert_same(tensors(tmp_path / "broken", name), tensors(tmp_path / "whole", name))
    assert results["test"] == expected["test"]
    assert results["best_epoch"] == expected["best_epoch"]


@pytest.mark.parametrize("lost", ["rng", "batches", "optimizer", "steps"])
def test_a_resumed_run_needs_all_that_is_saved(drawings, tmp_path, monkeypatch, lost):
    """Whatever the checkpoint does not bring back, the comparison above would notice."""
    options = ["--model", "mlp", "--epochs", "2", "--batch-size", "22"]
    train(drawings, tmp_path / "whole", *options)
    interrupted(drawings, tmp_path / "broken", options, monkeypatch, after=16)
    if lost == "rng":
        monkeypatch.setattr(torch, "set_rng_state", lambda state: None)
    load_state = TorchTrainer.load_state

    def forget(self, arrays, numbers):
        optimizer = self.optimizer.state_dict()
        load_state(self, arrays, numbers)
        if lost == "batches":
            self.generator = torch.Generator().manual_seed(0)
        elif lost == "optimizer":
            self.optimizer.load_state_dict(optimizer)
        elif lost == "steps":
            self.steps = 0

    monkeypatch.setattr(TorchTrainer, "load_state", forget)
    train(drawings, tmp_path / "broken", *options, "--resume")
    broken, whole = tensors(tmp_path / "broken"), tensors(tmp_path / "whole")
    assert not np.array_equal(broken["model.hidden.weight"], whole["model.hidden.weight"])


def test_a_killed_run_goes_on_in_a_new_process(drawings, tmp_path):
    options = ["--model", "mlp", "--epochs", "12", "--batch-size", "8"]
    script = [sys.executable, mnist_torch.__file__, "--data-dir", drawings]
    broken = [*script, "--output", str(tmp_path / "broken"), *options]
    last = tmp_path / "broken" / "last.safetensors"
    process = subprocess.Popen(broken, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 100
    while not last.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = len(load_checkpoint(last)[1]["history"])
    assert 1 <= done < 12
    subprocess.run([*broken, "--resume"], check=True)
    train(drawings, tmp_path / "whole", *options)
    assert_same(tensors(tmp_path / "broken"), tensors(tmp_path / "whole"))


@pytest.mark.parametrize("layer", LAYERS["published"])
def test_only_the_published_layer_depends_on_the_batch(drawings, tmp_path, layer):
    options = ["--model", "published", "--recipe", "free", "--layer", layer, "--epochs", "3"]
    options += ["--batch-size", "22", "--eval-batch", "40", "10", "1"]
    results = train(drawings, tmp_path, *options)
    assert [score["batch"] for score in results["test"]] == [40, 10, 1]
    losses = [score["loss"] for score in results["test"]]
    if layer == "published":
        assert min(abs(losses[0] - losses[1]), abs(losses[1] - losses[2])) > 1e-3
    else:
        np.testing.assert_allclose(losses, losses[0], rtol=1e-5)


def image_of(*places, size=28):
    images = torch.zeros(1, 1, size, size)
    for row, column in places:
        images[0, 0, row, column] = 1
    return images


def test_without_ranges_the_augmentation_changes_nothing():
    recipe = replace(RECIPES["cnn"], shift=0, turn=0, scale=0, shear=0)
    images = torch.rand(3, 1, 28, 28)
    moved = affine(images, recipe, torch.Generator().manual_seed(0))
    torch.testing.assert_close(moved, images, atol=1e-5, rtol=0)


class Draws:
    """In place of the uniform draws: the given ones."""

    def __init__(self, monkeypatch, values):
        drawn = (torch.tensor(values)[:, None] + 1) / 2
        monkeypatch.setattr(torch, "rand", lambda *size, generator: drawn)


@pytest.mark.parametrize(
    ("ranges", "drawn", "expected"),
    [  # turn, across, down, shear, right, below; all of a point at row 10, column 20
        ({"shift": 2}, (0, 0, 0, 0, 1, 0), (10, 18)),
        ({"shift": 2}, (0, 0, 0, 0, 0, -1), (12, 20)),
        ({"turn": 90}, (1, 0, 0, 0, 0, 0), (7, 10)),
        ({"scale": 1}, (0, 1, 0, 0, 0, 0), (10, 17)),  # 6.5 right of the middle, then 3.25
        ({"shear": 1}, (0, 0, 0, 1, 0, 0), (10, 23)),
    ],
)
def test_where_the_augmentation_takes_a_point(monkeypatch, ranges, drawn, expected):
    Draws(monkeypatch, drawn)
    still = {"shift": 0, "turn": 0, "scale": 0, "shear": 0}
    recipe = replace(RECIPES["cnn"], **{**still, **ranges})
    moved = affine(image_of((10, 20)), recipe, torch.Generator())[0, 0]
    row, column = divmod(int(moved.argmax()), 28)
    assert abs(row - expected[0]) <= 1
    assert abs(column - expected[1]) <= 1
    assert moved[row, column] > 0.2


def test_the_augmentation_repeats_and_differs_between_images():
    images = image_of((10, 20), (14, 6)).expand(20, -1, -1, -1)
    first, again = (
        affine(images, RECIPES["cnn"], torch.Generator().manual_seed(3)) for _ in range(2)
    )
    assert torch.equal(first, again)
    assert len({tuple(row) for row in first.flatten(1).tolist()}) == 20


def test_weight_decay_spares_norms_biases_and_synapses():
    recipe = replace(RECIPES["cnn"], weight_decay=0.5)
    model = build("cnn", "synapse", "cnn", (28, 28), 10)
    trainer = TorchTrainer(model, recipe, (28, 28), torch.device("cpu"), 0)
    decaying, others = trainer.optimizer.param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.5, 0.0)
    names = {id(p): name for name, p in model.named_parameters()}
    assert len(decaying["params"]) + len(others["params"]) == len(names)
    spared = {names[id(p)].split(".")[-1] for p in others["params"] if p.ndim > 1}
    assert spared == {"beta_logit"}
    assert all(p.ndim > 1 for p in decaying["params"])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--model", "mlp", "--layer", "gru"), "mlp has synapse, dense, none"),
        (("--model", "rnn", "--layer", "dense"), "rnn has synapse, gru"),
        (("--model", "cnn", "--recipe", "free"), "only --model published"),
        (("--model", "vit"), "invalid choice"),
    ],
)
def test_options_that_do_not_fit_are_named(options, text, capsys):
    with pytest.raises(SystemExit):
        mnist_torch.main(list(options))
    assert text in capsys.readouterr().err.splitlines()[-1]


def test_mistakes_give_one_line(drawings, tmp_path):
    for options, text in (
        (("--device", "abacus"), "--device: "),
        (("--device", "cuda:99"), "--device: "),
        (("--data-dir", str(tmp_path / "none")), "file not found"),
    ):
        with pytest.raises(SystemExit, match=text) as error:
            train(drawings, tmp_path / "run", *options)
        assert "\n" not in str(error.value)
    with pytest.raises(RunError, match="takes 28×28 pixels, not 8×8"):
        build("published", "synapse", "published", (8, 8), 10)


def test_a_finished_run_is_tested_again_with_other_batches(drawings, tmp_path):
    options = ["--model", "mlp", "--epochs", "1"]
    first = train(drawings, tmp_path, *options)
    with pytest.raises(SystemExit, match="pass --resume"):
        train(drawings, tmp_path, *options)
    again = train(drawings, tmp_path, *options, "--resume", "--eval-batch", "7")
    assert again["history"] == first["history"]
    assert again["test_accuracy"] == first["test_accuracy"]
    assert [score["batch"] for score in again["test"]] == [7]


def test_the_threads_of_the_example_wait_without_spinning():
    """Set at its import, before torch's, unless somebody has chosen."""
    assert os.environ["OMP_WAIT_POLICY"].lower() == "passive"
