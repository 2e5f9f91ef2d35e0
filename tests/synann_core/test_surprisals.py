"""Surprisal space: accuracy, boundaries, derivatives and identities."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import synann_core as syn
from reference import high_precision
from tests.helpers import EPS, TINY, assert_relative
from tests.points import check_ulp, near_one, probabilities, shuffled, surprisals

FORMULAS = {
    "surprisal": (syn.surprisal, high_precision.surprisal, probabilities),
    "probability": (syn.probability, high_precision.probability, surprisals),
    "complement": (syn.complement, high_precision.complement, surprisals),
    "bose_einstein": (syn.bose_einstein, high_precision.bose_einstein, surprisals),
}

# (function, argument, value, derivative by autodiff). The derivative of the complement at 0 is
# −BE(0) = −∞; it is kept finite there (at −eps over the smallest normal number), see below.
BOUNDARIES = [
    (syn.surprisal, 0.0, np.inf, -np.inf),
    (syn.surprisal, 1.0, 0.0, -1.0),
    (syn.surprisal, -0.5, np.nan, None),
    (syn.probability, 0.0, 1.0, -1.0),
    (syn.probability, np.inf, 0.0, 0.0),
    (syn.complement, 0.0, np.inf, None),
    (syn.complement, np.inf, 0.0, 0.0),
    (syn.complement, -0.5, np.nan, None),
    (syn.bose_einstein, 0.0, np.inf, -np.inf),
    (syn.bose_einstein, np.inf, 0.0, 0.0),
]


@pytest.mark.parametrize("name", FORMULAS)
def test_accuracy(xp, dtype, name):
    function, formula, points = FORMULAS[name]
    check_ulp(xp, name, function, formula, [points(dtype)])


def between(energy, mu):
    return syn.bose_einstein(energy, chemical_potential=mu)


def test_accuracy_of_bose_einstein_with_chemical_potential(xp, dtype):
    # energy − μ is not a floating-point number here: rounding it first costs up to 500 ulp.
    energy, gamma = shuffled(surprisals, dtype, 2)
    check_ulp(xp, "occupation", between, high_precision.bose_einstein, [energy, -gamma])


def test_accuracy_of_cancelling_chemical_potential(xp, dtype):
    energy, mu = near_one(dtype, 2)
    energy, mu = np.maximum(energy, mu), np.minimum(energy, mu) * (1 - EPS[dtype])
    check_ulp(xp, "condensate", between, high_precision.bose_einstein, [energy, mu.astype(dtype)])


@pytest.mark.jax_alternates
@pytest.mark.parametrize(("function", "at", "value"), [row[:3] for row in BOUNDARIES])
def test_boundary_values(xp, dtype, function, at, value):
    got = xp.to_numpy(xp.call(function, xp.asarray([at, 0.5], dtype)))
    np.testing.assert_array_equal(got[0], value)
    assert np.isfinite(got[1])
    if value == 0:
        assert not np.signbit(got[0])


@pytest.mark.jax_alternates
@pytest.mark.parametrize(
    ("function", "at", "slope"),
    [(f, at, slope) for f, at, _, slope in BOUNDARIES if slope is not None],
)
def test_boundary_derivatives(ad, dtype, function, at, slope):
    (got,) = ad.gradients(function, 1.0, ad.asarray([at, 0.5], dtype))
    np.testing.assert_array_equal(ad.to_numpy(got)[0], slope)


@pytest.mark.jax_alternates
def test_derivative_of_complement_is_large_and_finite_at_zero(ad, dtype):
    (got,) = ad.gradients(syn.complement, 1.0, ad.asarray([0.0, 0.0, 0.3], dtype))
    np.testing.assert_allclose(ad.to_numpy(got)[:2], -EPS[dtype] / TINY[dtype], rtol=1e-6)


DERIVATIVES = {
    "surprisal": (lambda p: -1 / p, probabilities),
    "probability": (lambda u: -mpmath.exp(-u), surprisals),
    "complement": (lambda w: -1 / mpmath.expm1(w), surprisals),
    "bose_einstein": (lambda w: -mpmath.exp(w) / mpmath.expm1(w) ** 2, surprisals),
}


@pytest.mark.jax_alternates
@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives(ad, dtype, name):
    formula, points = DERIVATIVES[name]
    at = points(dtype)
    # Derivatives that overflow, or that are so close to it that they are capped, are left out.
    least = TINY[dtype] ** 0.4 if name == "bose_einstein" else 2 * TINY[dtype] / EPS[dtype]
    at = np.resize(at[at > least][::5], 128)
    (got,) = ad.gradients(FORMULAS[name][0], 1.0, ad.asarray(at, dtype))
    want = np.array([float(formula(mpmath.mpf(p))) for p in at.tolist()])
    visible = np.abs(want) > TINY[dtype]
    assert_relative(ad.to_numpy(got)[visible], want[visible], 16 * EPS[dtype])


@given(st.floats(TINY["float64"], 700))
def test_complement_is_its_own_inverse(w):
    # G∘G is conditioned like |log w|, and like w where w is large.
    back = float(syn.complement(syn.complement(w)))
    assert abs(back - w) <= (4 + abs(np.log(w))) * EPS["float64"] * w


@pytest.mark.parametrize("value", [0.0, float(np.log(2)), np.inf])
def test_complement_pairs(value):
    pairs = {0.0: np.inf, np.inf: 0.0}
    assert float(syn.complement(value)) == pytest.approx(pairs.get(value, value), rel=1e-15)


@given(st.floats(2.0**-53, 1 - 2.0**-53))
def test_commutative_diagram(x):
    # I(F(x)) = G(I(x)). F(x) rounds 1 − x and I(x) rounds log x: each moves the common value by
    # its own conditioning, x/(1 − x) and BE(I(x))·I(x) times eps.
    through_probability = float(syn.surprisal(1.0 - x))
    through_surprisal = float(syn.complement(syn.surprisal(x)))
    u = -np.log(x)
    slack = 4 * through_probability + 1 / (1 - x) + u * x / (1 - x)
    assert abs(through_probability - through_surprisal) <= slack * EPS["float64"]


@given(st.floats(1e-300, 700))
def test_bose_einstein_is_an_odds(w):
    assert_relative(syn.bose_einstein(w), np.exp(-w) / -np.expm1(-w), 6 * EPS["float64"])


@given(st.floats(1e-3, 30))
def test_logit_is_the_difference_of_the_two_surprisals(u):
    # logit(x) = G(u) − u
    difference = float(syn.complement(u)) - u
    scale = float(syn.complement(u)) + u + 1 / -np.expm1(-u)
    assert abs(float(syn.logit(np.exp(-u))) - difference) <= 4 * EPS["float64"] * scale
