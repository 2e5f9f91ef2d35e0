"""Check findings as people hand them over: present, absent, uncertain, or not examined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.arguments import check_shape
from synann_core._lib.checks import as_numbers, check_range
from synann_core.noisy_or.frames import (
    Names,
    by_name,
    column_names,
    examples_of,
    numbers_of,
    row_names,
)
from synann_core.noisy_or.parameters import Reals, is_sparse


def check_evidence(
    name: str, X: Any, count: int, names: Names = None, *, one: bool = False
) -> NDArray[np.float64]:
    """Findings as float64, shape (samples, count), or (count,) with `one`; NaN: not examined.

    In [0, 1] or NaN. A frame's columns, or the labels of one of its rows (a sample), are taken by
    the network's names, in any order; what a sparse array does not store is 0, absent. A sample may
    also be a mapping from findings to values: what is not in it, or None, was not examined.
    """
    if isinstance(X, Mapping):
        row = _of_mapping(name, X, count, names)
        X = row if one else row[None]
    elif isinstance(X, list | tuple) and X and all(isinstance(row, Mapping) for row in X):
        X = np.stack([_of_mapping(name, row, count, names) for row in X])
    elif hasattr(X, "iloc"):
        frame = hasattr(X, "columns")
        labels = column_names(X) if frame else row_names(X)
        X = by_name(name, numbers_of(name, X), labels, names, axis=-1)
        if not (frame or one or labels is None or names is None):
            X = X[None]  # a row: its labels are the network's names
    elif is_sparse(X):
        X = X.toarray()
    values = as_numbers(name, X).astype(np.float64)
    unknown = np.isnan(values)
    known = np.where(unknown, 0.0, values)
    known = check_range(name, known, 0.0, 1.0)
    check_shape(name, known, *(() if one else ("samples",)), count)
    known[unknown] = np.nan
    return known


def likelihood(off: Reals, on: Reals, w: Reals) -> Reals:
    """Likelihood of findings by the surprisal w that all is silent; of two positive terms."""
    found: Reals = off * np.exp(-w) - on * np.expm1(-w)
    return found


def _of_mapping(name: str, known: Mapping[Any, Any], count: int, names: Names) -> Reals:
    """A sample of which only some findings are given, by names, or by numbers without names."""
    place = dict(enumerate(range(count))) if names is None else {n: i for i, n in enumerate(names)}
    odd = [key for key in known if key not in place]
    if odd:
        what = (
            f"numbers below {count}" if names is None else f"such as {examples_of(names, odd[0])}"
        )
        raise ValueError(
            f"`{name}` must have findings of the network as keys, {what}. Received: {odd[:8]}"
        )
    given = {place[key]: value for key, value in known.items() if value is not None}
    row = np.full(count, np.nan)
    row[list(given)] = as_numbers(name, list(given.values())) if given else 0.0
    return row
