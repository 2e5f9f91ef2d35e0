"""Pictures of the rare-disease study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from shared.plots import COLOURS, TEXT, save, signed, styled
from studies.rare_disease_scores import binned

_FEWEST = 10  # patients that a point stands for


@styled
def reliability(
    panels: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]], path: str | Path
) -> None:
    """Draw how often the first disease is right against the probability that it was given.

    Parameters
    ----------
    panels : dict of title to dict of model to (probability, right)
        Of each patient's first disease.
    path : path
        Image file; its ending names the format.
    """
    figure = Figure(figsize=(1.0 + 3.4 * len(panels), 4.2))
    all_axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
    for axes, (title, models) in zip(all_axes, panels.items(), strict=True):
        axes.plot([0, 1], [0, 1], color=TEXT, linewidth=0.8)
        for colour, (model, (p, right)) in zip(COLOURS, models.items(), strict=False):
            sizes, *points = binned(p, right)
            some = sizes >= _FEWEST
            x, y = (values[some] for values in points)
            axes.plot(x, y, "-", color=colour, linewidth=1.2)
            axes.scatter(x, y, s=8 + 0.25 * sizes[some], color=colour, label=model, alpha=0.8)
        axes.set(title=title, xlabel="probability of the first disease", xlim=(-0.03, 1.03))
        axes.set(ylim=(-0.03, 1.03))
    all_axes[0].set_ylabel("share that is right")
    all_axes[0].legend(loc="upper left", markerscale=0.6)
    save(figure, path)


@styled
def why(
    labels: Sequence[str],
    values: Sequence[float],
    first: str,
    second: str,
    path: str | Path,
) -> None:
    """Draw what speaks for the first disease, above zero, and for the second.

    Parameters
    ----------
    labels, values : sequences
        Parts of the log-odds of the two, which add up to them.
    first, second : str
        Names of the diseases.
    path : path
        Image file; its ending names the format.
    """
    y, values = np.arange(len(labels)), np.asarray(values)
    figure = Figure(figsize=(9.0, 1.6 + 0.3 * len(labels)))
    axes = figure.subplots()
    bars = axes.barh(y, values, color=[COLOURS[0] if v > 0 else COLOURS[1] for v in values])
    numbers = [signed(v) for v in values.tolist()]
    axes.bar_label(bars, numbers, padding=3, fontsize="small", color=TEXT)
    axes.axvline(0, color=TEXT, linewidth=0.8)
    axes.margins(x=0.12, y=0.02)
    axes.set(
        yticks=y,
        yticklabels=labels,
        xlabel="log-odds in nats:  ← for the second      for the first →",
    )
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    figure.suptitle(
        f"Why {first},\nand not {second}?\nThe parts add up to log-odds of {signed(values.sum())}",
        fontsize="medium",
    )
    save(figure, path)
