"""Forecasts of the cholera of 1849 in England, one, two and four weeks ahead.

    python examples/studies/epidemic.py        everything, in some minutes

Makes a table of errors, and epidemic.png in outputs/.

One synapse that inhibits itself, x' = αx(1 − x), grows as the number of all deaths up to a day;
its steps are the deaths of each day. Beside it: a logistic curve, a straight line in the
logarithms, last week's mean, the last value. Every few days each model is fitted to the days
before, and forecasts the deaths of the first, second and fourth week from there. How many days it
looks back is chosen for each model and horizon from its earlier forecasts whose week had ended by
then. Nothing else was tuned.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import optimize
from scipy.special import expit
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from shared import plots
from shared.options import make_parser, number
from studies import growth

DATA = Path(__file__).resolve().parents[1] / "data" / "cholera1849.csv"
WEEKS = (1, 2, 4)
LOOK_BACK = (14, 21, 28, 42)  # days
FIRST, EARLIEST = 84, 42  # days before the first forecast that counts, and before the first of all
AHEAD = 7 * max(WEEKS)


def load_deaths(path: Path = DATA) -> np.ndarray:
    """Deaths of cholera on each day of the year."""
    with path.open(encoding="ascii", newline="") as file:
        return np.array([float(row["cholera"]) for row in csv.DictReader(file)])


def last_value(past: np.ndarray) -> np.ndarray:
    """Every day like the last one."""
    return np.full(AHEAD, past[-1])


def last_week(past: np.ndarray) -> np.ndarray:
    """Every day like the mean of the last seven."""
    return np.full(AHEAD, past[-7:].mean())


def line_in_logs(past: np.ndarray) -> np.ndarray:
    """Exponential growth or decay; a day without deaths counts as half a death."""
    days = np.arange(len(past))
    line = np.polyfit(days, np.log(np.maximum(past, 0.5)), 1)
    return np.exp(np.polyval(line, np.arange(len(past), len(past) + AHEAD)))


def logistic_curve(past: np.ndarray) -> np.ndarray:
    """Each day's part of K / (1 + e^(−r(t − m)))."""

    def daily(p: np.ndarray, days: int) -> np.ndarray:
        size, rate, middle = p
        return np.diff(np.exp(size) * expit(np.exp(rate) * (np.arange(days + 1) - middle)))

    low, high = [0.0, np.log(0.005), -100.0], [14.0, 0.0, len(past) + 100.0]
    starts = [
        [np.log(60.0 * past.max()), np.log(0.06), m] for m in (0.0, len(past), 14 + len(past))
    ]
    return _fitted(daily, None, past, starts, (low, high))


def one_synapse(past: np.ndarray) -> np.ndarray:
    """Each day's step of a circuit, with gradients through time."""
    # Logarithms of the number at which it settles and of gain − 1, log-odds of the first number's
    # share of the former: every value of them is one of a growing circuit.
    low, high = [0.0, np.log(0.005), -12.0], [14.0, 0.0, 12.0]
    starts = [[np.log(60.0 * past.max()), np.log(0.06), share] for share in (-3.0, 0.0, 2.0)]
    return _fitted(_steps, _step_slopes, past, starts, (low, high))


