"""The factors 1 − βy in both spaces, and what is kept beside them."""

import numpy as np

from synann_core.contraction.factors import (
    Factors,
    probability_factors,
    surprisal_factors,
    with_faint_sums,
)
from tests.helpers import EPS, TINY, assert_relative


def draw(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0.01, 0.99, shape)


def values(factors, xp):
    y, y_bar, beta, beta_bar = factors[:4]
    y_bar = 1.0 - y if y_bar is None else y_bar
    beta_bar = 1.0 - beta if beta_bar is None else beta_bar
    arrays = [xp.to_numpy(a) for a in (y, y_bar, beta_bar)]
    return arrays[1][:, None, :] + arrays[0][:, None, :] * arrays[2]


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
    y2, beta3 = 2 * y, 3 * beta
    other = factors.of([y2, y, beta3, beta])
    assert other[4:] == (1e-9, 4)
    assert all(a is b for a, b in zip(other[:4], (y2, y, beta3, beta), strict=True))


def test_only_rows_with_faint_sums_are_taken_again():
    y = np.array([[0.25, 0.5], [0.5, 1e-25], [0.75, 0.5], [1e-25, 0.5]], np.float32)
    beta = np.array([[0.5, 1.0]] * 3, np.float32)
    asked = []

    def again(lifted, strengths):
        asked.append((lifted, strengths))
        return np.array([[-(2.0**64), 5.0, 5.0], [5.0, 5.0, -(2.0**65)]], np.float32)

    factors = probability_factors(y, beta, xp=np)
    sums = np.array([[-1, 0, -2], [-1e-38, 0, -0.5], [-3, -np.inf, np.nan], [-4, 0, -1e-45]])
    sums = sums.astype(np.float32)
    exact, guarded = with_faint_sums(sums, sums + 0, factors, again, xp=np)
    want = [[-1, 0, -2], [-1, 0, -0.5], [-3, -np.inf, np.nan], [-4, 0, -2]]
    np.testing.assert_array_equal(exact, want)
    np.testing.assert_array_equal(guarded, exact)
    np.testing.assert_array_equal(asked[0][0], y[[1, 3]] * 2.0**64)
    assert asked[0][1] is beta
    ordinary = np.array([[0.0, -1e-30, np.nan]] * 4, np.float32)
    assert with_faint_sums(ordinary, ordinary, factors, again, xp=np) == (ordinary, ordinary)
    assert len(asked) == 1
