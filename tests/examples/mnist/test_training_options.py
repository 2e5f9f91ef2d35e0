"""The options that the training examples share."""

import argparse
from dataclasses import dataclass

import pytest

from mnist import training
from mnist.training import Run
from shared.options import override


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
    recipe = override(ToyRecipe(), options("--epochs", "7", "--seed", "5"))
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
