"""Odds networks on the Wisconsin breast-cancer data that scikit-learn ships.

    python examples/odds.py                  10 splits, tables and a reliability picture
    python examples/odds.py --splits 3

Every measurement of a cell nucleus becomes a finding, "larger than usual", with a probability: the
place of the value between the classes' means of the training part. Two networks of synapses judge
by them: Bayes' rule in log-odds (`synann.OddsNetwork`) and a noisy-OR of causes of malignancy.
Logistic regression has the same findings, and another one the measurements themselves.

Makes tables of accuracy, odds ratios and one case's reasons, and odds-reliability.png.
"""

from __future__ import annotations

import numpy as np
from scipy.stats.contingency import odds_ratio
from sklearn.datasets import load_breast_cancer
from tabulate import tabulate

from shared.options import make_folder, make_parser, number
from studies.odds_comparison import compare, draw_reliability
from synann.graph import SynapseGraph
from synann.tabular import OddsNetwork


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


def show_update(x: np.ndarray, event: np.ndarray, names: list[str], sample: int) -> None:
    """Print how the log-odds of one sample come about; the parts add up to the network's answer."""
    others = np.arange(len(x)) != sample
    network = OddsNetwork(cv=None).fit(x[others], event[others])
    one = x[sample : sample + 1]
    why, found = network.explain(one), network.findings(one)[0]
    prior, parts = why.constant[0], why.parts[0, 0]
    total = network.decision_function(one)[0]
    order = np.argsort(-np.abs(parts))
    rows = [("prior", "", prior)]
    rows += [(names[j], f"{found[j]:.2f}", parts[j]) for j in order[:5]]
    rows.append(("all others", "", parts[order[5:]].sum()))
    rows.append(("posterior log-odds", "", total))
    rows = [(what, finding, f"{value:+.3f}") for what, finding, value in rows]
    print(tabulate(rows, ("what", "finding", "log-odds"), disable_numparse=True))
    print(f"the parts add up: error {abs(prior + parts.sum() - total):.1e}")


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--splits", type=number(int, 1), default=10)
    options = parser.parse_args(arguments)
    make_folder(options.output)
    data = load_breast_cancer()
    names, event = [str(name) for name in data.feature_names], (data.target == 0).astype(float)
    print(f"{len(event)} tumours, {event.sum():.0f} malignant; {options.splits} splits 70 : 30\n")
    together = compare(data.data, event, options.splits)
    network = OddsNetwork(cv=None).fit(data.data, event)
    y = network.findings(data.data)
    print("\nThe largest odds ratios, of findings above their threshold, all tumours")
    show_ratios((y > 0.5).astype(float), event, names)
    sample = int(np.argmin(np.abs(network.decision_function(data.data))))
    print(f"\nThe hardest case, tumour {sample}, malignant: {event[sample] == 1}")
    show_update(data.data, event, names, sample)
    picture = options.output / "odds-reliability.png"
    draw_reliability(together, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main()
