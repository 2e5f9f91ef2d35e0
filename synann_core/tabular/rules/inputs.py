"""Check what a rule classifier is given: folds, and constraints of features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from synann_core._lib.checks import check_int
from synann_core.tabular.folds import Masks, fold_masks
from synann_core.tabular.rules.literals import Codes, Floats, Literals
from synann_core.tabular.rules.selection import stratified
from synann_core.tabular.tables import by_place


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
    cv: Any, label: Codes, weight: Floats, rng: np.random.Generator, members: int = 1
) -> tuple[Masks, Masks]:
    """Rows to learn from and rows to judge, each of shape (folds, rows).

    Of an int, so many times its folds, each time other ones, that there are `members` of them.
    """
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        used = np.flatnonzero(weight > 0.0)
        folds = min(check_int("cv", cv, 2), len(used))
        rounds = [stratified(label[used], folds, rng) for _ in range(-(-max(members, 1) // folds))]
        train, test = (np.zeros((folds * len(rounds), len(label)), bool) for _ in range(2))
        train[:, used], test[:, used] = (np.vstack(part) for part in zip(*rounds, strict=True))
        return train, test
    return fold_masks(cv, label, weight)


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


def more_bins(samples: float) -> int:
    """Intervals of a column of numbers, more where there are more samples to tell them apart."""
    return min(max(round(0.5 * math.sqrt(samples)), 12), 48)


def more_literals(samples: float) -> int:
    """The most literals of a model that is not given them."""
    return min(max(round(1.4 * math.sqrt(samples)), 60), 100)


def faster_rate(samples: float) -> float:
    """Of Adam: slow learning stops early, which is what small tables need."""
    return 0.05 * min(max(math.sqrt(samples / 1000.0), 1.0), 2.0)
