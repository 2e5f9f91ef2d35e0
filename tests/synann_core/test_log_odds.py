"""Odds and log-odds: accuracy, boundaries, derivatives and the swap equation."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import synann_core as syn
from reference import high_precision
from tests.helpers import EPS, TINY, assert_relative
from tests.points import check_ulp, near_one, probabilities, shuffled, surprisals


def both_signs(dtype):
    z = surprisals(dtype)
    return np.where(np.arange(len(z)) % 2, z, -z)


FORMULAS = {
    "odds": (syn.odds, high_precision.odds, probabilities),
    "logit": (syn.logit, high_precision.logit, probabilities),
    "expit": (syn.expit, high_precision.expit, both_signs),
}

# (function, argument, value, derivative by autodiff)
BOUNDARIES = [
    (syn.odds, 0.0, 0.0, 1.0),
    (syn.odds, 1.0, np.inf, np.inf),
    (syn.logit, 0.0, -np.inf, np.inf),
    (syn.logit, 0.5, 0.0, 4.0),
    (syn.logit, 1.0, np.inf, np.inf),
    (syn.expit, 0.0, 0.5, 0.25),
    (syn.expit, -np.inf, 0.0, 0.0),
    (syn.expit, np.inf, 1.0, 0.0),
    (syn.expit, -1e4, 0.0, 0.0),
    (syn.expit, 1e4, 1.0, 0.0),
]


@pytest.mark.parametrize("name", FORMULAS)
def test_accuracy(xp, dtype, name):
    function, formula, points = FORMULAS[name]
    check_ulp(xp, name, function, formula, [points(dtype)])


@pytest.mark.parametrize("columns", [shuffled, near_one], ids=["all", "near one"])
def test_accuracy_of_ratios(xp, dtype, columns):
    x, y, beta = shuffled(probabilities, dtype, 3) if columns is shuffled else near_one(dtype, 3)
    check_ulp(xp, "odds_ratio", syn.odds_ratio, high_precision.odds_ratio, [x, y])
    check_ulp(xp, "swap_ratio", syn.swap_ratio, high_precision.swap_ratio, [x, y, beta])


@pytest.mark.jax_alternates
@pytest.mark.parametrize(("function", "at", "value"), [row[:3] for row in BOUNDARIES])
def test_boundary_values(xp, dtype, function, at, value):
    got = xp.to_numpy(xp.call(function, xp.asarray([at, 0.25], dtype)))
    np.testing.assert_array_equal(got[0], value)
    if value == 0:
        assert not np.signbit(got[0])


@pytest.mark.jax_alternates
@pytest.mark.parametrize(("function", "at", "value", "slope"), BOUNDARIES)
def test_boundary_derivatives(ad, dtype, function, at, value, slope):
    (got,) = ad.gradients(function, 1.0, ad.asarray([at, 0.25], dtype))
    np.testing.assert_array_equal(ad.to_numpy(got)[0], slope)


@pytest.mark.jax_alternates
@pytest.mark.parametrize("at", [-0.25, 1.25, np.nan])
def test_logit_outside_is_nan(xp, dtype, at):
    got = xp.to_numpy(xp.call(syn.logit, xp.asarray([at, 0.25], dtype)))
    np.testing.assert_array_equal(np.isnan(got), [True, False])


DERIVATIVES = {
    "odds": lambda p: 1 / (1 - p) ** 2,
    "logit": lambda p: 1 / (p * (1 - p)),
    "expit": lambda z: 1 / (2 + 2 * mpmath.cosh(z)),
}


@pytest.mark.jax_alternates
@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives(ad, dtype, name):
    function, _, points = FORMULAS[name]
    at = points(dtype)
    at = np.resize(at[np.abs(at) > 8 * TINY[dtype]][::5], 128)
    (got,) = ad.gradients(function, 1.0, ad.asarray(at, dtype))
    want = np.array([float(DERIVATIVES[name](mpmath.mpf(p))) for p in at.tolist()])
    visible = np.abs(want) > TINY[dtype]
    assert_relative(ad.to_numpy(got)[visible], want[visible], 16 * EPS[dtype])


# (x, y, β) -> S(x, y)/S(y, x) as far as it is determined
SWAPS_AT_THE_EDGE = [
    ((0.0, 0.5, 1.0), 0.0),
    ((0.5, 0.0, 1.0), np.inf),
    ((1.0, 0.5, 1.0), np.inf),
    ((0.5, 1.0, 1.0), 0.0),
    ((0.0, 0.0, 1.0), np.nan),
    ((1.0, 1.0, 1.0), np.nan),
    ((1.0, 0.0, 1.0), np.inf),
    ((0.0, 1.0, 1.0), 0.0),
    ((1.0, 0.25, 0.0), 4.0),
    ((1.0, 1.0, 0.5), 1.0),
]


@pytest.mark.jax_alternates
def test_swap_ratio_at_the_edge(xp, dtype):
    x, y, beta = (
        xp.asarray(c, dtype) for c in zip(*[p for p, _ in SWAPS_AT_THE_EDGE], strict=True)
    )
    got = xp.to_numpy(xp.call(syn.swap_ratio, x, y, beta))
    np.testing.assert_array_equal(got, [value for _, value in SWAPS_AT_THE_EDGE])


probability = st.floats(1e-100, 1 - 1e-12)


@given(probability, probability, st.floats(1e-6, 1), st.floats(0.1, 10))
def test_swap_ratio_is_a_ratio_of_synapses_and_of_odds(x, y, beta, alpha):
    swap = float(syn.swap_ratio(x, y, beta))
    synapses = syn.synapse(x, y, alpha, beta) / syn.synapse(y, x, alpha, beta)
    # βx and βy are rounded before their odds are taken: conditioned like 1/(1 − βx).
    slack = 8 + 2 / (1 - beta * x) + 2 / (1 - beta * y)
    assert_relative(swap, synapses, 10 * EPS["float64"])
    assert_relative(swap, syn.odds_ratio(beta * x, beta * y), slack * EPS["float64"])


@given(probability, probability)
def test_the_swap_difference_of_surprisals_is_one_of_logits(x, y):
    u, v = -np.log(x), -np.log(y)
    swapped = float(syn.surprisal_synapse(v, u)) - float(syn.surprisal_synapse(u, v))
    want = float(syn.logit(x)) - float(syn.logit(y))
    # x and y were rounded to surprisals: that moves G(u) by BE(u)·u, and u itself by u.
    slack = 4 * (u + v + 1 / (1 - x) + 1 / (1 - y) + abs(want) + abs(swapped) + 1)
    assert abs(swapped - want) <= slack * EPS["float64"]


@given(st.floats(-30, 30))
def test_logit_undoes_expit(z):
    # p near 1 is coarse in its complement: conditioned like 1/(1 − p).
    p = float(syn.expit(z))
    assert abs(float(syn.logit(p)) - z) <= (4 + 2 / (1 - p)) * EPS["float64"] * max(1, abs(z))


@given(probability)
def test_odds_are_the_bose_einstein_occupation_of_the_surprisal(p):
    u = float(syn.surprisal(p))
    slack = 6 + 2 * u / (1 - p) + 2 / (1 - p)
    assert_relative(syn.bose_einstein(u), float(syn.odds(p)), slack * EPS["float64"])
