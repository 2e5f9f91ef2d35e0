"""Small tables with known rules, for the tests of rule classifiers."""

import numpy as np

from synann_core.tabular.columns import Column
from synann_core.tabular.literals import Literals


def mixed_columns(rows=300, seed=0):
    """A number, a category, a truth value, and a number that is missing now and then."""
    rng = np.random.default_rng(seed)
    age = np.round(rng.uniform(20, 80, rows))
    kind = rng.choice(np.array(["typical", "atypical", "none"], dtype=object), rows)
    smoker = rng.integers(0, 2, rows).astype(float)
    pressure = np.round(rng.normal(120, 15, rows), 1)
    pressure[rng.random(rows) < 0.2] = np.nan
    return [
        Column("age", "number", age),
        Column("pain", "category", kind),
        Column("smoker", "boolean", smoker),
        Column("pressure", "number", pressure),
    ]


def mixed_labels(columns, seed=0):
    """Ill if older than 50 and in pain, or a smoker with a missing pressure; with some noise."""
    age, pain, smoker, pressure = (column.values for column in columns)
    ill = ((age > 50) & (pain != "none")) | ((smoker == 1) & np.isnan(pressure))
    return (ill ^ (np.random.default_rng(seed).random(len(age)) < 0.05)).astype(int)


def mixed_literals(columns, missing="state", bins=6):
    weight = np.ones(len(columns[0].values))
    return Literals.from_training(columns, weight, bins=bins, missing=missing)


def numbers(rows=200, seed=0, classes=2):
    """Five numbers of which two matter, and labels."""
    X = np.random.default_rng(seed).normal(size=(rows, 5)).round(2)
    if classes == 2:
        return X, ((X[:, 0] > 0) & (X[:, 1] < 0.5)).astype(int)
    return X, (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
