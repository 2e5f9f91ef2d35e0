"""SynapseRules: scikit-learn's habits, tables of all kinds, and what it learns."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from synann_core.tabular import SynapseRules
from synann_core.tabular.rules.structures import STRUCTURES
from tests.synann_core.tabular.rules.tables import mixed_columns, mixed_labels, numbers

QUICK = {"max_iter": 40, "n_starts": 1, "penalties": (4e-3,), "cv": 2, "random_state": 0} | {
    "max_rules": 4
}
HARD = {"crisp": True, "penalties": (2e-3,), "cv": 3, "random_state": 0}


@pytest.mark.parametrize(
    "options",
    [*({"structure": s} for s in STRUCTURES), HARD | {"max_rules": 2}],
    ids=str,
)
def test_all_of_scikit_learns_checks_pass(options):
    model = SynapseRules(**QUICK | {"max_iter": 30, "bins": 6} | options | {"cv": 2})
    results = check_estimator(model, on_skip=None)
    assert {r["status"] for r in results} <= {"passed", "skipped"}
    assert [r["check_name"] for r in results if r["status"] == "skipped"] in (
        [],
        ["check_array_api_input"],  # SciPy's own switch for array API is off
    )


def frame(rows=300, seed=0):
    pd = pytest.importorskip("pandas")
    columns = mixed_columns(rows, seed)
    table = pd.DataFrame({c.name: c.values for c in columns})
    table["smoker"] = table["smoker"] == 1
    return table, np.where(mixed_labels(columns, seed) == 1, "ill", "well")


def test_frames_with_categories_and_missing_values():
    X, y = frame()
    model = SynapseRules(**QUICK | {"max_iter": 100}).fit(X, y)
    assert model.classes_.tolist() == ["ill", "well"]
    assert model.feature_names_in_.tolist() == ["age", "pain", "smoker", "pressure"]
    assert model.n_features_in_ == 4
    other, truth = frame(seed=1)
    assert model.score(other, truth) > 0.85
    assert "pain = none" in model.to_text()
    assert "age >" in model.to_text()
    other.loc[0, ["pain", "age", "smoker"]] = ["never seen", np.nan, True]
    assert np.isfinite(model.predict_proba(other)).all()
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[["pain", "age", "smoker", "pressure"]])


def test_frames_of_polars_are_as_those_of_pandas():
    pl = pytest.importorskip("polars")
    X, y = frame()
    lists = {name: [None if v != v else v for v in X[name]] for name in X}
    model = SynapseRules(**QUICK).fit(X, y)
    same = SynapseRules(**QUICK).fit(pl.DataFrame(lists), y)
    assert same.feature_names_in_.tolist() == list(X)
    np.testing.assert_array_equal(same.predict_proba(pl.DataFrame(lists)), model.predict_proba(X))


def test_lists_and_arrays_of_all_numbers_agree():
    X, y = numbers()
    whole = (10 * X).astype(int)
    model = SynapseRules(**QUICK).fit(whole, y)
    for other in (
        whole.tolist(),
        whole.astype(np.float32),
        whole.astype(object),
        whole.astype("i1"),
    ):
        again = SynapseRules(**QUICK).fit(other, y)
        np.testing.assert_array_equal(again.predict_proba(other), model.predict_proba(whole))


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("classes", [2, 3])
def test_structures_learn_what_there_is(structure, classes):
    X, y = numbers(300, classes=classes)
    model = SynapseRules(**QUICK | {"max_iter": 80}, structure=structure).fit(X, y)
    test, truth = numbers(400, seed=1, classes=classes)
    assert model.score(test, truth) > 0.9
    p = model.predict_proba(test)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    decision = model.decision_function(test)
    assert decision.shape == ((400,) if classes == 2 else (400, 3))
    if classes == 2:
        np.testing.assert_allclose(decision, np.log(p[:, 1] / p[:, 0]), atol=1e-9)
    else:
        np.testing.assert_allclose(decision.sum(axis=1), 0.0, atol=1e-9)


@pytest.mark.parametrize("options", [{}, {"integer_weights": True}])
def test_crisp_rules(options):
    X, y = numbers(400)
    model = SynapseRules(**HARD | options).fit(X, y)
    test, truth = numbers(400, seed=1)
    assert model.score(test, truth) > 0.9
    assert all(beta == 1.0 for rule in model.rules_ for beta in rule.strengths)
    if options:
        points = np.array([rule.weight for rule in model.rules_]) / model.unit_
        np.testing.assert_allclose(points, np.round(points), atol=1e-9)


def test_limits_of_size():
    X, y = numbers(400, classes=3)
    model = SynapseRules(**QUICK | {"max_rules": 3, "max_literals": 5}).fit(X, y)
    rules = [rule for rule in model.rules_ if rule.literals]
    assert len(rules) <= 3
    assert sum(len(rule.literals) for rule in rules) <= 5


@pytest.mark.parametrize("crisp", [False, True])
def test_progress_goes_to_the_standard_error(capsys, monkeypatch, crisp):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)  # as if it were not installed
    X, y = numbers()
    quiet, shown = (
        SynapseRules(**QUICK | {"crisp": crisp, "verbose": verbose}) for verbose in (False, True)
    )
    quiet.fit(X, y)
    assert capsys.readouterr() == ("", "")
    shown.fit(X, y)
    out, err = capsys.readouterr()
    assert out == ""
    # The path of crisp rules' teachers ends before the last penalties.
    last = "80 of 100" if crisp else "120 of 120"
    assert f"soft rules: step {last}\n" in err
    assert ("hard rules: growth 1 of 1\n" in err) == crisp
    np.testing.assert_array_equal(shown.predict_proba(X), quiet.predict_proba(X))


@pytest.mark.parametrize("options", [*({"structure": s} for s in STRUCTURES), HARD], ids=str)
def test_monotone_constraints_hold(options):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)).round(1)
    y = (X[:, 0] + np.sin(3 * X[:, 0]) + X[:, 1] + rng.normal(size=300) > 0).astype(int)
    model = SynapseRules(**QUICK | options).set_params(monotone={0: 1, "x1": -1}).fit(X, y)
    for feature, direction in ((0, 1), (1, -1)):
        rows = np.repeat(X[:40], 50, axis=0)
        rows[:, feature] = np.tile(np.linspace(-3, 3, 50), 40)
        odds = model.decision_function(rows).reshape(40, 50)
        assert (direction * np.diff(odds, axis=1) >= -1e-9).all()


def test_weights_of_classes_move_the_probabilities():
    X, y = numbers(300)
    plain = SynapseRules(**QUICK).fit(X, y)
    heavy = SynapseRules(**QUICK, class_weight={0: 1.0, 1: 9.0}).fit(X, y)
    assert heavy.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean()
    balanced = SynapseRules(**QUICK, class_weight="balanced").fit(X, y)
    weight = np.where(y == 1, len(y) / (2 * y.sum()), len(y) / (2 * (1 - y).sum()))
    by_hand = SynapseRules(**QUICK).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(balanced.predict_proba(X), by_hand.predict_proba(X), atol=1e-6)


def test_folds_can_be_given():
    X, y = numbers(120)
    splitter = StratifiedKFold(3, shuffle=True, random_state=0)
    one = SynapseRules(**QUICK | {"cv": splitter}).fit(X, y)
    two = SynapseRules(**QUICK | {"cv": list(splitter.split(X, y))}).fit(X, y)
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


def test_it_stands_in_scikit_learns_tools():
    X, y = numbers(120)
    model = make_pipeline(StandardScaler(), SynapseRules(**QUICK))
    assert cross_val_score(model, X, y, cv=2).mean() > 0.8
    grid = GridSearchCV(SynapseRules(**QUICK), {"structure": ["mix", "rrl"]}, cv=2).fit(X, y)
    assert grid.best_score_ > 0.8
    calibrated = CalibratedClassifierCV(SynapseRules(**QUICK), cv=2).fit(X, y)
    assert calibrated.predict_proba(X).shape == (120, 2)
    fitted = SynapseRules(**QUICK).fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    with pytest.raises(NotFittedError):
        clone(fitted).predict(X)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"structure": "deep"}, ValueError, "`structure`"),
        ({"max_rules": 0}, ValueError, "`max_rules`"),
        ({"bins": 1}, ValueError, "`bins`"),
        ({"bins": 1000}, ValueError, "`bins`"),
        ({"missing": "mean"}, ValueError, "`missing`"),
        ({"penalties": ()}, ValueError, "`penalties`"),
        ({"penalties": (-1.0,)}, ValueError, "`penalties`"),
        ({"categorical_features": ["no"]}, ValueError, "`categorical_features`"),
        ({"class_weight": "equal"}, ValueError, "`class_weight`"),
        ({"class_weight": {0: -1.0}}, ValueError, "`class_weight`"),
        ({"monotone": {0: 2}}, ValueError, "`monotone`"),
        ({"cv": 1}, ValueError, "`cv`"),
        ({"cv": "a"}, TypeError, "`cv`"),
        ({"n_bags": 1.5}, TypeError, "`n_bags`"),
        ({"crisp": "no"}, TypeError, "`crisp`"),
        ({"integer_weights": "no"}, TypeError, "`integer_weights`"),
    ],
)
def test_parameters_are_checked_by_fit(options, error, text):
    X, y = numbers(60)
    with pytest.raises(error, match=text):
        SynapseRules(**QUICK | options).fit(X, y)


def test_numbers_can_be_categories():
    X = np.repeat([[1.0], [2.0], [3.0]], 40, axis=0)
    y = (X[:, 0] == 2.0).astype(int)
    model = SynapseRules(**QUICK, categorical_features=[0]).fit(X, y)
    assert model.literals_.features[0].values == ("1", "2", "3")
    assert model.score(X, y) == 1.0


def test_it_says_what_to_install_without_scikit_learn():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import synann_core.tabular as t\n"
        "t.BayesRule(0.1, [0.5], [0.2])\n"
        "try:\n    t.SynapseRules\n"
        "except ImportError as error:\n    print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "synann[tabular]" in run.stdout


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("bags", [1, 2])
def test_columns_that_say_nothing_leave_the_prior(structure, bags):
    y = np.repeat(["a", "b", "c"], [30, 60, 10])
    model = SynapseRules(**QUICK | {"structure": structure, "n_bags": bags})
    for X in (np.ones((100, 1)), np.full((100, 2), "x", dtype=object)):
        p = model.fit(X, y).predict_proba(X[:1])
        np.testing.assert_allclose(p, [[0.3, 0.6, 0.1]], atol=1e-6)
        assert all(rule.literals == () for rule in model.rules_)
        assert not model.explain(X[:1]).rules.any()


@pytest.mark.parametrize("options", [QUICK, HARD])
def test_weights_of_any_size(options):
    X, y = numbers()
    want = SynapseRules(**options).fit(X, y).predict_proba(X)
    for size in (1e-200, 1 / 300, 1e90):
        weight = np.full(len(y), size)
        model = SynapseRules(**options).fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(model.predict_proba(X), want, atol=1e-6)
    with pytest.raises(ValueError, match="`sample_weight` must be at most"):
        SynapseRules(**options).fit(X, y, sample_weight=np.full(len(y), 1e308))
    with pytest.raises(ValueError, match="`class_weight` must leave two classes"):
        SynapseRules(**options, class_weight={0: 0.0}).fit(X, y)
    with pytest.raises(ValueError, match="`penalties`"):
        SynapseRules(**options | {"penalties": [1e30]}).fit(X, y)


def test_columns_that_are_categories_by_a_mask():
    X, y = numbers()
    mask = [False, True, False, False, False]
    model = SynapseRules(**QUICK, categorical_features=mask).fit(X.round(), y)
    assert [feature.kind == "category" for feature in model.literals_.features] == mask


def test_folds_by_default_are_four():
    X, y = numbers(60)
    some = [SynapseRules(**QUICK | {"cv": cv}).fit(X, y).log_losses_ for cv in (None, 4)]
    np.testing.assert_array_equal(*some)


def test_limits_that_are_never_reached_cost_nothing():
    X, y = numbers(200)
    for options in (QUICK | {"penalties": (1e-3,)}, HARD):
        model = SynapseRules(**options | {"max_rules": 10**9}).fit(X, y)
        assert 1 <= sum(bool(rule.literals) for rule in model.rules_) <= 60
    huge = SynapseRules(**QUICK | {"max_rules": 10**9, "max_literals": 10**9, "max_iter": 2})
    assert len(huge.fit(*numbers(30)).rules_) <= 75


def test_small_products_get_one_thread(monkeypatch):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    seen = []

    def choose(*arguments):
        seen.extend(library["num_threads"] for library in threadpoolctl.threadpool_info())
        raise InterruptedError

    monkeypatch.setattr("synann_core.tabular.rules.estimator.choose", choose)
    with threadpoolctl.threadpool_limits(2, user_api="blas"), pytest.raises(InterruptedError):
        SynapseRules(**QUICK).fit(*numbers(60))
    assert 1 in seen


def wide(rows=120, columns=220):
    X = np.random.default_rng(0).normal(size=(rows, columns)).round(2)
    return X, (X[:, 211] > 0.0).astype(int) + (X[:, 3] > 0.5)


@pytest.mark.parametrize("options", [{}, {"n_bags": 3}, {"crisp": True}], ids=str)
def test_wide_tables_keep_their_columns_and_reasons(tmp_path, options):
    X, y = wide()
    model = SynapseRules(**QUICK | options).fit(X, y)
    assert len(model.literals_.features) == model.n_features_in_ == 220
    assert model.score(X, y) > 0.8
    assert "x211" in model.to_text()
    parts = model.explain(X[:4])
    assert parts.features.shape == (4, 3, 220)
    total = parts.constant + parts.features.sum(axis=-1)
    np.testing.assert_allclose(total, model.decision_function(X[:4]), atol=1e-9)
    model.save(tmp_path / "rules.json")
    again = SynapseRules.from_file(tmp_path / "rules.json")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_of_wide_tables_too_weights_count_as_repetitions_do():
    X, y = wide()
    times = np.random.default_rng(1).integers(1, 3, len(y))
    folds = StratifiedKFold(2).split(X, y)
    half = np.zeros(len(y), bool)
    half[next(folds)[0]] = True
    order = np.random.default_rng(2).permutation(int(times.sum()))
    rows = np.repeat(np.arange(len(y)), times)[order]
    found = []
    for chosen, weight in ((np.arange(len(y)), times), (rows, None)):
        own = half[chosen]
        pairs = [(np.flatnonzero(a), np.flatnonzero(~a)) for a in (own, ~own)]
        model = SynapseRules(**QUICK | {"cv": pairs, "bins": 12})
        found.append(model.fit(X[chosen], y[chosen], sample_weight=weight).predict_proba(X))
    np.testing.assert_array_equal(found[0], found[1])
