"""SynapseClassifier among scikit-learn's tools, and what it learns and explains."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder
from sklearn.utils.estimator_checks import check_estimator

import synann
from synann_core.tabular import SynapseClassifier

QUICK = {"hidden": 8, "max_iter": 30, "random_state": 0}


def table(samples=400, seed=0):
    """Whether a size is large enough for its town, and a number that says nothing."""
    rng = np.random.default_rng(seed)
    size, town = 50 * rng.random(samples), rng.choice(["Ulm", "Bonn", "Kiel"], samples)
    least = np.array([{"Ulm": 10, "Bonn": 25, "Kiel": 40}[t] for t in town])
    frame = pd.DataFrame({"size": size, "town": town, "age": rng.integers(0, 9, samples)})
    return frame, np.where(size > least, "yes", "no")


@pytest.fixture(scope="module")
def data():
    return table()


@pytest.mark.filterwarnings("ignore:Skipping check check_array_api_input")
def test_the_checks_of_scikit_learn():
    check_estimator(SynapseClassifier(hidden=8, max_iter=40))


def test_it_learns_from_a_frame_as_it_is(data):
    X, y = data
    model = SynapseClassifier(max_iter=100, random_state=0).fit(X, y)
    new, told = table(seed=1)
    assert model.score(new, told) > 0.93
    assert model.feature_names_in_.tolist() == ["size", "town", "age"]
    assert model.n_features_in_ == 3
    assert model.model_.in_features == 5
    assert model.classes_.tolist() == ["no", "yes"]
    assert len(model.loss_curve_) == model.n_iter_ == 100
    assert model.loss_ < model.loss_curve_[0]
    logits = model.decision_function(new)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), model.predict_proba(new)[:, 1])
    three = SynapseClassifier(**QUICK).fit(X[["size", "age"]], X["town"])
    assert three.decision_function(X[["size", "age"]]).shape == (400, 3)


@pytest.mark.parametrize("form", ["polars", "lists", "objects", "categories"])
def test_tables_of_every_form(data, form):
    X, y = data
    want = SynapseClassifier(**QUICK).fit(X, y).predict_proba(X)
    same = {
        "polars": lambda: pl.DataFrame(X.to_dict("list")),
        "lists": lambda: X.to_numpy().tolist(),
        "objects": lambda: X.to_numpy(),
        "categories": lambda: X.astype({"town": "category"}),
    }[form]()
    model = SynapseClassifier(**QUICK).fit(same, pl.Series(y) if form == "polars" else list(y))
    np.testing.assert_array_equal(model.predict_proba(same), want)


def test_numbers_may_be_categories(data):
    X, y = data
    model = SynapseClassifier(categorical_features=["age"], **QUICK).fit(X, y)
    assert model.model_.in_features == 1 + 3 + 9
    new = X.assign(age=77)  # a word that is not known
    assert np.isfinite(model.predict_proba(new)).all()


def test_weights(data):
    X, y = data
    weight = np.where(y == "yes", 20.0, 1.0)
    plain = SynapseClassifier(**QUICK).fit(X, y)
    heavy = SynapseClassifier(**QUICK).fit(X, y, sample_weight=weight)
    by_class = SynapseClassifier(class_weight={"yes": 20.0, "no": 1.0}, **QUICK).fit(X, y)
    np.testing.assert_array_equal(heavy.predict_proba(X), by_class.predict_proba(X))
    assert (heavy.predict(X) == "yes").sum() > (plain.predict(X) == "yes").sum()
    SynapseClassifier(class_weight="balanced", **QUICK).fit(X, y)


def test_partial_fit_goes_on(data):
    X, y = data
    model = SynapseClassifier(16, learning_rate=0.02, random_state=0)
    for _ in range(30):
        for start in range(0, 400, 100):
            part = slice(start, start + 100)
            model.partial_fit(X[part], y[part], classes=["no", "yes"])
    assert model.score(X, y) > 0.9
    assert model.n_iter_ == len(model.loss_curve_) == 120
    assert model.partial_fit(X[:9], y[:9]) is model
    with pytest.raises(ValueError, match=r"`y` must hold classes of .* Received: 'perhaps'"):
        model.partial_fit(X[:2], ["no", "perhaps"])
    with pytest.raises(ValueError, match="`classes` must be those of the first call"):
        model.partial_fit(X[:2], y[:2], classes=["no", "yes", "perhaps"])
    first = SynapseClassifier(4).partial_fit(X[:9], ["no"] * 9, classes=["yes", "no"])
    assert first.classes_.tolist() == ["no", "yes"]
    with pytest.raises(ValueError, match="`X` must hold two samples or more"):
        SynapseClassifier(4).partial_fit(X[:1], y[:1], classes=["no", "yes"])
    fitted = SynapseClassifier(**QUICK).fit(X, y)
    assert fitted.partial_fit(X, y).n_iter_ == 31
    assert fitted.fit(X, y).n_iter_ == 30


def test_parts_add_up_to_the_logits(data):
    X, y = data
    model = SynapseClassifier(max_iter=100, random_state=0).fit(X, y)
    why = model.explain(X[:20], steps=32)
    assert why.names == ("size", "town", "age")
    assert why.parts.shape == (20, 2, 3)
    logits = why.constant + why.parts.sum(axis=-1)
    np.testing.assert_allclose(
        logits[:, 1] - logits[:, 0], model.decision_function(X[:20]), atol=0.02
    )
    size = np.abs(why.parts).mean(axis=(0, 1))
    assert size[2] < 0.2 * size[:2].min()
    one = model.explain(X[:5], background=X[:1], steps=32)
    np.testing.assert_allclose(one.parts[0], 0.0, atol=1e-12)


def test_a_pipeline_can_do_the_encoding(data):
    X, y = data
    columns = make_column_transformer(
        (MinMaxScaler(clip=True), ["size", "age"]), (OneHotEncoder(), ["town"])
    )
    pipe = make_pipeline(columns, SynapseClassifier(scale=None, **QUICK))
    inside = SynapseClassifier(**QUICK).fit(X, y)
    assert pipe.fit(X, y).score(X, y) == pytest.approx(inside.score(X, y), abs=0.05)
    pipe.set_output(transform="pandas")
    columns.set_params(onehotencoder__sparse_output=False)
    assert "minmaxscaler__size" in pipe.fit(X, y)[-1].feature_names_in_


def test_search_and_calibration(data):
    X, y = data
    grid = GridSearchCV(SynapseClassifier(**QUICK), {"scale": ["minmax", "ranks"]}, cv=3)
    assert grid.fit(X, y).best_score_ > 0.8
    scores = cross_val_score(SynapseClassifier(**QUICK), X, y, cv=3, scoring="roc_auc")
    assert (scores > 0.85).all()
    calibrated = CalibratedClassifierCV(SynapseClassifier(**QUICK), cv=3).fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1.0)


def test_clones_and_pickles(data):
    X, y = data
    model = SynapseClassifier(**QUICK)
    assert clone(model).get_params() == model.get_params()
    model.fit(X, y)
    again = pickle.loads(pickle.dumps(model))  # noqa: S301
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), model.predict_proba(X))
    assert synann.SynapseClassifier is SynapseClassifier


def test_progress_is_shown(data, capsys):
    SynapseClassifier(verbose=True, **QUICK).fit(*data)
    assert "SynapseClassifier: 100%" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[1.0], [2.0]], ["a", "a"], "two classes or more.* Received: 1 class"),
        ([[1.0]], ["a"], "two classes or more.* Received: 1 class"),
        ([[1.0], [2.0]], ["a", "b", "c"], r"`y` must have shape \(2,\)"),
        ([[1.0], [2.0]], None, "`y` must hold the classes"),
        ([[1.0], [np.nan]], ["a", "b"], "NaN"),
        ([[1.0], [2.0]], [0.5, 0.25], "Unknown label type"),
    ],
)
def test_what_does_not_fit_is_named(X, y, message):
    with pytest.raises(ValueError, match=message):
        SynapseClassifier(**QUICK).fit(X, y)


def test_not_fitted(data):
    for method in ("predict", "predict_proba", "decision_function", "explain", "save"):
        with pytest.raises(NotFittedError):
            getattr(SynapseClassifier(), method)(data[0])


def test_a_word_is_not_a_bool():
    with pytest.raises(TypeError, match=r"`early_stopping` must be a bool\. Received: 'no'"):
        SynapseClassifier(early_stopping="no").fit([[0.0], [1.0]], [0, 1])
