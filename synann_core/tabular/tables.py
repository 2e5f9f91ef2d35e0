"""Read tables of any kind as columns: arrays, lists, and frames of pandas or polars.

A column holds numbers (float64), or words: categories as strings, a missing one as "missing".
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from synann_core._lib.arguments import check_plain
from synann_core._lib.checks import as_tuple

Column = NDArray[Any]
MISSING = "missing"


def read_columns(
    estimator: Any,
    X: Any,
    *,
    reset: bool,
    words: Any = None,
    allow_missing: bool = False,
) -> list[Column]:
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
        As scikit-learn's `validate_data`; also if `words` names a column that is not there.
    """
    if not hasattr(X, "columns") and not hasattr(X, "todense"):
        check_plain("X", X)
    options = {"dtype": np.float64, "ensure_all_finite": "allow-nan" if allow_missing else True}
    given = _given_columns(X, words is None if reset else not any(estimator._words))
    if given is None:
        values = validate_data(estimator, X, reset=reset, **options)
        if reset:
            estimator._words = (False,) * values.shape[1]
        return list(np.ascontiguousarray(values.T))
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    names = feature_names(estimator)
    if reset:
        estimator._words = _chosen(words, names, given)
    columns = []
    for name, values, as_words in zip(names, given, estimator._words, strict=True):
        if as_words:
            columns.append(np.array([word(value) for value in values], dtype=object))
            continue
        try:
            column = np.asarray(values, dtype=np.float64)
        except ValueError as error:
            raise ValueError(
                f"`X` must hold numbers in column {name!r}. Received: {error}"
            ) from None
        finite = np.isfinite(column) | (np.isnan(column) & allow_missing)
        if not finite.all():
            raise ValueError(
                f"`X` must be finite in column {name!r}. Received: NaN or infinity, "
                f"{column[~finite][0]} in row {int(np.flatnonzero(~finite)[0])}"
            )
        columns.append(column)
    if not columns or not len(columns[0]):
        raise ValueError(f"`X` must hold samples. Received: 0 of {len(columns)} features")
    return columns


def feature_names(estimator: Any) -> list[str]:
    """Names of the columns that an estimator has seen, or x0, x1, …"""
    known = getattr(estimator, "feature_names_in_", None)
    if known is None:
        return [f"x{j}" for j in range(estimator.n_features_in_)]
    return [str(name) for name in known]


def word(value: Any) -> str:
    """A category as a string; whole numbers are the same word whatever their type."""
    if isinstance(value, str):
        return value
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
        return MISSING
    if isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_):
        number = float(value)
        return str(int(number)) if number.is_integer() else repr(number)
    return str(value)


def order_of_words(X: Any, position: int) -> list[str] | None:
    """Order of the categories of a frame's column, where its dtype has one."""
    if not hasattr(X, "columns"):
        return None
    column = X[list(X.columns)[position]]
    categories = getattr(column.dtype, "categories", None)
    return None if categories is None else [word(value) for value in categories]


def _given_columns(X: Any, by_dtype: bool) -> list[Any] | None:
    """The columns one by one; None where all are numbers, or X is not a table at all."""
    if hasattr(X, "columns") and hasattr(X, "__getitem__"):
        columns = [_frame_column(X[name]) for name in X.columns]
    else:
        if hasattr(X, "todense") or getattr(X, "ndim", 2) != 2:
            return None
        try:
            values = X if isinstance(X, np.ndarray) else _as_objects(X)
        except (TypeError, ValueError):
            return None
        if values is None or values.ndim != 2 or (by_dtype and values.dtype.kind not in "OUST"):
            return None
        columns = list(values.T)
    if by_dtype and not any(_holds_words(column) for column in columns):
        return None
    return columns


def _as_objects(X: Any) -> NDArray[Any] | None:
    """Lists as an array, in which numbers beside strings stay numbers."""
    values = np.asarray(X)
    return np.array(X, dtype=object) if values.dtype.kind in "US" else values


def _frame_column(column: Any) -> NDArray[Any]:
    """A frame's column: floats, or objects where it does not hold numbers."""
    dtype = column.dtype
    if getattr(dtype, "kind", "") in tuple("iufb") and not isinstance(dtype, np.dtype):
        # pandas' numbers that may be missing
        values: NDArray[Any] = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return values
    return np.asarray(column)


def _holds_words(column: Any) -> bool:
    """Whether a column holds anything but numbers; a TypeError where that has no meaning."""
    if column.dtype.kind in "iufbc":
        return False
    try:
        np.asarray(column, dtype=np.float64)
    except ValueError:
        return True
    except TypeError:
        # Of an object in place of a number (a dict, say) scikit-learn's check has the words.
        return any(isinstance(value, str) for value in column)
    return column.dtype.kind != "O" or any(isinstance(value, str) for value in column)


def _chosen(words: Any, names: Sequence[str], columns: list[Any]) -> tuple[bool, ...]:
    """Which columns are words."""
    by_dtype = [_holds_words(column) for column in columns]
    chosen = () if words is None else as_tuple("categorical_features", words, "names or positions")
    if len(chosen) == len(names) and all(isinstance(one, bool | np.bool_) for one in chosen):
        return tuple(bool(one) or own for one, own in zip(chosen, by_dtype, strict=True))
    positions = [names.index(one) if one in names else one for one in chosen]
    known = [isinstance(p, int | np.integer) and -len(names) <= p < len(names) for p in positions]
    if not all(known):
        raise ValueError(
            f"`categorical_features` must name columns of {list(names)}. "
            f"Received: {chosen[known.index(False)]!r}"
        )
    at = {int(p) % len(names) for p in positions}
    return tuple(own or j in at for j, own in enumerate(by_dtype))
