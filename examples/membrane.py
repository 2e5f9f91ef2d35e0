"""The membrane as an RC circuit: what decay and weight do to a leaky integrate-and-fire neuron.

    python examples/membrane.py             the article's three input spikes, at 75, 125 and 200 ms
    python examples/membrane.py --seed 0    input spikes at random times, 40 a second, for a second

A membrane loses dt/τ of its voltage in a step of dt, with τ its time constant (resistance times
capacitance). In the article a step is 5 ms, and the membranes lose 0.05 or 0.025 in each: τ is 100
or 200 ms. An input spike adds a weight of 0.5 or 0.35; at 1 the neuron fires and the threshold is
taken away. Of the article's spikes, the neurons that lose 0.05 forget too much to fire, whatever
the weight; the one that loses 0.025 and has the weight 0.5 fires after the third.

Makes a table of the neurons, and spiking-membrane.png.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tabulate import tabulate

from shared import plots
from shared.options import make_parser, number
from synann.spiking import LIF, decay_factor, leaky_integrator

DT = 5.0  # ms
TIMES = (100.0, 200.0)  # time constants in ms: losses of 0.05 and 0.025 a step
WEIGHTS = (0.5, 0.35)
SPIKES, END = (75.0, 125.0, 200.0), 300.0  # the article's input spikes, and when to stop, in ms
RATE, SECOND = 40.0, 1000.0  # of the random ones, in Hz; ms

Neuron = tuple[float, float, np.ndarray, np.ndarray]  # τ, weight, spikes, membrane


def article_input() -> np.ndarray:
    """The article's input spikes, (steps,)."""
    inputs = np.zeros(round(END / DT))
    inputs[[round(time / DT) for time in SPIKES]] = 1.0
    return inputs


def random_input(seed: int) -> np.ndarray:
    """Input spikes at random times, (steps,)."""
    steps = round(SECOND / DT)
    return (np.random.default_rng(seed).random(steps) < RATE * DT / SECOND).astype(float)


def simulate(inputs: np.ndarray) -> list[Neuron]:
    """What the four neurons make of input spikes (steps,)."""
    results = []
    for tau in TIMES:
        for weight in WEIGHTS:
            neuron = LIF(decay_factor(tau, DT, method="euler"), order="article")
            spikes, record = neuron.run(weight * inputs[:, None])
            results.append((tau, weight, spikes[:, 0], record.membrane[:, 0]))
    return results


def check_decay() -> list[tuple[float, float, float]]:
    """A charged membrane without input, after τ: by steps of Euler's method and by e^(−1)."""
    rows = []
    for tau in TIMES:
        start = np.zeros((round(tau / DT) + 1, 1))
        start[0] = 1.0
        left = leaky_integrator(decay_factor(tau, DT, method="euler")).run(start)[1].membrane
        rows.append((tau, float(left[-1, 0]), float(np.exp(-1.0))))
    return rows


@plots.styled
def draw(inputs: np.ndarray, results: list[Neuron], path: Path) -> None:
    """One row for each neuron, with the input above."""
    figure = Figure(figsize=(plots.WIDTH, 6.0))
    rows = figure.subplots(
        1 + len(results), 1, sharex=True, gridspec_kw={"height_ratios": [0.3] + [1] * len(results)}
    )
    when = np.arange(len(inputs)) * DT
    rows[0].vlines(when[inputs > 0], 0, 1, color=plots.TEXT, linewidth=1.2)
    rows[0].set(yticks=[], title=f"input: {int(inputs.sum())} spikes")
    for axes, (tau, weight, spikes, membrane) in zip(rows[1:], results, strict=True):
        axes.plot(when, membrane, color=plots.COLOURS[0], linewidth=1.4, label="potential")
        fires = {"color": plots.COLOURS[1], "linewidth": 2.0, "label": "it fires"}
        axes.vlines(when[spikes > 0], 1.05, 1.6, **fires)
        axes.axhline(1.0, color=plots.TEXT, linewidth=0.9, linestyle="--", label="threshold")
        axes.set(ylim=(0, 1.65), yticks=[0, 0.5, 1, 1.5])
        fired = f"fires {int(spikes.sum())} ×" if spikes.any() else "silent"
        axes.set_title(f"loses {100 * DT / tau:g} % a step, weight {weight}: {fired}")
    figure.supylabel("potential of the membrane, in thresholds", fontsize="medium")
    rows[-1].set(xlabel="time in ms", xlim=(0, when[-1]))
    handles, labels = rows[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    plots.save(figure, path)


def main(arguments: list[str] | None = None) -> list[int]:
    """Print and draw; returns the number of spikes of each neuron."""
    parser = make_parser(__doc__)
    parser.add_argument("--seed", type=number(int, 0), help="of random input spikes")
    options = parser.parse_args(arguments)
    inputs = article_input() if options.seed is None else random_input(options.seed)
    results = simulate(inputs)
    rows = [(DT / tau, weight, int(s.sum()), m.max()) for tau, weight, s, m in results]
    headers = ("loss a step", "weight", "spikes", "highest membrane")
    print(tabulate(rows, headers, floatfmt=("g", "g", "d", ".3f")))
    print("\nwhat is left of a charge after τ:")
    print(tabulate(check_decay(), ("τ in ms", "in steps of 5 ms", "e^−1"), floatfmt=".4f"))
    path = options.output / "spiking-membrane.png"
    draw(inputs, results, path)
    print(f"\npicture: {path}")
    return [row[2] for row in rows]


if __name__ == "__main__":
    main()
