"""Say how the training examples train, and with which layers: the same for torch and Keras."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass

# Layers by model; the first of each is the library's.
LAYERS = {
    "mlp": ("synapse", "dense", "none"),
    "cnn": ("synapse", "dense", "none"),
    "rnn": ("synapse", "gru"),
    "published": ("synapse", "dense", "none", "published"),
}
HIDDEN = 128  # units of SynaRNN


@dataclass(frozen=True)
class Recipe:
    """How to train; chosen by validation accuracy."""

    epochs: int
    batch_size: int
    learning_rate: float  # the peak, where there is a schedule
    optimizer: str = "adamw"
    one_cycle: bool = True
    momentum: float = 0.0  # of SGD
    weight_decay: float = 0.0
    shift: float = 0.0  # pixels, at most, each way
    turn: float = 0.0  # degrees
    scale: float = 0.0  # relative
    shear: float = 0.0  # pixels to the right for each pixel down
    precision: str = "float32"

    @property
    def alters(self) -> bool:
        """Whether images are moved, turned, scaled or sheared."""
        return bool(self.shift or self.turn or self.scale or self.shear)


AFFINE = {"shift": 2.0, "turn": 12.0, "scale": 0.1, "shear": 0.1}
RECIPES = {
    "mlp": Recipe(20, 100, 0.004, weight_decay=0.01, shift=1.0, turn=8.0, scale=0.08),
    "cnn": Recipe(15, 128, 0.004, weight_decay=0.05, **AFFINE),
    "rnn": Recipe(8, 100, 0.005, weight_decay=0.01),
    "published": Recipe(115, 100, 0.012, "sgd", one_cycle=False, momentum=0.5),
    "free": Recipe(15, 100, 0.004, weight_decay=0.01, **AFFINE),
}
# The published Keras network, trained by Keras' own callbacks.
PUBLISHED_KERAS = Recipe(31, 128, 0.001, one_cycle=False, weight_decay=0.01)


def gru_units(columns: int, classes: int) -> int:
    """Units with which a GRU and what follows it have as many weights as with SynaRNN."""

    def following(h: int) -> int:
        return h * (classes + 2)

    own = 2 * HIDDEN * (columns + HIDDEN + 1) + following(HIDDEN)

    def difference(h: int) -> int:
        return abs(3 * h * (columns + h + 2) + following(h) - own)

    return min(range(1, 2 * HIDDEN), key=difference)


def add_options(parser: argparse.ArgumentParser, models: Iterable[str]) -> None:
    """Add --model and --layer."""
    models = tuple(models)
    layers = dict.fromkeys(layer for model in models for layer in LAYERS[model])
    parser.add_argument("--model", choices=models, default="cnn")
    parser.add_argument("--layer", choices=tuple(layers), default="synapse")


def check_layer(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with one line if the model does not have the layer."""
    if options.layer not in LAYERS[options.model]:
        parser.error(f"argument --layer: {options.model} has {', '.join(LAYERS[options.model])}")
