"""Read the folds of a cross-validation: a splitter of scikit-learn, or pairs of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.checks import as_tuple

Masks = NDArray[np.bool_]
_FOLDS = "an int, a splitter, or pairs of rows to learn from and rows to judge"


def fold_masks(cv: Any, label: NDArray[Any], weight: NDArray[Any]) -> tuple[Masks, Masks]:
    """Rows to learn from and rows to judge, each of shape (folds, rows).

    Parameters
    ----------
    cv : splitter, or iterable of pairs
        Rows are numbers, which may count from the end, or a bool for each.
    label : ndarray, shape (rows,)
        What a splitter may stratify by.
    weight : ndarray, shape (rows,)
        How often each row counts, ≥ 0.

    Raises
    ------
    TypeError, ValueError
        If there is no fold, a row that is not there, or a fold without rows of positive weight to
        learn from or to judge.
    """
    splitter = hasattr(cv, "split") and not isinstance(cv, str)
    splits = cv.split(np.zeros((len(label), 1)), label) if splitter else cv
    pairs = as_tuple("cv", splits, _FOLDS)
    train, test = (np.zeros((len(pairs), len(label)), bool) for _ in range(2))
    for k, pair in enumerate(pairs):
        two = as_tuple("cv", pair, _FOLDS)
        if len(two) != 2:
            raise ValueError(f"`cv` must be {_FOLDS}. Received: {len(two)} parts in fold {k}")
        for mask, part in ((train[k], two[0]), (test[k], two[1])):
            mask[_rows(part, k, len(label))] = True
    for name, masks in (("learn from", train), ("judge", test)):
        empty = np.flatnonzero(~(masks & (weight > 0.0)).any(axis=1)).tolist()
        if empty or not pairs:
            where = f"none in fold {empty[0]}" if empty else "no fold"
            raise ValueError(
                f"`cv` must give rows to {name}, of positive weight. Received: {where}"
            )
    return train, test


def _rows(part: Any, fold: int, count: int) -> NDArray[Any]:
    """Numbers of rows, or a bool for each."""
    try:
        rows = np.asarray(part)
    except ValueError:  # of several lengths
        rows = np.zeros((1, 1))
    if rows.shape == (0,):
        return rows.astype(np.int64)
    whole = rows.dtype.kind in "iu" and rows.ndim == 1
    if whole and bool(np.all((rows >= -count) & (rows < count))):
        return rows
    if rows.dtype.kind == "b" and rows.shape == (count,):
        return rows
    raise ValueError(
        f"`cv` must give numbers of rows, below {count}. Received: {part!r} in fold {fold}"
    )