def _parameters(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gain, capacity and first number of `growth.curve`, and their derivatives, (3, 3)."""
    settled, excess, share = np.exp(p[0]), np.exp(p[1]), expit(p[2])
    gain = 1.0 + excess
    capacity = settled * gain / excess
    values = np.array([gain, capacity, settled * share])
    slope = [
        [0.0, excess, 0.0],
        [capacity, -settled / excess, 0.0],
        [values[2], 0.0, values[2] * (1.0 - share)],
    ]
    return values, np.array(slope)


def _steps(p: np.ndarray, days: int) -> np.ndarray:
    return np.diff(growth.curve(_parameters(p)[0], days))


def _step_slopes(p: np.ndarray, days: int) -> np.ndarray:
    values, slope = _parameters(p)
    return np.diff(growth.slopes(values, days), axis=0) @ slope


def _fitted(
    daily: Callable, slopes: Callable | None, past: np.ndarray, starts: list, bounds: tuple
) -> np.ndarray:
    """The days to come by the best of the fits; square roots, as the variance of counts grows."""
    days, root = len(past), np.sqrt(past)

    def residuals(p: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum(daily(p, days), 1e-9)) - root

    def jacobian(p: np.ndarray) -> np.ndarray:
        return 0.5 * slopes(p, days) / np.sqrt(np.maximum(daily(p, days), 1e-9))[:, None]

    fits = [
        optimize.least_squares(
            residuals, np.clip(start, *bounds), jacobian if slopes else "2-point", bounds=bounds,
            x_scale=[1.0, 0.5, 1.0], max_nfev=60,
        )
        for start in starts
    ]  # fmt: skip
    best = min(fits, key=lambda fit: fit.cost)
    return daily(best.x, days + AHEAD)[days:]


MODELS = {
    "last value": (last_value, LOOK_BACK[:1]),
    "last week's mean": (last_week, LOOK_BACK[:1]),
    "straight line in logs": (line_in_logs, LOOK_BACK),
    "logistic curve": (logistic_curve, LOOK_BACK),
    "one synapse": (one_synapse, LOOK_BACK),
}


def by_week(days: np.ndarray) -> np.ndarray:
    """Sums of the weeks that are forecast."""
    return np.array([days[..., 7 * w - 7 : 7 * w].sum(axis=-1) for w in WEEKS])


def errors(forecast: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Distance of the logarithms, of one death more: 0.1 is about ten per cent."""
    return np.abs(np.log((forecast + 1.0) / (actual + 1.0)))


def forecasts(deaths: np.ndarray, model: Callable, look_back: tuple, starts: np.ndarray):
    """Deaths of each week to come, (look back, starts, weeks), and its days, (…, AHEAD)."""
    days = [[model(deaths[:s][-window:]) for s in starts] for window in look_back]
    return np.moveaxis(by_week(np.array(days)), 0, -1), np.array(days)


def choose(found: np.ndarray, starts: np.ndarray, now: int, week: int) -> int:
    """Which look-back to use on a day: the best of those forecasts whose week had ended by then."""
    ended = starts + 7 * WEEKS[week] <= now
    return int(found[:, ended, week].mean(axis=1).argmin())


def evaluate(deaths: np.ndarray, every: int) -> tuple[np.ndarray, np.ndarray, dict, dict]:
    """Starting days that count, what came (starts, weeks), forecasts of it and of the days."""
    starts = np.arange(EARLIEST, len(deaths) - AHEAD + 1, every)
    actual = np.array([by_week(deaths[s : s + AHEAD]) for s in starts])
    counted = np.flatnonzero(starts >= FIRST)
    results, daily = {}, {}
    for name, (model, look_back) in MODELS.items():
        weeks, days = forecasts(deaths, model, look_back, starts)
        found = errors(weeks, actual)
        picks = [[choose(found, starts, starts[k], w) for w in range(len(WEEKS))] for k in counted]
        results[name] = np.array(
            [
                [weeks[p, k, w] for w, p in enumerate(row)]
                for k, row in zip(counted, picks, strict=True)
            ]
        )
        daily[name] = np.array([days[row[1], k] for k, row in zip(counted, picks, strict=True)])
    return starts[counted], actual[counted], results, daily


def report(starts: np.ndarray, actual: np.ndarray, results: dict, peak: int) -> None:
    """Mean errors by horizon, and four weeks ahead before and after the peak."""
    rising = starts + AHEAD <= peak
    rows = []
    for name, values in results.items():
        found = errors(values, actual)
        parts = [found[rising, -1].mean(), found[~rising, -1].mean()]
        rows.append((name, *found.mean(axis=0), *parts, *np.abs(values - actual).mean(axis=0)))
    print(f"{len(starts)} starting days; mean distance of logarithms, and of deaths in the week")
    heads = [f"week {w}" for w in WEEKS]
    heads = ["model", *heads, "4, rising", "4, later", *(f"deaths, {w}" for w in WEEKS)]
    print(tabulate(rows, heads, floatfmt=("", *[".2f"] * 5, *[".0f"] * 3)))


@plots.styled
def draw(deaths: np.ndarray, starts: np.ndarray, daily: dict, path: Path) -> None:
    """The year with forecasts from every fourth week, a panel for each of two models."""
    figure = Figure(figsize=(plots.WIDTH, 5.6))
    figure.suptitle("cholera in England, 1849: a pause in the growth is not its end")
    panels = figure.subplots(2, 1, sharex=True, sharey=True)
    chosen = [np.abs(starts - s).argmin() for s in range(FIRST, len(deaths) - AHEAD + 1, 28)]
    for axes, name, colour in zip(
        panels, ("one synapse", "straight line in logs"), plots.COLOURS, strict=False
    ):
        axes.plot(np.arange(1, len(deaths) + 1), deaths, color=plots.QUIET, label="died")
        for k in chosen:
            days = np.arange(starts[k] + 1, starts[k] + AHEAD + 1)
            label = f"{name}: the next four weeks" if k == chosen[0] else None
            axes.plot(days, daily[name][k], color=colour, label=label)
            axes.plot(days[0], daily[name][k][0], "o", color=colour, markersize=4)
        axes.set(ylabel="deaths a day", yscale="log", ylim=(0.7, 5000))
        axes.legend(loc="upper left")
    panels[1].set(xlabel="day of the year", xlim=(0, len(deaths) + 1))
    plots.save(figure, path)


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--every", type=number(int, 1), default=3, help="days between forecasts")
    options = parser.parse_args(arguments)
    deaths = load_deaths()
    starts, actual, results, daily = evaluate(deaths, options.every)
    report(starts, actual, results, int(deaths.argmax()) + 1)
    draw(deaths, starts, daily, options.output / "epidemic.png")
    print(f"picture: {options.output / 'epidemic.png'}")


if __name__ == "__main__":
    main()
