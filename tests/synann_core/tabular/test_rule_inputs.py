"""What a rule classifier is given: classes, weights, folds, constraints."""

import numpy as np
import pytest
from sklearn.model_selection import KFold

from synann_core.tabular.rule_inputs import (
    check_classes,
    class_weights,
    make_folds,
    places_of,
    rule_sides,
)
from tests.synann_core.tabular.tables import mixed_columns, mixed_literals

NAMES = ["age", "pain", "smoker", "pressure"]


def test_classes_may_be_anything_that_can_be_sorted():
    classes, label = check_classes(["b", "a", "b"])
    assert classes.tolist() == ["a", "b"]
    assert label.tolist() == [1, 0, 1]
    for wrong, text in ((None, "y to be passed"), ([1, 1], "two classes"), ([1.0, np.nan], "NaN")):
        with pytest.raises(ValueError, match=text):
            check_classes(wrong)


def test_weights_of_classes():
    classes, label = np.array([0, 1]), np.array([0, 0, 0, 1])
    weight = np.array([1.0, 1.0, 2.0, 1.0])
    balanced = class_weights("balanced", classes, label, weight)
    assert np.bincount(label, weights=balanced).tolist() == [2.5, 2.5]
    assert class_weights({1: 3.0}, classes, label, weight).tolist() == [1.0, 1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="`sample_weight`"):
        class_weights(None, classes, label, np.array([1.0, 1.0, 1.0, 0.0]))


def test_places_by_name_and_number():
    assert places_of("monotone", ["smoker", 0], NAMES) == [2, 0]
    for wrong in ("nose", 4, -1, 1.0):
        with pytest.raises(ValueError, match="`monotone`"):
            places_of("monotone", [wrong], NAMES)


@pytest.mark.parametrize(("direction", "kept"), [(1, ">"), (-1, "≤")])
def test_sides_leave_each_class_the_literals_of_its_direction(direction, kept):
    literals = mixed_literals(mixed_columns())
    sides = rule_sides({"pressure": direction}, literals, 2, NAMES)
    for j, name in enumerate(literals.names):
        constrained = name.startswith("pressure ") and (
            "missing" not in name and "known" not in name
        )
        assert sides[1, j] == (not constrained or kept in name), name
        assert sides[0, j] == (not constrained or kept not in name), name


def test_a_truth_value_can_be_constrained_and_a_category_not():
    literals = mixed_literals(mixed_columns())
    place = literals.names.index("smoker")
    assert rule_sides({"smoker": 1}, literals, 2, NAMES)[:, place : place + 2].tolist() == [
        [0, 1],
        [1, 0],
    ]
    with pytest.raises(ValueError, match="categories"):
        rule_sides({"pain": 1}, literals, 2, NAMES)
    with pytest.raises(ValueError, match="two classes"):
        rule_sides({"age": 1}, literals, 3, NAMES)


def test_folds_leave_out_rows_without_weight():
    label, weight = np.arange(30) % 2, np.ones(30)
    weight[:3] = 0.0
    rng = np.random.default_rng(0)
    train, test = make_folds(3, np.zeros((30, 1)), label, weight, rng)
    assert (test[:, 3:].sum(axis=0) == 1).all()
    assert not (test | train)[:, :3].any()
    train, test = make_folds(KFold(5), np.zeros((30, 1)), label, weight, rng)
    assert test[0].tolist() == [True] * 6 + [False] * 24
    assert (train == ~test).all()
