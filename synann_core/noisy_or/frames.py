"""Take numbers and names from data frames, whose rows and columns may stand in any order.

pandas is never imported: what has an index is taken by its labels.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np

Names = tuple[str, ...] | None

_NUMBERS = (int, float, np.integer, np.floating, np.bool_)


def names_of(labels: Iterable[Any] | None) -> Names:
    """Labels of an index as strings; None of those that pandas counts by itself."""
    own = list(labels if labels is not None else ())
    return None if own == list(range(len(own))) else tuple(map(str, own))


def row_names(value: Any) -> Names:
    """Names of the rows of a frame or series; None of anything else."""
    return names_of(value.index) if hasattr(value, "iloc") else None


def column_names(value: Any) -> Names:
    """Names of the columns of a frame; None of anything else."""
    return names_of(value.columns) if hasattr(value, "columns") else None


def examples_of(names: tuple[str, ...], wrong: Any) -> list[str]:
    """Three of the names, for a message, those most like the wrong one first."""
    like = get_close_matches(str(wrong), names, n=3)
    return [*like, *(n for n in names if n not in like)][:3]


def numbers_of(name: str, value: Any) -> Any:
    """The numbers of a frame or series, what it calls missing as NaN; anything else as it is."""
    if not hasattr(value, "iloc"):
        return value
    whole = not hasattr(value, "columns")
    if whole and value.dtype == object:  # a row of columns of several kinds
        known = value.notna().to_numpy()
        if all(isinstance(v, _NUMBERS) for v in value[known]):
            row = np.full(len(value), np.nan)
            row[known] = value[known].to_list()
            return row
    kinds = [("values", value.dtype)] if whole else zip(value.columns, value.dtypes, strict=True)
    for column, kind in kinds:
        if getattr(kind, "kind", "O") not in "fiub":
            what = f"{kind} in a series" if whole else f"a column of {kind}, {column!r}"
            raise TypeError(f"`{name}` must hold real numbers. Received: {what}")
    return value.to_numpy(dtype=np.float64, na_value=np.nan)


def by_name(name: str, values: Any, labels: Names, names: Names, *, axis: int = 0) -> Any:
    """The numbers in the order of the names; without labels or names, as they stand."""
    if names is None or labels is None or labels == names:
        return values
    known = set(names)
    missing = [n for n in names if n not in set(labels)]
    unknown = [label for label in labels if label not in known]
    if missing or unknown or len(labels) != len(names):
        raise ValueError(
            f"`{name}` must have a label for each of the network's names. "
            f"Received: missing {missing[:8]}, not of the network {unknown[:8]}"
        )
    place = {label: i for i, label in enumerate(labels)}
    return np.take(values, [place[n] for n in names], axis=axis)
