"""Check what a rule classifier is given: folds, and constraints of features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.checks import as_tuple, check_int
from synann_core.tabular.rules.literals import Codes, Floats, Literals
from synann_core.tabular.rules.selection import stratified
from synann_core.tabular.tables import by_place

Masks = NDArray[np.bool_]
_FOLDS = "an int, a splitter, or pairs of rows to learn from and rows to judge"


def rule_sides(
    monotone: Mapping[str | int, int] | None,
    literals: Literals,
    classes: int,
    names: Sequence[str],
) -> Floats:
    """Which literals a rule for each class may have, 1 or 0, shape (classes, literals)."""
    sides = np.ones((classes, len(literals.names)))
    directions = by_place("monotone", monotone, names)
    if monotone is not None and len(directions) < len(monotone):
        raise ValueError(f"`monotone` must name a feature once. Received: {dict(monotone)!r}")
    for place, direction in directions.items():
        feature = names[place]
        whole = isinstance(direction, int | float | np.integer | np.floating)
        if not whole or direction not in (-1, 0, 1) or (direction and classes != 2):
            raise ValueError(
                "`monotone` must be -1, 0 or 1 for each feature, of two classes. "
                f"Received: {direction!r} for {feature!r}, {classes} classes"
            )
        asked = literals.features[place]
        if direction and asked.kind == "category":
            raise ValueError(
                f"`monotone` must be about numbers. Received: {feature!r}, of categories"
            )
        if direction:  # literals come in pairs, the upward one first; missing values' are last
            upward = np.flatnonzero(literals.feature_of == place)[: len(asked.means) : 2]
            sides[1, upward + (direction > 0)] = 0.0
            sides[0, upward + (direction < 0)] = 0.0
    return sides


def make_folds(
    cv: Any, codes: Codes, label: Codes, weight: Floats, rng: np.random.Generator
) -> tuple[Masks, Masks]:
    """Rows to learn from and rows to judge, each of shape (folds, rows)."""
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        used = np.flatnonzero(weight > 0.0)
        folds = min(check_int("cv", cv, 2), len(used))
        parts = stratified(label[used], folds, rng)
        train, test = (np.zeros((folds, len(label)), bool) for _ in range(2))
        train[:, used], test[:, used] = parts
        return train, test
    splitter = hasattr(cv, "split") and not isinstance(cv, str)
    splits = cv.split(codes, label) if splitter else cv
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


def counted(parameter: str, weight: Floats) -> Floats:
    """Weights as numbers of samples.

    Where they sum to less than 2, or to more than float64 counts, they cannot be that, and are
    taken to be 1 on average of those above 0.
    """
    with np.errstate(over="ignore"):
        total = float(weight.sum())
    if not math.isfinite(total):
        raise ValueError(f"`{parameter}` must have a finite sum. Received: {total}")
    if 2.0 <= total <= 2.0**53 or total == 0.0:
        return weight
    return weight / total * np.count_nonzero(weight)
