"""A forecast by one self-inhibiting synapse: x' = αx(1 − x), counts divided by a fitted capacity.

The counts are the published ones; six of them, three parameters, so that three degrees of freedom
are left to judge the error by.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy import optimize, stats

from shared import plots
from synann.graph import motifs

COUNTS = np.array([139.0, 224.0, 291.0, 324.0, 440.0, 473.0])  # exposures on days 1 to 6
CIRCUIT = motifs.logistic_map()


class Forecast(NamedTuple):
    """A model's curve, the next value, and half of the width of its 95 % band."""

    name: str
    curve: np.ndarray
    next: float
    half_width: float
    spread: float  # standard deviation of the residuals


def curve(parameters: np.ndarray, days: int) -> np.ndarray:
    """Numbers on the first day and `days` more, for gain, capacity and the first of them."""
    alpha, capacity, first = parameters
    x = CIRCUIT.iterate(np.array([first / capacity]), days, drive=np.array([alpha]))
    return capacity * x[:, 0]


def slopes(parameters: np.ndarray, days: int) -> np.ndarray:
    """Derivatives of `curve` with respect to the parameters, (days + 1, 3), through time."""
    alpha, capacity, first = parameters
    # A row of the batch for every day, whose gradient is wanted.
    state, drive = np.full((days + 1, 1), first / capacity), np.full((days + 1, 1), alpha)
    grad = np.eye(days + 1)[:, :, None]
    gstate, gdrive, _ = CIRCUIT.iterate_vjp(state, drive=drive, grad=grad)
    by_first, x = gstate[:, 0], curve(parameters, days) / capacity
    return np.stack([capacity * gdrive[:, 0], x - by_first * state[:, 0], by_first], axis=1)


def logistic_growth(counts: np.ndarray) -> tuple[Forecast, np.ndarray]:
    """Fit gain, capacity and first value by least squares, with gradients through time."""
    days = len(counts)
    start = np.array([1.8, 2.5 * counts.max(), counts[0]])
    fit = optimize.least_squares(
        lambda p: curve(p, days - 1) - counts, start, lambda p: slopes(p, days - 1), x_scale=start
    )
    return _forecast("one synapse", curve(fit.x, days), slopes(fit.x, days), counts), fit.x


def straight_line(counts: np.ndarray) -> Forecast:
    """Least squares with two parameters."""
    days = np.arange(1, len(counts) + 2)
    matrix = np.stack([days, np.ones_like(days)], axis=1).astype(float)
    line, *_ = np.linalg.lstsq(matrix[:-1], counts, rcond=None)
    return _forecast("straight line", matrix @ line, matrix, counts)


def _forecast(name: str, curve: np.ndarray, jacobian: np.ndarray, counts: np.ndarray) -> Forecast:
    """The next day with its band for a new observation: t-quantile, parameters to first order."""
    past, now = jacobian[:-1], jacobian[-1]
    freedom = len(counts) - past.shape[1]
    variance = np.sum((curve[:-1] - counts) ** 2) / freedom
    leverage = now @ np.linalg.solve(past.T @ past, now)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(variance * (1.0 + leverage))
    return Forecast(name, curve, float(curve[-1]), float(half), float(np.sqrt(variance)))


def report(path: Path) -> None:
    """Print both forecasts and draw them."""
    synapse, (alpha, capacity, _) = logistic_growth(COUNTS)
    line = straight_line(COUNTS)
    print(f"\ngrowth of one synapse: gain {alpha:.3f}, settles at {capacity * (1 - 1 / alpha):.0f}")
    day = len(COUNTS) + 1
    for f in (synapse, line):
        print(
            f"  day {day} by {f.name}: {f.next:.0f} ± {f.half_width:.0f} (95 % band); "
            f"residuals' deviation {f.spread:.1f}"
        )
    _draw(synapse, line, path)


@plots.styled
def _draw(synapse: Forecast, line: Forecast, path: Path) -> None:
    figure = Figure(figsize=(7.0, 3.8))
    axes = figure.subplots()
    day = len(COUNTS) + 1
    days = np.arange(1, day + 1)
    axes.plot(days[:-1], COUNTS, "o", color=plots.TEXT, label="counted")
    for f, colour, shift in ((synapse, plots.COLOURS[0], -0.05), (line, plots.COLOURS[1], 0.05)):
        axes.plot(days, f.curve, color=colour, label=f.name)
        axes.errorbar(
            day + shift, f.next, f.half_width, color=colour, fmt="o", ms=4, capsize=4,
            label=f"day {day} by it: {f.next:.0f} ± {f.half_width:.0f}",
        )  # fmt: skip
    axes.set(xlabel="day", ylabel="exposures")
    axes.set_title("the next day, with 95 % bands: too few days to tell")
    axes.legend(loc="upper left")
    plots.save(figure, path)
