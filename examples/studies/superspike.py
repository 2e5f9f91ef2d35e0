"""SuperSpike: neurons learn to fire at given times, from an input that is always the same.

    python examples/studies/superspike.py               three seeds, about a minute
    python examples/studies/superspike.py --seeds 1     one
    python examples/studies/superspike.py --rate 1e-3   larger steps

A hundred inputs fire at random, 10 times a second, for 500 ms, always in the same way. Through 60
hidden neurons they reach five outputs, each of which is to fire at five given times. How far its
spikes are from those is van Rossum's distance; weights are changed

- by backpropagation through time (BPTT) of that distance;
- by SuperSpike: each layer's eligibilities run forward in time, and the hidden neurons get the
  outputs' errors through the weights to them ("symmetric"), through random ones, or all the same
  sum ("uniform");
- by SuperSpike in the last layer alone.

For the outputs SuperSpike is BPTT, to rounding; the hidden layer makes the difference. All start
from the same weights and take steps of RMaxProp, the rule's own normalisation.

Makes a table of distances and of spikes at the right times, and superspike.png: learning.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from shared import plots
from shared.options import make_folder, make_parser, number
from shared.spiking_layers import bptt, draw_curves, forward, new_weights
from shared.tables import plus_minus
from synann.optim import RMaxProp
from synann.spiking import LIF, decay_factor, superspike, superspike_gradient, van_rossum

STEPS, INPUTS, HIDDEN, OUTPUTS, WANTED = 500, 100, 60, 5, 5  # ms, neurons, spikes of an output
INPUT_RATE = 0.01  # spikes per ms
DECAYS = {
    "synaptic_decay": decay_factor(5.0),
    "rise": decay_factor(5.0),
    "fall": decay_factor(10.0),
}
NEURON = LIF(decay_factor(10.0), synaptic_decay=DECAYS["synaptic_decay"], surrogate=superspike(0.2))
SCALE, LEARNING_RATE = 0.5, 3e-4
NEAR = 3  # ms: a spike so near to a wanted one is at the right time
FIRST_SEED = 100  # scale and rate were chosen on seed 0

RULES = {
    "BPTT": "bptt",
    "SuperSpike, symmetric": "symmetric",
    "SuperSpike, random": "random",
    "SuperSpike, uniform": "uniform",
    "SuperSpike, last layer": "last",
}


def problem(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Input spikes (500, 1, 100), and those that are wanted (500, 1, 5), 20 ms apart or more."""
    x = (rng.random((STEPS, 1, INPUTS)) < INPUT_RATE).astype(np.float64)
    wanted = np.zeros((STEPS, 1, OUTPUTS))
    for output in range(OUTPUTS):
        slots = rng.choice(np.arange(2, STEPS // 30), WANTED, replace=False)
        wanted[30 * slots + rng.integers(0, 10, WANTED), 0, output] = 1.0
    return x, wanted


def learn(
    seed: int, rule: str, epochs: int, rate: float = LEARNING_RATE
) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Distances by epoch, the last spikes of the outputs, and those that were wanted."""
    rng = np.random.default_rng(seed)
    x, wanted = problem(rng)
    weights = new_weights((INPUTS, HIDDEN, OUTPUTS), SCALE, rng)
    feedback = {
        "random": rng.normal(0.0, 1.0, (OUTPUTS, HIDDEN)),
        "uniform": np.ones((OUTPUTS, HIDDEN)),
        "last": np.zeros((OUTPUTS, HIDDEN)),
    }
    optimizer, distances = RMaxProp(rate), []
    state = optimizer.init(dict(enumerate(weights)))
    for _ in range(epochs):
        passes = forward(weights, x, NEURON)
        spikes = passes[-1].spikes
        filters = {name: DECAYS[name] for name in ("rise", "fall")}
        distance, grad = van_rossum(spikes, wanted, **filters)
        distances.append(float(distance))
        if rule == "bptt":
            found = bptt(weights, passes, grad, NEURON)
        else:
            error = spikes - wanted
            back = feedback.get(rule, weights[1])
            found = [
                superspike_gradient(own.x, own.record.slope, signal, NEURON.decay, **DECAYS)
                for own, signal in zip(passes, (error @ back, error), strict=True)
            ]
        named, state = optimizer.update(
            dict(enumerate(weights)), dict(enumerate(found)), state, rate
        )
        weights = list(named.values())
    return distances, spikes, wanted


def hits(spikes: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """Share of the wanted spikes that have one near, and spikes beyond those, per wanted one."""
    found = 0
    for output in range(OUTPUTS):
        times, targets = (np.flatnonzero(a[:, 0, output]) for a in (spikes, wanted))
        found += sum(bool((np.abs(times - t) <= NEAR).any()) for t in targets)
    return found / wanted.sum(), (spikes.sum() - found) / wanted.sum()


@plots.styled
def draw(
    curves: dict[str, np.ndarray], spikes: dict[str, np.ndarray], wanted: np.ndarray, path: Path
) -> None:
    """Distances by epoch, and what the outputs do at the end beside what they should."""
    figure = Figure(figsize=(1.25 * plots.WIDTH, 4.2))
    learning, raster = figure.subplots(1, 2)
    draw_curves(learning, curves)
    learning.set(
        title="distance by epoch; bands: all seeds",
        xlabel="epoch",
        ylabel="van Rossum",
        yscale="log",
    )
    learning.legend(fontsize="small")
    for k, (label, own) in enumerate(spikes.items()):
        time, output = np.nonzero(own[:, 0])
        row = output - 0.12 * (k + 1)
        raster.plot(time, row, "|", color=plots.COLOURS[k], markersize=7, label=label)
    time, output = np.nonzero(wanted[:, 0])
    raster.plot(time, output + 0.12, "v", color=plots.TEXT, markersize=4, label="wanted")
    raster.set(title="outputs after learning, first seed", xlabel="ms", yticks=range(OUTPUTS))
    raster.set_ylabel("output")
    raster.legend(fontsize="small", ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.13))
    plots.save(figure, path)


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=number(int, 1), default=3)
    parser.add_argument("--epochs", type=number(int, 1), default=1500)
    parser.add_argument("--rate", type=number(float, 0), default=LEARNING_RATE)
    options = parser.parse_args(arguments)
    make_folder(options.output)
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    runs = [(label, seed) for label in RULES for seed in seeds]
    curves: dict[str, list[list[float]]] = {label: [] for label in RULES}
    results: dict[str, list[tuple[float, ...]]] = {label: [] for label in RULES}
    shown: dict[str, np.ndarray] = {}
    first_wanted = np.zeros((STEPS, 1, OUTPUTS))
    for label, seed in tqdm(runs, desc="rules", ncols=100, disable=None):
        distances, spikes, wanted = learn(seed, RULES[label], options.epochs, options.rate)
        curves[label].append(distances)
        late = float(np.mean(distances[-100:]))
        found, more = hits(spikes, wanted)
        results[label].append((late, 100 * found, 100 * more))
        if seed == FIRST_SEED:
            shown[label], first_wanted = spikes, wanted
    start = np.mean([rows[0] for rows in curves["BPTT"]])
    print(f"{options.epochs} epochs, {options.seeds} seeds; distance before learning: {start:.3f}")
    rows = [(label, *plus_minus(results[label], (".3f", ".0f", ".0f"))) for label in RULES]
    head = ("", "distance, last 100 epochs", f"hit within {NEAR} ms, %", "more, %")
    print(tabulate(rows, head, disable_numparse=True))
    picture = options.output / "superspike.png"
    draw({label: np.asarray(rows) for label, rows in curves.items()}, shown, first_wanted, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main()
