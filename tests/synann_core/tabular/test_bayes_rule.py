"""Odds networks: counting, log-odds that are sums of evidence, and calibration."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

import synann_core as syn
from synann_core.tabular import OddsNetwork, SoftThresholds, calibrate, fit_odds_network


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
    network = fit_odds_network(y, event)
    np.testing.assert_allclose(network.log_odds(y), want, atol=1e-9)
    np.testing.assert_allclose(network.predict(y), syn.expit(want), atol=1e-9)


def test_names_and_half_a_finding():
    network = OddsNetwork(0.2, [0.9, 0.3], [0.1, 0.8], names=["cough", "fever"])
    assert network.graph.inputs == ("cough", "fever")
    assert network.log_odds([0.5, 0.5]) == pytest.approx(float(syn.logit(0.2)))


def test_calibration_is_logistic_regression_on_unseen_rows(tumours):
    y, event, folds = tumours
    unseen = np.empty(len(y))
    for train, rest in folds:
        unseen[rest] = fit_odds_network(y[train], event[train]).log_odds(y[rest])
    theirs = LogisticRegression(C=1e6, tol=1e-10, max_iter=1000).fit(unseen[:, None], event)
    network = fit_odds_network(y, event)
    ours = calibrate(network, y, event, folds)
    assert ours.slope == pytest.approx(theirs.coef_[0, 0], rel=1e-5)
    assert ours.shift == pytest.approx(theirs.intercept_[0], rel=1e-5)
    assert 0 < ours.slope < 1  # findings that repeat each other are discounted
    want = ours.slope * network.log_odds(y) + ours.shift
    np.testing.assert_allclose(ours.log_odds(y), want, rtol=1e-12)


def test_classes_that_can_be_told_apart_have_a_finite_slope():
    event = np.arange(40) % 2
    rows = np.arange(40)
    folds = [(rows[rows // 20 != k], rows[rows // 20 == k]) for k in range(2)]
    network = calibrate(fit_odds_network(event[:, None], event), event[:, None], event, folds)
    assert np.isfinite([network.slope, network.shift]).all()
    assert network.slope > 1
    assert (np.round(network.predict(event[:, None])) == event).all()


@pytest.mark.parametrize("folds", [[], [(range(4), range(4)), (range(4), [0])]])
def test_every_row_is_judged_once(folds):
    y, event = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 1, 0, 1])
    network = fit_odds_network(y, event)
    with pytest.raises(ValueError, match=r"`folds` must judge every row once\. Received: row 0"):
        calibrate(network, y, event, folds)


@pytest.mark.parametrize(
    ("folds", "error", "text"),
    [
        (3, TypeError, "pairs of arrays of rows. Received: 3"),
        ([3], TypeError, r"a pair \(train, rest\)"),
        ([([0, 9], [1])], ValueError, "rows from 0 to 3"),
        ([("a", [1])], ValueError, "rows from 0 to 3"),
    ],
)
def test_folds_are_pairs_of_rows(folds, error, text):
    y, event = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 1, 0, 1])
    with pytest.raises(error, match=f"`folds` must (be|hold) {text}"):
        calibrate(fit_odds_network(y, event), y, event, folds)


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
        fit_odds_network(findings, event)


def test_what_does_not_fit_is_refused_when_the_network_is_made():
    with pytest.raises(ValueError, match="`given` must be in"):
        OddsNetwork(0.5, [1.5], [0.5])
    with pytest.raises(ValueError, match="`names` must be 1 names"):
        OddsNetwork(0.5, [0.5], [0.5], names=["a", "b"])
    with pytest.raises(TypeError, match=r"`names` must be a sequence of names\. Received: 1"):
        OddsNetwork(0.5, [0.5], [0.5], names=1)


def test_numbers_of_a_network_are_checked_and_kept_as_arrays():
    assert isinstance(OddsNetwork(0.5, [0.5], [1]).otherwise, np.ndarray)
    for options in ({"slope": "1"}, {"shift": None}, {"prior": "x"}, {"prior": np.ones(2)}):
        with pytest.raises(TypeError, match=rf"`{next(iter(options))}` must be a number"):
            OddsNetwork(**{"prior": 0.5, "given": [0.5], "otherwise": [0.5]} | options)


@pytest.mark.parametrize("findings", [[0.5, 0.5], [1.5], [np.nan]])
def test_findings_that_do_not_fit_are_named(findings):
    with pytest.raises(ValueError, match="`findings` must"):
        OddsNetwork(0.5, [0.5], [0.5]).log_odds(findings)
