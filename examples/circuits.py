"""Synapses with feedback: gates, a comparator, a latch, an oscillator, chaos, and a forecast.

    python examples/circuits.py                 everything, pictures in outputs/

Makes a table of the gates, the latch's fixed points, and circuits.png, bifurcation.png and
growth.png.

Needs: pip install -e ".[examples]"
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tabulate import tabulate

from shared import plots
from shared.options import make_parser
from studies import growth
from synann import plot
from synann.graph import motifs

GATES = ("and", "or", "nor", "nand", "xor", "implies")


def truth_tables() -> None:
    """Every gate at the corners, and where its inputs are uncertain."""
    inputs = np.array([*itertools.product((0.0, 1.0), repeat=2), (0.9, 0.8)])
    outputs = [motifs.logic_gate(name).compile()(inputs)[:, 0] for name in GATES]
    rows = zip(*inputs.T, *outputs, strict=True)
    print(tabulate(rows, ["x", "y", *GATES], floatfmt="g"))


def set_hold_reset() -> tuple[np.ndarray, np.ndarray]:
    """A latch's trajectory, and the drive: set, hold, reset, hold, eight steps each."""
    phases = ((1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (0.0, 0.0))
    drive = np.repeat(phases, 8, axis=0)
    return motifs.latch().iterate(np.array([0.0, 1.0]), len(drive), drive=drive), drive


@plots.styled
def draw_circuits(path: Path) -> None:
    """Trajectories of the comparator, the latch, the oscillator and the published flip."""
    figure = Figure(figsize=(plots.WIDTH, 6.0))
    axes = figure.subplots(2, 2)
    states = motifs.comparator().iterate(np.array([0.9, 0.6]), 12)
    plot.trajectory(states, ["x", "y"], axes[0, 0])
    axes[0, 0].set_title(f"comparator: only x − y = {states[0, 0] - states[0, 1]:.1f} is left")
    states, drive = set_hold_reset()
    plot.trajectory(states, ["q", "p"], axes[0, 1])
    for name, colour, column in (("set", "0.75", 0), ("reset", "0.9", 1)):
        on = np.append(drive[:, column], 0.0)
        axes[0, 1].fill_between(np.arange(len(on)), on, step="post", color=colour, label=name)
    axes[0, 1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes[0, 1].set_title("latch: remembers what it was told last")
    states = motifs.oscillator().iterate(np.array([0.6, 0.7, 0.66]), 24)
    plot.trajectory(states, ["x", "y", "z"], axes[1, 0])
    axes[1, 0].set_title("oscillator: a ring of three takes turns")
    states = motifs.flip(3.5).iterate(np.array([0.5, 0.6]), 24)
    plot.trajectory(states, ["x", "y"], axes[1, 1])
    axes[1, 1].set_title(
        "published flip, α = 3.5: x and y are the same\nafter one step, and never rest"
    )
    plots.save(figure, path)


@plots.styled
def draw_bifurcation(path: Path, gains: int = 1200, shown: int = 200) -> None:
    """Where the logistic map x' = αx(1 − x) ends up, for every gain α at once."""
    alpha = np.linspace(2.5, 4.0, gains)[:, None]
    circuit = motifs.logistic_map()
    start = np.full((gains, 1), 0.4)
    settled = circuit.iterate(start, 1000, drive=alpha)[-1]
    states = circuit.iterate(settled, shown, drive=alpha)[..., 0]
    figure = Figure(figsize=(plots.WIDTH, 4.2))
    axes = figure.subplots()
    x = np.broadcast_to(alpha[:, 0], states.shape)
    axes.plot(x.ravel(), states.ravel(), ",", color=plots.COLOURS[0], alpha=0.25)
    axes.set(xlabel="gain α", ylabel="states x that it visits (open probability)")
    axes.set_title(f"one synapse on itself: {shown} states after 1,000 steps")
    for at, low, text in (
        (2.75, 0.68, "comes to rest"), (3.2, 0.9, "alternates between two"), (3.6, 0.05, "chaos")
    ):  # fmt: skip
        axes.text(at, low, text, ha="center")
    axes.margins(x=0)
    plots.save(figure, path)


def main(arguments: list[str] | None = None) -> None:
    output = make_parser(__doc__).parse_args(arguments).output
    truth_tables()
    print("\nfixed points of the latch, nothing driven:")
    for point in motifs.latch().fixed_points(drive=np.zeros(2)):
        q, p = point.state
        kind = "stable" if point.stable else "unstable"
        print(f"  q = {q:.3f}, p = {p:.3f}: spectral radius {point.spectral_radius:.2f}, {kind}")
    draw_circuits(output / "circuits.png")
    draw_bifurcation(output / "bifurcation.png")
    growth.report(output / "growth.png")
    print(f"pictures: circuits.png, bifurcation.png, growth.png in {output}")


if __name__ == "__main__":
    main()
