"""The factors 1 − βy in both spaces, and what is kept beside them."""

import numpy as np

from synann_core.contraction.factors import Factors, probability_factors, surprisal_factors
from tests.helpers import EPS, TINY, assert_close, assert_relative


def draw(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0.01, 0.99, shape)


def values(factors, xp):
    arrays = [xp.to_numpy(a) for a in factors.complete()]
    return arrays[1][:, None, :] + arrays[0][:, None, :] * arrays[3]


def test_factors_of_probabilities(xp, dtype):
    y, beta = draw(2, 3, 5).astype(dtype), draw(4, 5, seed=1).astype(dtype)
    arrays = xp.asarray(y, dtype), xp.asarray(beta, dtype)
    factors = probability_factors(*arrays, xp=xp._namespace())
    assert tuple(factors.y.shape) == (6, 5)
    assert factors.y_bar is None
    assert factors.beta_bar is None
    assert factors.floor == EPS[dtype] / 2
    want = 1.0 - np.float64(y).reshape(6, 1, 5) * np.float64(beta)
    assert_relative(values(factors, xp), want, 2 * EPS[dtype])
    # So many at once stay normal numbers, however small each is.
    assert factors.floor**factors.group >= TINY[dtype]


def test_factors_of_surprisals_do_not_cancel(xp, dtype):
    v, gamma = np.array([[1e-30, 0.5, 40.0]]), np.array([[1e-31, 1e-3, 2.0], [3.0, 0.0, 30.0]])
    arrays = xp.asarray(v, dtype), xp.asarray(gamma, dtype)
    factors = surprisal_factors(*arrays, xp=xp._namespace())
    want = -np.expm1(-(v[:, None, :] + gamma))
    assert_relative(values(factors, xp), want, 8 * EPS[dtype])
    assert factors.group == 1
    # Gradients are divided by the floor: a factor of 1/eps below overflow is left for sums of them.
    assert factors.floor == TINY[dtype] / EPS[dtype]


def test_other_arrays_in_place_of_the_four():
    y, beta = draw(2, 3), draw(4, 3)
    factors = Factors(y, None, beta, None, 1e-9, 4)
    other = factors.of([2 * y, y, 3 * beta, beta])
    assert other[4:] == (1e-9, 4)
    for got, want in zip(other.complete(), (2 * y, y, 3 * beta, beta), strict=True):
        assert got is want or np.array_equal(got, want)
    assert_close(factors.complete()[1], 1.0 - y, 0.0)
    assert_close(factors.complete()[3], 1.0 - beta, 0.0)
