"""Check what a rule classifier is given: tables, labels, weights, folds, constraints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, column_or_1d, validate_data

from synann_core._lib.checks import as_tuple, check_int, check_number, check_option
from synann_core.tabular.columns import as_table, is_frame
from synann_core.tabular.literals import Codes, Floats, Literals
from synann_core.tabular.selection import stratified

Masks = NDArray[np.bool_]


def check_table(estimator: Any, X: Any, *, reset: bool) -> Any:
    """A frame, or an array with two axes, with the features of `fit`; with `reset`, in it."""
    table = as_table(X)
    if not is_frame(table):
        table = check_array(
            table, dtype=None, ensure_all_finite=False, input_name="X", estimator=estimator
        )
    elif 0 in table.shape:
        raise ValueError(f"`X` must have rows and columns. Received: shape {table.shape}")
    validate_data(estimator, table, reset=reset, skip_check_array=True)
    return table


def check_classes(y: Any) -> tuple[NDArray[Any], Codes]:
    """Return the classes, and for each sample the place of its own."""
    if y is None:
        raise ValueError(
            "`y` must hold a class for each sample: this estimator requires y to be passed, "
            "but the target y is None. Received: None"
        )
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    classes, label = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"`y` must hold two classes or more. Received: 1 class, {classes[0]!r}")
    return classes, label


def class_weights(
    given: Mapping[Any, float] | str | None, classes: NDArray[Any], label: Codes, weight: Floats
) -> Floats:
    """Return the samples' weights times those of their classes."""
    share = np.bincount(label, weights=weight, minlength=len(classes))
    if np.count_nonzero(share) < 2:
        raise ValueError(
            "`sample_weight` must leave two classes or more. Received: weights of one class"
        )
    if given is None:
        return weight
    if isinstance(given, str):
        check_option("class_weight", given, ("balanced",))
        by_class = share.sum() / (len(share) * np.maximum(share, 1e-300))
    else:
        numbers = [given.get(c, 1.0) for c in classes.tolist()]
        by_class = np.array([check_number("class_weight", w, 0.0) for w in numbers])
    weights: Floats = weight * by_class[label]
    return weights


def places_of(parameter: str, features: Iterable[Any], names: Sequence[str]) -> list[int]:
    """Numbers of features that are given by name or number."""
    places = []
    for feature in features:
        if isinstance(feature, str) and feature in names:
            places.append(list(names).index(feature))
        elif isinstance(feature, int | np.integer) and 0 <= feature < len(names):
            places.append(int(feature))
        else:
            raise ValueError(
                f"`{parameter}` must name features or give their numbers, below {len(names)}. "
                f"Received: {feature!r}"
            )
    return places


def rule_sides(
    monotone: Mapping[str | int, int] | None,
    literals: Literals,
    classes: int,
    names: Sequence[str],
) -> Floats:
    """Which literals a rule for each class may have, 1 or 0, shape (classes, literals)."""
    sides = np.ones((classes, len(literals.names)))
    for feature, direction in (monotone or {}).items():
        (place,) = places_of("monotone", [feature], names)
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
