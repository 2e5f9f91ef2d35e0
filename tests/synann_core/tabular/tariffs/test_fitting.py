"""The search for factors and for the bases beside which they are at most 1."""

import itertools

import numpy as np
import pytest

from synann_core.tabular.tariffs.fitting import search
from synann_core.tabular.tariffs.loss import deviance, rate_surprisals
from synann_core.tabular.tariffs.terms import Term


def portfolio(seed, family="poisson"):
    """Three features that depend on each other, so that marginal rates mislead."""
    rng = np.random.default_rng(seed)
    n = 120
    a = rng.integers(0, 4, n)
    b = (a + rng.integers(0, 2, n)) % 3
    x = rng.random(n) + 0.3 * a
    rate = 0.3 * np.array([1, 0.5, 0.9, 0.7])[a] * np.array([0.6, 1, 0.4])[b] * (1 - 0.15 * x)
    exposure = rng.integers(20, 200, n).astype(float)
    draw = (
        rng.poisson(rate * exposure)
        if family == "poisson"
        else rng.binomial(exposure.astype(int), rate)
    )
    columns = [np.array(list("pqrs"), object)[a], np.array(list("uvw"), object)[b], x]
    return columns, draw.astype(float), exposure, np.ones(n)


def terms(kinds=("highest",) * 3, bases=(0, 0, 0), ends=(0.0, 1.9)):
    names = [("a", tuple("pqrs"), False), ("b", tuple("uvw"), False), ("x", ends, True)]
    return [Term(*n, k, b) for n, k, b in zip(names, kinds, bases, strict=True)]


def fit(first, data, family="poisson"):
    tariff = search(first, data[0], family, *data[1:], iterations=100)
    mean = data[2] * np.exp(-rate_surprisals(tariff.inputs(data[0]), tariff.c))
    return tariff, deviance(family, data[1], mean, data[2], data[3])


@pytest.mark.parametrize("seed", range(4))
def test_no_bound_holds_the_highest_levels_back(seed):
    """Wherever the search begins it ends at the deviance of free factors, with all at most 1."""
    data = portfolio(seed)
    _, free = fit(terms(("free",) * 3), data)
    for bases in itertools.product((0, 3), (0, 1, 2), (0, 1)):
        tariff, found = fit(terms(bases=bases), data)
        assert found == pytest.approx(free, rel=1e-9)
        for logarithm, _ in tariff.log_factors():
            assert logarithm.max() == 0.0
            assert np.sum(logarithm == 0.0) == 1


@pytest.mark.parametrize("seed", range(3))
def test_probabilities_stay_below_one(seed):
    data = portfolio(seed, "binomial")
    found = [fit(terms(bases=bases), data, "binomial")[1] for bases in ((0, 0, 0), (3, 2, 1))]
    assert found[0] == pytest.approx(found[1], rel=1e-9)
    certain = [data[0], data[2].copy(), data[2], data[3]]  # whoever is insured claims
    tariff, left = fit(terms(), certain, "binomial")
    assert left < 1e-4
    assert np.exp(-tariff.c[-1]) == pytest.approx(1.0)


def test_a_minimum_obeys_its_bounds():
    data = portfolio(0)
    _, free = fit(terms(("free",) * 3), data)
    tariff, held = fit(terms(("nonnegative",) * 3, (1, 2, 1)), data)
    assert held > free + 1.0
    assert (tariff.c[:-1] >= 0).all()
    at_bound = tariff.c[:-1] == 0
    assert at_bound.any()
    assert not tariff.covariance.diagonal()[:-1][at_bound].any()
    log_a, error_a = tariff.log_factors()[0]
    assert np.isnan(error_a[(log_a == 0) & (np.arange(4) != 1)]).all()
    assert error_a[1] == 0.0


def test_monotone_factors():
    data = portfolio(1)
    for kind, sign in (("decreasing", -1), ("increasing", 1)):
        tariff, _ = fit(terms((kind,) * 3), data)
        for logarithm, _ in tariff.log_factors():
            assert (sign * np.diff(logarithm) >= 0).all()
            assert logarithm.max() == 0.0


def test_a_level_without_counts_has_the_factor_zero():
    columns, counts, exposure, weight = portfolio(2)
    counts[columns[1] == "w"] = 0.0
    tariff, _ = fit(terms(), (columns, counts, exposure, weight))
    logarithm, error = tariff.log_factors()[1]
    assert np.exp(logarithm[2]) < 1e-8
    assert np.isnan(error[2])


def test_errors_are_what_other_samples_would_differ_by():
    """Over portfolios of one truth the factors vary as their errors say, within a quarter."""
    found = []
    columns, _, exposure, weight = portfolio(3)
    rng = np.random.default_rng(1)
    first = terms(("free",) * 3)
    inputs = np.hstack([t.inputs(c) for t, c in zip(first, columns, strict=True)])
    c = np.array([0.5, 0.1, 0.3, -0.4, 0.5, 0.2, 1.2])
    mean = exposure * np.exp(-rate_surprisals(inputs, c))
    for _ in range(60):
        drawn = rng.poisson(mean).astype(float)
        tariff = search(first, columns, "poisson", drawn, exposure, weight, iterations=50)
        found.append((tariff.c, np.sqrt(tariff.covariance.diagonal())))
    values, errors = map(np.array, zip(*found, strict=True))
    np.testing.assert_allclose(values.std(axis=0, ddof=1), errors.mean(axis=0), rtol=0.3)
    assert (np.abs(values.mean(axis=0) - c) < 4 * errors.mean(axis=0) / np.sqrt(60)).all()
