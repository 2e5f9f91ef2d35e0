"""What a rule classifier is given: folds, and constraints of features."""

import numpy as np
import pytest
from sklearn.model_selection import KFold

from synann_core.tabular.rules.inputs import make_folds, rule_sides
from tests.synann_core.tabular.rules.tables import mixed_columns, mixed_literals

NAMES = ["age", "pain", "smoker", "pressure"]


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
