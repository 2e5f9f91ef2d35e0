"""Patterns emerge by STDP: neurons that compete for handwritten digits, without labels.

    python examples/studies/stdp.py              49 neurons, five seeds, about half a minute
    python examples/studies/stdp.py --seeds 1    one seed

The pixels of an image fire at random, the brighter the more often, for 30 steps. All of them reach
each of 49 integrate-and-fire neurons; the one furthest above its threshold fires and silences the
others. STDP strengthens the synapses whose pixels had just fired. Two slow rules keep all neurons
in play: the sum of a neuron's weights stays the same, and one that fires more than the others gets
a higher threshold. Labels are used at the end only, to name each neuron by the digit it fires for
most, and to count how often the neurons with the most spikes have the right name.

Makes a table of names that are right, and stdp.png: the weights as images.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from sklearn.cluster import KMeans
from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from shared import plots
from shared.datasets import Dataset, load_digits
from shared.options import make_folder, make_parser, number
from shared.tables import known, mean_and_spread
from synann.spiking import STDP

# Chosen on a part of the training images, with seed 0 and about as many neurons.
RULE = STDP(
    a_plus=0.005, a_minus=0.001, tau_plus=5.0, tau_minus=5.0, pairing="nearest", dependence="linear"
)
STEPS, RATE = 30, 0.3  # per image; probability of a spike per step of the brightest pixel
DECAY, THRESHOLD, TOTAL = 0.9, 6.0, 10.0  # membrane; first threshold; sum of a neuron's weights
BALANCE = 0.005  # relative change of a threshold per batch, for one spike too many per mean spike
BATCH = 16
FIRST_SEED = 100
EARLY = 960  # images after which the picture shows the weights for the first time


class Layer(NamedTuple):
    """Weights (neurons, pixels) in [0, 1], and a threshold for each neuron."""

    weights: np.ndarray
    thresholds: np.ndarray


def new_layer(neurons: int, pixels: int, rng: np.random.Generator) -> Layer:
    weights = rng.uniform(0.2, 0.8, (neurons, pixels))
    return Layer(_normalised(weights), np.full(neurons, THRESHOLD))


def present(
    layer: Layer, images: np.ndarray, rng: np.random.Generator, *, learn: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Show images side by side; returns the weights and each neuron's spikes by image."""
    weights, rows = layer.weights, np.arange(len(images))
    membrane = np.zeros((len(images), len(weights)))
    counts, traces = np.zeros_like(membrane), RULE.init(weights, len(images))
    for _ in range(STEPS):
        pre = (rng.random(images.shape) < RATE * images).astype(np.float64)
        membrane = DECAY * membrane + pre @ weights.T
        above = membrane - layer.thresholds
        best = above.argmax(axis=1)
        post = np.zeros_like(membrane)
        post[rows, best] = above[rows, best] > 0.0
        membrane[post.any(axis=1)] = 0.0  # the winner resets itself and its rivals
        counts += post
        if learn:
            weights, traces = RULE.step(weights, pre, post, traces)
    return weights, counts


def learn(
    layer: Layer, images: np.ndarray, rng: np.random.Generator, label: str
) -> tuple[Layer, np.ndarray]:
    """Show every image once in random order; also returns the weights after EARLY images."""
    order, early = rng.permutation(len(images)), layer.weights
    for start in tqdm(range(0, len(images), BATCH), desc=label, ncols=100, leave=False):
        weights, counts = present(layer, images[order[start : start + BATCH]], rng, learn=True)
        busy = counts.mean(axis=0) / max(counts.mean(), 1e-9) - 1.0
        layer = Layer(_normalised(weights), layer.thresholds * np.exp(BALANCE * busy))
        if start + BATCH == EARLY:
            early = layer.weights
    return layer, early


