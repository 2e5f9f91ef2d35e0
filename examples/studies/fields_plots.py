"""Draw what was predicted against what came, a row of panels for each table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import binomtest, chi2

from shared.plots import COLOURS, TEXT, save, styled

GROUPS, LEAST = 10, 30  # of rows by their prediction: at most so many, of at least so many rows


@dataclass(frozen=True, eq=False)
class Calibration:
    """Groups of rows whose predictions are near each other.

    Attributes
    ----------
    predicted, observed, low, high : ndarray, shape (groups,)
        Mean prediction; what came, with its 95 % interval.
    """

    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray


def of_events(event: np.ndarray, p: np.ndarray) -> Calibration:
    """In per cent, in groups of nearly the same number of rows; intervals of Wilson."""
    count = max(2, min(GROUPS, len(p) // LEAST))
    rows = []
    for group in np.array_split(np.argsort(p, kind="stable"), count):
        found = binomtest(int(event[group].sum()), len(group)).proportion_ci(method="wilson")
        rows.append((p[group].mean(), event[group].mean(), found.low, found.high))
    return Calibration(*(100 * np.array(rows).T))


def of_rates(claims: np.ndarray, expected: np.ndarray, holders: np.ndarray) -> Calibration:
    """Claims of 100 holders, in groups of nearly the same expected claims; Poisson intervals."""
    order = np.argsort(expected / holders, kind="stable")
    share = (expected[order].cumsum() - expected[order] / 2) / expected.sum()
    place = (share * GROUPS).astype(int)
    rows = []
    for k in np.unique(place):
        group = order[place == k]
        n, size = claims[group].sum(), holders[group].sum()
        low = chi2.ppf(0.025, 2 * n) / 2 if n else 0.0
        rows.append((expected[group].sum(), n, low, chi2.ppf(0.975, 2 * n + 2) / 2, size))
    columns = np.array(rows).T
    return Calibration(*(100 * columns[:4] / columns[4]))


@styled
def draw(tables: Mapping[str, Mapping[str, Calibration]], units: Mapping[str, str], path: Path):
    """Draw a row for each table and a panel for each model of it.

    Parameters
    ----------
    tables : dict of dicts of Calibration
        By table and model.
    units : dict of str to str
        By table, what stands at the axes after "predicted" and "observed".
    path : path
        Image file; its ending names the format.
    """
    columns = max(len(models) for models in tables.values())
    size = 2.45 * columns + 0.4, 2.55 * len(tables) + 0.5
    figure = Figure(figsize=size)
    figure.get_layout_engine().set(h_pad=0.08)
    rows = figure.subplots(len(tables), columns, squeeze=False)
    for row, (table, models) in zip(rows, tables.items(), strict=True):
        most = 1.05 * max(max(c.high.max(), c.predicted.max()) for c in models.values())
        for k, axes in enumerate(row):
            axes.set_visible(k < len(models))
        for axes, (model, found) in zip(row, models.items(), strict=False):
            axes.plot([0, most], [0, most], color=TEXT, linewidth=0.8)
            bars = np.maximum([found.observed - found.low, found.high - found.observed], 0)
            style = {"fmt": "o", "color": COLOURS[0], "markersize": 4, "capsize": 2}
            axes.errorbar(found.predicted, found.observed, bars, linewidth=1.2, **style)
            limits = -0.03 * most, most
            axes.set(xlim=limits, ylim=limits, title=f"{table}: {model}", aspect="equal")
            axes.title.set_fontsize(9)
            axes.set_xlabel(f"predicted, {units[table]}", fontsize="small")
            axes.locator_params(nbins=5)
            axes.tick_params(labelsize="small")
        row[0].set_ylabel(f"observed, {units[table]}", fontsize="small")
    save(figure, path)
