"""The membrane as an RC circuit: what decay and weight do to a leaky integrate-and-fire neuron.

    python examples/membrane.py

A membrane of time constant τ (resistance times capacitance) loses 1/τ of its voltage in a step of
1 ms: decay 1 − 1/τ, here with τ = 200 and 400 ms (losses of 1/200 = 0.005 and 1/400 = 0.0025 a
step). Input spikes arrive at random at 40 Hz and add a weight of 0.5 or 0.35 each; at 1 the
neuron fires and the threshold is taken away. The picture shows the four neurons on one input.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tabulate import tabulate

from shared.options import make_parser, number
from shared.plots import COLOURS, TEXT, save
from synann.spiking import LIF, decay_factor, leaky_integrator

TIMES = (200.0, 400.0)  # time constants in ms
WEIGHTS = (0.5, 0.35)
RATE, DT = 40.0, 1.0  # Hz, ms


def simulate(
    steps: int, seed: int
) -> tuple[np.ndarray, list[tuple[float, float, np.ndarray, np.ndarray]]]:
    """Input spikes (steps,), and (τ, weight, spikes, membrane) of each neuron."""
    inputs = (np.random.default_rng(seed).random(steps) < RATE * DT / 1000).astype(float)
    results = []
    for tau in TIMES:
        for weight in WEIGHTS:
            neuron = LIF(decay_factor(tau, DT, method="euler"), order="article")
            spikes, record = neuron.run(weight * inputs[:, None])
            results.append((tau, weight, spikes[:, 0], record.membrane[:, 0]))
    return inputs, results


def check_decay() -> list[tuple[float, float, float]]:
    """A charged membrane without input, after τ: by steps of Euler's method and by e^(−1)."""
    rows = []
    for tau in TIMES:
        start = np.zeros((int(tau) + 1, 1))
        start[0] = 1.0
        left = leaky_integrator(decay_factor(tau, DT, method="euler")).run(start)[1].membrane
        rows.append((tau, float(left[-1, 0]), float(np.exp(-1.0))))
    return rows


def draw(inputs: np.ndarray, results: list, path: Path) -> None:
    """One row for each neuron, with the input above."""
    figure = Figure(figsize=(10, 7.5), dpi=120, layout="constrained")
    rows = figure.subplots(
        1 + len(results), 1, sharex=True, gridspec_kw={"height_ratios": [0.4] + [1] * len(results)}
    )
    when = np.arange(len(inputs)) * DT
    rows[0].vlines(when[inputs > 0], 0, 1, color=TEXT, linewidth=0.8)
    rows[0].set(yticks=[], title=f"input: {int(inputs.sum())} spikes")
    for axes, (tau, weight, spikes, membrane) in zip(rows[1:], results, strict=True):
        axes.plot(when, membrane, color=COLOURS[0], linewidth=1.0)
        axes.vlines(when[spikes > 0], 1.05, 1.6, color=COLOURS[1], linewidth=1.2)
        axes.axhline(1.0, color=TEXT, linewidth=0.8, linestyle="--")
        loss = f"decay 1 − 1/{tau:g}"
        axes.set(ylim=(0, 1.65), ylabel="membrane")
        axes.set_title(f"{loss}, weight {weight}: {int(spikes.sum())} spikes", fontsize="medium")
    for axes in rows:
        axes.spines[["top", "right"]].set_visible(False)
    rows[-1].set(xlabel="time in ms", xlim=(0, when[-1]))
    save(figure, path)


def main(arguments: list[str] | None = None) -> list[int]:
    """Print and draw; returns the number of spikes of each neuron."""
    parser = make_parser(__doc__)
    parser.add_argument("--steps", type=number(int, 1), default=1000, help="of 1 ms")
    parser.add_argument("--seed", type=number(int, 0), default=0)
    options = parser.parse_args(arguments)
    inputs, results = simulate(options.steps, options.seed)
    rows = [(tau, weight, int(s.sum()), m.mean()) for tau, weight, s, m in results]
    print(tabulate(rows, ("τ in ms", "weight", "spikes", "mean membrane"), floatfmt=".2f"))
    print("\nwhat is left of a charge after τ:")
    print(tabulate(check_decay(), ("τ in ms", "in steps of 1 ms", "e^−1"), floatfmt=".4f"))
    path = options.output / "spiking-membrane.png"
    draw(inputs, results, path)
    print(f"\npicture: {path}")
    return [row[2] for row in rows]


if __name__ == "__main__":
    main()
