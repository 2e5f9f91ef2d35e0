"""NoisyOrClassifier: scikit-learn's habits, and what it learns and predicts."""

import itertools
import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

from synann_core.noisy_or import NoisyOr, NoisyOrClassifier, fit_known_causes
from tests.synann_core.noisy_or.estimators import NOT_APPLICABLE, SignClassifier

TRUTH = NoisyOr(
    [0.3, 0.2, 0.1],
    [0.05, 0.02, 0.1, 0.05, 0.1],
    [[0.8, 0, 0], [0, 0.7, 0], [0.4, 0, 0.9], [0, 0.5, 0.5], [0, 0, 0]],
)


class Frame:
    """Names for columns, and numbers: what the causes' names are taken from."""

    def __init__(self, values, columns):
        self.values, self.columns = values, columns

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


@pytest.fixture(scope="module")
def data():
    causes, findings = TRUTH.sample(1500, rng=0)
    return findings, causes


def bayes(network, x):
    """P(cause | findings) over all sets of causes, from the definition."""
    total, with_cause = 0.0, np.zeros(network.prior.size)
    for y in itertools.product([0.0, 1.0], repeat=network.prior.size):
        y = np.array(y)
        p = network.predict(y)
        terms = np.where(np.isnan(x), 1.0, x * p + (1 - x) * (1 - p))
        joint = np.prod(np.where(y, network.prior, 1 - network.prior)) * np.prod(terms)
        total, with_cause = total + joint, with_cause + joint * y
    return with_cause / total


def test_it_learns_what_the_function_does(data):
    X, Y = data
    model = NoisyOrClassifier(penalty=(0.5, 2.0), leak_prior=(2.0, 3.0)).fit(X, Y)
    want = fit_known_causes(Y, X, link_prior=(0.5, 2.0), leak_prior=(2.0, 3.0))
    np.testing.assert_array_equal(model.network_.beta, want.beta)
    np.testing.assert_array_equal(model.network_.prior, want.prior)
    assert model.log_evidence_ == []
    assert model.protection_errors_ is None


@pytest.mark.parametrize("missing", [False, True])
def test_probabilities_are_bayes_rule(data, missing):
    X, Y = data
    model = NoisyOrClassifier().fit(X, Y)
    some = X[:20].copy()
    if missing:
        some[::2, 1], some[1::2, 3] = np.nan, 0.3
    found = model.predict_proba(some)
    assert found.shape == (20, 3)
    want = [bayes(model.network_, x) for x in some]
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(model.predict(some), (found >= 0.5).astype(int))


def test_the_score_is_the_share_of_samples_wholly_right(data):
    X, Y = data
    model = NoisyOrClassifier().fit(X, Y)
    assert model.score(X, Y) == (model.predict(X) == Y).all(axis=1).mean()
    weight = np.arange(len(X))
    right = (model.predict(X) == Y).all(axis=1)
    assert model.score(X, Y, sample_weight=weight) == pytest.approx(
        np.average(right, weights=weight)
    )


def test_links_are_known_to_their_errors(data):
    X, Y = data
    model = NoisyOrClassifier(penalty=(1.0, 1.0), leak_prior=(1.0, 1.0)).fit(X, Y)
    beta, errors = model.network_.beta, model.link_errors_
    assert np.isnan(errors[beta == 0]).all()
    real = TRUTH.beta > 0
    assert (np.abs(beta - TRUTH.beta)[real] < 4 * errors[real]).all()
    assert (errors[real] < 0.15).all()


def test_sparse_samples_make_a_sparse_network(data):
    X, Y = data
    dense = NoisyOrClassifier().fit(X, Y)
    sparse = NoisyOrClassifier().fit(csr_array(X), csr_array(Y))
    np.testing.assert_allclose(sparse.network_.beta.toarray(), dense.network_.beta)
    at = sparse.network_.beta.nonzero()
    np.testing.assert_allclose(sparse.link_errors_.data, dense.link_errors_[at])
    np.testing.assert_allclose(sparse.predict_proba(csr_array(X[:9])), dense.predict_proba(X[:9]))


def test_weights_count_samples(data):
    X, Y = data
    weight = np.random.default_rng(1).integers(0, 3, len(X))
    weighted = NoisyOrClassifier().fit(X, Y, sample_weight=weight)
    repeated = NoisyOrClassifier().fit(np.repeat(X, weight, axis=0), np.repeat(Y, weight, axis=0))
    np.testing.assert_allclose(weighted.network_.beta, repeated.network_.beta, atol=1e-3)
    np.testing.assert_allclose(weighted.network_.prior, repeated.network_.prior)


def test_missing_causes_are_made_up_for(data):
    X, Y = data
    some = np.where(np.random.default_rng(2).random(Y.shape) < 0.2, np.nan, Y)
    model = NoisyOrClassifier().fit(X, some)
    assert 2 <= len(model.log_evidence_) <= 100
    assert np.abs(model.network_.beta - TRUTH.beta).max() < 0.2


def test_protective_links(data):
    truth = NoisyOr([0.4, 0.4], [0.05], [[0.8, 0.0]], protection=[[0.0, 0.7]])
    causes, findings = truth.sample(4000, rng=3)
    model = NoisyOrClassifier(penalty=(0.5, 2.0), protective=True).fit(findings, causes)
    np.testing.assert_allclose(model.network_.protection, [[0, 0.7]], atol=0.06)
    np.testing.assert_allclose(model.network_.beta, [[0.8, 0]], atol=0.05)
    assert 0 < model.protection_errors_[0, 1] < 0.05
    assert np.isnan(model.protection_errors_[0, 0])


