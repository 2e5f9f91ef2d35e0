"""What a rule classifier is given: folds, and constraints of features."""

import numpy as np
import pytest
from sklearn.model_selection import KFold

from synann_core.tabular.rules.estimator import SynapseRules
from synann_core.tabular.rules.inputs import counted, make_folds, read_settings, rule_sides
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
    train, test = make_folds(3, label, weight, rng)
    assert (test[:, 3:].sum(axis=0) == 1).all()
    assert not (test | train)[:, :3].any()
    train, test = make_folds(KFold(5), label, weight, rng)
    assert test[0].tolist() == [True] * 6 + [False] * 24
    assert (train == ~test).all()


def test_a_bag_has_its_folds_several_times_each_time_others():
    label, weight = np.arange(30) % 2, np.ones(30)
    train, test = make_folds(4, label, weight, np.random.default_rng(0), 7)
    assert (train == ~test).all()
    assert train.shape == (8, 30)
    assert (test[:4].sum(axis=0) == 1).all()
    assert (test[4:].sum(axis=0) == 1).all()
    assert not (test[:4] == test[4:]).all()


@pytest.mark.parametrize(
    ("samples", "bins", "literals", "rate"),
    [(50, 12, 60, 0.05), (1000, 16, 60, 0.05), (4000, 32, 120, 0.1), (1e6, 48, 130, 0.1)],
)
def test_defaults_grow_with_the_rows(samples, bins, literals, rate):
    settings, found = read_settings(SynapseRules(), samples)
    assert (found, settings.max_literals, settings.max_rules) == (bins, literals, 10)
    assert settings.rate == pytest.approx(rate)
    hard, found = read_settings(SynapseRules(crisp=True), samples)
    assert (found, hard.max_literals, hard.max_rules, hard.rate) == (12, 40, 20, 0.05)
    few, _ = read_settings(SynapseRules(max_literals=5), samples)
    assert settings.columns == hard.columns == few.columns == literals


def test_a_bag_is_limited_if_a_limit_is_given():
    assert not read_settings(SynapseRules(n_bags=4), 100)[0].limited
    assert read_settings(SynapseRules(n_bags=4, max_rules=3), 100)[0].limited
    assert read_settings(SynapseRules(n_bags=4), 100)[0].members == 4
    assert read_settings(SynapseRules(max_rules=3), 100)[0].members == 8


PAIR = (np.arange(5), np.arange(5, 10))


@pytest.mark.parametrize(
    ("cv", "reason"),
    [
        ([], "no fold"),
        ("a", "'a'"),
        (True, "True"),
        ([3], "3"),
        ([(0, 1)], "0 in fold 0"),
        ([PAIR, ([0, 500], [1])], "below 10. Received: .* in fold 1"),
        ([([0.5], [1])], "in fold 0"),
        ([([[0], [1, 2]], [1])], "in fold 0"),
        ([([0], [1], [2])], "3 parts"),
        ([([0], [])], "to judge, .* none in fold 0"),
        ([PAIR, ([9], [1])], "to learn from, .* none in fold 1"),
        (1, "1"),
    ],
    ids=str,
)
def test_folds_of_no_use_are_refused_by_name(cv, reason):
    weight = np.ones(10)
    weight[9] = 0.0
    with pytest.raises((TypeError, ValueError), match=f"`cv` .*{reason}"):
        make_folds(cv, np.arange(10) % 2, weight, np.random.default_rng(0))


def test_folds_as_pairs_of_numbers_or_bools():
    masks = np.arange(10) < 5
    for pair in (PAIR, (masks, ~masks)):
        train, test = make_folds([pair], np.zeros(10), np.ones(10), None)
        assert train.tolist() == [masks.tolist()]
        assert test.tolist() == [(~masks).tolist()]


@pytest.mark.parametrize(
    ("monotone", "reason"),
    [
        ([1, 0, -1, 0], "mapping"),
        ({"age": 1, 0: -1}, "once"),
        ({"age": np.array([1, 2])}, "-1, 0 or 1"),
        ({"age": 0.5}, "-1, 0 or 1"),
        ({"age": None}, "-1, 0 or 1"),
        ({True: 1}, "True"),
    ],
    ids=str,
)
def test_constraints_of_no_use_are_refused_by_name(monotone, reason):
    with pytest.raises((TypeError, ValueError), match=f"`monotone` .*{reason}"):
        rule_sides(monotone, mixed_literals(mixed_columns()), 2, NAMES)


def test_weights_that_cannot_be_numbers_of_samples_are_scaled():
    weight = np.array([1.0, 2.5, 0.0])
    assert counted("w", weight) is weight
    for scale in (1e-300, 0.1, 1e20, 1e307):
        np.testing.assert_allclose(counted("w", scale * weight), weight / 1.75, rtol=1e-15)
    with pytest.raises(ValueError, match=r"`w` must have a finite sum. Received: inf"):
        counted("w", np.full(3, 1e308))
