"""Check what estimators learn from beside the table: targets, and how often each sample counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from synann_core._lib.arguments import check_plain
from synann_core._lib.checks import check_number, check_option
from synann_core.models.samples import check_most, check_weights
from synann_core.tabular.columns import check_collected, is_missing, is_real, plain

Floats = NDArray[np.float64]


def check_target(y: Any, samples: int, what: str, dtype: Any = None) -> NDArray[Any]:
    """One value a sample, shape (samples,), as it is or as `dtype` of numbers.

    `what` they are is for the error.
    """
    if y is None:
        raise ValueError(
            f"`y` must hold {what}: this estimator requires y to be passed, "
            "but the target y is None. Received: None"
        )
    check_plain("y", y)
    check_collected("y", y)
    if isinstance(y, list | tuple):
        try:
            y = np.asarray(y)
        except ValueError:
            raise ValueError(f"`y` must hold {what}, one a sample. Received: {y[0]!r}, …") from None
    values: NDArray[Any] = column_or_1d(y, warn=True)
    if values.dtype.kind in "OmM":
        lost = [is_missing(value) for value in values]
        if any(lost):
            row = lost.index(True)
            raise ValueError(f"`y` must not be missing. Received: {values[row]!r} in row {row}")
    if dtype is not None:
        odd = [] if values.dtype.kind in "fiub" else [v for v in values if not is_real(v)]
        if odd:
            raise TypeError(f"`y` must hold {what}, as numbers. Received: {plain(odd[0])!r}")
        values = values.astype(dtype)
    assert_all_finite(values, input_name="y")
    if len(values) != samples:
        raise ValueError(
            f"`y` must have shape ({samples},): X and y have inconsistent numbers of samples. "
            f"Received: shape {values.shape}"
        )
    return values


def labels_and_weights(y: Any, sample_weight: Any, samples: int) -> tuple[NDArray[Any], Floats]:
    """One class a sample, of any kind that can be sorted, and how often each sample counts."""
    labels = check_target(y, samples, "the classes")
    if labels.dtype == object:
        _check_one_order(labels)
    check_classification_targets(labels)
    return labels, check_weights(sample_weight, samples)


def _check_one_order(labels: NDArray[Any]) -> None:
    first = labels[0]
    for row, label in enumerate(labels.tolist()):
        try:
            hash(label)
            first < label  # noqa: B015 - whether it can be asked
        except TypeError:
            raise TypeError(
                "`y` must hold classes of one kind, which can be sorted. "
                f"Received: {first!r}, and {label!r} in row {row}"
            ) from None


def check_several(labels: NDArray[Any], weight: Floats) -> None:
    """Refuse labels of one class, not counting samples without weight."""
    known = np.unique(labels[weight > 0.0]).tolist()
    if len(known) < 2:
        raise ValueError(
            "`y` must hold two classes or more, in samples of positive weight. "
            f"Received: 1 class, {known}"
        )


def check_known(labels: NDArray[Any], classes: NDArray[Any]) -> None:
    """Refuse labels that are not of these classes."""
    odd = labels[~np.isin(labels, classes)].tolist()
    if odd:
        raise ValueError(f"`y` must hold classes of {classes.tolist()}. Received: {odd[0]!r}")


def with_class_weights(
    given: Mapping[Any, float] | str | None,
    classes: NDArray[Any],
    label: NDArray[np.int64],
    weight: Floats,
) -> Floats:
    """Return the samples' weights times those of their classes.

    Parameters
    ----------
    given : mapping or "balanced", optional
        From 0 to 1e100; a class without an entry counts 1. "balanced" makes the weights of all
        classes sum to the same, that of all samples staying as it is.
    classes : ndarray, shape (classes,)
    label : ndarray of int, shape (samples,)
        Places of the samples' classes.
    weight : ndarray, shape (samples,)
        How often each sample counts.
    """
    if given is None:
        return weight
    if isinstance(given, str):
        check_option("class_weight", given, ("balanced",))
        share = np.bincount(label, weights=weight, minlength=len(classes))
        there = np.count_nonzero(share)
        by_class = share.sum() / (there * np.maximum(share, 1e-300))
    else:
        if not isinstance(given, Mapping):
            raise TypeError(
                f"`class_weight` must be 'balanced' or a mapping from classes. Received: {given!r}"
            )
        known = classes.tolist()
        odd = [key for key in given if key not in known]
        if odd and not set(known) <= set(given):
            raise ValueError(
                f"`class_weight` must be of classes {known}. Received: {plain(odd[0])!r}"
            )
        numbers = [given.get(label, 1.0) for label in known]
        by_class = np.array([check_number("class_weight", number, 0.0) for number in numbers])
        check_most("class_weight", by_class)
    weights: Floats = weight * by_class[label]
    return weights
