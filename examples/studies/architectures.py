"""Compare synapse convolutions with Conv2d, and SynaRNN with GRU, on MNIST over seeds.

    python examples/studies/architectures.py --data-dir DIR         both, on 12,000 images
    python examples/studies/architectures.py --data-dir DIR --limit 60000 --epochs 15 --models cnn

Either of a pair has as many parameters as the other, up to a whole number of channels or units.
"cnn" is SynaCNN with four synapse convolutions and no synapse in its head, beside the same with
nn.Conv2d; "rnn" reads the rows of an image. All train by the recipes of examples/mnist, but for
their learning rates: each network's best of 0.004 (rnn: 0.005), 0.02, 0.05 and (but for Conv2d) 0.1
after training on 3,000 images, tested on the last 3,000 of the training images. They are tested
once, after the last epoch, on the 10,000 test images. Seconds are those of the processor for a
training epoch of the last seed, on one thread.

Makes a table; no file.

Needs: pip install -e ".[examples,torch]"
"""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

# Threads that spin while they wait are slow where something else needs a core. Read at import.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from tabulate import tabulate
from torch import nn
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from mnist import files, training
from mnist.mnist_torch import TorchTrainer
from mnist.models_torch import RowRNN, parameter_count
from mnist.recipes import RECIPES
from shared.datasets import Dataset
from shared.options import make_parser, number
from shared.tables import known, mean_and_spread
from synann.torch import SynaCNN

RATES = {"SynapseConv2d": 0.05, "Conv2d": 0.02, "SynaRNN": 0.05, "GRU": 0.02}


def cnn(data: Dataset, convolution: str, width: int) -> SynaCNN:
    """Convolutions of either kind, with no synapse layer in the head."""
    channels = math.prod(data.image_shape[2:])
    options = {"width": width, "layer": "none", "convolution": convolution}
    return SynaCNN(channels, data.classes, **options)


def pairs(kinds: list[str], data: Dataset, width: int) -> dict[str, Callable[[], nn.Module]]:
    """Makers of the networks by name, the first word of which is their recipe's."""
    classes, columns = data.classes, math.prod(data.image_shape[1:])
    made: dict[str, Callable[[], nn.Module]] = {}
    if "cnn" in kinds:
        wanted = parameter_count(cnn(data, "synapse", width))
        # The same number of parameters: nn.Conv2d has no mixture, and more channels instead.
        same = min(
            range(width, 2 * width),
            key=lambda w: abs(parameter_count(cnn(data, "linear", w)) - wanted),
        )
        made[f"cnn SynapseConv2d, width {width}"] = lambda: cnn(data, "synapse", width)
        made[f"cnn Conv2d, width {same}"] = lambda: cnn(data, "linear", same)
    if "rnn" in kinds:
        made["rnn SynaRNN"] = lambda: RowRNN(columns, classes, "synapse")
        made["rnn GRU"] = lambda: RowRNN(columns, classes, "gru")
    return made


def train(
    make: Callable[[], nn.Module], data: Dataset, options: argparse.Namespace, name: str, seed: int
) -> tuple[float, int, float]:
    """Test accuracy in %, parameters, and seconds of an epoch."""
    kind, layer = re.findall(r"\w+", name)[:2]
    recipe = RECIPES[kind]
    recipe = replace(recipe, epochs=options.epochs or recipe.epochs, learning_rate=RATES[layer])
    torch.manual_seed(seed)
    trainer = TorchTrainer(make(), recipe, data.image_shape, torch.device("cpu"), seed)
    order = np.random.default_rng(seed).permutation(len(data.train_y))[: options.limit]
    images, labels = data.train_x[order], data.train_y[order]
    start = time.process_time()
    for _ in tqdm(range(recipe.epochs), desc=f"{name}, seed {seed}", leave=False, disable=None):
        for _ in trainer.train_epoch(images, labels):
            pass
    seconds = (time.process_time() - start) / recipe.epochs
    logits = trainer.predict(data.test_x, 500)
    return 100 * training.accuracy(logits, data.test_y), trainer.parameter_count, seconds


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, output=False)
    files.add_options(parser)
    parser.add_argument("--models", nargs="+", choices=("cnn", "rnn"), default=["cnn", "rnn"])
    parser.add_argument("--width", type=number(int, 1), default=12, help="of SynapseConv2d")
    parser.add_argument("--limit", type=number(int, 12), default=12000, help="training images")
    parser.add_argument("--epochs", type=number(int, 1), help="the recipe's by default")
    parser.add_argument("--seeds", type=number(int, 1), default=3)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        data = files.load(options)
    except files.DataError as error:
        raise SystemExit(str(error)) from None
    rows = []
    for name, make in pairs(options.models, data, options.width).items():
        runs = [train(make, data, options, name, seed) for seed in range(options.seeds)]
        scores = [score for score, _, _ in runs]
        mean, spread = mean_and_spread(scores)
        error = known(spread / options.seeds**0.5, ".2f")
        each = " ".join(f"{score:.2f}" for score in scores)
        rows.append((name, runs[0][1], f"{mean:.2f}", error, each, f"{runs[-1][2]:.1f}"))
        print(rows[-1], flush=True)
    header = ("network", "parameters", "test %", "± standard error", "each", "s an epoch")
    print(tabulate(rows, header, disable_numparse=True))


if __name__ == "__main__":
    main()
