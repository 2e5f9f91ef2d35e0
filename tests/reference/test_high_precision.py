"""High precision: whole rows, functions of several arguments, and where plain formulas fail."""

import mpmath
import numpy as np
import pytest

from reference import elementwise, high_precision, tensor
from tests.helpers import assert_relative

EPS = 2.0**-52
MODERATE = np.random.default_rng(0).uniform(0.05, 0.4, 40)
COUNTS = {"logit": 1, "odds_ratio": 2, "swap_ratio": 3, "synapse": 4, "surprisal_synapse": 4}


@pytest.mark.parametrize("name", COUNTS)
def test_agrees_with_the_plain_formula_at_moderate_arguments(name):
    columns = [np.roll(MODERATE, k) for k in range(COUNTS[name])]
    got = getattr(elementwise, name)(*columns)
    points = zip(*columns, strict=True)
    want = [float(getattr(high_precision, name)(*point)) for point in points]
    assert_relative(got, want, 8 * EPS)


@pytest.mark.parametrize("n", [1, 3, 33])
def test_rows_agree_with_the_loops(n):
    rng = np.random.default_rng(n)
    y, beta = rng.random(n), rng.random((1, n))
    want = float(high_precision.log_transmission_row(y, beta[0]))
    # n terms of one sign; those near a closed factor magnify the rounding of βy by at most 20 here
    assert (y * beta).max() < 0.95
    assert_relative(tensor.log_transmission(y, beta)[0], want, (20 + n) * EPS)
    want = float(high_precision.surprisal_transmission_row(y, beta[0]))
    z = tensor.surprisal_synapse_tensor(0.0, y, 0.0, beta)
    assert_relative(z[0], -want, (20 + n) * EPS)
    assert float(high_precision.surprisal_sum(y, beta[0])) == -want


@pytest.mark.parametrize("size", [1e-300, 1e-20, 1e-3])
def test_rows_hold_60_digits_of_tiny_and_large_terms(size):
    # The whole sum of n equal terms is n times one, in a precision that no term exhausts.
    with mpmath.workdps(1000):
        exact = mpmath.mpf(size)
        rows = [
            (
                high_precision.log_transmission_row(np.full(10_000, size), np.full(10_000, 0.3)),
                10_000 * mpmath.log(1 - exact * mpmath.mpf(0.3)),
            ),
            (
                high_precision.surprisal_transmission_row(np.full(9, size), np.zeros(9)),
                9 * mpmath.log(1 - mpmath.exp(-exact)),
            ),
            (
                high_precision.surprisal_transmission_row(np.full(9, 700.0), np.full(9, size)),
                9 * mpmath.log(1 - mpmath.exp(-700 - exact)),
            ),
        ]
        for got, want in rows:
            assert want != 0
            assert abs(got / want - 1) < mpmath.mpf(10) ** -60


def test_a_row_of_all_sizes_is_the_sum_of_its_logarithms():
    rng = np.random.default_rng(0)
    y = np.concatenate([10.0 ** rng.uniform(-300, 0, 50), 1 - 2.0 ** -rng.uniform(1, 53, 50)])
    beta = rng.permutation(y)
    with mpmath.workdps(1000):
        pairs = [(mpmath.mpf(a), mpmath.mpf(b)) for a, b in zip(y, beta, strict=True)]
        want = mpmath.fsum(mpmath.log(1 - a * b) for a, b in pairs)
        got = high_precision.log_transmission_row(y, beta)
        assert abs(got / want - 1) < mpmath.mpf(10) ** -60
        want = mpmath.fsum(mpmath.log(1 - mpmath.exp(-a - b)) for a, b in pairs)
        got = high_precision.surprisal_transmission_row(y, beta)
        assert abs(got / want - 1) < mpmath.mpf(10) ** -60


def test_rows_on_and_beyond_the_boundary():
    row = high_precision.log_transmission_row
    assert row([1.0, 0.5], [1.0, 0.5]) == -mpmath.inf
    assert row([0.0, 0.5], [1.0, 0.0]) == 0
    assert row([], []) == 0
    assert mpmath.isnan(row([2.0, 2.0], [1.0, 1.0]))  # two negative factors
    assert mpmath.isnan(row([0.5, np.nan], [1.0, 1.0]))
    row = high_precision.surprisal_transmission_row
    assert row([0.0, 1.0], [0.0, 1.0]) == -mpmath.inf
    assert row([np.inf], [0.0]) == 0
    assert mpmath.isnan(row([-1.0, -1.0], [0.0, 0.0]))
    with pytest.raises(ValueError, match="zip"):
        row([1.0, 2.0], [1.0])


@pytest.mark.parametrize(("w", "error"), [(1e-16, 3e-3), (100.0, 1.0)])
def test_the_plain_complement_fails_at_both_ends(w, error):
    exact = float(high_precision.complement(w))
    plain = -np.log(1.0 - np.exp(-w))
    assert abs(plain / exact - 1.0) == pytest.approx(error, rel=0.1)
    assert abs(elementwise.complement(w) / exact - 1.0) < 4 * EPS


def test_each_stable_form_fails_at_the_other_end():
    exact = float(high_precision.complement(100.0))
    assert abs(-np.log(-np.expm1(-100.0)) / exact - 1.0) == 1.0
    exact = float(high_precision.complement(1e-16))
    assert abs(-np.log1p(-np.exp(-1e-16)) / exact - 1.0) > 1e-3
    # What each is for: the forms differ from one another, too, where both still have some digits.
    exact = float(high_precision.complement(1e-8))
    assert 1e-11 < abs(-np.log1p(-np.exp(-1e-8)) / exact - 1.0) < 1e-8


def test_the_plain_bose_einstein_and_logit_fail():
    exact = float(high_precision.bose_einstein(1e-12))
    assert abs(1.0 / (np.exp(1e-12) - 1.0) / exact - 1.0) > 1e-6
    assert abs(elementwise.bose_einstein(1e-12) / exact - 1.0) < 4 * EPS
    # just below ½, where p/(1 − p) is rounded before its distance from 1 is taken
    p = 0.5 - 1e-12 * np.arange(0.7, 20.0)
    exact = np.array([float(high_precision.logit(one)) for one in p])
    assert np.abs(np.log(p / (1.0 - p)) / exact - 1.0).max() > 1e-6
    assert np.abs(2.0 * np.arctanh(2.0 * p - 1.0) / exact - 1.0).max() < 4 * EPS
