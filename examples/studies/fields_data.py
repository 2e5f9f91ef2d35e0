"""Name the fields' tables, their events and columns, and gather out-of-fold probabilities.

KEEL's files have no line of names: those of heart are of the UCI table Statlog (Heart), of german
Statlog (German Credit Data), of pima Pima Indians Diabetes, of mammographic Mammographic Mass, and
of saheart the table SAheart of Hastie, Tibshirani and Friedman's book, in these tables' order.
KEEL's heart has lost the decimal points of its ST depressions (1.2 is 12, and 1.0 is 1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studies.tables_data import FOLDS, Table
from studies.tables_results import read_predictions


@dataclass(frozen=True)
class Subject:
    """What a table is about.

    Attributes
    ----------
    event : str
        The class whose probability is scored.
    what : str
        What it means.
    names : tuple of str
        Of the columns, where the file has none.
    """

    event: str
    what: str
    names: tuple[str, ...] = ()


FIELDS = {
    "health": {
        "heart": Subject(
            "2", "heart disease",
            ("age", "sex", "chest pain", "resting blood pressure", "cholesterol",
             "fasting sugar > 120", "resting ECG", "highest heart rate", "angina on exercise",
             "ST depression, as written", "slope of ST", "major vessels", "thallium scan"),
        ),
        "saheart": Subject(
            "1", "coronary heart disease",
            ("systolic pressure", "tobacco", "LDL cholesterol", "adiposity", "family history",
             "type-A behaviour", "obesity", "alcohol", "age"),
        ),
        "pima": Subject(
            "tested_positive", "diabetes",
            ("pregnancies", "glucose", "diastolic pressure", "skin fold", "insulin",
             "body mass index", "pedigree", "age"),
        ),
        "breast_cancer": Subject("malignant", "a malignant tumour"),
        "mammographic": Subject(
            "1", "a malignant mass", ("BI-RADS", "age", "shape", "margin", "density")
        ),
        "birthwt": Subject("1", "a birth weight below 2.5 kg"),
    },
    "finance": {
        "german": Subject(
            "2", "a bad credit",
            ("account", "months", "history", "purpose", "amount", "savings", "employed since",
             "instalment rate", "sex and status", "guarantors", "resident since", "property",
             "age", "other plans", "housing", "credits here", "job", "dependants", "telephone",
             "foreign worker"),
        ),
        "credit": Subject("bad", "a bad loan"),
    },
    "insurance": {"caravan": Subject("Yes", "buys a caravan policy")},
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Gathered:
    """Out-of-fold probabilities of an event, of the rows whose folds all models have done.

    Attributes
    ----------
    event : ndarray, shape (rows,)
        0 or 1.
    p : dict of str to ndarray, shape (rows,)
        By model.
    folds : list of int
        The folds of these rows.
    missing : dict of str to list of int
        Folds without predictions, by model; models with all of them are not named.
    """

    event: np.ndarray
    p: dict[str, np.ndarray]
    folds: list[int]
    missing: dict[str, list[int]]


def named(table: Table, subject: Subject) -> Table:
    """The table with the names of its columns."""
    if not subject.names:
        return table
    x = table.x.set_axis(list(subject.names), axis=1)
    return Table(table.name, x, table.y, table.all_rows)


def gather(folder: Path, table: Table, event: str, models: Iterable[str]) -> Gathered:
    """Read what `tables.py --predictions` has kept of a table.

    Models without any fold are left out; of the others the folds count that all of them have done.
    """
    found = {model: read_predictions(folder, table.name, model) for model in models}
    missing = {
        model: [fold for fold in range(FOLDS) if fold not in folds]
        for model, folds in found.items()
        if len(folds) < FOLDS
    }
    found = {model: folds for model, folds in found.items() if folds}
    common = sorted(set.intersection(*map(set, found.values()))) if found else []
    column = np.unique(table.y).tolist().index(event)
    rows = _joined([next(iter(found.values()))[fold][0] for fold in common], int)
    p = {}
    for model, folds in found.items():
        own = _joined([folds[fold][0] for fold in common], int)
        if not np.array_equal(own, rows):
            raise SystemExit(f"--predictions: {table.name}, {model} has the folds of other rows")
        p[model] = _joined([folds[fold][1][:, column] for fold in common], float)
    truth = (table.y[rows] == event).astype(float)
    return Gathered(truth, p if common else {}, common, missing)


def _joined(parts: list[np.ndarray], kind: type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, kind)


def ranges(numbers: list[int]) -> str:
    """Text such as ``0–3, 7`` of sorted numbers."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
