"""Print the results of the study of tables: means over tables, and paired differences.

A table counts as its mean over folds, and all tables count alike. Only folds that all models have
done are compared. A difference has two standard errors:

- over tables: the spread of the tables' mean differences, for what another table would show;
- over folds: the spread of the folds of the same table, for these tables as they are. Training
  rows of two folds overlap, so that it is somewhat too small.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from tabulate import tabulate

from shared.tables import known, mean_and_spread
from studies.tables_results import Result

EBM, BINNED = "EBM", "logistic, binned"
MEASURES = ("auc", "accuracy", "log_loss")
SIZES = ("rules", "literals", "seconds")
Folds = Mapping[int, Result]
Study = dict[str, dict[str, Folds]]  # by model, then by table


class Difference(NamedTuple):
    """Mean difference of two models, with its standard error over tables and over folds."""

    mean: float
    over_tables: float
    over_folds: float


def compared(results: Iterable[Result]) -> Study:
    """Results by model and table, of those folds that all models have done."""
    found: dict[str, dict[tuple[str, int], Result]] = defaultdict(dict)
    for result in results:
        found[result.model][result.table, result.fold] = result
    common = set.intersection(*map(set, found.values())) if found else set()
    study: Study = {}
    for model, done in found.items():
        study[model] = defaultdict(dict)
        for table, fold in sorted(common):
            study[model][table][fold] = done[table, fold]
    return study


def values(tables: Mapping[str, Folds], measure: str) -> list[np.ndarray]:
    """Values of a measure by table, one for each fold."""
    return [np.array([getattr(r, measure) for r in folds.values()]) for folds in tables.values()]


def mean(tables: Mapping[str, Folds], measure: str) -> float:
    """Mean over tables of the means over folds."""
    return float(np.mean([v.mean() for v in values(tables, measure)]))


def difference(
    tables: Mapping[str, Folds], others: Mapping[str, Folds], measure: str
) -> Difference:
    """Paired difference of a model to another, fold by fold of the same tables."""
    pairs = zip(values(tables, measure), values(others, measure), strict=True)
    parts = [mean_and_spread(own - other) for own, other in pairs]
    counts = [len(folds) for folds in tables.values()]
    whole, spread = mean_and_spread([m for m, _ in parts])
    inside = sum(s**2 / n for (_, s), n in zip(parts, counts, strict=True))
    return Difference(
        float(whole), float(spread / np.sqrt(len(parts))), float(np.sqrt(inside) / len(parts))
    )


def size(value: float) -> str:
    """Number of rules or literals; nothing where they are not counted, or there are none."""
    return (
        "" if np.isnan(value) or value == 0 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
    )


def show_means(study: Study) -> None:
    rows = []
    for model, tables in study.items():
        auc, accuracy, loss = (mean(tables, measure) for measure in MEASURES)
        rules, literals, seconds = (mean(tables, measure) for measure in SIZES)
        numbers = f"{auc:.4f}", f"{100 * accuracy:.2f}", f"{loss:.4f}"
        rows.append((model, *numbers, size(rules), size(literals), f"{seconds:.2f}"))
    header = ("model", "AUC", "accuracy %", "log-loss", "rules", "literals", "CPU s a fit")
    _print(rows, header)


def show_differences(study: Study, reference: str) -> None:
    """Print differences to a model, in thousandths: ± over tables, and ± over folds.

    The latter needs two folds of each table.
    """
    errors = "± over tables"
    if all(len(folds) > 1 for folds in study[reference].values()):
        errors += ", ± over folds"
    print(f"\nDifference to {reference}, in thousandths ({errors})")
    rows = []
    for model, tables in study.items():
        if model != reference:
            found = [difference(tables, study[reference], measure) for measure in MEASURES]
            cells = (
                f"{1e3 * m:+.1f}{known(1e3 * t, '.1f', ' ± ')}{known(1e3 * f, '.1f', ', ')}"
                for m, t, f in found
            )
            rows.append((model, *cells))
    _print(rows, ("model", "AUC", "accuracy", "log-loss"))


def show_tables(study: Study, measure: str, sizes: Mapping[str, str]) -> None:
    """Print a measure by table and model."""
    print(f"\n{measure.replace('_', '-').replace('auc', 'AUC')} by table")
    rows = []
    for table in next(iter(study.values())):
        means = (np.mean(values({table: tables[table]}, measure)) for tables in study.values())
        rows.append((table, sizes.get(table, ""), *(f"{value:.3f}" for value in means)))
    _print(rows, ("table", "rows × columns, classes", *study))


def _print(rows: Sequence[Sequence[str]], header: Sequence[str]) -> None:
    right = ("left", *["right"] * (len(header) - 1))
    print(tabulate(rows, header, disable_numparse=True, tablefmt="github", colalign=right))


def summarise(results: Iterable[Result], sizes: Mapping[str, str] | None = None) -> None:
    """Print all tables of the study.

    Parameters
    ----------
    results : iterable of Result
    sizes : dict of str to str, optional
        What is said about the size of each table.
    """
    study = compared(results)
    tables = next(iter(study.values()), {})
    if not tables:
        print("no fold is done by all models")
        return
    folds = sum(len(done) for done in tables.values())
    print(f"\n{len(tables)} tables, {folds} folds that all {len(study)} models have done")
    show_means(study)
    for reference in (EBM, BINNED):
        if reference in study and len(study) > 1:
            show_differences(study, reference)
    for measure in ("auc", "log_loss"):
        show_tables(study, measure, sizes or {})
