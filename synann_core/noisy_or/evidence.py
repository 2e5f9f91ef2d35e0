"""Check findings as people hand them over: present, absent, uncertain, or not examined."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.arguments import check_shape
from synann_core._lib.checks import as_numbers, check_range
from synann_core.noisy_or.parameters import Names, is_sparse


def check_evidence(
    name: str, X: Any, count: int, names: Names = None, *, one: bool = False
) -> NDArray[np.float64]:
    """Findings as float64, shape (samples, count), or (count,) with `one`; NaN: not examined.

    In [0, 1] or NaN. A frame's columns are taken by the network's names, in any order; what a
    sparse array does not store is 0, absent.
    """
    columns = getattr(X, "columns", None)
    if columns is not None:
        X = _by_name(name, X, [str(c) for c in columns], names)
    elif is_sparse(X):
        X = X.toarray()
    values = as_numbers(name, X).astype(np.float64)
    unknown = np.isnan(values)
    known = np.where(unknown, 0.0, values)
    known = check_range(name, known, 0.0, 1.0)
    check_shape(name, known, *(() if one else ("samples",)), count)
    known[unknown] = np.nan
    return known


def _by_name(name: str, frame: Any, columns: list[str], names: Names) -> Any:
    """The frame's numbers in the order of the names; without names, as they stand."""
    values = np.asarray(frame, dtype=np.float64)
    if names is None:
        return values
    missing = [n for n in names if n not in set(columns)]
    unknown = [c for c in columns if c not in set(names)]
    if missing or unknown or len(columns) != len(names):
        raise ValueError(
            f"`{name}` must have a column for each finding of the network. "
            f"Received: missing {missing[:8]}, not of the network {unknown[:8]}"
        )
    place = {column: i for i, column in enumerate(columns)}
    return values[:, [place[n] for n in names]]
