"""Diehl and Cook's network: digits learned by STDP without labels, each seen once.

    python examples/studies/diehl_cook.py --data-dir DIR [--download]   100 neurons, 20,000 images
    python examples/studies/diehl_cook.py --images 60000                all of them
    python examples/studies/diehl_cook.py --held-out        tested on others of the training images

The pixels of an image are 784 Poisson inputs of up to 64 spikes a second for 350 ms; if it gets
fewer than five spikes out of the network, it is shown again, brighter. Of the neurons, the one
furthest above its threshold fires and inhibits the others, and STDP moves its weights to the pixels
that had just fired and away from the others. Thresholds rise with every spike, and a neuron's
weights always have the same sum. Labels are used at the end: each neuron is named by the digit for
which it fires most, and an image gets the name whose neurons fire most on average.

Beside it, k-means with as many centres on the same images, named by most of their members, and what
a linear classifier with labels makes of the spike counts, and of the pixels.

Makes a table of the test accuracy, and diehl-cook.png: what each neuron looks for.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from mnist import files
from shared import plots
from shared.datasets import Dataset
from shared.options import make_folder, make_parser, number
from shared.tables import known, mean_and_spread
from synann.spiking import STDP, WinnerTakeAll, normalise_weights

# Time in ms, thresholds in mV. The paper's, where it names them and they fit neurons without
# conductances; docs/plasticity.md says how the others were chosen.
LAYER = WinnerTakeAll(inhibition=60.0, adaptation=0.05)
RULE = STDP(a_plus=0.01, a_minus=0.0, tau_plus=20.0, dependence="linear", target=0.4)
TOTAL = 0.1  # sum of a neuron's weights, by input
STEPS, RATE = 350, 0.06375  # shown for; spikes per ms of the brightest pixel
LEAST, BRIGHTER, SHOWINGS = 5, 0.032, 10  # spikes that are enough; what is added to the rate
NAMING = 10_000  # images, of those that were learned, by which neurons are named
BATCH = 100
HELD_OUT = 10_000
METHODS = (
    "Diehl and Cook's network",
    "k-means, as many centres",
    "with labels: logistic regression, pixels",
    "with labels: logistic regression, spike counts",
)


class Network(NamedTuple):
    """Weights (neurons, pixels) in [0, 1], and how far each threshold has risen."""

    weights: np.ndarray
    raised: np.ndarray


def new_network(neurons: int, pixels: int, rng: np.random.Generator) -> Network:
    weights = rng.uniform(0.0, 0.3, (neurons, pixels))
    return Network(normalise_weights(weights, TOTAL * pixels), np.zeros(neurons))


def spikes_of(images: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Poisson spikes (steps, images, pixels), of the images' dtype."""
    drawn = rng.random((STEPS, *images.shape), dtype=np.float32)
    return (drawn < np.float32(rate) * images).astype(images.dtype)


def learn(network: Network, images: np.ndarray, rng: np.random.Generator, label: str) -> Network:
    """Show every image once, and again where it was too faint."""
    weights, raised = network
    total = TOTAL * weights.shape[1]
    # disable=None: no bar where nobody watches, in a log file.
    for image in tqdm(images.astype(np.float64), desc=label, ncols=100, disable=None):
        rate = RATE
        for _ in range(SHOWINGS):
            state = {"membrane": np.zeros((1, len(weights))), "raised": raised}
            spikes = spikes_of(image[None], rate, rng)
            weights, fired, state = LAYER.learn(weights, spikes, RULE, state)
            weights, raised = normalise_weights(weights, total), state["raised"]
            if fired.sum() >= LEAST:
                break
            rate += BRIGHTER
    return Network(weights, raised)


