"""Measure how time and peak memory grow with batch, n and m, and draw it on log-log axes.

    python asv_benchmarks/reports/scaling.py --picture docs/images/scaling.png

Prints the exponents of the power laws through the upper half of the sizes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `asv_benchmarks` as a package

from asv_benchmarks.benchmarks import meters
from asv_benchmarks.benchmarks.common import Size, make_problem
from asv_benchmarks.reports import common, contraction

DRAWN = (contraction.OURS, "broadcasting, torch", contraction.LINEAR)
AXES = {"batch": "batch", "n": "inputs n", "m": "outputs m"}


class Curve(NamedTuple):
    """One contender's numbers along one axis; NaN where there is none."""

    name: str
    axis: str
    sizes: list[int]
    milliseconds: list[float]
    megabytes: list[float]


def measure(base: Size, factors: Sequence[float], limit: float, ask: common.Ask) -> list[Curve]:
    """Measure times, with turns taken, and peak memory, with one number of `base` varied."""
    curves = []
    for axis in tqdm(AXES, desc="axes"):
        values = [round(getattr(base, axis) * factor) for factor in factors]
        sizes = [base._replace(**{axis: value}) for value in values]
        times = [contraction.together(DRAWN, make_problem(size), limit) for size in sizes]
        for name in DRAWN:
            memory = [ask("memory", name, size, "uniform", "float32", limit) for size in sizes]
            seconds = [taken[name] for taken in times]
            curves.append(Curve(name, axis, values, _scaled(seconds, 1e3), _scaled(memory, 1e-6)))
    return curves


def _scaled(values: Sequence[float | str], factor: float) -> list[float]:
    # What is too small to be seen in the peak is not a point of a logarithmic axis.
    return [np.nan if isinstance(v, str) or v <= 0 else v * factor for v in values]


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Fit the exponent of a power law to the upper half of the points; NaN for fewer than two."""
    pairs = [(s, v) for s, v in zip(sizes, values, strict=True) if v > 0]
    upper = np.log(pairs[-max(2, len(sizes) // 2 + 1) :])
    return float(np.polyfit(*upper.T, 1)[0]) if len(upper) >= 2 else np.nan


@common.styled
def draw(curves: Sequence[Curve], title: str) -> Figure:
    """Draw the curves, with their slopes."""
    figure = Figure(figsize=(11, 6.4))
    figure.suptitle(title)
    grid = figure.subplots(2, len(AXES), sharey="row")
    rows = (("milliseconds", "time, ms"), ("megabytes", "peak memory, MB"))
    for axes_row, (quantity, label) in zip(grid, rows, strict=True):
        seen = any(np.isfinite(getattr(curve, quantity)).any() for curve in curves)
        axes_row[0].set(ylabel=label, yscale="log" if seen else "linear")
        for axes, axis in zip(axes_row, AXES, strict=True):
            along = [curve for curve in curves if curve.axis == axis]
            for curve, colour in zip(along, common.COLOURS, strict=True):
                values = getattr(curve, quantity)
                exponent = f"{slope(curve.sizes, values):.2f}".replace("nan", "–")
                axes.plot(curve.sizes, values, "o-", color=colour, markersize=4, label=exponent)
            axes.set(xlabel=AXES[axis], xscale="log")
            axes.legend(title="slope", fontsize="small")
    handles = grid[0][0].get_lines()
    figure.legend(handles, DRAWN, loc="outside lower center", ncols=len(DRAWN))
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the exponents, and draw."""
    options = common.parse(common.make_parser(__doc__, "--limit", "--picture"), arguments)
    base, factors = Size(128, 512, 512), (1 / 16, 1 / 4, 1, 4, 16)
    if options.quick:
        base, factors = Size(4, 16, 16), (1, 2)
    meters.quiet_threads()
    ask = common.apart(contraction.__file__, contraction.measure, quick=options.quick)
    curves = measure(base, factors, 1e9 * options.limit, ask)
    title = f"one step of training: batch {base.batch}, {base.n} → {base.m}, one varied"
    rows = [
        (c.name, AXES[c.axis], slope(c.sizes, c.milliseconds), slope(c.sizes, c.megabytes))
        for c in curves
    ]
    table = tabulate(rows, (title, "grows with", "time", "memory"), "pipe", floatfmt=".2f")
    common.publish(options.output, common.machine("torch"), table)
    common.save(draw(curves, title), options.picture)


if __name__ == "__main__":
    main()