def test_names_of_frames(data, monkeypatch):
    X, Y = data
    # scikit-learn knows the frames of pandas and polars, of which neither need be installed.
    monkeypatch.setattr(
        "sklearn.utils.validation._get_feature_names",
        lambda X: np.array(X.columns, object) if isinstance(X, Frame) else None,
    )
    model = NoisyOrClassifier().fit(Frame(X, list("abcde")), Frame(Y, list("xyz")))
    assert model.feature_names_in_.tolist() == list("abcde")
    assert (model.network_.findings, model.network_.causes) == (tuple("abcde"), tuple("xyz"))
    np.testing.assert_array_equal(
        model.predict_proba(Frame(X[:5], list("abcde"))),
        NoisyOrClassifier().fit(X, Y).predict_proba(X[:5]),
    )
    with pytest.raises(ValueError, match="feature names"):
        model.predict(Frame(X[:5], list("abced")))


def test_the_habits_of_estimators(data):
    X, Y = data
    model = NoisyOrClassifier(penalty=(0.5, 2.0))
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(iterations=7).iterations == 7
    model.fit(X.tolist(), Y.tolist())
    again = pickle.loads(pickle.dumps(model))  # noqa: S301
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert [c.tolist() for c in model.classes_] == [[0, 1]] * 3
    search = GridSearchCV(NoisyOrClassifier(), {"penalty": [(1.0, 1.0), (1.0, 2.0)]}, cv=2)
    assert search.fit(X[:300], Y[:300]).best_score_ > 0.5


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"penalty": (2.0, 2.0)}, ValueError, r"`penalty\[0\]` must be in"),
        ({"leak_prior": 3.0}, TypeError, "`leak_prior` must be a pair"),
        ({"protective": 1}, TypeError, "`protective` must be a bool. Received: 1"),
        ({"iterations": 0}, ValueError, "`iterations` must be at least 1. Received: 0"),
        ({"em_iter": 0}, ValueError, "`em_iter` must be at least 1"),
        ({"tol": -1.0}, ValueError, "`tol` must be in"),
        ({"X": [[0.5], [1.0]]}, ValueError, "`X` must be 0, 1 or NaN .* Received: 0.5"),
        ({"Y": None}, ValueError, "requires y to be passed, but the target y is None"),
        ({"Y": [[2.0], [1.0]]}, ValueError, r"`Y` must be in \[0, 1\]"),
        ({"Y": [[0.0], [1.0], [1.0]]}, ValueError, "`Y` and `X` must have the shapes"),
        ({"Y": [[0.5], [1.0]], "protective": True}, ValueError, "must be 0 or 1 where links may"),
        ({"sample_weight": [1.0]}, ValueError, "`sample_weight` must have shape"),
        ({"sample_weight": [0.0, 0.0]}, ValueError, "must not be 0 everywhere"),
        ({"sample_weight": [-1.0, 1.0]}, ValueError, "`sample_weight` must be in"),
    ],
)
def test_bad_input_is_named(change, error, message):
    given = {"X": [[0.0], [1.0]], "Y": [[0.0], [1.0]], "sample_weight": None, **change}
    fit = [given.pop(name) for name in ("X", "Y", "sample_weight")]
    with pytest.raises(error, match=message):
        NoisyOrClassifier(**given).fit(*fit)


def test_unfitted_models_and_other_findings_are_refused(data):
    with pytest.raises(NotFittedError):
        NoisyOrClassifier().predict([[0.0]])
    model = NoisyOrClassifier().fit(*data)
    with pytest.raises(ValueError, match="expecting 5 features"):
        model.predict(np.zeros((1, 4)))


def test_scikit_learns_own_checks():
    check_estimator(SignClassifier(), expected_failed_checks=NOT_APPLICABLE, on_skip=None)


def test_scikit_learn_is_imported_when_it_is_needed():
    code = (
        "import sys, synann.noisy_or, synann_core.noisy_or as n;"
        "assert 'sklearn' not in sys.modules;"
        "synann.noisy_or.NoisyOrClassifier; assert 'sklearn' in sys.modules;"
        "assert synann.noisy_or.NoisyOrFactors is n.NoisyOrFactors;"
        "assert not hasattr(n, 'other') and not hasattr(synann.noisy_or, 'other')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_scikit_learn_the_extra_is_named():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import synann.noisy_or\n"
        "try: synann.noisy_or.NoisyOrClassifier\n"
        "except ImportError as error: print(error)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert 'pip install "synann[noisy-or]"' in result.stdout


def test_limits_that_were_met_are_warnings(data):
    X, Y = data
    Y = np.where(np.random.default_rng(0).random(Y.shape) < 0.2, np.nan, Y)
    message = "Missing causes did not converge in `em_iter`=1 rounds"
    with pytest.warns(ConvergenceWarning, match=message) as found:
        NoisyOrClassifier(em_iter=1).fit(X, Y)
    assert len(found) == 1
    with pytest.warns(ConvergenceWarning, match="5 findings did not converge in `iterations`=1"):
        NoisyOrClassifier(iterations=1).fit(*data)


def test_scores_in_a_pipeline_are_those_of_the_causes(data):
    """The recipe of docs/noisy_or.md, with findings that were not examined."""
    X, Y = data
    X = np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)

    def log_likelihood(y, p):
        return np.log(np.where(y == 1, p, 1 - p)).sum(axis=1).mean()

    scoring = make_scorer(log_likelihood, response_method="predict_proba")
    model = make_pipeline(FunctionTransformer(), NoisyOrClassifier())
    by_likelihood = cross_val_score(model, X, Y, scoring=scoring, cv=3)
    prior = log_likelihood(Y, np.full(Y.shape, Y.mean(axis=0)))
    assert (by_likelihood > prior).all()
    assert (cross_val_score(model, X, Y, scoring="roc_auc", cv=3) > 0.7).all()
