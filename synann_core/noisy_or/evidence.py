"""Check findings as people hand them over: present, absent, uncertain, or not examined."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.arguments import check_shape
from synann_core._lib.checks import as_numbers, check_range
from synann_core.noisy_or.parameters import Names, Reals, is_sparse


def check_evidence(
    name: str, X: Any, count: int, names: Names = None, *, one: bool = False
) -> NDArray[np.float64]:
    """Findings as float64, shape (samples, count), or (count,) with `one`; NaN: not examined.

    In [0, 1] or NaN. A frame's columns, or the labels of one of its rows, are taken by the
    network's names, in any order; what a sparse array does not store is 0, absent.
    """
    if hasattr(X, "columns"):
        X = _by_name(name, _numbers(name, X), [str(c) for c in X.columns], names)
    elif hasattr(X, "iloc"):  # a series
        labels, numbers = list(X.index), _numbers(name, X)
        if labels != list(range(len(labels))):  # which has no names
            numbers = _by_name(name, numbers[None], [str(c) for c in labels], names)[0]
        X = numbers
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


def _numbers(name: str, frame: Any) -> Any:
    """The numbers of a frame or series; what it calls missing is NaN."""
    kinds = [*getattr(frame, "dtypes", [])] if hasattr(frame, "columns") else [frame.dtype]
    odd = next((str(k) for k in kinds if getattr(k, "kind", "O") not in "fiub"), None)
    if odd is not None:
        raise TypeError(f"`{name}` must hold real numbers. Received: a column of {odd}")
    return frame.to_numpy(dtype=np.float64, na_value=np.nan)


def _by_name(name: str, values: Any, columns: list[str], names: Names) -> Any:
    """The numbers in the order of the names; without names, as they stand."""
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
