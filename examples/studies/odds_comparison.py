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

from shared.plots import COLOURS, TEXT, save
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


def draw_reliability(together: dict[str, np.ndarray], path: Path) -> None:
    """Draw observed against predicted frequency in bins of equal width, and how many fall there."""
    figure = Figure(figsize=(3.2 * len(together), 4.2), dpi=120, layout="constrained")
    edges = np.linspace(0, 1, 6)
    panels = np.atleast_1d(figure.subplots(1, len(together), sharey=True))
    for axes, (name, (truth, p)) in zip(panels, together.items(), strict=True):
        place = np.clip(np.digitize(p, edges) - 1, 0, len(edges) - 2)
        bins = [k for k in range(len(edges) - 1) if np.any(place == k)]
        counts = np.array([np.sum(place == k) for k in bins])
        predicted = [p[place == k].mean() for k in bins]
        observed = np.array([truth[place == k].mean() for k in bins])
        error = np.sqrt(observed * (1 - observed) / counts)
        axes.plot([0, 1], [0, 1], color=TEXT, linewidth=0.8)
        axes.errorbar(predicted, observed, error, fmt="o-", color=COLOURS[0], capsize=2)
        for x, y, count in zip(predicted, observed, counts, strict=True):
            below = y > 0.5
            axes.annotate(
                str(count), (x, y), (0, -14 if below else 8), textcoords="offset points",
                ha="right" if below else "left", fontsize="x-small",
            )  # fmt: skip
        axes.set_title(name, fontsize="medium")
        axes.set(xlabel="predicted probability", xlim=(-0.04, 1.04), ylim=(-0.06, 1.06))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("share that was malignant")
    save(figure, path)
