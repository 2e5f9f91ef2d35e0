"""Read tables for estimators: columns of numbers or words, checked as scikit-learn checks them.

Words are categories as strings; a missing one is the word "missing".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from synann_core._lib.arguments import check_plain
from synann_core._lib.checks import as_tuple
from synann_core.tabular.columns import Kind, as_table, is_frame, read_columns, text_of

MISSING = "missing"


def read_table(
    estimator: Any, X: Any, *, reset: bool, words: Any = None, allow_missing: bool = False
) -> list[NDArray[Any]]:
    """Return the columns of a table that an estimator is fitted to, or was.

    Parameters
    ----------
    estimator : estimator of scikit-learn
        Gets `n_features_in_`, `feature_names_in_` and, for the next call, `_words`.
    X : array_like or frame, shape (samples, features)
    reset : bool
        Whether to look at the table for the first time.
    words : sequence of names, positions or bools, optional
        Which columns are categories beside those that do not hold numbers: strings, objects, and
        the frames' own categories.
    allow_missing : bool
        Whether numbers may be NaN.

    Returns
    -------
    list of ndarray, shape (samples,)
        float64, or objects that are strings.

    Raises
    ------
    TypeError, ValueError
        As scikit-learn's `validate_data`, or `read_columns`; also if `words` names a column that is
        not there.
    """
    table = _with_words(X)
    if table is None:
        options = {"dtype": np.float64, "ensure_all_finite": "allow-nan" if allow_missing else True}
        values = validate_data(estimator, X, reset=reset, **options)
        if reset and words is None:
            estimator._words = (False,) * values.shape[1]
        if words is None if reset else not any(estimator._words):
            return list(np.ascontiguousarray(values.T))
        table = values
    else:
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        if not len(table):
            raise ValueError(
                f"`X` must hold samples. Received: 0 samples (shape={table.shape}), "
                "while a minimum of 1 is required"
            )
    names = feature_names(estimator)
    kinds: list[Kind | None] = [None] * len(names)
    if not reset:
        kinds = ["category" if as_words else "number" for as_words in estimator._words]
    elif words is not None:
        kinds = ["category" if named else None for named in _named(words, names)]
    columns = read_columns(table, names, kinds)
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


def feature_names(estimator: Any) -> list[str]:
    """Names of the columns that an estimator has seen, or x0, x1, …"""
    known = getattr(estimator, "feature_names_in_", None)
    if known is None:
        return [f"x{j}" for j in range(estimator.n_features_in_)]
    return [str(name) for name in known]


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


def _with_words(X: Any) -> Any:
    """A frame, or an array of two axes with strings in it; None for anything else."""
    if is_frame(X):
        return X
    check_plain("X", X)
    try:
        table = np.asarray(as_table(X))
    except ValueError:  # rows of several lengths
        return None
    if table.ndim != 2 or table.dtype.kind not in "OUT":
        return None
    strings = any(isinstance(value, str) for value in table.ravel())
    return table.astype(object) if strings else None


def _named(words: Any, names: Sequence[str]) -> list[bool]:
    """Which columns are named."""
    chosen = as_tuple("categorical_features", words, "names or positions")
    if len(chosen) == len(names) and all(isinstance(one, bool | np.bool_) for one in chosen):
        return [bool(one) for one in chosen]
    positions = [names.index(one) if one in names else one for one in chosen]
    known = [isinstance(p, int | np.integer) and -len(names) <= p < len(names) for p in positions]
    if not all(known):
        raise ValueError(
            f"`categorical_features` must name columns of {list(names)}. "
            f"Received: {chosen[known.index(False)]!r}"
        )
    at = {int(p) % len(names) for p in positions}
    return [j in at for j in range(len(names))]
