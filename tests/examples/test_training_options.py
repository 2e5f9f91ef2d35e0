"""The options that the training examples share, what they load and what they draw."""

import argparse
from dataclasses import dataclass

import numpy as np
import pytest
from matplotlib.figure import Figure

from examples import plots, training
from examples.datasets import FASHION_SHA256, FASHION_URL, GARMENTS, MNIST_SHA256
from examples.training import Run
from tests.examples.test_datasets import idx


def test_the_confusion_matrix_is_drawn_with_its_numbers(tmp_path, monkeypatch):
    saved = []
    own = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (saved.append(self), own(self, *a, **k))
    )
    counts = np.array([[50, 7, 0], [1, 40, 0], [0, 0, 30]])
    plots.confusion_matrix(counts, tmp_path / "matrix.png", title="errors", names=GARMENTS[:3])
    assert (tmp_path / "matrix.png").read_bytes()[:4] == b"\x89PNG"
    (axes,) = saved[0].axes
    shown = {tuple(text.get_position()): text.get_text() for text in axes.texts}
    assert shown == {(0, 0): "50", (1, 0): "7", (0, 1): "1", (1, 1): "40", (2, 2): "30"}
    np.testing.assert_array_equal(axes.images[0].get_array(), counts * (1 - np.eye(3)))
    assert [label.get_text() for label in axes.get_yticklabels()] == list(GARMENTS[:3])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("prediction", "truth")
    with pytest.raises(
        ValueError, match=r"`counts` must have the shape \(2, 2\).*Received: \(3, 3"
    ):
        plots.confusion_matrix(counts, tmp_path / "x.png", title="", names=("a", "b"))


def test_validation_losses_are_drawn_beside_those_of_training(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(plots, "save", lambda figure, path: saved.append(figure))
    history = {
        "loss": [3, 2],
        "accuracy": [0.1, 0.2],
        "val_loss": [2, 1],
        "val_accuracy": [0.3, 0.4],
    }
    plots.learning_curves({"a": history}, "x.png", title="", tested="validation")
    loss, accuracy = saved[0].axes
    for axes, first, second in ((loss, [3, 2], [2, 1]), (accuracy, [10, 20], [30, 40])):
        drawn = [(line.get_linestyle(), line.get_ydata().tolist()) for line in axes.lines]
        assert drawn == [("--", first), ("-", second)]
    texts = [text.get_text() for text in saved[0].legends[0].get_texts()]
    assert texts == ["a", "in training", "in validation"]
    assert loss.get_title() == "loss"


def test_fashion_comes_in_files_of_the_same_names(tmp_path, monkeypatch):
    asked = {}

    def download(folder, url, sha256):
        asked.update(folder=folder, url=url, sha256=sha256)
        for part, count in (("train", 3), ("t10k", 2)):
            for kind, array in (
                ("images-idx3", np.ones((count, 4, 4))),
                ("labels-idx1", [9] * count),
            ):
                (tmp_path / f"{part}-{kind}-ubyte").write_bytes(idx(array))

    monkeypatch.setattr(training, "download_mnist", download)
    data = training.load(options("--data", "fashion", "--data-dir", str(tmp_path), "--download"))
    assert asked == {"folder": tmp_path, "url": FASHION_URL, "sha256": FASHION_SHA256}
    assert (data.name, data.names[data.train_y[0]]) == ("fashion", "ankle boot")
    assert FASHION_SHA256.keys() == MNIST_SHA256.keys()
    assert len({*FASHION_SHA256.values(), *MNIST_SHA256.values()}) == 8


@dataclass(frozen=True)
class ToyRecipe:
    epochs: int = 3
    learning_rate: float = 0.1
    noise: float = 0.0


def options(*arguments):
    parser = argparse.ArgumentParser()
    training.add_options(parser)
    parser.add_argument("--model", default="mlp")
    parser.add_argument("--layer", default="synapse")
    return parser.parse_args(arguments)


def test_options_replace_what_the_recipe_says():
    recipe = training.override(ToyRecipe(), options("--epochs", "7", "--seed", "5"))
    assert recipe == ToyRecipe(epochs=7)
    chosen = options("--seed", "5", "--eval-batch", "100", "1")
    run = Run.of(chosen, {"recipe": "free", "epochs": 7, "learning_rate": 0.1}, 32)
    assert run.folder.as_posix() == "outputs/mnist-free-synapse-5"
    assert (run.epochs, run.validation_batch, run.test_batches) == (7, 32, (100, 1))
    assert run.settings["learning_rate"] == 0.1
    assert run.settings["seed"] == 5
    assert Run.of(options(), {"recipe": "mlp", "epochs": 1}, 32).test_batches == (32,)


@pytest.mark.parametrize(
    "option",
    [
        ("--epochs", "0"),
        ("--batch-size", "1"),
        ("--learning-rate", "nan"),
        ("--eval-batch", "0"),
        ("--limit", "11"),
        ("--data", "cifar"),
    ],
)
def test_options_out_of_range_are_named(option, capsys):
    with pytest.raises(SystemExit):
        options(*option)
    assert f"argument {option[0]}: " in capsys.readouterr().err.splitlines()[-1]