def respond(network: Network, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Spikes of each neuron for each image, (images, neurons), of a network that does not learn."""
    still = replace(LAYER, adaptation=0.0, adaptation_decay=1.0)
    weights = network.weights.astype(np.float32)
    counts = np.zeros((len(images), len(weights)))
    for start in range(0, len(images), BATCH):
        faint, rate = np.arange(start, min(start + BATCH, len(images))), RATE
        for _ in range(SHOWINGS):
            currents = spikes_of(images[faint], rate, rng) @ weights.T
            state = {**still.init(weights, len(faint)), "raised": network.raised}
            counts[faint] = still.run(currents, state)[0].sum(axis=0)
            faint, rate = faint[counts[faint].sum(axis=1) < LEAST], rate + BRIGHTER
            if not len(faint):
                break
    return counts


def name_neurons(counts: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """The digit for which each neuron fires most, on average."""
    return np.argmax([counts[labels == digit].mean(axis=0) for digit in range(classes)], axis=0)


def vote(counts: np.ndarray, names: np.ndarray, classes: int) -> np.ndarray:
    """The digit whose neurons fire most, on average; −1 where none does."""
    means = [counts[:, names == d].mean(axis=1) if (names == d).any() else np.zeros(len(counts))
             for d in range(classes)]  # fmt: skip
    return np.where(counts.any(axis=1), np.argmax(means, axis=0), -1)


def rivals(data: Dataset, neurons: int, seed: int) -> list[float]:
    """Accuracy of k-means, and of a linear classifier of the pixels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about threads, on some machines
        model = KMeans(neurons, n_init=1, random_state=seed).fit(data.train_x)
    members = np.stack([np.bincount(data.train_y[model.labels_ == k], minlength=data.classes)
                        for k in range(neurons)])  # fmt: skip
    right = members.argmax(axis=1)[model.predict(data.test_x)] == data.test_y
    return [float(np.mean(right)), linear(data.train_x, data.train_y, data.test_x, data.test_y)]


def linear(x: np.ndarray, y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray) -> float:
    """Accuracy of logistic regression, far enough for the digit that is printed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return float(LogisticRegression(C=0.1, max_iter=100).fit(x, y).score(test_x, test_y))


@plots.styled
def draw(network: Network, names: np.ndarray, data: Dataset, title: str, path: Path) -> None:
    """Each neuron's weights as an image, in the order of their names."""
    figure = Figure(figsize=(0.72 * plots.WIDTH, 0.66 * plots.WIDTH))
    axes = figure.subplots()
    sheet = plots.sheet(network.weights[np.argsort(names, kind="stable")], data.image_shape)
    shown = axes.imshow(sheet, vmin=0.0)
    axes.set(title=title)
    axes.set_axis_off()
    figure.colorbar(shown, ax=axes, shrink=0.8, label="weight of a pixel")
    plots.save(figure, path)


def split(data: Dataset, options: argparse.Namespace, rng: np.random.Generator) -> Dataset:
    """Images in random order, as many as asked for; with --held-out none of the test."""
    learned = len(data.train_y)
    if options.held_out:
        learned -= min(HELD_OUT, learned // 6)
        rest_x, rest_y = data.train_x[learned:], data.train_y[learned:]
        data = replace(data, test_x=rest_x, test_y=rest_y)
    order = rng.permutation(learned)[: options.images]
    return replace(
        data,
        train_x=data.train_x[order],
        train_y=data.train_y[order],
        test_x=data.test_x[: options.test],
        test_y=data.test_y[: options.test],
    )


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    files.add_options(parser)
    parser.add_argument("--neurons", type=number(int, 1), default=100)
    parser.add_argument("--images", type=number(int, 1), default=20_000, help="to learn from")
    parser.add_argument("--test", type=number(int, 1), default=10_000, help="images to test on")
    parser.add_argument("--seed", type=number(int, 0), default=0)
    parser.add_argument("--seeds", type=number(int, 1), default=1, help="runs, from --seed on")
    parser.add_argument("--held-out", action="store_true", help="test on training images")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    make_folder(options.output)  # before the training, not after it
    try:
        whole = files.load(options)
    except files.DataError as error:
        raise SystemExit(str(error)) from None
    picture, scores = options.output / "diehl-cook.png", []
    for seed in range(options.seed, options.seed + options.seeds):
        rng, start = np.random.default_rng(seed), time.perf_counter()
        data = split(whole, options, rng)
        network = new_network(options.neurons, data.train_x.shape[1], rng)
        network = learn(network, data.train_x, rng, f"seed {seed}")
        seconds, labels = time.perf_counter() - start, data.train_y[-NAMING:]
        counts = respond(network, data.train_x[-NAMING:], rng)
        names = name_neurons(counts, labels, data.classes)
        tested = respond(network, data.test_x, rng)
        right = float(np.mean(vote(tested, names, data.classes) == data.test_y))
        read = linear(counts, labels, tested, data.test_y)
        scores.append(
            [100.0 * share for share in (right, *rivals(data, options.neurons, seed), read)]
        )
        print(
            f"seed {seed}: {len(data.train_y)} images once in {seconds:.0f} s; right on "
            f"{len(data.test_y)} {'held-out' if options.held_out else 'test'} images, %: "
            + ", ".join(f"{score:.2f}" for score in scores[-1]),
            flush=True,
        )
        if seed == options.seed:
            title = f"what each of {options.neurons} neurons looks for after one look at each image"
            draw(network, names, data, title, picture)
    mean, spread = mean_and_spread(scores)
    error = np.sqrt(mean * (100.0 - mean) / len(data.test_y))
    rows = zip(METHODS, mean, error, (known(s, ".2f") for s in spread), strict=True)
    print(tabulate(rows, ("right, %", "mean", "± standard error", "± seeds"), floatfmt=".2f"))
    print(f"picture: {picture}")


if __name__ == "__main__":
    main()
