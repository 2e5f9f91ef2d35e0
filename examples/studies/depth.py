"""Train stacks of 2 and of 64 synapse layers on the digits, and see what becomes of the signal.

    python examples/studies/depth.py              three recipes, three seeds: 10 minutes on one core
    python examples/studies/depth.py --seeds 5 --epochs 60 --layers 2 16 128

The recipes, each between a Linear layer with batch norm and a batch norm with a Linear layer:

plain   s = x ∏ (1 − βx), layer on layer, α trained from 1: every layer takes something away
block   SynapseBlock behind a sigmoid: the logarithm of that, normalised
odds    OddsBlock: log-odds h + log α + Σ log(1 − β σ(h)), with α that lets even odds pass

The signal of a layer is its output as a probability, its spread the standard deviation over the
test images, averaged over units. T is a layer's log-transmission, Σ log(1 − βy), in nats. "Without"
is the trained network with every T replaced by its mean over the training images, so that synapses
tell no image from another; the norms are then measured anew. "No layers" is what is left of a
network without any.

Makes a table, and depth.png: spread by depth, as made and trained.

Needs: pip install -e ".[examples,torch]"
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

# Threads that spin while they wait are slow where something else needs a core. Read at import.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from matplotlib.figure import Figure
from tabulate import tabulate
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from shared import plots
from shared.datasets import Dataset, load_digits
from shared.options import make_folder, make_parser, number
from shared.tables import known, mean_and_spread, plus_minus
from synann.torch import OddsBlock, Synapse, SynapseBlock, parameter_groups
from synann.torch.functional import log_transmission

RECIPES = ("plain", "block", "odds")
WIDTH, BATCH, RATE = 64, 64, 0.005


class Layer(nn.Module):
    """One layer of a recipe, which can tell its signal and T, and do without its synapses."""

    def __init__(self, recipe: str) -> None:
        super().__init__()
        self.recipe = recipe
        made = {
            "plain": lambda: Synapse(WIDTH, WIDTH),
            "block": lambda: SynapseBlock(WIDTH, WIDTH),
            "odds": lambda: OddsBlock(WIDTH),
        }
        self.layer = made[recipe]()
        self.constant: Tensor | None = None  # in the place of T

    def forward(self, h: Tensor) -> Tensor:
        y = h if self.recipe == "plain" else torch.sigmoid(h)
        if self.constant is None:
            return self.layer(h if self.recipe == "odds" else y)
        if self.recipe == "block":
            return self.layer.norm(torch.log(y) + self.constant)
        if self.recipe == "odds":
            return h + self.constant - self._synapse.theta
        return y * self._synapse.alpha * torch.exp(self.constant)

    def transmission(self, h: Tensor) -> Tensor:
        """T of the layer for its input."""
        y = h if self.recipe == "plain" else torch.sigmoid(h)
        return log_transmission(y, self._synapse.beta)

    def signal(self, output: Tensor) -> Tensor:
        """Output as a probability."""
        return output if self.recipe == "plain" else torch.sigmoid(output)

    @property
    def _synapse(self) -> Synapse:
        return self.layer if self.recipe == "plain" else self.layer.synapse


class Stack(nn.Module):
    """Linear, batch norm, layers, batch norm, Linear."""

    def __init__(self, data: Dataset, recipe: str, depth: int) -> None:
        super().__init__()
        pixels = data.train_x.shape[1]
        first: list[nn.Module] = [nn.Linear(pixels, WIDTH), nn.BatchNorm1d(WIDTH)]
        self.first = nn.Sequential(*first, *([nn.Sigmoid()] if recipe == "plain" else []))
        self.layers = nn.ModuleList(Layer(recipe) for _ in range(depth))
        self.last = nn.Sequential(nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, data.classes))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        for layer in self.layers:
            h = layer(h)
        return self.last(h)


class Trace(NamedTuple):
    """What the layers do to images, one number for each layer."""

    spread: np.ndarray  # of the signal; one more: the first is that of the stack's input
    transmission: np.ndarray  # mean T
    transmitted: np.ndarray  # mean e^T


class Outcome(NamedTuple):
    """One network, trained."""

    test: float  # accuracies in %
    without: float
    made: Trace
    trained: Trace


@torch.no_grad()
def trace(stack: Stack, x: Tensor) -> Trace:
    """Follow images through the stack as it is in evaluation."""
    stack.eval()
    h = stack.first(x)
    spreads, means, shares = [], [], []
    for layer in stack.layers:
        if not spreads:
            spreads.append(layer.signal(h).std(0).mean())
        t = layer.transmission(h)
        means.append(t.mean())
        shares.append(t.exp().mean())
        h = layer(h)
        spreads.append(layer.signal(h).std(0).mean())
    return Trace(*(np.array([float(v) for v in row]) for row in (spreads, means, shares)))


@torch.no_grad()
def remove_synapses(stack: Stack, x: Tensor) -> None:
    """Replace every T by its mean over the images x, and let the norms see what is left."""
    stack.eval()
    h = stack.first(x)
    for layer in stack.layers:
        layer.constant = layer.transmission(h).mean(0)
        h = layer(h)
    measure_norms(stack, x)


@torch.no_grad()
def measure_norms(stack: Stack, x: Tensor) -> None:
    """Set the means and variances of the norms to those of the images x."""
    for module in stack.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.reset_running_stats()
            module.momentum = None  # the mean of all calls: of one
    stack.train()
    stack(x)


@torch.no_grad()
def accuracy(stack: Stack, x: Tensor, y: Tensor) -> float:
    """Accuracy in %."""
    stack.eval()
    return 100.0 * float((stack(x).argmax(1) == y).double().mean())


def run(data: Dataset, recipe: str, depth: int, epochs: int, seed: int) -> Outcome:
    """Train one stack and measure it."""
    torch.manual_seed(seed)
    train_x, train_y, test_x, test_y = (
        torch.from_numpy(a) for a in (data.train_x, data.train_y, data.test_x, data.test_y)
    )
    stack = Stack(data, recipe, depth)
    measure_norms(stack, train_x)
    made = trace(stack, test_x)
    for norm in stack.modules():
        if isinstance(norm, nn.BatchNorm1d):
            norm.momentum = 0.1
    batches = len(train_x) // BATCH
    optimizer = torch.optim.AdamW(parameter_groups(stack, weight_decay=0.0), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=epochs * batches)
    label = f"{recipe}, {depth} layers, seed {seed}"
    for _ in tqdm(range(epochs), desc=label, leave=False, disable=None):
        stack.train()
        order = torch.randperm(len(train_x))[: batches * BATCH]
        for rows in order.reshape(batches, BATCH):
            loss = functional.cross_entropy(stack(train_x[rows]), train_y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    test, trained = accuracy(stack, test_x, test_y), trace(stack, test_x)
    remove_synapses(stack, train_x)
    return Outcome(test, accuracy(stack, test_x, test_y), made, trained)


def row_of(recipe: str, depth: int, outcomes: list[Outcome]) -> list:
    """A line of the table: means over seeds, and of the layers the worst one's."""
    test, spread = mean_and_spread([o.test for o in outcomes])
    row = [recipe, depth, f"{test:.2f}{known(spread, '.2f', ' ± ')}"]
    row += [" ".join(f"{o.test:.2f}" for o in outcomes)]
    if not depth:
        return [*row, "", "", "", ""]
    row += plus_minus([[o.without] for o in outcomes], [".1f"])
    row += [f"{np.mean([o.trained.spread[-1] / o.trained.spread[1] for o in outcomes]):.3g}"]
    row += [f"{min(np.abs(o.trained.transmission).min() for o in outcomes):.3g}"]
    return [*row, f"{min(o.trained.transmitted.min() for o in outcomes):.3g}"]


