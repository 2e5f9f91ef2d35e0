"""OddsNetwork: Bayes' rule on tables, among scikit-learn's tools."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.utils.estimator_checks import check_estimator

import synann
from synann_core.tabular import BayesRule, OddsNetwork, SoftThresholds


@pytest.fixture(scope="module")
def tumours():
    data = load_breast_cancer()
    return data.data[:, :8], (data.target == 0).astype(float)


@pytest.fixture(scope="module")
def loans():
    rng = np.random.default_rng(0)
    bad = rng.random(600) < 0.3
    home = np.where(rng.random(600) < 0.6, np.where(bad, "rent", "own"), "family").astype(object)
    home[::17] = None
    amount = rng.normal(size=600) + bad
    amount[::13] = np.nan
    late = (rng.random(600) < np.where(bad, 0.5, 0.1)).astype(float)
    table = pd.DataFrame({"home": home, "amount": amount, "late": late})
    return table, np.where(bad, "bad", "good")


@pytest.mark.filterwarnings("ignore:Skipping check check_array_api_input")
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
def test_the_checks_of_scikit_learn():
    check_estimator(OddsNetwork())


def test_measurements_become_findings(tumours):
    x, event = tumours
    model = OddsNetwork(cv=None).fit(x, event)
    y = SoftThresholds.from_training(x, event)(x)
    rule = BayesRule.from_counts(y, event)
    np.testing.assert_allclose(model.findings(x), y)
    np.testing.assert_allclose(model.decision_function(x), rule.log_odds(y), rtol=1e-9)
    np.testing.assert_allclose(model.predict_proba(x)[:, 1], rule.predict(y), rtol=1e-9)
    assert (model.rule_.slope, model.rule_.shift) == (1.0, 0.0)
    again = OddsNetwork(thresholds=False, cv=None).fit(y, event)
    np.testing.assert_allclose(again.decision_function(y), model.decision_function(x))


def test_calibration_is_out_of_fold(tumours):
    """Thresholds too are learned without the rows that are judged."""
    x, event = tumours
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(x, event))
    unseen = np.empty(len(x))
    for train, rest in folds:
        part = OddsNetwork(cv=None).fit(x[train], event[train])
        unseen[rest] = part.decision_function(x[rest])
    model = OddsNetwork(cv=folds).fit(x, event)
    want = model.rule_.calibrated(unseen, event)
    assert (model.rule_.slope, model.rule_.shift) == (want.slope, want.shift)
    assert 0 < want.slope < 1  # findings that repeat each other are discounted
    plain = OddsNetwork(cv=None).fit(x, event)
    assert log_loss(event, model.predict_proba(x)) < log_loss(event, plain.predict_proba(x))
    plain.calibrate(x, event)
    np.testing.assert_allclose(
        plain.rule_.slope,
        plain.rule_.calibrated(
            OddsNetwork(cv=None).fit(x, event).decision_function(x), event
        ).slope,
    )


def test_categories_and_what_is_missing(loans):
    X, y = loans
    model = OddsNetwork(cv=None).fit(X, y)
    assert model.classes_.tolist() == ["bad", "good"]
    names = ["home = family", "home = own", "home = rent", "amount", "late"]
    assert list(model.rule_.names) == names
    nothing = pd.DataFrame({"home": [None], "amount": [np.nan], "late": [np.nan]}, dtype=object)
    np.testing.assert_array_equal(model.findings(nothing), np.full((1, 5), 0.5))
    assert model.predict_proba(nothing)[0, 1] == pytest.approx(np.mean(y == "good"))
    # A word counts by how often it comes with each class, and the others are not news.
    only = nothing.assign(home="rent")
    known = X["home"].notna()
    share = [
        (((X["home"] == "rent") & (y == k)).sum() + 1) / ((known & (y == k)).sum() + 2)
        for k in ("good", "bad")
    ]
    odds = model.decision_function(only) - model.decision_function(nothing)
    assert odds[0] == pytest.approx(np.log(share[0] / share[1]))
    assert model.score(X, y) > 0.8
    home = [None if missing else word for word, missing in zip(X["home"], ~known, strict=True)]
    frame = pl.DataFrame({"home": home, "amount": X["amount"], "late": X["late"]})
    np.testing.assert_allclose(
        OddsNetwork(cv=None).fit(frame, y).predict_proba(frame), model.predict_proba(X)
    )


def test_parts_add_up(loans):
    X, y = loans
    model = OddsNetwork().fit(X, y)
    why = model.explain(X[:20])
    assert why.names == ("home", "amount", "late")
    assert why.parts.shape == (20, 1, 3)
    total = why.constant[0] + why.parts[:, 0].sum(axis=1)
    np.testing.assert_allclose(total, model.decision_function(X[:20]), atol=1e-12)
    assert why.parts[0, 0, :2].tolist() == [0.0, 0.0]  # missing


def test_the_habits_of_estimators(loans):
    X, y = loans
    model = OddsNetwork(cv=3)
    assert clone(model).get_params() == model.get_params()
    assert (cross_val_score(model, X, y, cv=3, scoring="roc_auc") > 0.8).all()
    model.fit(X, y)
    again = pickle.loads(pickle.dumps(model))  # noqa: S301
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert model.feature_names_in_.tolist() == list(X.columns)
    assert synann.OddsNetwork is OddsNetwork
    with pytest.raises(NotFittedError):
        OddsNetwork().predict(X)


def test_few_samples_have_no_calibration():
    model = OddsNetwork().fit([[0.0], [1.0], [1.0]], [0, 1, 1])
    assert model.rule_.slope == 1.0


@pytest.fixture(scope="module")
def flowers():
    return load_iris(return_X_y=True, as_frame=True)


def test_several_classes_have_a_rule_each(flowers):
    x, y = flowers
    folds = list(StratifiedKFold(3).split(x, y))
    model = OddsNetwork(cv=folds).fit(x, y)
    assert len(model.rules_) == 3
    log_odds = model.decision_function(x)
    for k, label in enumerate(model.classes_):
        one = OddsNetwork(cv=folds).fit(x, y == label)
        np.testing.assert_array_equal(one.findings(x), model.findings(x, label=label))
        np.testing.assert_array_equal(log_odds[:, k], one.decision_function(x))
    p = model.predict_proba(x)
    alone = 1 / (1 + np.exp(-log_odds))
    np.testing.assert_allclose(p, alone / alone.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(x), model.classes_[p.argmax(axis=1)])
    assert model.score(x, y) > 0.9
    assert log_loss(y, p) < log_loss(y, OddsNetwork(cv=None).fit(x, y).predict_proba(x))
    with pytest.raises(AttributeError, match="`rules_` has those of several"):
        model.rule_  # noqa: B018
    with pytest.raises(ValueError, match="`label` must be one of"):
        model.findings(x, label=7)


def test_parts_of_several_classes_add_up(flowers):
    x, y = flowers
    model = OddsNetwork().fit(x, y)
    why = model.explain(x[::10])
    assert why.parts.shape == (15, 3, 4)
    total = why.constant + why.parts.sum(axis=2)
    np.testing.assert_allclose(total, model.decision_function(x[::10]), atol=1e-12)


def test_probabilities_of_several_classes_stay_numbers():
    """Where every class is all but impossible, the least impossible one is it."""
    model = OddsNetwork(thresholds=False, cv=None).fit(np.eye(3), [0, 1, 2])
    model._members = [
        replace(m, rule=replace(m.rule, slope=1.0, shift=-900.0 - k))
        for k, m in enumerate(model._members)
    ]
    p = model.predict_proba(np.full((1, 3), 0.5))[0]
    assert p.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(p[1:] / p[:-1], np.exp(-1))


def test_a_class_without_weight_is_none(flowers):
    x, y = flowers
    model = OddsNetwork().fit(x, y, sample_weight=(y != 1).astype(float))
    assert model.classes_.tolist() == [0, 2]
    some = OddsNetwork().fit(x[y != 1], y[y != 1])
    np.testing.assert_allclose(model.predict_proba(x), some.predict_proba(x), rtol=1e-9)


def test_several_classes_are_calibrated_anew(flowers):
    x, y = flowers
    model = OddsNetwork(cv=None).fit(x[::2], y[::2])
    before = log_loss(y[1::2], model.predict_proba(x[1::2]))
    model.calibrate(x[1::2], y[1::2])
    assert log_loss(y[1::2], model.predict_proba(x[1::2])) < before
    with pytest.raises(ValueError, match="no sample of 2"):
        model.calibrate(x[:80], y[:80])


@pytest.mark.parametrize(
    ("options", "X", "y", "message"),
    [
        (
            {"cv": [([0, 1], [2])]},
            [[0.0], [1.0], [0.5]],
            [0, 1, 2],
            "all classes to learn from.* 2",
        ),
        ({}, [[0.0], [1.0]], [1, 1], "two classes or more.* Received: 1 class"),
        ({"thresholds": False}, [[0.0], [3.0]], [0, 1], "`findings` must be in"),
        ({}, [[0.0], [np.inf]], [0, 1], "infinity|finite"),
        ({"cv": 1}, [[0.0], [1.0]], [0, 1], "`cv` must be at least 2"),
        ({"cv": [([0, 2], [1])]}, [[0.0], [1.0], [0.5]], [0, 1, 0], "both classes to learn from"),
        ({"cv": [([0, 1], [2])]}, [[0.0], [1.0], [0.5]], [0, 1, 0], "both classes to judge"),
    ],
)
def test_what_does_not_fit_is_named(options, X, y, message):
    with pytest.raises(ValueError, match=message):
        OddsNetwork(**options).fit(X, y)


def test_samples_that_do_not_count_are_as_if_not_there(tumours):
    x, event = tumours
    weight = (np.arange(len(x)) % 3 > 0) | (event == 0)
    some = OddsNetwork().fit(x[weight], event[weight])
    model = OddsNetwork().fit(x, event, sample_weight=weight.astype(float))
    np.testing.assert_allclose(model.predict_proba(x), some.predict_proba(x), rtol=1e-9)
    few = np.where(np.cumsum(event) > 1, 1.0 - event, 1.0)  # one tumour counts
    assert OddsNetwork().fit(x, event, sample_weight=few).rule_.slope == 1.0


def test_calibration_needs_both_classes(tumours):
    x, event = tumours
    model = OddsNetwork(cv=None).fit(x, event)
    with pytest.raises(ValueError, match="`y` must hold two classes or more"):
        model.calibrate(x[:9], np.ones(9))
    with pytest.raises(ValueError, match=r"classes of \[0.0, 1.0\]. Received: 2.0"):
        model.calibrate(x[:2], [0.0, 2.0])


def test_a_word_is_not_a_bool():
    with pytest.raises(TypeError, match=r"`thresholds` must be a bool\. Received: 'no'"):
        OddsNetwork(thresholds="no").fit([[0.0], [1.0]], [0, 1])
