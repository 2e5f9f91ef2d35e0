"""Pictures of the diagnosis example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from shared.plots import COLOURS, TEXT, WIDTH, save, styled


@styled
def learning(
    panels: Mapping[str, Mapping[tuple, Sequence]],
    diagnoses: Mapping[tuple, Sequence],
    path: str | Path,
) -> None:
    """Draw excess log-loss against samples, a panel for each kind of data, and the diagnoses.

    Parameters
    ----------
    panels : dict of title to scores
        Scores by (samples, model): rows over seeds, the excess first.
    diagnoses : dict of (method,) to rows
        Rows over seeds, the log-loss first.
    path : path
        Image file; its ending names the format.
    """
    figure = Figure(figsize=(1.25 * WIDTH, 4.2))
    *curves, bars = figure.subplots(1, len(panels) + 1)
    models = dict.fromkeys(m for scores in panels.values() for _, m in scores)
    colours = dict(zip(models, COLOURS, strict=False))
    for axes, (title, scores) in zip(curves, panels.items(), strict=True):
        sizes = sorted({size for size, _ in scores})
        for model in dict.fromkeys(m for _, m in scores):
            colour = colours[model]
            has = [size for size in sizes if (size, model) in scores]
            values = np.array([[row[0] for row in scores[size, model]] for size in has])
            axes.plot(has, values.mean(axis=1), "o-", color=colour, label=model, markersize=5)
            if values.shape[1] > 1:
                axes.fill_between(
                    has, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.15
                )
        axes.set(xscale="log", yscale="log", title=title, xlabel="samples")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.xaxis.set_minor_locator(NullLocator())
    curves[0].set_ylabel("excess log-loss, thousandths of a nat")
    curves[0].legend()
    names = [name for (name,) in diagnoses]
    losses = [np.mean([row[0] for row in rows]) for rows in diagnoses.values()]
    drawn = bars.barh(names, losses, color=COLOURS[0])
    bars.bar_label(drawn, [f"{loss:.3f}" for loss in losses], padding=3, fontsize="small")
    bars.margins(x=0.15)
    bars.invert_yaxis()
    bars.set(title="diagnosis from all symptoms", xlabel="log-loss of a disease, nats")
    save(figure, path)


@styled
def links(strengths: Mapping[str, np.ndarray], models: Sequence[str], path: str | Path) -> None:
    """Draw the strengths that models give to all links against the true ones.

    Parameters
    ----------
    strengths : dict of name to ndarray, shape (symptoms, diseases)
        In [0, 1]; ``"truth"`` and the models.
    models : sequence of str
        Those to draw, a panel each.
    path : path
        Image file; its ending names the format.
    """
    figure = Figure(figsize=(1.0 + 3.4 * len(models), 4.0))
    truth = strengths["truth"].ravel()
    panels = np.atleast_1d(figure.subplots(1, len(models), sharey=True))
    for axes, model in zip(panels, models, strict=True):
        got = strengths[model].ravel()
        real = truth > 0
        axes.plot([0, 1], [0, 1], color=TEXT, linewidth=0.8)
        axes.scatter(truth[~real], got[~real], s=10, color=COLOURS[1], label="no link", alpha=0.5)
        axes.scatter(truth[real], got[real], s=10, color=COLOURS[0], label="link", alpha=0.7)
        axes.set(title=model, xlabel="true strength", xlim=(-0.04, 1.02), ylim=(-0.04, 1.02))
    panels[0].set_ylabel("learned strength")
    panels[0].legend()
    save(figure, path)
