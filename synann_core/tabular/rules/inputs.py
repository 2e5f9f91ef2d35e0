"""Check what a rule classifier is given: folds, constraints of features, and settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from synann_core._lib.checks import as_tuple, check_bool, check_int, check_number, check_option
from synann_core.tabular.folds import Masks, fold_masks
from synann_core.tabular.rules.literals import MOST_THRESHOLDS, Codes, Floats, Literals
from synann_core.tabular.rules.selection import (
    MOST_PENALTY,
    PENALTIES,
    SIZES,
    Settings,
    stratified,
)
from synann_core.tabular.rules.structures import STRUCTURES
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
        rounds = [stratified(label[used], folds, rng) for _ in range(-(-members // folds))]
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


def read_settings(model: Any, samples: float) -> tuple[Settings, int]:
    """Settings of training, checked, and how many intervals a column of numbers has.

    Parameters
    ----------
    model : SynapseRules
    samples : float
        How many there are. More of them can tell more thresholds apart, and pay for more literals
        and columns; learning that is slow stops early, which is what few of them need.
    """
    structure = check_option("structure", model.structure, STRUCTURES)
    check_bool("integer_weights", model.integer_weights)
    crisp = check_bool("crisp", model.crisp)
    kind = "crisp" if crisp else structure
    rules, literals = SIZES[kind]
    soft_literals = min(max(round(1.9 * math.sqrt(samples)), SIZES[structure][1]), 130)
    bins, rate = 12, 0.05
    if not crisp:
        bins = min(max(round(0.5 * math.sqrt(samples)), bins), 48)
        literals = soft_literals
        rate *= min(max(math.sqrt(samples / 1000.0), 1.0), 2.0)
    if model.bins is not None:
        bins = check_int("bins", model.bins, 2)
        if bins > MOST_THRESHOLDS + 1:
            raise ValueError(f"`bins` must be at most {MOST_THRESHOLDS + 1}. Received: {bins}")
    if model.learning_rate is not None:
        rate = check_number("learning_rate", model.learning_rate, 0.0, ends="(]")
    if model.max_rules is not None:
        rules = check_int("max_rules", model.max_rules, 1)
    if model.max_literals is not None:
        literals = check_int("max_literals", model.max_literals, 1)
    penalties = PENALTIES[kind] if model.penalties is None else model.penalties
    given = as_tuple("penalties", penalties, "numbers of at least 0")
    if not given:
        raise ValueError("`penalties` must hold one or more. Received: none")
    bags = check_int("n_bags", model.n_bags, 1)
    settings = Settings(
        structure,
        tuple(sorted(check_number("penalties", p, 0.0, MOST_PENALTY) for p in given)),
        check_option("select", model.select, ("best", "one_standard_error")) != "best",
        min(rules, literals),  # each rule that counts has a literal
        literals,
        check_int("max_iter", model.max_iter, 1),
        rate,
        bags,
        check_int("n_starts", model.n_starts, 1),
        model.verbose,
        limited=bags > 1 and not (model.max_rules is None and model.max_literals is None),
        columns=soft_literals,
    )
    return settings, bins
