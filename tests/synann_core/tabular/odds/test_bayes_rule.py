"""Bayes' rule: counting, log-odds that are sums of evidence, and calibration."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

import synann_core as syn
from synann_core.tabular import BayesRule, SoftThresholds


@pytest.fixture(scope="module")
def tumours():
    """Findings, the event, and folds for calibration."""
    data = load_breast_cancer()
    event = (data.target == 0).astype(float)
    y = SoftThresholds.from_training(data.data, event)(data.data)
    return y, event, list(StratifiedKFold(5, shuffle=True, random_state=0).split(y, event))


def test_log_odds_are_the_sum_of_the_evidence(tumours):
    y, event, _ = tumours
    y = np.round(y)
    given, otherwise = ((y[event == k].sum(axis=0) + 1) / ((event == k).sum() + 2) for k in (1, 0))
    parts = np.where(y > 0, np.log(given / otherwise), np.log((1 - given) / (1 - otherwise)))
    want = syn.logit(event.mean()) + parts.sum(axis=1)
    network = BayesRule.from_counts(y, event)
    np.testing.assert_allclose(network.log_odds(y), want, atol=1e-9)
    np.testing.assert_allclose(network.predict(y), syn.expit(want), atol=1e-9)


def test_names_and_half_a_finding():
    network = BayesRule(0.2, [0.9, 0.3], [0.1, 0.8], names=["cough", "fever"])
    assert network.graph.inputs == ("cough", "fever")
    assert network.log_odds([0.5, 0.5]) == pytest.approx(float(syn.logit(0.2)))


def test_calibration_is_logistic_regression_on_unseen_rows(tumours):
    y, event, folds = tumours
    unseen = np.empty(len(y))
    for train, rest in folds:
        unseen[rest] = BayesRule.from_counts(y[train], event[train]).log_odds(y[rest])
    theirs = LogisticRegression(C=1e6, tol=1e-10, max_iter=1000).fit(unseen[:, None], event)
    network = BayesRule.from_counts(y, event)
    ours = network.calibrated(unseen, event)
    assert ours.slope == pytest.approx(theirs.coef_[0, 0], rel=1e-5)
    assert ours.shift == pytest.approx(theirs.intercept_[0], rel=1e-5)
    assert 0 < ours.slope < 1  # findings that repeat each other are discounted
    want = ours.slope * network.log_odds(y) + ours.shift
    np.testing.assert_allclose(ours.log_odds(y), want, rtol=1e-12)


def test_classes_that_can_be_told_apart_have_a_finite_slope():
    event = np.arange(40) % 2
    network = BayesRule.from_counts(event[:20, None], event[:20])
    network = network.calibrated(network.log_odds(event[20:, None]), event[20:])
    assert np.isfinite([network.slope, network.shift]).all()
    assert network.slope > 1
    assert (np.round(network.predict(event[:, None])) == event).all()


def test_weights_count_samples(tumours):
    y, event, _ = tumours
    weight = np.arange(len(y)) % 3
    at = np.repeat(np.arange(len(y)), weight)
    rules = [
        BayesRule.from_counts(y, event, sample_weight=weight),
        BayesRule.from_counts(y[at], event[at]),
    ]
    for name in ("prior", "given", "otherwise"):
        np.testing.assert_allclose(*(getattr(rule, name) for rule in rules), rtol=1e-12)
    z = rules[0].log_odds(y)
    ours, theirs = (
        rules[0].calibrated(z, event, sample_weight=weight),
        rules[0].calibrated(z[at], event[at]),
    )
    assert (ours.slope, ours.shift) == pytest.approx((theirs.slope, theirs.shift))


def test_what_is_missing_is_not_counted():
    findings = [[1.0, np.nan], [0.0, 1.0], [np.nan, 1.0], [0.0, np.nan]]
    rule = BayesRule.from_counts(findings, [1, 1, 0, 0])
    np.testing.assert_allclose(rule.given, [2 / 4, 2 / 3])
    np.testing.assert_allclose(rule.otherwise, [1 / 3, 2 / 3])


def test_parts_add_up(tumours):
    y, event, _ = tumours
    rule = BayesRule.from_counts(y, event).calibrated(y[:, 0], event)
    constant, parts = rule.explain(y[:5])
    np.testing.assert_allclose(constant + parts.sum(axis=1), rule.log_odds(y[:5]), atol=1e-9)
    said = np.log(rule.given * y[0] + (1 - rule.given) * (1 - y[0]))
    said -= np.log(rule.otherwise * y[0] + (1 - rule.otherwise) * (1 - y[0]))
    np.testing.assert_allclose(parts[0], rule.slope * said, atol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rule: rule.calibrated([0.0, np.inf], [0, 1]), "`log_odds` must be in"),
        (lambda rule: rule.calibrated([0.0, 1.0, 2.0], [0, 1]), "`event` must have shape"),
        (lambda rule: rule.calibrated([0.0, 1.0], [1, 1]), "`event` must hold both"),
        (lambda rule: rule.calibrated([0.0], [1, 0], sample_weight=[1]), "`event` must have"),
        (lambda rule: rule.explain([0.5]), "`findings` must have shape"),
    ],
)
def test_calls_that_do_not_fit_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(BayesRule(0.5, [0.5], [0.5]))


@pytest.mark.parametrize(
    ("findings", "event", "message"),
    [
        (np.ones(4), [0, 0, 1, 1], r"`findings` must have shape \(samples, findings\)"),
        (np.full((4, 1), 1.5), [0, 0, 1, 1], r"`findings` must be in \[0, 1\]"),
        (np.ones((4, 1)), [[0], [0], [1], [1]], r"`event` must have shape \(4,\)"),
        (np.ones((4, 1)), [0, 0, 1, 0.5], "`event` must be 0 or 1. Received: 0.5"),
        (np.ones((4, 1)), [0, 0, 0, 0], "`event` must hold both 0 and 1"),
    ],
)
def test_bad_samples_are_named(findings, event, message):
    with pytest.raises(ValueError, match=message):
        BayesRule.from_counts(findings, event)


def test_what_does_not_fit_is_refused_when_the_network_is_made():
    with pytest.raises(ValueError, match="`given` must be in"):
        BayesRule(0.5, [1.5], [0.5])
    with pytest.raises(ValueError, match="`names` must be 1 names"):
        BayesRule(0.5, [0.5], [0.5], names=["a", "b"])
    with pytest.raises(TypeError, match=r"`names` must be a sequence of names\. Received: 1"):
        BayesRule(0.5, [0.5], [0.5], names=1)


def test_numbers_of_a_network_are_checked_and_kept_as_arrays():
    assert isinstance(BayesRule(0.5, [0.5], [1]).otherwise, np.ndarray)
    for options in ({"slope": "1"}, {"shift": None}, {"prior": "x"}, {"prior": np.ones(2)}):
        with pytest.raises(TypeError, match=rf"`{next(iter(options))}` must be a number"):
            BayesRule(**{"prior": 0.5, "given": [0.5], "otherwise": [0.5]} | options)


@pytest.mark.parametrize("findings", [[0.5, 0.5], [1.5], [np.nan]])
def test_findings_that_do_not_fit_are_named(findings):
    with pytest.raises(ValueError, match="`findings` must"):
        BayesRule(0.5, [0.5], [0.5]).log_odds(findings)
