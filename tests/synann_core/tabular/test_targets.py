"""Targets, classes and weights, as every estimator checks them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from synann_core.tabular import LogLinkRegressor, OddsNetwork, SynapseClassifier, SynapseRules
from synann_core.tabular.targets import (
    check_known,
    check_several,
    check_target,
    labels_and_weights,
    with_class_weights,
)

X = np.array([[0.0], [1.0], [0.0], [1.0]])


def test_targets_are_one_value_a_sample():
    labels, weight = labels_and_weights(["b", "a", "b"], None, 3)
    assert labels.tolist() == ["b", "a", "b"]
    assert weight.tolist() == [1.0, 1.0, 1.0]
    assert check_target([1, 2], 2, "the counts", np.float64).dtype == np.float64
    with pytest.raises(ValueError, match=r"`y` must hold the counts: .* y to be passed"):
        check_target(None, 2, "the counts")
    with pytest.raises(ValueError, match=r"`y` must have shape \(2,\).* Received: shape \(3,\)"):
        labels_and_weights([0, 1, 1], None, 2)
    with pytest.raises(ValueError, match="NaN"):
        labels_and_weights([1.0, np.nan], None, 2)
    with pytest.raises(ValueError, match="Unknown label type"):
        labels_and_weights([0.5, 0.25], None, 2)
    for none in (None, pd.NA, np.nan):
        with pytest.raises(ValueError, match=r"`y` must not be missing. Received: .* in row 1"):
            labels_and_weights(np.array(["a", none], object), None, 2)
    with pytest.raises(TypeError, match=r"classes of one kind.* Received: 'a', and 1 in row 1"):
        labels_and_weights(np.array(["a", 1], object), None, 2)
    for texts in (["1", "2"], np.array([1, "2"], object), np.array(["2020"] * 2, "M8[D]")):
        with pytest.raises(TypeError, match=r"`y` must hold the counts, as numbers. Received: "):
            check_target(texts, 2, "the counts", np.float64)


def test_one_class_is_not_enough():
    check_several(np.array([0, 1]), np.ones(2))
    with pytest.raises(ValueError, match=r"two classes or more.* Received: 1 class, \['a'\]"):
        check_several(np.array(["a", "b"]), np.array([1.0, 0.0]))


def test_classes_that_are_not_known():
    check_known(np.array(["a"]), np.array(["a", "b"]))
    with pytest.raises(ValueError, match=r"classes of \['a', 'b'\]. Received: 'c'"):
        check_known(np.array(["a", "c"]), np.array(["a", "b"]))


def test_weights_of_classes():
    classes, label = np.array([0, 1]), np.array([0, 0, 0, 1])
    weight = np.array([1.0, 1.0, 2.0, 1.0])
    balanced = with_class_weights("balanced", classes, label, weight)
    assert np.bincount(label, weights=balanced).tolist() == [2.5, 2.5]
    assert with_class_weights({1: 3.0}, classes, label, weight).tolist() == [1.0, 1.0, 2.0, 3.0]
    more = {0: 1.0, 1: 1.0, 2: 1.0}  # (of a class that a fold does not have)
    assert with_class_weights(more, classes, label, weight).tolist() == weight.tolist()
    assert with_class_weights(None, classes, label, weight) is weight


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ("even", ValueError, "`class_weight` must be one of"),
        ({"1": 2.0}, ValueError, r"`class_weight` must be of classes \[0, 1\]. Received: '1'"),
        ({0: -1.0}, ValueError, "`class_weight` must be in"),
        ({0: 1e308}, ValueError, r"`class_weight` must be at most"),
        ([1.0, 2.0], TypeError, "`class_weight` must be 'balanced' or a mapping"),
    ],
)
def test_weights_of_classes_out_of_range_are_named(given, kind, message):
    with pytest.raises(kind, match=message):
        with_class_weights(given, np.array([0, 1]), np.array([0, 1]), np.ones(2))


WRONG = {
    "no target": (X, None, None),
    "target too long": (X, [0, 1, 0, 1, 1], None),
    "target of two columns": (X, np.eye(4)[:, :2], None),
    "weights too few": (X, [0, 1, 0, 1], [1.0]),
    "weights below 0": (X, [0, 1, 0, 1], [-1.0, 1, 1, 1]),
    "weights of 0": (X, [0, 1, 0, 1], np.zeros(4)),
    "weights too large": (X, [0, 1, 0, 1], np.full(4, 1e308)),
    "no rows": (X[:0], [], None),
    "one axis": (X[:, 0], [0, 1, 0, 1], None),
    "infinite": (np.where(X, np.inf, 1.0), [0, 1, 0, 1], None),
    "dates": (X.astype("M8[s]"), [0, 1, 0, 1], None),
    "Period": (pd.DataFrame({"a": pd.period_range("2020", periods=4)}), [0, 1, 0, 1], None),
    "lazy": (pl.LazyFrame({"a": [0, 1, 0, 1]}), [0, 1, 0, 1], None),
    "too large": ([[10**400], [1], [0], [1]], [0, 1, 0, 1], None),
    "lazy target": (X, pl.LazyFrame({"y": [0, 1, 0, 1]}), None),
    "target of several lengths": (X, [[1], [2, 3]] * 2, None),
    "rows of several lengths": ([[1], [2, 3]] * 2, [0, 1, 0, 1], None),
    "dates and none": (X, np.array(["2020", "NaT"] * 2, "M8[D]"), None),
    "missing target": (X, [0, 1, None, 1], None),
    "containers": ([[{}], [1], [0], [1]], [0, 1, 0, 1], None),
    "no such column": (X, [0, 1, 0, 1], None),
}
MODELS = (OddsNetwork, SynapseClassifier, SynapseRules, LogLinkRegressor)


def test_weights_of_classes_leave_two_of_them():
    for model in (SynapseClassifier, SynapseRules):
        for given, message in ((-1.0, "`class_weight` must be in"), (0.0, "two classes or more")):
            with pytest.raises(ValueError, match=message):
                model(class_weight={0: given}).fit(X, [0, 1, 0, 1])
        with pytest.raises(ValueError, match="`class_weight` must be in"):
            model(class_weight={0: -1.0, 1: 1.0, 2: 1.0}).fit(X, [0, 1, 2, 1])


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_has_one_message_whatever_the_model(mistake):
    """But for what a target is called, and the name of the class."""
    table, y, weight = WRONG[mistake]
    options = {"categorical_features": ["town"]} if mistake == "no such column" else {}
    found = set()
    for model in MODELS:
        with pytest.raises((TypeError, ValueError)) as raised:
            model(**options).fit(table, y, sample_weight=weight)
        text = str(raised.value).replace("the counts", "the classes").replace(model.__name__, "")
        found.add((raised.type, text))
    assert len(found) == 1


def test_a_label_that_is_none_is_named_by_its_row():
    with pytest.raises(ValueError, match=r"`y` must .* Received: None in row 1"):
        labels_and_weights(np.array(["a", None, "b"], dtype=object), None, 3)
