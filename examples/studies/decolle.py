"""DECOLLE: three spiking layers, each of which learns from a readout of its own.

    python examples/studies/decolle.py             three seeds, a minute or two
    python examples/studies/decolle.py --seeds 1   one

Forty inputs show one of two patterns of spikes, pause, and show one of the two again, with jitter.
Was it the same? All inputs fire equally often in both patterns: only when they fire tells them
apart, what counts comes in two parts, and no sum over time answers (it is an XOR of patterns).
Three layers of 80 neurons, each with a readout of random weights that stay as they are, are trained

- by backpropagation through time (BPTT) of the last layer's loss through all of them;
- by DECOLLE: each layer by its own loss, with nothing passed between layers or back in time;
- by the same in the last layer alone, behind two layers that stay as they were.

All start from the same weights and see the same samples; the last layer's readout answers.

Makes a table of each readout's accuracy on 1000 new samples, and decolle.png: learning.
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
from synann.optim import Adam
from synann.spiking import LIF, decay_factor, eprop_gradient, local_signal, superspike

INPUTS, HIDDEN, LAYERS, CLASSES = 40, 80, 3, 2
LENGTH, PAUSE, ANSWER = 25, 10, 20  # ms: a pattern, what is between the two, time to answer
STEPS = 2 * LENGTH + PAUSE + ANSWER
SPIKES, JITTER = 2, 1.0  # of an input in a pattern; standard deviation of their times, ms
SYNAPTIC_DECAY = decay_factor(5.0)
NEURON = LIF(decay_factor(20.0), synaptic_decay=SYNAPTIC_DECAY, surrogate=superspike(0.5))
SCALE, READOUT_SCALE = 0.5, 3.0  # of the first weights, and of the readouts'
BATCH, LEARNING_RATE = 50, 0.002
TESTED = 1000  # new samples
FIRST_SEED = 100  # the numbers above were chosen on seeds 0 and 1

RULES = ("BPTT", "DECOLLE", "last layer")


def samples(
    patterns: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Spikes (steps, count, inputs) of two patterns in turn, and whether they differ."""
    which = rng.integers(0, 2, (count, 2))
    x = np.zeros((STEPS, count, INPUTS))
    sample, neuron = np.indices((count, INPUTS))
    for part in range(2):
        moved = patterns[which[:, part]] + rng.normal(0.0, JITTER, (count, INPUTS, SPIKES))
        times = np.clip(np.rint(moved), 0, LENGTH - 1).astype(int) + part * (LENGTH + PAUSE)
        for k in range(SPIKES):
            x[times[:, :, k], sample, neuron] = 1.0
    return x, which[:, 0] ^ which[:, 1]


def target_of(y: np.ndarray) -> np.ndarray:
    """The class at each step of the answer, with weights that add up to 1; before it, nothing."""
    target = np.zeros((STEPS, len(y), CLASSES))
    target[-ANSWER:] = np.eye(CLASSES)[y] / ANSWER
    return target


def learn(seed: int, rule: str, batches: int) -> tuple[list[float], list[float]]:
    """The last layer's loss by batch, and the test accuracy of each layer's readout."""
    rng = np.random.default_rng(seed)
    patterns = rng.uniform(0.0, LENGTH, (2, INPUTS, SPIKES))
    weights = new_weights((INPUTS, *(HIDDEN,) * LAYERS), SCALE, rng)
    spread = READOUT_SCALE / np.sqrt(HIDDEN)
    readouts = [rng.normal(0.0, spread, (CLASSES, HIDDEN)) for _ in weights]
    optimizer, losses = Adam(LEARNING_RATE), []
    state = optimizer.init(dict(enumerate(weights)))
    for _ in range(batches):
        x, y = samples(patterns, BATCH, rng)
        passes, target = forward(weights, x, NEURON), target_of(y)
        local = [
            local_signal(own.spikes, readout, target, loss="cross_entropy")
            for own, readout in zip(passes, readouts, strict=True)
        ]
        losses.append(float(local[-1][0]))
        if rule == "BPTT":
            found = bptt(weights, passes, local[-1][1], NEURON)
        else:
            found = [
                eprop_gradient(
                    own.x, own.record.slope, signal, NEURON.decay, synaptic_decay=SYNAPTIC_DECAY
                )
                for own, (_, signal) in zip(passes, local, strict=True)
            ]
            if rule == "last layer":
                found[:-1] = [np.zeros_like(w) for w in weights[:-1]]
        named, state = optimizer.update(
            dict(enumerate(weights)), dict(enumerate(found)), state, LEARNING_RATE
        )
        weights = list(named.values())
    x, y = samples(patterns, TESTED, np.random.default_rng(10_000 + seed))
    said = [
        own.spikes[-ANSWER:].sum(axis=0) @ readout.T
        for own, readout in zip(forward(weights, x, NEURON), readouts, strict=True)
    ]
    return losses, [float(np.mean(scores.argmax(axis=1) == y)) for scores in said]


@plots.styled
def draw(curves: dict[str, np.ndarray], path: Path) -> None:
    """The last layer's loss by batch."""
    figure = Figure(figsize=(0.75 * plots.WIDTH, 4.0))
    axes = figure.subplots()
    draw_curves(axes, curves)
    axes.axhline(np.log(CLASSES), color=plots.TEXT, linestyle=":", linewidth=1.2, label="chance")
    axes.set(
        title="the last layer's loss; bands: all seeds", xlabel=f"batch of {BATCH}", ylabel="nats"
    )
    axes.legend()
    plots.save(figure, path)


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=number(int, 1), default=3)
    parser.add_argument("--batches", type=number(int, 1), default=600)
    options = parser.parse_args(arguments)
    make_folder(options.output)
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    runs = [(rule, seed) for rule in RULES for seed in seeds]
    curves: dict[str, list[list[float]]] = {rule: [] for rule in RULES}
    results: dict[str, list[list[float]]] = {rule: [] for rule in RULES}
    for rule, seed in tqdm(runs, desc="rules", ncols=100, disable=None):
        losses, accuracies = learn(seed, rule, options.batches)
        curves[rule].append(losses)
        late = float(np.mean(losses[-20:]))
        results[rule].append([*(100.0 * a for a in accuracies), late])
    print(f"{options.batches} batches of {BATCH}, {options.seeds} seeds; accuracy in %")
    formats = (*(".1f",) * LAYERS, ".3f")
    rows = [(rule, *plus_minus(results[rule], formats)) for rule in RULES]
    layers = [f"layer {k + 1}" for k in range(LAYERS)]
    print(tabulate(rows, ("", *layers, "loss, last 20 batches"), disable_numparse=True))
    picture = options.output / "decolle.png"
    draw({rule: np.asarray(rows) for rule, rows in curves.items()}, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main()
