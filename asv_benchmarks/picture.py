"""How time and peak memory grow with batch, n and m: measured, and drawn on log-log axes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from benchmarks.common import Size, make_problem
from matplotlib.figure import Figure
from measure import LINEAR, OURS, alone, together
from tqdm import tqdm

DRAWN = (OURS, LINEAR, "broadcasting, torch")
BASE = Size(128, 512, 512)
FACTORS = (1 / 16, 1 / 4, 1, 4, 16)
_AXES = {"batch": "batch", "n": "inputs n", "m": "outputs m"}
# The colours of Okabe and Ito, which colour-blind readers can tell apart.
_COLOURS = ("#0072B2", "#000000", "#D55E00")


class Curve(NamedTuple):
    """One contender's numbers along one axis."""

    name: str
    axis: str
    sizes: tuple[int, ...]
    milliseconds: tuple[float, ...]  # NaN where it was skipped
    megabytes: tuple[float, ...]


def scaling(limit: float, base: Size = BASE, factors: Sequence[float] = FACTORS) -> list[Curve]:
    """Measure time, with turns taken, and peak memory, in fresh processes.

    Parameters
    ----------
    limit : float
        Bytes of temporaries that a rival may take.
    base : Size
        The size of which one number at a time is varied.
    factors : sequence of float
        By what it is multiplied.

    Returns
    -------
    list of Curve
    """
    curves = []
    for axis in _AXES:
        values = tuple(round(getattr(base, axis) * factor) for factor in factors)
        rows: dict[str, list[tuple[float, float]]] = {name: [] for name in DRAWN}
        for value in tqdm(values, desc=f"scaling with {axis}"):
            size = base._replace(**{axis: value})
            times = together(DRAWN, make_problem(size), limit)
            for name in DRAWN:
                memory = alone("memory", name, size, "uniform", limit)
                rows[name].append((_scaled(times[name], 1e3), _scaled(memory, 1e-6)))
        curves += [Curve(name, axis, values, *zip(*rows[name], strict=True)) for name in DRAWN]
    return curves


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Exponent of the power law through the upper half of the points; NaN for fewer than two."""
    pairs = [(s, v) for s, v in zip(sizes, values, strict=True) if v > 0]
    upper = np.log(pairs[-max(2, len(sizes) // 2 + 1) :])
    return float(np.polyfit(*upper.T, 1)[0]) if len(upper) >= 2 else float("nan")


def draw(curves: Sequence[Curve], path: Path, base: Size = BASE) -> None:
    """Draw the curves, with their slopes.

    Parameters
    ----------
    curves : sequence of Curve
        As from `scaling`.
    path : path
        Image file; its ending names the format.
    base : Size
        The size that was varied.
    """
    figure = Figure(figsize=(12, 7), dpi=120, layout="constrained")
    figure.suptitle(f"one step of training: batch {base.batch}, {base.n} → {base.m}, one varied")
    grid = figure.subplots(2, len(_AXES), sharey="row")
    rows = (("milliseconds", "time in ms"), ("megabytes", "peak memory in MB"))
    for axes_row, (quantity, label) in zip(grid, rows, strict=True):
        axes_row[0].set_ylabel(label)
        for axes, axis in zip(axes_row, _AXES, strict=True):
            for curve in curves:
                if curve.axis == axis:
                    _line(axes, curve, getattr(curve, quantity))
            axes.set(xlabel=_AXES[axis], xscale="log", yscale="log")
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(title="slope", fontsize="small", frameon=False)
    handles = grid[0][0].get_lines()
    figure.legend(handles, DRAWN, loc="outside lower center", ncols=len(DRAWN), frameon=False)
    _save(figure, path)


def _line(axes, curve: Curve, values: Sequence[float]) -> None:
    # What is too small to be seen in the peak is no point of a logarithmic axis.
    shown = [value if value > 0 else float("nan") for value in values]
    exponent = slope(curve.sizes, shown)
    label = f"{exponent:.2f}" if np.isfinite(exponent) else "–"
    colour = _COLOURS[DRAWN.index(curve.name)]
    axes.plot(curve.sizes, shown, "o-", color=colour, linewidth=1.8, markersize=4, label=label)


def _scaled(value: float | str, factor: float) -> float:
    return float("nan") if isinstance(value, str) else value * factor


def _save(figure: Figure, path: Path) -> None:
    """Write the figure so that `path` never holds half a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        figure.savefig(temporary, format=path.suffix[1:] or "png")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
