"""NoisyOrFactors: hidden causes are found, and the habits of transformers."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import check_estimator

from synann_core.noisy_or import NoisyOr, NoisyOrFactors
from synann_core.noisy_or.factors import draw_causes
from tests.synann_core.noisy_or.estimators import SignFactors

PARTS = np.kron(np.eye(3), np.ones(4)) * 0.9
TRUTH = NoisyOr([0.3, 0.4, 0.2], np.full(12, 0.02), PARTS.T)


@pytest.fixture(scope="module")
def data():
    return TRUTH.sample(300, rng=0)


@pytest.fixture(scope="module")
def model(data):
    return NoisyOrFactors(3, restarts=6, random_state=0).fit(data[1])


def matched(model):
    """Which true part each learned one is."""
    return np.argmax(model.components_ @ PARTS.T, axis=1)


def test_the_hidden_causes_are_found(model):
    order = matched(model)
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(model.components_, PARTS[order], atol=0.12)
    np.testing.assert_allclose(model.network_.prior, TRUTH.prior[order], atol=0.08)
    np.testing.assert_allclose(model.network_.leak, 0.02, atol=0.03)


def test_transform_says_who_has_them(model, data):
    causes, findings = data
    found = model.transform(findings)
    assert found.shape == (300, 3)
    right = (found > 0.5) == (causes[:, matched(model)] > 0.5)
    assert right.mean() > 0.95
    unknown = model.transform(np.full((1, 12), np.nan))
    np.testing.assert_allclose(unknown[0], model.network_.prior, rtol=1e-4)


def test_gibbs_draws_from_the_posterior():
    rng = np.random.default_rng(1)
    network = NoisyOr([0.3, 0.4], [0.1, 0.2, 0.3], [[0.8, 0.7], [0.5, 0.0], [0.0, 0.6]])
    x = np.array([1.0, 0.0, np.nan])
    y, samples = np.zeros((4000, 2)), np.tile(x, (4000, 1))
    for _ in range(12):
        y = draw_causes(network, samples, y, rng)
    sets = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    p = network.predict(sets)
    prior = np.prod(np.where(sets, network.prior, 1 - network.prior), axis=1)
    want = prior * p[:, 0] * (1 - p[:, 1])
    found = [(y == one).all(axis=1).mean() for one in sets]
    np.testing.assert_allclose(found, want / want.sum(), atol=0.035)


def test_findings_that_were_not_examined(data):
    X = data[1].copy()
    X[np.random.default_rng(2).random(X.shape) < 0.1] = np.nan
    model = NoisyOrFactors(3, restarts=6, random_state=0).fit(X)
    np.testing.assert_allclose(model.components_, PARTS[matched(model)], atol=0.15)


def test_the_habits_of_transformers(model, data):
    X = data[1]
    assert clone(model).get_params() == model.get_params()
    assert model.get_feature_names_out().tolist() == [f"noisyorfactors{k}" for k in range(3)]
    again = pickle.loads(pickle.dumps(model))  # noqa: S301
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    other = NoisyOrFactors(3, restarts=6, random_state=0)
    np.testing.assert_array_equal(other.fit_transform(X), model.transform(X))
    with pytest.raises(NotFittedError):
        NoisyOrFactors(3).transform(X)


def test_scikit_learns_own_checks():
    check_estimator(SignFactors(2, restarts=2, em_iter=1), on_skip=None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_causes": 0}, "`n_causes` must be at least 1. Received: 0"),
        ({"restarts": 0}, "`restarts` must be at least 1"),
        ({"em_iter": 0}, "`em_iter` must be at least 1"),
        ({"iterations": 0}, "`iterations` must be at least 1"),
        ({"link_prior": (2.0, 2.0)}, r"`link_prior\[0\]` must be in"),
        ({"leak_prior": (0.5, 2.0)}, r"`leak_prior\[0\]` must be"),
        ({"X": [[0.5]]}, "`X` must be 0, 1 or NaN .* Received: 0.5"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {"X": [[0.0], [1.0]], **change}
    X = given.pop("X")
    with pytest.raises(ValueError, match=message):
        NoisyOrFactors(**{"n_causes": 1, **given}).fit(X)
