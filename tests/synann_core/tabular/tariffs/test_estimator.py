"""LogLinkRegressor: the claims table, scikit-learn's habits, and what it refuses."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import d2_tweedie_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.utils.estimator_checks import check_estimator

import synann
from synann_core.tabular import LogLinkRegressor

DATA = Path(__file__).parents[4] / "examples" / "data" / "insurance_claims.csv"
LEVELS = {"Group": ("<1l", "1-1.5l", "1.5-2l", ">2l"), "Age": ("<25", "25-29", "30-35", ">35")}


@pytest.fixture(scope="module")
def claims():
    table = pd.read_csv(DATA, dtype={"District": str})
    return table[["District", "Group", "Age"]], table["Claims"], table["Holders"]


@pytest.fixture(scope="module")
def glm(claims):
    X, y, exposure = claims
    model = make_pipeline(
        OneHotEncoder(drop="first", sparse_output=False),
        PoissonRegressor(alpha=0.0, tol=1e-12, max_iter=10_000),
    )
    return model.fit(X, y / exposure, poissonregressor__sample_weight=exposure)


@pytest.mark.filterwarnings("ignore:Skipping check check_array_api_input")
def test_the_checks_of_scikit_learn():
    check_estimator(LogLinkRegressor())


def test_too_few_steps_are_a_warning(claims):
    X, y, exposure = claims
    enough = LogLinkRegressor(constraints="free").fit(X, y, exposure=exposure)
    message = "The factors did not converge in `max_iter`=1 steps"
    with pytest.warns(ConvergenceWarning, match=message) as found:
        model = LogLinkRegressor(constraints="free", max_iter=1).fit(X, y, exposure=exposure)
    assert len(found) == 1
    assert found[0].filename == __file__
    assert model.deviance_ > enough.deviance_


def test_free_factors_are_those_of_the_glm(claims, glm):
    X, y, exposure = claims
    model = LogLinkRegressor(constraints="free").fit(X, y, exposure=exposure)
    slopes = -np.log1p(-model.beta_)
    np.testing.assert_allclose(-slopes, glm[-1].coef_, atol=1e-5)
    assert np.log(model.alpha_) == pytest.approx(glm[-1].intercept_, abs=1e-5)
    np.testing.assert_allclose(model.predict(X), glm.predict(X), rtol=1e-5)
    rate = (y / exposure).to_numpy()
    want = d2_tweedie_score(rate, glm.predict(X), sample_weight=exposure, power=1)
    assert model.score(X, y, exposure=exposure) == pytest.approx(want, abs=1e-8)
    assert model.deviance_ == pytest.approx(51.42, abs=0.001)  # as in MASS


def test_the_highest_bases_cost_nothing(claims, glm):
    """Deviance of the free GLM with all factors in [0, 1]; where the signs are wrong, far more."""
    X, y, exposure = claims
    free = LogLinkRegressor(constraints="free").fit(X, y, exposure=exposure)
    model = LogLinkRegressor(levels=LEVELS).fit(X, y, exposure=exposure)
    assert model.deviance_ == pytest.approx(free.deviance_, rel=1e-9)
    assert 0 <= model.beta_.min() <= model.beta_.max() < 1
    bases = {name: max(levels, key=levels.get) for name, levels in model.factors_.items()}
    assert bases == {"District": "4", "Group": ">2l", "Age": "<25"}
    monotone = LogLinkRegressor(
        constraints={"Group": "increasing", "Age": "decreasing"}, levels=LEVELS
    ).fit(X, y, exposure=exposure)
    assert monotone.deviance_ == pytest.approx(free.deviance_, rel=1e-9)
    wrong = LogLinkRegressor(constraints="nonnegative").fit(X, y, exposure=exposure)
    assert wrong.deviance_ > 2 * free.deviance_
    assert wrong.beta_.min() == 0


@pytest.mark.filterwarnings("ignore:The Log link function does not respect the domain")
def test_errors_are_those_of_statsmodels(claims):
    sm = pytest.importorskip("statsmodels.api")
    X, y, exposure = claims
    Z = sm.add_constant(OneHotEncoder(drop="first", sparse_output=False).fit_transform(X))
    want = sm.GLM(y, Z, family=sm.families.Poisson(), exposure=exposure).fit()
    model = LogLinkRegressor(constraints="free").fit(X, y, exposure=exposure)
    errors = np.concatenate([list(levels.values())[1:] for levels in model.errors_.values()])
    np.testing.assert_allclose(errors, want.bse.iloc[1:], rtol=1e-6)
    assert model.alpha_error_ == pytest.approx(want.bse.iloc[0], rel=1e-6)
    assert model.deviance_ == pytest.approx(want.deviance)
    assert model.null_deviance_ == pytest.approx(want.null_deviance)
    assert model.dispersion_ == pytest.approx(want.pearson_chi2 / want.df_resid)
    binomial = LogLinkRegressor("binomial", constraints={"Age": "decreasing"}, levels=LEVELS)
    binomial.fit(X, y, exposure=exposure)
    link = sm.families.Binomial(sm.families.links.Log())
    both = np.stack([y, exposure - y], axis=1)
    start = [-2.0] + [0.0] * 9
    rival = sm.GLM(both, Z, family=link).fit(start_params=start)
    assert binomial.deviance_ == pytest.approx(rival.deviance, rel=1e-8)


def test_the_product_is_exact(claims):
    X, y, exposure = claims
    model = LogLinkRegressor().fit(X, y, exposure=exposure)
    factors = model.explain(X)
    np.testing.assert_allclose(
        model.alpha_ * factors.prod(axis=1) * exposure, model.predict(X, exposure), rtol=1e-12
    )
    assert factors.shape == (64, 3)
    assert factors[0, 0] == pytest.approx(model.factors_["District"]["1"])
    lines = model.tariff(["where", "engine", "who"]).splitlines()
    assert len(lines) == 2 + 12
    assert lines[2].split()[:3] == ["where", "1", "0.791"]
    with pytest.raises(ValueError, match="`names` must be 3 names"):
        model.tariff(["where"])


def test_a_number_is_a_linear_factor():
    rng = np.random.default_rng(0)
    x = 20 + 40 * rng.random(400)
    exposure = rng.integers(50, 500, 400)
    for slope in (-0.02, 0.05):  # falls and rises
        rate = 0.1 * (1 + slope * (x - 20))
        model = LogLinkRegressor().fit(x[:, None], rng.poisson(rate * exposure), exposure=exposure)
        ends = list(model.factors_["x0"])
        want = 0.1 * (1 + slope * (np.array(ends) - 20))
        got = model.predict(np.array(ends)[:, None])
        np.testing.assert_allclose(got, want, rtol=0.1)
        assert max(model.factors_["x0"].values()) == 1.0
        np.testing.assert_allclose(model.predict([[0.0], [99.0]]), got)  # beyond the ends
        middle = model.predict([[np.mean(ends)]])
        assert middle == pytest.approx(got.mean())


def test_weights_count_samples(claims):
    X, y, exposure = claims
    weight = np.arange(64) % 5 % 4
    model = LogLinkRegressor().fit(X, y, sample_weight=weight, exposure=exposure)
    at = np.repeat(np.arange(64), weight)
    again = LogLinkRegressor().fit(X.iloc[at], y.iloc[at], exposure=exposure.iloc[at])
    assert model.deviance_ == pytest.approx(again.deviance_)
    np.testing.assert_allclose(model.predict(X), again.predict(X))
    assert model.score(X, y, weight, exposure) == pytest.approx(
        again.score(X.iloc[at], y.iloc[at], exposure=exposure.iloc[at])
    )


@pytest.mark.parametrize("form", ["polars", "lists", "objects", "categories"])
def test_tables_of_every_form(claims, form):
    X, y, exposure = claims
    want = LogLinkRegressor().fit(X, y, exposure=exposure).predict(X)
    table = {
        "polars": lambda: pl.DataFrame(X.to_dict("list")),
        "lists": lambda: X.to_numpy().tolist(),
        "objects": lambda: X.to_numpy(),
        "categories": lambda: X.astype("category"),
    }[form]()
    model = LogLinkRegressor().fit(table, list(y), exposure=list(exposure))
    np.testing.assert_allclose(model.predict(table), want)
    numbers = LogLinkRegressor(categorical_features=["District"])
    assert (
        "4" in numbers.fit(X.astype({"District": int}), y, exposure=exposure).factors_["District"]
    )


def test_the_habits_of_estimators(claims):
    X, y, exposure = claims
    model = LogLinkRegressor(constraints={"Age": "decreasing"}, levels=LEVELS)
    assert clone(model).get_params() == model.get_params()
    model.fit(X, y, exposure=exposure)
    assert model.feature_names_in_.tolist() == ["District", "Group", "Age"]
    again = pickle.loads(pickle.dumps(model))  # noqa: S301
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.tariff() == model.tariff()
    assert synann.tabular.LogLinkRegressor is LogLinkRegressor
    with pytest.raises(NotFittedError):
        LogLinkRegressor().predict(X)


def test_exposure_is_routed(claims):
    X, y, exposure = claims
    with sklearn.config_context(enable_metadata_routing=True):
        model = LogLinkRegressor().set_fit_request(exposure=True, sample_weight=False)
        model.set_score_request(exposure=True, sample_weight=False)
        folds = KFold(4, shuffle=True, random_state=0)
        scores = cross_val_score(model, X, y, cv=folds, params={"exposure": exposure})
        grid = GridSearchCV(model, {"constraints": ["highest", "nonnegative"]}, cv=folds)
        grid.fit(X, y, exposure=exposure)
        pipe = make_pipeline(FunctionTransformer(), model).fit(X, y, exposure=exposure)
    assert scores.shape == (4,)
    assert grid.best_params_ == {"constraints": "highest"}
    np.testing.assert_allclose(
        pipe.predict(X), LogLinkRegressor().fit(X, y, exposure=exposure).predict(X)
    )


@pytest.mark.parametrize(
    ("options", "data", "message"),
    [
        ({"family": "gamma"}, {}, "`family` must be one of"),
        ({"max_iter": 0}, {}, "`max_iter` must be at least 1"),
        ({}, {"y": [1, -1]}, "`y` must be in"),
        ({}, {"y": [0, 0]}, "`y` must hold a count above 0"),
        ({}, {"y": [1, 2, 3]}, r"`y` must have shape \(2,\)"),
        ({}, {"y": None}, "`y` must hold the counts"),
        ({}, {"exposure": [1, 0]}, "`exposure` must be in"),
        ({}, {"exposure": [1]}, r"`exposure` must have shape \(2,\)"),
        ({}, {"sample_weight": [1, -1]}, "`sample_weight` must be in"),
        ({}, {"sample_weight": [0, 0]}, "`sample_weight` must hold a number above 0"),
        ({"family": "binomial"}, {"y": [1, 9]}, "`y` must be at most the exposure. Received: 9.0"),
        ({"levels": {"x0": ["a"]}}, {}, "all levels of 'x0'. Received: none for 'b'"),
    ],
)
def test_what_does_not_fit_is_named(options, data, message):
    given = {"X": [["a"], ["b"]], "y": [1, 2], "exposure": [5, 5], **data}
    with pytest.raises(ValueError, match=message):
        LogLinkRegressor(**options).fit(**given)


def test_levels_that_were_not_seen_are_an_error():
    model = LogLinkRegressor().fit([["a"], ["b"]], [1, 2])
    with pytest.raises(ValueError, match=r"known levels of 'x0': .* Received: 'c'"):
        model.predict([["c"]])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("unit", [1e-300, 1e-9, 1e8, 1e100])
def test_factors_do_not_depend_on_the_unit_of_the_weights(unit, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.random((60, 2)), rng.poisson(2.0, 60)
    plain = LogLinkRegressor().fit(X, y)
    # Of many samples rounding promises something for ever; a warning would be an error.
    other = LogLinkRegressor(max_iter=20).fit(X, y, sample_weight=np.full(60, unit))
    np.testing.assert_allclose(other.predict(X), plain.predict(X), rtol=1e-6)
    np.testing.assert_allclose(other.alpha_error_ * np.sqrt(unit), plain.alpha_error_, rtol=1e-4)


@pytest.mark.parametrize("family", ["poisson", "binomial"])
@pytest.mark.parametrize("many", [1e6, 1e13, 1e16, 1e18, 1e24])
def test_few_samples_count_beside_very_many(many, family):
    """What a rare level brings is less than what the likelihood of the others is rounded by."""
    exposure = np.array([many, many, 1e4, 2e4])
    rate = np.array([0.4, 0.2, 0.4e-4, 0.2e-4])
    X = [["a", "p"], ["a", "q"], ["c", "p"], ["c", "q"]]
    model = LogLinkRegressor(family=family, max_iter=40).fit(X, exposure * rate, exposure=exposure)
    np.testing.assert_allclose(model.predict(X), rate, rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-310, 1e-13, 2e307])
def test_factors_do_not_depend_on_the_unit_of_a_number(unit):
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 2)) * 16.0 - 8.0, rng.poisson(2.0, 60)
    plain, other = LogLinkRegressor().fit(x, y), LogLinkRegressor().fit(x * unit, y)
    np.testing.assert_allclose(other.predict(x * unit), plain.predict(x), rtol=1e-9)


def test_counts_and_exposure_that_would_overflow_are_named():
    for name, given in (("y", {"y": [1.0, 1e308]}), ("exposure", {"exposure": [1.0, 1e308]})):
        with pytest.raises(ValueError, match=f"`{name}` must be at most"):
            LogLinkRegressor().fit([[0.0], [1.0]], **{"y": [1.0, 2.0]} | given)
