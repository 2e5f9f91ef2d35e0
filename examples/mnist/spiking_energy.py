"""Count what a spiking network does for an image, beside a Dense network that is as accurate.

    python examples/mnist/spiking_energy.py --data-dir DIR [--download]
    python examples/mnist/spiking_energy.py --codes latency --steps 4 16 --hidden 400

784 inputs, hidden and 10 output neurons, trained by backpropagation through time, with one of
three inputs: the pixels as numbers at every step ("numbers"), spikes in proportion to them
("rate"), or one spike, the earlier the brighter the pixel ("latency"). Beside each stands the
smallest of some Dense networks, 784-h-10 with ReLU, that is at least as accurate on 10,000 of the
training images, which train neither. Means over seeds.

A spike costs an addition for each neuron that it reaches, a number a multiply-add, and a neuron at
each step its leak, a multiply-add as well. Energies are those of arithmetic in float32 at 45 nm,
0.9 pJ for an addition and 3.7 pJ for a multiplication (M. Horowitz, "Computing's energy problem",
ISSCC 2014). They leave out memory, which costs more (10 pJ for 64 bits from a cache of 8 kB, by
the same source), and all else.

Makes a table of accuracies, operations and energies, and energy-DATA.png.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from mnist import files
from shared import plots
from shared.datasets import Dataset
from shared.options import make_folder, make_parser, number
from synann.optim import Adam
from synann.spiking import (
    LIF,
    Layer,
    SpikingNetwork,
    deterministic_rate_encode,
    leaky_integrator,
    ttfs_encode,
)

ADD, MULTIPLY_ADD = 0.9e-3, 4.6e-3  # nJ, float32 at 45 nm
DECAY, BATCH = 0.95, 128
COLOURS = (plots.TEXT, *plots.COLOURS[:2])
CODES: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "numbers": lambda x, steps: x,
    "rate": deterministic_rate_encode,
    "latency": lambda x, steps: ttfs_encode(x, steps, linear=True),
}


class Part(NamedTuple):
    """Images and labels."""

    x: np.ndarray
    y: np.ndarray


class Cost(NamedTuple):
    """Accuracies, and operations for an image; all means."""

    checked: float
    tested: float
    inputs: float  # spikes that come in, or numbers that are not 0
    spikes: float  # of hidden neurons
    additions: float
    multiply_adds: float
    leaks: float

    @property
    def energy(self) -> float:
        """Of the arithmetic, in nJ."""
        return ADD * self.additions + MULTIPLY_ADD * (self.multiply_adds + self.leaks)


def batches(part: Part, epochs: int, seed: int) -> Iterator[Part]:
    """Shuffled batches of all epochs."""
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(part.y))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            yield Part(part.x[chosen], part.y[chosen])


def spiking(parts: list[Part], code: str, steps: int, seed: int, options) -> Cost:
    """Train a spiking network, test it, and count."""
    train, check, test = parts
    hidden = Layer(options.hidden, LIF(DECAY))
    network = SpikingNetwork(
        train.x.shape[1], [hidden, Layer(10, leaky_integrator(DECAY))], steps=steps, seed=seed
    )
    network.weights = {name: w.astype(np.float32) for name, w in network.weights.items()}
    rule = Adam(options.learning_rate)
    state = rule.init(network.weights)
    for x, y in batches(train, options.epochs, seed):
        _, gradients = network.gradients(CODES[code](x, steps), y)
        network.weights, state = rule.update(
            network.weights, gradients, state, options.learning_rate
        )
    kind = "numbers" if code == "numbers" else "spikes"
    right, counts, inputs = [], [], 0
    for part in (check, test):
        correct = 0
        for start in range(0, len(part.y), 500):
            x, y = CODES[code](part.x[start : start + 500], steps), part.y[start : start + 500]
            correct += int((network.predict(x) == y).sum())
            if part is test:
                counts.append(network.operations(x, inputs=kind))
                inputs += np.count_nonzero(x)
        right.append(correct / len(part.y))
    spikes = sum(int(c.spikes[:, 0].sum()) for c in counts)
    totals = [
        sum(int(getattr(c, name).sum()) for c in counts)
        for name in ("additions", "multiply_adds", "updates")
    ]
    return Cost(*right, *(n / len(test.y) for n in (inputs, spikes, *totals)))


def dense(parts: list[Part], hidden: int, seed: int, options) -> tuple[Cost, Cost]:
    """Train a Dense network, test it, and count: all products, and those of no zeros."""
    torch.manual_seed(seed)
    train, check, test = parts
    first, last = torch.nn.Linear(train.x.shape[1], hidden), torch.nn.Linear(hidden, 10)
    network = torch.nn.Sequential(first, torch.nn.ReLU(), last)
    rule = torch.optim.Adam(network.parameters(), options.learning_rate)
    for x, y in batches(train, options.epochs, seed):
        loss = torch.nn.functional.cross_entropy(network(torch.from_numpy(x)), torch.from_numpy(y))
        rule.zero_grad()
        loss.backward()
        rule.step()
    with torch.no_grad():
        right = [
            float((network(torch.from_numpy(p.x)).argmax(1).numpy() == p.y).mean())
            for p in (check, test)
        ]
        active = int((first(torch.from_numpy(test.x)) > 0).sum()) / len(test.y)
    lit = np.count_nonzero(test.x) / len(test.y)
    every = (train.x.shape[1] + 10) * hidden
    return (
        Cost(*right, lit, active, 0, every, 0),
        Cost(*right, lit, active, 0, lit * hidden + active * 10, 0),
    )


def mean(costs: list[Cost]) -> Cost:
    return Cost(*(float(np.mean(column)) for column in zip(*costs, strict=True)))


@plots.styled
def draw(found: dict, rivals: dict, path: Path) -> None:
    """Draw accuracy against energy."""
    figure = Figure(figsize=(plots.WIDTH, 5.4))
    axes = figure.add_subplot()
    for k, name in enumerate(("Dense, all products", "Dense, zeros skipped")):
        points = [pair[k] for pair in rivals.values()]
        line = {"color": plots.QUIET, "linestyle": "-" if k == 0 else "--", "marker": "."}
        axes.plot([c.energy for c in points], [100 * c.tested for c in points], label=name, **line)
    least = 100.0
    for code, colour, beside in zip(CODES, COLOURS, ((7, -4), (3, -14), (-9, 6)), strict=True):
        points = [(steps, cost) for (own, steps), cost in found.items() if own == code]
        if points:
            x, y = [c.energy for _, c in points], [100 * c.tested for _, c in points]
            axes.plot(x, y, "o-", color=colour, label=f"spiking, {code}, by steps")
            for (steps, _), place in zip(points, zip(x, y, strict=True), strict=True):
                axes.annotate(
                    str(steps), place, beside, textcoords="offset points", fontsize="small"
                )
            least = min(least, *y)
    axes.set(
        xscale="log",
        xlabel="arithmetic for an image, nJ (45 nm; memory left out)",
        ylabel="test accuracy, %",
        ylim=(least - 0.5, None),  # tall, for points close to each other
        title="Spiking networks by time steps, and Dense networks by width",
    )
    axes.legend(loc="lower right")
    plots.save(figure, path)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    files.add_options(parser)
    parser.add_argument("--codes", nargs="+", choices=tuple(CODES), default=list(CODES))
    parser.add_argument("--steps", nargs="+", type=number(int, 2), default=[2, 4, 8, 16])
    parser.add_argument("--hidden", type=number(int, 1), default=100)
    parser.add_argument(
        "--dense",
        nargs="+",
        type=number(int, 1),
        default=[4, 8, 10, 12, 14, 16, 20, 24, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128, 160, 192],
        help="widths of Dense networks",
    )
    parser.add_argument("--epochs", type=number(int, 1), default=5)
    parser.add_argument("--seeds", type=number(int, 1), default=1)
    parser.add_argument("--learning-rate", type=number(float, 0), default=1e-3)
    return parser.parse_args(arguments)


def split(data: Dataset) -> list[Part]:
    """Training images, a sixth of them to choose by, and test images."""
    held = len(data.train_y) // 6
    train, check = (
        Part(data.train_x[held:], data.train_y[held:]),
        Part(data.train_x[:held], data.train_y[:held]),
    )
    return [train, check, Part(data.test_x, data.test_y)]


def main(arguments: list[str] | None = None) -> list[tuple]:
    """Train and count; returns the rows of the table."""
    options = parse(arguments)
    make_folder(options.output)  # before the training, not after it
    try:
        parts = split(files.load(options))
    except files.DataError as error:
        raise SystemExit(str(error)) from None
    seeds = range(options.seeds)
    rivals = {
        h: tuple(map(mean, zip(*(dense(parts, h, s, options) for s in seeds), strict=True)))
        for h in tqdm(sorted(options.dense), desc="Dense", disable=None)
    }
    kinds = [(code, steps) for code in options.codes for steps in sorted(options.steps)]
    found = {
        kind: mean([spiking(parts, *kind, s, options) for s in seeds])
        for kind in tqdm(kinds, desc="spiking", disable=None)
    }
    rows = []
    for (code, steps), cost in found.items():
        enough = (h for h, (rival, _) in rivals.items() if rival.checked >= cost.checked)
        width = next(enough, None)
        own = (*cost[2:6], cost.energy)
        row = (code, steps, 100 * cost.tested, *own)
        if width is None:
            rows.append((*row, *(None,) * 6))
            continue
        rival, sparse = rivals[width]
        counts = (rival.multiply_adds, sparse.multiply_adds, rival.energy, sparse.energy)
        rows.append((*row, width, 100 * rival.tested, *counts))
    headers = (
        "code", "steps", "test %", "spikes in", "spikes", "additions", "multiply-adds", "nJ",
        "Dense", "test %", "multiply-adds", "not of 0", "nJ", "nJ, not of 0",
    )  # fmt: skip
    formats = ("", "", ".2f", *[".0f"] * 5, "", ".2f", *[".0f"] * 4)
    print(tabulate(rows, headers, "pipe", floatfmt=formats))
    picture = options.output / f"energy-{options.data}.png"
    draw(found, rivals, picture)
    print(
        f"784-{options.hidden}-10, {len(parts[2].y)} test images; seeds: {options.seeds}; "
        f"picture: {picture}"
    )
    return rows


if __name__ == "__main__":
    main()
