"""Odds networks on the Wisconsin breast-cancer data that scikit-learn ships.

    python examples/odds.py                  10 splits, tables and a reliability picture
    python examples/odds.py --splits 3

Every measurement of a cell nucleus becomes a finding, "larger than usual", with a probability: the
place of the value between the classes' means of the training part. Two networks of synapses judge
by them: Bayes' rule in log-odds (`synann_core.graph.bayes_graph`) and a noisy-OR of causes of
malignancy. Logistic regression has the same findings, and another one the measurements themselves.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats.contingency import odds_ratio
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for `examples` as a package

import synann_core as syn
from examples.diagnosis_rivals import cross_entropies
from examples.noisy_or import fit
from examples.options import make_folder, number
from examples.plots import _COLOURS, _TEXT, save
from synann_core.graph import SynapseGraph, bayes_graph

BAYES, CALIBRATED, NOISY_OR = "Bayes' rule", "Bayes' rule, calibrated", "noisy-OR"
SAME, RAW = "logistic, same findings", "logistic, measurements"


@dataclass(frozen=True)
class Findings:
    """Thresholds and widths that turn measurements into findings; "larger" or "smaller" counts."""

    threshold: np.ndarray
    width: np.ndarray

    @classmethod
    def from_training(cls, x: np.ndarray, event: np.ndarray) -> Findings:
        """Midway between the classes' means; as wide as a standard deviation inside the classes."""
        with_event, without = x[event == 1], x[event == 0]
        middle = (with_event.mean(axis=0) + without.mean(axis=0)) / 2
        spread = np.sqrt((with_event.var(axis=0) + without.var(axis=0)) / 2)
        sign = np.sign(with_event.mean(axis=0) - without.mean(axis=0))
        return cls(middle, np.maximum(spread, 1e-12) * np.where(sign == 0, 1, sign))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Probabilities of the findings, shape of `x`."""
        return syn.expit(2.0 * (x - self.threshold) / self.width)


def learn_bayes(y: np.ndarray, event: np.ndarray, names: list[str] | None = None) -> SynapseGraph:
    """Odds network whose likelihoods are the mean findings of either class (add-one smoothed)."""
    given, otherwise = ((y[event == k].sum(axis=0) + 1) / ((event == k).sum() + 2) for k in (1, 0))
    return bayes_graph(float(event.mean()), given, otherwise, names=names)


def log_odds(graph: SynapseGraph, y: np.ndarray) -> np.ndarray:
    """Posterior log-odds, shape (samples,): the difference of two surprisals."""
    surprisals = graph.compile()(syn.surprisal(y), space="surprisal")
    return surprisals[..., 1] - surprisals[..., 0]


def calibrate(y: np.ndarray, event: np.ndarray) -> LogisticRegression:
    """Slope and shift of the log-odds (Platt's), fitted where the network had not learned.

    Bayes' rule counts findings that say the same thing as if each were news: its odds are too far
    from 1, and a slope below 1 takes that back.
    """
    unseen = np.empty(len(y))
    for train, rest in StratifiedKFold(5, shuffle=True, random_state=0).split(y, event):
        unseen[rest] = log_odds(learn_bayes(y[train], event[train]), y[rest])
    return LogisticRegression(C=1e6).fit(unseen[:, None], event)


def predictions(
    x: np.ndarray, event: np.ndarray, test: np.ndarray, seed: int, *, measured: bool
) -> dict[str, np.ndarray]:
    """Probability of the event for each test row, by model."""
    y, y_test = x, test
    if measured:
        findings = Findings.from_training(x, event)
        y, y_test = findings(x), findings(test)
    z = log_odds(learn_bayes(y, event), y_test)
    choose = {"Cs": 8, "l1_ratios": (0,), "scoring": "neg_log_loss", "use_legacy_attributes": False}
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    same, raw = (
        make_pipeline(StandardScaler(), LogisticRegressionCV(cv=folds, max_iter=2000, **choose))
        for _ in range(2)
    )
    results = {
        BAYES: syn.expit(z),
        CALIBRATED: calibrate(y, event).predict_proba(z[:, None])[:, 1],
        NOISY_OR: fit(y, event[:, None]).predict(y_test)[:, 0],
        SAME: same.fit(y, event).predict_proba(y_test)[:, 1],
    }
    if measured:
        results[RAW] = raw.fit(x, event).predict_proba(test)[:, 1]
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
    rows = []
    for name, values in scores.items():
        mean = np.mean(values, axis=0)
        spread = np.std(values, axis=0, ddof=1) if splits > 1 else np.zeros(3)
        cells = zip(mean, spread, (".1f", ".4f", ".4f"), strict=True)
        rows.append((name, *(f"{m:{f}} ± {d:{f}}" for m, d, f in cells)))
    header = ("model", "accuracy %", "Brier score", "log-loss, nats")
    print(tabulate(rows, header, disable_numparse=True))
    return {name: np.concatenate(parts, axis=1) for name, parts in together.items()}


def table_of(finding: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Counts [[with, without the event] if found, [with, without] if not], by a finding 0 or 1."""
    return np.array([[np.sum((finding == f) & (event == e)) for e in (1, 0)] for f in (1, 0)])


def swapped_synapses(p: float, q: float) -> float:
    """Odds ratio of two probabilities as the ratio of two swapped synapses, S(p, q)/S(q, p)."""
    graph = SynapseGraph()
    graph.input("p", "q")
    graph.synapse("S(p, q)", excitatory="p", inhibitory="q")
    graph.synapse("S(q, p)", excitatory="q", inhibitory="p")
    forth, back = graph.compile()(np.array([p, q]))
    return float(forth / back)


def show_ratios(found: np.ndarray, event: np.ndarray, names: list[str], *, most: int = 6) -> None:
    """Print the largest odds ratios of findings 0 or 1: two synapses, and SciPy with its interval.

    SciPy's ratio is that of the same table (its sample odds ratio).
    """
    rows = []
    for name, finding in zip(names, found.T, strict=True):
        table = table_of(finding, event)
        if (table == 0).any():
            continue  # an infinite or zero ratio
        with_event, without = table[0] / table.sum(axis=0)
        known = odds_ratio(table, kind="sample")
        low, high = known.confidence_interval(0.95)
        synapses = swapped_synapses(with_event, without)
        rows.append((name, with_event, without, synapses, known.statistic, low, high))
    rows.sort(key=lambda row: -abs(np.log(row[3])))
    header = ("finding", "with event", "without", "two synapses", "SciPy", "95 % from", "to")
    print(tabulate(rows[:most], header, floatfmt=("", ".3f", ".3f", ".2f", ".2f", ".2f", ".2f")))


def show_update(y: np.ndarray, event: np.ndarray, names: list[str], sample: int) -> None:
    """Print how the log-odds of one sample come about; the parts add up to the network's answer."""
    others = np.arange(len(y)) != sample
    graph = learn_bayes(y[others], event[others], names)
    nothing = np.full(len(names), 0.5)  # evidence that says nothing
    prior = float(log_odds(graph, nothing))
    one = np.where(np.eye(len(names), dtype=bool), y[sample], 0.5)
    parts = log_odds(graph, one) - prior
    total = float(log_odds(graph, y[sample]))
    order = np.argsort(-np.abs(parts))
    rows = [("prior", "", prior)]
    rows += [(names[j], f"{y[sample, j]:.2f}", parts[j]) for j in order[:5]]
    rows.append(("all others", "", parts[order[5:]].sum()))
    rows.append(("posterior log-odds", "", total))
    rows = [(what, finding, f"{value:+.3f}") for what, finding, value in rows]
    print(tabulate(rows, ("what", "finding", "log-odds"), disable_numparse=True))
    print(f"the parts add up: error {abs(prior + parts.sum() - total):.1e}")


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
        axes.plot([0, 1], [0, 1], color=_TEXT, linewidth=0.8)
        axes.errorbar(predicted, observed, error, fmt="o-", color=_COLOURS[0], capsize=2)
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


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--splits", type=number(int, 1), default=10)
    parser.add_argument("--output", type=Path, default=Path("outputs"))
    options = parser.parse_args(arguments)
    make_folder(options.output)
    data = load_breast_cancer()
    names, event = [str(name) for name in data.feature_names], (data.target == 0).astype(float)
    print(f"{len(event)} tumours, {event.sum():.0f} malignant; {options.splits} splits 70 : 30\n")
    together = compare(data.data, event, options.splits)
    y = Findings.from_training(data.data, event)(data.data)
    print("\nThe largest odds ratios, of findings above their threshold, all tumours")
    show_ratios((y > 0.5).astype(float), event, names)
    sample = int(np.argmin(np.abs(log_odds(learn_bayes(y, event), y))))
    print(f"\nThe hardest case, tumour {sample}, malignant: {event[sample] == 1}")
    show_update(y, event, names, sample)
    picture = options.output / "odds-reliability.png"
    draw_reliability(together, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main()
