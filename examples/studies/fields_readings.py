"""Read a model of each field as its user would: the rules, one person's reasons, a tariff.

The models are those of the study, of the first fold: its nine other parts are what they learn
from, and the person is one that they have not seen, the one with the highest predicted risk.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

import tariff
from studies.fields_data import Subject, named
from studies.tables_data import Table, folds
from studies.tables_own import fit_rules

READ = ("saheart", "credit")  # one table of rules for health, and one for finance


def show_rules(table: Table, subject: Subject) -> None:
    """Print the rules of a table, and why the riskiest new row is the riskiest."""
    table = named(table, subject)
    _, train, test = next(folds(table))
    model = fit_rules(table.x.iloc[train], table.y[train]).model
    print(f"\n{table.name}: {subject.what}, class {subject.event!r}; the model of the first fold\n")
    print(model.to_text())
    column = model.classes_.tolist().index(subject.event)
    p = model.predict_proba(table.x.iloc[test])[:, column]
    event = table.y[test] == subject.event
    print(
        f"\n{len(test)} new rows: AUC {roc_auc_score(event, p):.3f}, "
        f"log-loss {log_loss(event, p):.3f}"
    )
    row = int(test[p.argmax()])
    why = model.explain(table.x.iloc[[row]])
    top = [name for name, _ in why.ranked(by="features")]
    facts = ", ".join(f"{name} = {fact(table.x[name].iloc[row])}" for name in top)
    print(f"the riskiest of them, row {row}: {facts}")
    print(why.to_text(by="features"))
    print(f"probability of {subject.what}: {p.max():.2f}; what came: {table.y[row]!r}")


def fact(value: object) -> str:
    """A number with few digits, a word, or that it is missing."""
    if pd.isna(value):
        return "missing"
    return f"{value:g}" if isinstance(value, float) else str(value)


def show_tariff(x: pd.DataFrame, claims: np.ndarray, holders: np.ndarray) -> None:
    """Print the tariff of all groups, and how one of their rates comes about."""
    model = tariff.LogLinkRegressor(constraints=tariff.MONOTONE)
    model.fit(x, claims, exposure=holders)
    print("\nclaims: the tariff of all groups; engines up, ages down\n")
    print(model.tariff())
    rate, row = model.predict(x), int(holders.argmax())
    factors = " · ".join(f"{factor:.3f}" for factor in model.explain(x.iloc[[row]])[0])
    what = ", ".join(f"{name} {value}" for name, value in x.iloc[row].items())
    print(f"\nthe largest group, {what}: {model.alpha_:.3f} · {factors} = {rate[row]:.3f} a holder")
    print(f"observed: {claims[row]:.0f} claims of {holders[row]:.0f} holders")
