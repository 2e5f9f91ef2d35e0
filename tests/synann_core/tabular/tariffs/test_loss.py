"""The likelihood of tariffs: its derivatives, and what deviance means."""

import numpy as np
import pytest
from scipy.stats import binom, poisson

from synann_core.tabular.tariffs.loss import TariffLoss, covariance, deviance, rate_surprisals


def problem(family, seed=0, fractional=True):
    rng = np.random.default_rng(seed)
    inputs = rng.random((30, 4)) if fractional else (rng.random((30, 4)) < 0.5).astype(float)
    exposure = rng.integers(5, 60, 30).astype(float)
    counts = rng.binomial(exposure.astype(int), 0.2).astype(float)
    weight = 2 * rng.random(30)
    free = family == "poisson"
    c = np.r_[0.7, 0.2, -0.4 if free else 0.3, 1.5, -0.3 if free else 0.8]
    return TariffLoss(family, inputs, counts, exposure, weight), c


def difference(function, c, step=1e-6):
    moves = step * np.eye(len(c))
    return np.array([(function(c + m) - function(c - m)) / (2 * step) for m in moves])


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_derivatives(family):
    loss, c = problem(family)
    np.testing.assert_allclose(
        loss(c)[1], difference(lambda at: loss(at)[0], c), rtol=1e-6, atol=1e-5
    )
    information = difference(lambda at: loss(at)[1], c)
    np.testing.assert_allclose(loss.information(c), information, rtol=1e-6, atol=1e-5)
    assert (np.linalg.eigvalsh(loss.curvature(c)) > 0).all()


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_with_categories_the_curvature_is_the_information(family):
    """Then the problem is convex."""
    loss, c = problem(family, fractional=False)
    np.testing.assert_allclose(loss.information(c), loss.curvature(c), rtol=1e-12)


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_the_value_is_the_likelihood(family):
    loss, c = problem(family)
    rate = np.exp(-rate_surprisals(loss.inputs, c))
    beta = 1 - np.exp(-c[:-1])
    np.testing.assert_allclose(rate, np.exp(-c[-1]) * np.prod(1 - beta * loss.inputs, axis=1))

    def log_likelihood(mean):
        if family == "poisson":
            return loss.weight @ poisson.logpmf(loss.counts, mean)
        return loss.weight @ binom.logpmf(loss.counts, loss.exposure, mean / loss.exposure)

    other = c + 0.1
    there = np.exp(-rate_surprisals(loss.inputs, other))
    gain = log_likelihood(rate * loss.exposure) - log_likelihood(there * loss.exposure)
    assert loss(other)[0] - loss(c)[0] == pytest.approx(gain)
    left = deviance(family, loss.counts, rate * loss.exposure, loss.exposure, loss.weight)
    best = 2 * (log_likelihood(loss.counts) - log_likelihood(rate * loss.exposure))
    assert left == pytest.approx(best)


def test_deviance_of_counts_at_the_ends():
    counts, size, weight = np.array([0.0, 4.0]), np.array([4.0, 4.0]), np.ones(2)
    assert deviance("binomial", counts, counts, size, weight) == 0.0
    assert deviance("poisson", counts, counts, size, weight) == 0.0
    assert deviance("poisson", counts, np.array([1.0, 4.0]), size, weight) == pytest.approx(2.0)


def test_covariances_of_what_is_free_and_known():
    a = np.random.default_rng(0).random((9, 4))
    information = a.T @ a
    free = np.array([True, False, True, True])
    got = covariance(information, free)
    want = np.linalg.inv(information[np.ix_(free, free)])
    np.testing.assert_allclose(got[np.ix_(free, free)], want, rtol=1e-8)
    assert not got[1].any()
    a[:, 2] = a[:, 0]
    got = covariance(a.T @ a, np.ones(4, bool))
    assert np.isnan(got.diagonal()).tolist() == [True, False, True, False]
    assert not covariance(information, np.zeros(4, bool)).any()
