"""Hard rules: the search, weights against their optimum, limits, and points."""

import itertools

import numpy as np
import pytest

from synann_core.tabular.rules.crisp import Growth, grow, in_points, scores
from synann_core.tabular.rules.structures import log_probabilities


def problem(rows=400, literals=8, seed=0):
    rng = np.random.default_rng(seed)
    half = rng.integers(0, 2, (rows, literals // 2)).astype(np.float32)
    truth = np.stack([half, 1 - half], axis=-1).reshape(rows, literals)
    rule = truth[:, 0] * truth[:, 2]
    label = rng.random(rows) < 1 / (1 + np.exp(1.5 - 4 * rule))
    target = np.stack([~label, label]).astype(float)
    return truth, target, np.ones(rows), np.ones((2, literals), bool)


def loss(truth, target, weight, found):
    return -(weight * target * log_probabilities(scores(truth, found))).sum()


def test_the_true_conjunction_is_found_first():
    truth, target, weight, allowed = problem()
    path = grow(truth, target, weight, allowed, Growth(3, 8))
    assert [len(found.rules) for found in path[:2]] == [0, 1]
    assert path[1].rules[0].literals == (0, 2)
    assert path[1].weights[0] == pytest.approx(4.0, abs=1.0)


def test_the_first_rule_is_the_best_of_all_pairs():
    truth, target, weight, allowed = problem(seed=5)
    path = grow(truth, target, weight, allowed, Growth(1, 2, cost=0.0))
    p = target[1].mean()
    gains = {}
    for pair in [*itertools.combinations(range(8), 2), *((k,) for k in range(8))]:
        fires = truth[:, pair].min(axis=1)
        g, h = (fires * (target[1] - p)).sum(), (fires * p * (1 - p)).sum()
        gains[pair] = g * g / (h + 1.0)
    assert path[1].rules[0].literals == max(gains, key=gains.get)


def test_targets_may_be_probabilities():
    truth, _, weight, allowed = problem()
    p = 1 / (1 + np.exp(1.5 - 4 * truth[:, 0] * truth[:, 2]))
    path = grow(truth, np.stack([1 - p, p]), weight, allowed, Growth(5, 10, ridge=1e-6))
    assert len(path) == 2  # nothing is left to explain
    assert path[1].weights == pytest.approx([4.0], abs=1e-3)
    assert path[1].bias == pytest.approx([0.0, -1.5], abs=1e-3)


def test_rules_replace_one_another_but_growth_ends():
    truth, target, weight, allowed = problem(literals=12, seed=4)
    path = grow(truth, target, weight, allowed, Growth(16, 40, cost=0.0, first=0.0))
    assert len(path) <= 17
    sets = {(rule.literals, rule.label) for rule in path[-1].rules}
    assert len(sets) == len(path[-1].rules) > 8


def test_without_literals_there_is_no_rule():
    truth, target, weight, _ = problem()
    (found,) = grow(truth[:, :0], target, weight, np.ones((2, 0), bool), Growth(4, 8))
    assert found.rules == ()
    log_odds = np.log(target[1].mean() / target[0].mean())
    assert found.bias == pytest.approx([0.0, log_odds], abs=1e-3)


def test_weights_are_where_the_penalised_loss_is_least():
    truth, target, weight, allowed = problem()
    found = grow(truth, target, weight, allowed, Growth(4, 12))[-1]

    def objective(weights):
        moved = found._replace(weights=weights)
        return loss(truth, target, weight, moved) + 0.5 * weights @ weights

    for k in range(len(found.weights)):
        step = 1e-4 * np.eye(len(found.weights))[k]
        slope = (objective(found.weights + step) - objective(found.weights - step)) / 2e-4
        assert slope == pytest.approx(0.0, abs=1e-2)


def test_limits_are_exact_and_signs_stay():
    truth, target, weight, allowed = problem(literals=12, seed=2)
    for found in grow(truth, target, weight, allowed, Growth(5, 6, cost=0.0)):
        assert len(found.rules) <= 5
        assert sum(len(rule.literals) for rule in found.rules) <= 6
        for rule, w in zip(found.rules, found.weights, strict=True):
            assert rule.sign * w > 0.0


def test_directions_are_kept():
    truth, target, weight, allowed = problem()
    allowed[1, 0::2], allowed[0, 1::2] = False, False
    found = grow(truth, target, weight, allowed, Growth(4, 12, cost=0.0))[-1]
    for rule in found.rules:
        assert {k % 2 for k in rule.literals} == ({1} if rule.sign > 0 else {0})


def test_several_classes():
    rng = np.random.default_rng(0)
    truth = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 300)]
    target = truth.T.astype(float)
    found = grow(truth, target, np.ones(300), np.ones((3, 3), bool), Growth(4, 4))[-1]
    assert (scores(truth, found).argmax(axis=0) == target.argmax(axis=0)).all()


def test_points_are_whole_numbers_at_little_cost():
    truth, target, weight, allowed = problem()
    found = grow(truth, target, weight, allowed, Growth(4, 12))[-1]
    rounded, unit = in_points(truth, target, weight, found, 10)
    for values in (rounded.weights, rounded.bias):
        np.testing.assert_array_equal(values, np.round(values))
    assert np.abs(rounded.weights).max() <= 10
    scaled = rounded._replace(weights=unit * rounded.weights, bias=unit * rounded.bias)
    assert loss(truth, target, weight, scaled) < loss(truth, target, weight, found) + 1.0
