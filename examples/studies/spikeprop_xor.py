"""SpikeProp: networks that answer by when they fire.

    python examples/studies/spikeprop_xor.py              XOR on 20 seeds, and irises by one neuron
    python examples/studies/spikeprop_xor.py --seeds 100  more seeds

XOR: three inputs (the third always fires at 0), five hidden units, one of which inhibits, and one
output; every connection has 16 synapses with delays of 1 to 16 ms. A bit is a spike at 0 or 6 ms;
the output is to fire at 16 ms for equal bits and at 10 ms for unequal ones. A run has converged
when Σ (t − target)² over the four patterns is below 1 ms².

Irises: one neuron, which is to fire at 10, 13 or 16 ms for the three species; half of the flowers
to learn from, the other half to test. A picture goes to --output.

Makes tables of both problems, and spikeprop.png.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from shared import plots
from shared.options import make_folder, make_parser, number
from shared.tables import known, mean_and_spread
from synann.spiking import (
    firing_times,
    raise_silent,
    spike_response,
    spikeprop_gradients,
)

TAU, THRESHOLD = 7.0, 1.0  # ms, and the unit of potential
DELAYS = np.arange(1.0, 17.0)
FIRST_SEED = 100  # rates and initial weights were chosen on seeds 0 to 5
RAISE = 0.02  # added to every weight of a silent neuron, per epoch

BITS = np.array([[0.0, 0.0], [0.0, 6.0], [6.0, 0.0], [6.0, 6.0]])
PATTERNS = np.hstack([BITS, np.zeros((4, 1))])
TARGETS = np.array([[16.0], [10.0], [10.0], [16.0]])
HIDDEN_SIGN = np.array([1.0, 1.0, 1.0, 1.0, -1.0])[None, :, None]
XOR_RATE, XOR_WEIGHT, CONVERGED = 1e-3, 0.2, 1.0

IRIS_TARGETS = np.array([10.0, 13.0, 16.0])
IRIS_RATE, IRIS_WEIGHT = 3e-3, 0.05


class Run(NamedTuple):
    """One run of XOR."""

    errors: list[float]  # Σ (t − target)² before each epoch, ms²
    layers: list[np.ndarray]
    converged: bool


def learn_xor(seed: int, epochs: int, rate: float = XOR_RATE) -> Run:
    """Plain gradient descent; each hidden unit keeps its sign, as its synapses all share it."""
    rng = np.random.default_rng(seed)
    layers = [
        rng.uniform(0.0, XOR_WEIGHT, (5, 3, DELAYS.size)),
        HIDDEN_SIGN * rng.uniform(0.0, XOR_WEIGHT, (1, 5, DELAYS.size)),
    ]
    errors = []
    for epoch in range(epochs + 1):
        loss, gradients, fired = spikeprop_gradients(
            PATTERNS, layers, DELAYS, TARGETS, tau=TAU, threshold=THRESHOLD
        )
        errors.append(2.0 * float(loss.sum()))
        if errors[-1] < CONVERGED:
            return Run(errors, layers, True)
        if epoch < epochs:
            hidden, output = (
                raise_silent(w - rate * g, times, RAISE)
                for w, g, times in zip(layers, gradients, fired, strict=True)
            )
            signed = HIDDEN_SIGN * np.maximum(HIDDEN_SIGN * output, 0.0)
            layers = [np.maximum(hidden, 0.0), signed]
    return Run(errors, layers, False)


def xor_times(layers: list[np.ndarray]) -> list[np.ndarray]:
    """Firing times of the hidden units and of the output, (4, 5) and (4, 1)."""
    fired = [PATTERNS]
    for weights in layers:
        fired.append(firing_times(fired[-1], weights, DELAYS, tau=TAU, threshold=THRESHOLD))
    return fired[1:]


def output_potential(time: np.ndarray, layers: list[np.ndarray]) -> np.ndarray:
    """Potential of the output for each pattern, (4, times)."""
    arrivals = xor_times(layers)[0][:, :, None] + DELAYS
    since = np.where(np.isinf(arrivals), -1.0, time[:, None, None, None] - arrivals)
    return np.einsum("tbik,ik->bt", spike_response(since, TAU), layers[1][0])


def learn_irises(seed: int, epochs: int) -> tuple[tuple[float, float, float], np.ndarray]:
    """Accuracy in training, in the test, and of logistic regression; times of the test flowers.

    A feature, scaled to [0, 1], fires at 6(1 − x) and, by a second input, at 6x ms.
    """
    x, y = load_iris(return_X_y=True)
    parts = train_test_split(x, y, test_size=0.5, stratify=y, random_state=seed)
    scaler = MinMaxScaler(clip=True).fit(parts[0])
    train_y, test_y = parts[2:]
    scaled = [scaler.transform(part) for part in parts[:2]]
    train_x, test_x = (
        np.hstack([6.0 * (1.0 - part), 6.0 * part, np.zeros((len(part), 1))]) for part in scaled
    )
    shape = (1, train_x.shape[1], DELAYS.size)
    weights = np.random.default_rng(seed).uniform(0.0, IRIS_WEIGHT, shape)
    target = IRIS_TARGETS[train_y][:, None]
    for _ in range(epochs):
        _, (gradient,), (fired,) = spikeprop_gradients(train_x, [weights], DELAYS, target, tau=TAU)
        weights = raise_silent(weights - IRIS_RATE / len(train_x) * gradient, fired, RAISE)
    scores, times = [], np.empty(0)
    for inputs, labels in ((train_x, train_y), (test_x, test_y)):
        times = firing_times(inputs, weights, DELAYS, tau=TAU)[:, 0]
        nearest = np.abs(times[:, None] - IRIS_TARGETS).argmin(axis=1)
        scores.append(float(np.mean((nearest == labels) & np.isfinite(times))))
    rival = make_pipeline(StandardScaler(), LogisticRegression()).fit(parts[0], train_y)
    scores.append(float(rival.score(parts[1], test_y)))
    return (scores[0], scores[1], scores[2]), np.column_stack([times, test_y])


@plots.styled
def draw(runs: list[Run], irises: np.ndarray, path: Path) -> None:
    """Errors by epoch, the trained output's potential, and when the iris neuron fires."""
    figure = Figure(figsize=(1.25 * plots.WIDTH, 4.0))
    learning, potential, species = figure.subplots(1, 3)
    for run in runs:
        colour = plots.QUIET if run.converged else plots.COLOURS[1]
        learning.plot(run.errors, linewidth=0.7, color=colour, alpha=0.5)
    longest = max(len(run.errors) for run in runs)
    # A run that has converged goes on with its last error.
    held = [np.append(r.errors, np.full(longest - len(r.errors), r.errors[-1])) for r in runs]
    middle = np.median(held, axis=0)
    learning.plot(middle, color=plots.COLOURS[0], linewidth=2.0, label=f"median of {len(runs)}")
    learning.axhline(CONVERGED, color=plots.TEXT, linestyle=":", linewidth=1.2, label="converged")
    learning.set(
        title=f"XOR: {sum(r.converged for r in runs)} of {len(runs)} seeds converge",
        xlabel="epoch",
        ylabel="Σ (firing time − target)², ms²",
        yscale="log",
    )
    learning.legend(loc="upper right")

    shown = next((run for run in runs if run.converged), runs[0])
    time = np.linspace(0.0, 25.0, 1001)
    curves, fired = output_potential(time, shown.layers), xor_times(shown.layers)[1][:, 0]
    for (a, b), curve, at, colour in zip(BITS, curves, fired, plots.COLOURS, strict=False):
        before, style = time <= at, "--" if a > b else "-"  # 0 xor 1 and 1 xor 0 nearly coincide
        label = f"{int(a > 0)} xor {int(b > 0)}"
        potential.plot(time[before], curve[before], style, color=colour, label=label)
        potential.plot(at, THRESHOLD, "o", color=colour)
    potential.axhline(THRESHOLD, color=plots.TEXT, linestyle=":", linewidth=1.2)
    for target in np.unique(TARGETS):
        potential.axvline(target, color=plots.QUIET, linestyle=":", linewidth=1.2)
        potential.text(target, -0.2, f"target {target:g} ", ha="right", fontsize="small")
    potential.set(
        title="XOR: the output fires early or late", xlabel="time, ms", ylim=(-0.25, 1.1),
        ylabel="potential / threshold",
    )  # fmt: skip
    potential.legend(loc="upper left", bbox_to_anchor=(0.0, 0.95))

    finite = irises[np.isfinite(irises[:, 0])]
    edges = np.arange(np.floor(finite[:, 0].min()), np.ceil(finite[:, 0].max()) + 0.5, 0.5)
    names = [str(name) for name in load_iris().target_names]
    groups = [finite[finite[:, 1] == label, 0] for label in range(len(names))]
    colours = list(plots.COLOURS[: len(names)])
    species.hist(groups, edges, stacked=True, color=colours, label=names)
    for colour, target in zip(colours, IRIS_TARGETS, strict=True):
        species.axvline(target, ymax=0.72, color=colour, linestyle=":")
    species.set(title="irises, test half: one neuron", xlabel="it fires at, ms", ylabel="flowers")
    species.set_ylim(top=1.4 * species.get_ylim()[1])
    species.legend(loc="upper center", ncols=2, title="dotted: targets")
    plots.save(figure, path)


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=number(int, 1), default=20)
    parser.add_argument("--epochs", type=number(int, 1), default=1000, help="for XOR, at most")
    parser.add_argument("--rate", type=number(float, 0), default=XOR_RATE, help="for XOR")
    parser.add_argument("--iris-seeds", type=number(int, 1), default=5)
    parser.add_argument("--iris-epochs", type=number(int, 1), default=300)
    options = parser.parse_args(arguments)
    make_folder(options.output)

    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    runs = [
        learn_xor(seed, options.epochs, options.rate)
        for seed in tqdm(seeds, desc="XOR", ncols=100, disable=None)
    ]
    done = [len(run.errors) - 1 for run in runs if run.converged]
    print(f"XOR: {len(done)} of {len(runs)} seeds converge", end="")
    if done:
        print(f", after {min(done)} to {max(done)} epochs, median {np.median(done):.0f}", end="")
    print()
    shown = next((run for run in runs if run.converged), runs[0])
    rows = [
        (int(a > 0), int(b > 0), target, at)
        for (a, b), target, at in zip(
            BITS, TARGETS[:, 0], xor_times(shown.layers)[1][:, 0], strict=True
        )
    ]
    print(tabulate(rows, ("bit", "bit", "target, ms", "fires at, ms"), floatfmt=".2f"))

    seeds = range(FIRST_SEED, FIRST_SEED + options.iris_seeds)
    results = [
        learn_irises(seed, options.iris_epochs)
        for seed in tqdm(seeds, desc="irises", ncols=100, disable=None)
    ]
    mean, spread = mean_and_spread(100.0 * np.array([score for score, _ in results]))
    names = ("one neuron, training half", "one neuron, test half", "logistic regression, test half")
    print("irises, accuracy in %:")
    rows = [(*row, known(s, ".1f")) for *row, s in zip(names, mean, spread, strict=True)]
    print(tabulate(rows, ("", "mean", "± seeds"), floatfmt=".1f"))
    draw(runs, results[0][1], options.output / "spikeprop.png")
    print(f"picture: {options.output / 'spikeprop.png'}")


if __name__ == "__main__":
    main()
