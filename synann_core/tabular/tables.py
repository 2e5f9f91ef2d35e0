"""Read tables for estimators: their columns, checked as scikit-learn checks tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, validate_data

from synann_core._lib.checks import as_tuple
from synann_core.tabular.columns import (
    Column,
    Kind,
    as_table,
    is_frame,
    plain,
    read_columns,
    text_of,
)

MISSING = "missing"


def read_table(
    estimator: Any, X: Any, *, kinds: Sequence[Kind] | None = None, categories: Any = None
) -> list[Column]:
    """Return the columns of a table that an estimator is fitted to, or was.

    Parameters
    ----------
    estimator : estimator of scikit-learn
        Without `kinds`, it gets `n_features_in_` and `feature_names_in_`; else X must have them.
    X : array_like or frame, shape (samples, features)
    kinds : sequence of {"number", "boolean", "category"}, optional
        What the columns were in `fit`; None in `fit` itself.
    categories : sequence of names or numbers, or of bools for all, optional
        Which columns are categories in `fit`, beside those that are by themselves: strings, the
        frames' own categories, and objects unless all of them are numbers.

    Raises
    ------
    TypeError, ValueError
        As scikit-learn's `validate_data`, or `read_columns`; also if `categories` names a column
        that is not there.
    """
    table = as_table(X)
    if not is_frame(table):
        options = {"dtype": None, "ensure_all_finite": False, "input_name": "X"}
        table = check_array(table, estimator=estimator, **options)
    elif 0 in table.shape:
        raise ValueError(
            f"`X` must have rows and columns. Received: shape {table.shape}, "
            f"{table.shape[0]} sample(s) and {table.shape[1]} feature(s)"
        )
    else:
        _check_different(list(table.columns))
    validate_data(estimator, table, reset=kinds is None, skip_check_array=True)
    names = feature_names(estimator)
    if kinds is not None:
        return read_columns(table, names, kinds)
    chosen = [] if categories is None else named("categorical_features", categories, names)
    return read_columns(
        table, names, ["category" if j in chosen else None for j in range(len(names))]
    )


def read_values(
    estimator: Any, X: Any, *, reset: bool, categories: Any = None, allow_missing: bool = False
) -> list[NDArray[Any]]:
    """Return the columns as float64, or as objects that are strings, shape (samples,) each.

    A missing category is the word "missing", and truth values are numbers. With `reset`, as in
    `fit`, the estimator gets `_words`, which columns are categories; without, it must have it. NaN
    is an error unless `allow_missing`. Other parameters and errors are those of `read_table`.
    """
    kinds: list[Kind] | None = None
    if not reset:
        kinds = ["category" if words else "number" for words in estimator._words]
    columns = read_table(estimator, X, kinds=kinds, categories=categories)
    if reset:
        estimator._words = tuple(column.kind == "category" for column in columns)
    found = []
    for name, kind, values in columns:
        if kind == "category":
            found.append(np.array([MISSING if v is None else v for v in values], dtype=object))
            continue
        if not allow_missing and np.isnan(values).any():
            row = int(np.flatnonzero(np.isnan(values))[0])
            raise ValueError(
                f"`X` must not be missing in column {name!r}. Received: NaN in row {row}"
            )
        found.append(values)
    return found


def _check_different(names: Sequence[Any]) -> None:
    """Refuse names that do not say which column they mean."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"`X` must have columns of different names. Received: {twice[0]!r} twice")


def feature_names(estimator: Any) -> list[str]:
    """Names of the columns that an estimator has seen, or x0, x1, …"""
    known = getattr(estimator, "feature_names_in_", None)
    if known is None:
        return [f"x{j}" for j in range(estimator.n_features_in_)]
    return [str(name) for name in known]


def place_of(parameter: str, feature: Any, names: Sequence[str]) -> int:
    """Number of a feature that is given by its name or its number, which may count from the end."""
    if isinstance(feature, str) and feature in names:
        return names.index(feature)
    count = len(names)
    is_int = isinstance(feature, int | np.integer) and not isinstance(feature, bool)
    if not (is_int and -count <= feature < count):
        raise ValueError(
            f"`{parameter}` must name features or give their numbers, below {count}. "
            f"Received: {plain(feature)!r}"
        )
    return int(feature) % count


def named(parameter: str, features: Any, names: Sequence[str]) -> list[int]:
    """Numbers of features that are given by names, numbers, or a bool for each."""
    members = None if isinstance(features, bytes) else features
    chosen = as_tuple(parameter, members, "names or numbers of features")
    if len(chosen) == len(names) and all(isinstance(one, bool | np.bool_) for one in chosen):
        return [j for j, one in enumerate(chosen) if one]
    return [place_of(parameter, one, names) for one in chosen]


def by_place(parameter: str, given: Any, names: Sequence[str]) -> dict[int, Any]:
    """What a mapping from names or numbers of features says, by their numbers."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise TypeError(f"`{parameter}` must be a mapping from features. Received: {given!r}")
    found: dict[int, Any] = {}
    for key, value in given.items():
        place = place_of(parameter, key, names)
        if place in found:
            raise ValueError(
                f"`{parameter}` must name each feature once. "
                f"Received: {names[place]!r} by its name and its number, or twice"
            )
        found[place] = value
    return found


def order_of_words(X: Any, position: int) -> list[str] | None:
    """Order of the categories of a frame's column, where its dtype has one."""
    if not is_frame(X):
        return None
    dtype = X[list(X.columns)[position]].dtype
    categories = getattr(dtype, "categories", None)
    # polars' Categorical has an attribute of that name, too, which is not a list of them.
    if categories is None or not hasattr(categories, "__iter__"):
        return None
    return [text_of(value) for value in categories]
