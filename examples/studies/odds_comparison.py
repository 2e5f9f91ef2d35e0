"""Odds networks beside a noisy-OR and logistic regression: scores over splits, and reliability."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate

from shared import plots
from shared.plots import save
from shared.tables import plus_minus
from studies.diagnosis_rivals import cross_entropies
from synann.noisy_or import fit_known_causes
from synann.tabular import OddsNetwork

BAYES, CALIBRATED, NOISY_OR = "Bayes' rule", "Bayes' rule, calibrated", "noisy-OR"
SAME, RAW = "logistic, same findings", "logistic, measurements"


def predictions(
    x: np.ndarray, event: np.ndarray, test: np.ndarray, seed: int, *, measured: bool
) -> dict[str, np.ndarray]:
    """Probability of the event for each test row, by model."""
    network = OddsNetwork(thresholds=measured, cv=None).fit(x, event)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    calibrated = OddsNetwork(thresholds=measured, cv=folds).fit(x, event)
    y, y_test = network.findings(x), network.findings(test)
    choose = {"Cs": 8, "l1_ratios": (0,), "scoring": "neg_log_loss", "use_legacy_attributes": False}
    choose["cv"] = StratifiedKFold(5, shuffle=True, random_state=seed)

    def logistic():
        return make_pipeline(StandardScaler(), LogisticRegressionCV(max_iter=2000, **choose))

    results = {
        BAYES: network.predict_proba(test)[:, 1],
        CALIBRATED: calibrated.predict_proba(test)[:, 1],
        NOISY_OR: fit_known_causes(y, event[:, None]).predict(y_test)[:, 0],
        SAME: logistic().fit(y, event).predict_proba(y_test)[:, 1],
    }
    if measured:
        results[RAW] = logistic().fit(x, event).predict_proba(test)[:, 1]
    return results


def compare(
    x: np.ndarray, event: np.ndarray, splits: int, *, measured: bool = True
) -> dict[str, np.ndarray]:
    """Print accuracy, Brier score and log-loss over splits; returns all test predictions.

    Predictions have the rows (truth, probability), those of all splits together. Columns of `x` are
    `measured`, or findings between 0 and 1 already.
    """
    scores: dict[str, list] = {}
    together: dict[str, list] = {}
    for seed in range(splits):
        train, test = train_test_split(
            np.arange(len(x)), test_size=0.3, stratify=event, random_state=seed
        )
        given = x[train], event[train], x[test], seed
        for name, p in predictions(*given, measured=measured).items():
            truth = event[test]
            row = (
                100 * np.mean((p > 0.5) == truth),
                np.mean((p - truth) ** 2),
                cross_entropies(truth, p).mean(),
            )
            scores.setdefault(name, []).append(row)
            together.setdefault(name, []).append((truth, p))
    rows = [(name, *plus_minus(v, (".1f", ".4f", ".4f"))) for name, v in scores.items()]
    header = ("model", "accuracy %", "Brier score", "log-loss, nats")
    print(tabulate(rows, header, disable_numparse=True))
    return {name: np.concatenate(parts, axis=1) for name, parts in together.items()}


@plots.styled
def draw_reliability(together: dict[str, np.ndarray], path: Path) -> None:
    """Draw observed against predicted frequency in bins of equal width, and how many fall there."""
    columns = min(3, len(together))
    lines = -(-len(together) // columns)
    figure = Figure(figsize=(plots.WIDTH, 0.5 + 2.9 * lines))
    edges = np.linspace(0, 1, 6)
    panels = figure.subplots(lines, columns, sharey=True, sharex=True, squeeze=False).ravel()
    for axes, (name, (truth, p)) in zip(panels, together.items(), strict=False):
        place = np.clip(np.digitize(p, edges) - 1, 0, len(edges) - 2)
        bins = [k for k in range(len(edges) - 1) if np.any(place == k)]
        counts = np.array([np.sum(place == k) for k in bins])
        predicted = [p[place == k].mean() for k in bins]
        observed = np.array([truth[place == k].mean() for k in bins])
        error = np.sqrt(observed * (1 - observed) / counts)
        axes.plot([0, 1], [0, 1], color=plots.QUIET, linewidth=1.0)
        axes.errorbar(predicted, observed, error, fmt="o-", color=plots.COLOURS[0], capsize=2)
        # In a line of their own at the foot: beside the points they would cover the curve.
        for x, count in zip(predicted, counts, strict=True):
            axes.text(x, -0.13, f"{count}", ha="center", va="center", fontsize="x-small")
        axes.set(title=name, xlim=(-0.09, 1.09), ylim=(-0.2, 1.06))
        axes.set_yticks(np.linspace(0, 1, 6))
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("predicted probability")
    for axes in panels[::columns]:
        axes.set_ylabel("share that was malignant")
    for axes in panels[len(together) :]:
        axes.set_axis_off()
    if len(together) < len(panels):
        words = (
            "blue: tumours in five bins,\nwith one standard error\n\n"
            "grey: perfect\n\nat the foot: how many"
        )
        panels[-1].text(0.5, 0.5, words, ha="center", va="center")
    save(figure, path)