HEADER = ("recipe", "layers", "test %", "each", "without %", "spread, last / first")
HEADER += ("least mean |T|", "least mean e^T")


@plots.styled
def draw(found: dict[tuple[str, int], list[Outcome]], path: Path) -> None:
    """Spread of the signal by depth, for the deepest stacks; a line for each seed."""
    deepest = max(depth for _, depth in found)
    figure = Figure(figsize=(plots.WIDTH, 3.8))
    figure.suptitle(f"Spread of the signal over images, {deepest} synapse layers of {WIDTH} units")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, kind, title in zip(
        panels, ("made", "trained"), ("as made", "trained on the digits"), strict=True
    ):
        for colour, recipe in zip(plots.COLOURS, RECIPES, strict=False):
            for k, outcome in enumerate(found.get((recipe, deepest), [])):
                spread = getattr(outcome, kind).spread
                label = recipe if k == 0 else None
                axes.plot(spread, color=colour, linewidth=1.4, label=label)
        axes.set(title=title, xlabel="layer", yscale="log")
    panels[0].set_ylabel("standard deviation")
    panels[0].legend()
    plots.save(figure, path)


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--layers", nargs="+", type=number(int, 1), default=[2, 64])
    parser.add_argument("--seeds", type=number(int, 1), default=3)
    parser.add_argument("--epochs", type=number(int, 1), default=30)
    options = parser.parse_args(arguments)
    make_folder(options.output)
    torch.set_num_threads(1)  # the layers are small
    data, seeds = load_digits(), range(options.seeds)
    jobs = [(recipe, depth) for recipe in options.recipes for depth in options.layers]
    found = {job: [run(data, *job, options.epochs, seed) for seed in seeds] for job in jobs}
    nothing = [run(data, "odds", 0, options.epochs, seed) for seed in seeds]
    rows = [row_of("no layers", 0, nothing)] + [row_of(*job, found[job]) for job in jobs]
    print(tabulate(rows, HEADER, disable_numparse=True))
    draw(found, options.output / "depth.png")
    print(f"picture: {options.output / 'depth.png'}")


if __name__ == "__main__":
    main()