def name_neurons(layer: Layer, data: Dataset, rng: np.random.Generator) -> np.ndarray:
    """The digit for which each neuron fires most, per training image."""
    _, counts = present(layer, data.train_x, rng, learn=False)
    means = [counts[data.train_y == digit].mean(axis=0) for digit in range(data.classes)]
    return np.argmax(means, axis=0)


def score(layer: Layer, data: Dataset, rng: np.random.Generator) -> float:
    """Share of test images whose spikes come mostly from neurons of the right name."""
    names = name_neurons(layer, data, rng)
    _, counts = present(layer, data.test_x, rng, learn=False)
    votes = np.stack([counts[:, names == d].sum(axis=1) for d in range(data.classes)], axis=1)
    right = votes.argmax(axis=1) == data.test_y
    return float(np.mean(right & (votes.max(axis=1) > 0)))


def score_of_kmeans(data: Dataset, centres: int, seed: int) -> float:
    """The same with the centres of k-means for neurons, and the nearest one for the winner."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about threads, on some machines
        model = KMeans(centres, n_init=1, random_state=seed).fit(data.train_x)
    names = [
        np.bincount(data.train_y[model.labels_ == k], minlength=data.classes).argmax()
        for k in range(centres)
    ]
    return float(np.mean(np.asarray(names)[model.predict(data.test_x)] == data.test_y))


@plots.styled
def draw(fields: dict[str, np.ndarray], image_shape: tuple[int, int], path: Path) -> None:
    """Each neuron's weights as an image, at several times, in one scale."""
    figure = Figure(figsize=(1.25 * plots.WIDTH, 4.2))
    panels = np.atleast_1d(figure.subplots(1, len(fields)))
    most = max(weights.max() for weights in fields.values())
    for axes, (title, weights) in zip(panels, fields.items(), strict=True):
        shown = axes.imshow(plots.sheet(weights, image_shape), vmin=0.0, vmax=most)
        axes.set(title=title)
        axes.set_axis_off()
    figure.colorbar(shown, ax=panels, shrink=0.8, label="weight of a pixel")
    figure.suptitle(f"what each of {len(next(iter(fields.values())))} neurons looks for")
    plots.save(figure, path)


def _normalised(weights: np.ndarray) -> np.ndarray:
    return np.minimum(weights * (TOTAL / weights.sum(axis=1, keepdims=True)), 1.0)


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--neurons", type=number(int, 1), default=49)
    parser.add_argument("--epochs", type=number(int, 1), default=3)
    parser.add_argument("--seeds", type=number(int, 1), default=5)
    options = parser.parse_args(arguments)
    make_folder(options.output)

    data = load_digits()
    scores, fields = [], {}
    for seed in range(FIRST_SEED, FIRST_SEED + options.seeds):
        rng = np.random.default_rng(seed)
        first = layer = new_layer(options.neurons, data.train_x.shape[1], rng)
        for epoch in range(options.epochs):
            label = f"seed {seed}, epoch {epoch + 1}"
            layer, early = learn(layer, data.train_x, rng, label)
            if not epoch and not fields:
                fields = {"before": first.weights, f"after {EARLY} images": early}
        if len(fields) < 3:
            fields[f"after {options.epochs * len(data.train_x)} images"] = layer.weights
        scores.append(
            [
                score(layer, data, rng),
                score(first, data, rng),
                score_of_kmeans(data, options.neurons, seed),
            ]
        )
    draw(fields, data.image_shape, options.output / "stdp.png")
    mean, spread = mean_and_spread(100.0 * np.asarray(scores))
    names = ("after STDP", "before, random weights", "k-means, as many centres")
    print(f"{options.neurons} neurons, {len(data.test_y)} test images, {len(scores)} seeds")
    rows = zip(names, mean, (known(s, ".1f") for s in spread), strict=True)
    print(tabulate(rows, ("right name, %", "mean", "± seeds"), floatfmt=".1f"))
    print(f"picture: {options.output / 'stdp.png'}")


if __name__ == "__main__":
    main()
