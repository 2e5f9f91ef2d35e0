"""Scores of probabilities, and their intervals."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from studies import fields_scores as scores
from synann.tabular import BayesRule


@pytest.fixture(scope="module")
def sample():
    """Event and probabilities with ties, which are not spread enough."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=400).round(1)
    event = (rng.random(400) < 1 / (1 + np.exp(-2 * z))).astype(float)
    return event, 1 / (1 + np.exp(-z))


def test_the_first_scores_are_those_of_all_rows(sample):
    event, p = sample
    found = scores.score(event, p, scores.draw_weights(len(p), 3))
    assert {len(values) for values in found} == {4}
    first = [values[0] for values in found]
    want = roc_auc_score(event, p), log_loss(event, p), brier_score_loss(event, p)
    np.testing.assert_allclose(first[:3], want, rtol=1e-12)
    assert first[3] == pytest.approx(2.0, abs=0.4)
    assert first[4] == pytest.approx(event.mean() - p.mean())


def test_draws_are_scored_as_weights(sample):
    event, p = sample
    weights = scores.draw_weights(len(p), 5)
    np.testing.assert_array_equal(weights.sum(axis=1), len(p))
    found = scores.score(event, p, weights)
    z = np.log(p / (1 - p))
    for k, w in enumerate(weights):
        assert found.auc[k] == pytest.approx(roc_auc_score(event, p, sample_weight=w))
        assert found.log_loss[k] == pytest.approx(log_loss(event, p, sample_weight=w))
        rule = BayesRule(0.5, [0.5], [0.5]).calibrated(z, event, sample_weight=w)
        assert found.slope[k] == pytest.approx(rule.slope, abs=1e-6)


def test_a_certain_error_costs_a_finite_number_of_nats():
    found = scores.score(np.array([0.0, 1, 1]), np.array([0.0, 0.0, 1.0]), np.ones((1, 3)))
    assert found.log_loss[0] == pytest.approx(-np.log(scores.LEAST) / 3, rel=1e-5)
    assert found.auc[0] == 0.75


def test_intervals_have_the_width_of_standard_errors(sample):
    event, p = sample
    found = scores.score(event, p, scores.draw_weights(len(p)))
    middle, low, high = scores.interval(found.brier)
    error = np.std((event - p) ** 2) / np.sqrt(len(p))
    assert low < middle < high
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_cells_have_signs_where_they_are_asked_for():
    values = np.array([0.5, *np.linspace(-0.1, 1.1, 1201)])
    assert scores.cell(values, ".2f") == "0.50 (−0.07–1.07)"
    assert scores.cell(values, "+.0f", 100) == "+50 (−7 to +107)"


def test_the_best_has_the_smallest_log_loss(sample):
    event, p = sample
    weights = np.ones((1, len(p)))
    found = {"plain": scores.score(event, p, weights)}
    found["sharp"] = scores.score(event, p**2 / (p**2 + (1 - p) ** 2), weights)
    assert scores.best(("plain", "sharp", "absent"), found) == "sharp"
    assert scores.best(("absent",), found) is None
