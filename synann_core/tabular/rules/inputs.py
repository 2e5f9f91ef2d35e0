"""Check what a rule classifier is given: folds, and constraints of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.checks import as_tuple, check_int
from synann_core.tabular.rules.literals import Codes, Floats, Literals
from synann_core.tabular.rules.selection import stratified
from synann_core.tabular.tables import by_place

Masks = NDArray[np.bool_]


def rule_sides(
    monotone: Mapping[str | int, int] | None,
    literals: Literals,
    classes: int,
    names: Sequence[str],
) -> Floats:
    """Which literals a rule for each class may have, 1 or 0, shape (classes, literals)."""
    sides = np.ones((classes, len(literals.names)))
    for place, direction in by_place("monotone", monotone, names).items():
        feature = names[place]
        if direction not in (-1, 0, 1) or (direction and classes != 2):
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
    if isinstance(cv, int | np.integer):
        used = np.flatnonzero(weight > 0.0)
        folds = min(check_int("cv", cv, 2), len(used))
        parts = stratified(label[used], folds, rng)
        train, test = (np.zeros((folds, len(label)), bool) for _ in range(2))
        train[:, used], test[:, used] = parts
        return train, test
    splits = cv.split(codes, label) if hasattr(cv, "split") else cv
    pairs = as_tuple("cv", splits, "an int, a splitter, or pairs of rows")
    train, test = (np.zeros((len(pairs), len(label)), bool) for _ in range(2))
    for k, (learned, judged) in enumerate(pairs):
        train[k, learned], test[k, judged] = True, True
    return train, test
