"""One synapse, in probability and in surprisal space."""

import itertools

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import synann_core as syn
from reference import high_precision
from tests.helpers import EPS, TINY, assert_close, assert_relative
from tests.points import check_ulp, near_one, probabilities, shuffled, surprisals

BITS = [0.0, 1.0]


def inhibition(v, gamma):
    return syn.surprisal_synapse(0.0, v, 0.0, gamma)


def inhibition_exactly(v, gamma):
    return high_precision.complement(gamma + v)


def test_accuracy_in_probability_space(xp, dtype):
    check_ulp(xp, "all", syn.synapse, high_precision.synapse, shuffled(probabilities, dtype, 4))
    check_ulp(xp, "near one", syn.synapse, high_precision.synapse, near_one(dtype, 4))


def test_accuracy_in_surprisal_space(xp, dtype):
    columns = shuffled(surprisals, dtype, 4)
    check_ulp(xp, "synapse", syn.surprisal_synapse, high_precision.surprisal_synapse, columns)
    # Alone, the inhibition is as small as e^(−γ−v): the rounding of γ + v must not show.
    check_ulp(xp, "inhibition", inhibition, inhibition_exactly, columns[:2])


@pytest.mark.parametrize("arguments", [(0.9, 0.2, 1.0, 0.5), (1, 0, 1, 1)])
def test_python_numbers_are_numpy_float64(arguments):
    result = syn.synapse(*arguments)
    assert result.dtype == np.float64
    x, y, alpha, beta = arguments
    assert float(result) == pytest.approx(alpha * x * (1 - beta * y), rel=1e-15)


@pytest.mark.jax_alternates
def test_python_numbers_take_the_dtype_beside_them(xp, dtype):
    x = xp.asarray([0.25, 0.5], dtype)
    result = xp.call(syn.synapse, x, 0.5)
    xp.check(result, dtype, (2,))
    np.testing.assert_array_equal(xp.to_numpy(result), [0.125, 0.25])


def test_broadcasting(xp):
    x = xp.asarray(np.array([[0.5], [1.0]]))
    y = xp.asarray([0.0, 0.5, 1.0])
    result = xp.call(syn.synapse, x, y, 1.0, xp.asarray(0.5))
    np.testing.assert_array_equal(xp.to_numpy(result), [[0.5, 0.375, 0.25], [1.0, 0.75, 0.5]])


def test_boolean_functions_from_synapses():
    s = syn.synapse

    def nor(x, y):
        return s(s(1.0, x), y)

    def either(x, y):
        return s(1.0, nor(x, y))

    def both(x, y):
        return s(x, s(1.0, y))

    for x, y in itertools.product(BITS, BITS):
        assert s(x, y) == (x and not y)
        assert s(1.0, y) == (not y)
        assert both(x, y) == (x and y)
        assert nor(x, y) == (not (x or y))
        assert either(x, y) == (x or y)
        assert s(either(x, y), both(x, y)) == (x != y)


def exact_gradients(x, y, alpha, beta, grad):
    return (
        grad * alpha * (1 - beta * y),
        -grad * alpha * beta * x,
        grad * x * (1 - beta * y),
        -grad * alpha * x * y,
    )


@pytest.mark.jax_alternates
def test_gradients(xp, dtype):
    rng = np.random.default_rng(0)
    corners = np.array(list(itertools.product([0.0, 0.5, 1.0], repeat=4)))
    arguments = np.concatenate([corners, rng.random((47, 4))]).T.astype(dtype)
    grad = rng.normal(size=arguments.shape[1]).astype(dtype)
    results = xp.call(
        syn.synapse_vjp, *(xp.asarray(a, dtype) for a in arguments), xp.asarray(grad, dtype)
    )
    for got, want in zip(results, exact_gradients(*arguments.astype(float), grad), strict=True):
        xp.check(got, dtype, want.shape)
        assert_close(xp.to_numpy(got), want, 8 * EPS[dtype], scale=np.abs(grad))


def test_gradients_of_broadcast_arguments_are_sums(xp):
    rng = np.random.default_rng(1)
    x, y, beta, grad = (
        rng.random((3, 1)),
        rng.random(4),
        rng.random((2, 1, 1)),
        rng.random((2, 3, 4)),
    )
    got = xp.call(
        syn.synapse_vjp,
        xp.asarray(x),
        xp.asarray(y, "float32"),
        0.75,
        xp.asarray(beta),
        xp.asarray(grad),
    )
    y = y.astype("float32").astype(float)
    full = exact_gradients(x, y, 0.75, beta, grad)
    wants = (
        full[0].sum((0, 2))[:, None],
        full[1].sum((0, 1)),
        full[2].sum(),
        full[3].sum((1, 2))[:, None, None],
    )
    dtypes = ("float64", "float32", "float64", "float64")
    for result, want, dtype in zip(got, wants, dtypes, strict=True):
        xp.check(result, dtype, want.shape)
        assert_close(xp.to_numpy(result), want, 16 * EPS[dtype])


@pytest.mark.jax_alternates
def test_surprisal_gradients(xp, dtype):
    rng = np.random.default_rng(2)
    u, v, theta, gamma = rng.exponential(size=(4, 50)).astype(dtype)
    grad = rng.normal(size=50).astype(dtype)
    # Energies as small as they come, but above the floor.
    v[:20] = spread_small(dtype)
    gamma[:20] = 0
    got = xp.call(
        syn.surprisal_synapse_vjp,
        *(xp.asarray(a, dtype) for a in (u, v, theta, gamma)),
        xp.asarray(grad, dtype),
    )
    occupation = np.array(
        [
            float(1 / mpmath.expm1(mpmath.mpf(a) + mpmath.mpf(b)))
            for a, b in zip(v.tolist(), gamma.tolist(), strict=True)
        ]
    )
    wants = (grad, -grad * occupation, grad, -grad * occupation)
    for result, want in zip(got, wants, strict=True):
        xp.check(result, dtype, want.shape)
        assert_relative(xp.to_numpy(result), want, 16 * EPS[dtype])


def spread_small(dtype):
    return np.logspace(np.log10(4 * TINY[dtype] / EPS[dtype]), 0, 20)


@pytest.mark.jax_alternates
def test_surprisal_boundaries(xp, dtype):
    v = xp.asarray([0.0, np.inf, 0.0, np.inf], dtype)
    gamma = xp.asarray([0.0, 0.0, np.inf, np.inf], dtype)
    value = xp.to_numpy(xp.call(syn.surprisal_synapse, 0.5, v, 0.25, gamma))
    np.testing.assert_array_equal(value, [np.inf, 0.75, 0.75, 0.75])
    grads = xp.to_numpy(xp.call(syn.surprisal_synapse_vjp, 0.5, v, 0.25, gamma, 1.0))
    capped = [-EPS[dtype] / TINY[dtype], 0, 0, 0]
    np.testing.assert_allclose(grads[1], capped, rtol=1e-6)
    np.testing.assert_allclose(grads[3], capped, rtol=1e-6)


@pytest.mark.jax_alternates
def test_autodiff_agrees_with_the_gradients(ad, dtype):
    rng = np.random.default_rng(3)
    corners = np.array(list(itertools.product([0.0, 0.5, 1.0], repeat=4)))
    arguments = np.concatenate([corners, rng.random((47, 4))]).T
    grad = ad.asarray(rng.normal(size=arguments.shape[1]), dtype)
    arrays = [ad.asarray(a, dtype) for a in arguments]
    wants = ad.to_numpy(ad.call(syn.synapse_vjp, *arrays, grad))
    for got, want in zip(ad.gradients(syn.synapse, grad, *arrays), wants, strict=True):
        assert_close(ad.to_numpy(got), want, 8 * EPS[dtype], scale=np.abs(ad.to_numpy(grad)))


@pytest.mark.jax_alternates
def test_surprisal_autodiff_agrees_with_the_gradients(ad, dtype):
    points = [0.0, 1e-30, 1e-3, 0.6931471805599453, 2.0, 60.0]
    v, gamma = np.array(list(itertools.product(points, points))).T
    u = theta = np.linspace(0, 3, len(v))
    arrays = [ad.asarray(a, dtype) for a in (u, v, theta, gamma)]
    grad = ad.asarray(np.linspace(0.5, 2, len(v)), dtype)
    wants = ad.to_numpy(ad.call(syn.surprisal_synapse_vjp, *arrays, grad))
    for got, want in zip(ad.gradients(syn.surprisal_synapse, grad, *arrays), wants, strict=True):
        assert_relative(ad.to_numpy(got), want, 16 * EPS[dtype])


unit = st.floats(0, 1)


@given(unit, unit, unit, unit)
def test_a_synapse_is_a_probability(x, y, alpha, beta):
    s = float(syn.synapse(x, y, alpha, beta))
    assert 0 <= s <= x * alpha * (1 + EPS["float64"])


@given(unit, unit, st.floats(0, 5), unit)
def test_swap_difference(x, y, alpha, beta):
    # S(x, y) − S(y, x) = α(x − y), whatever β
    difference = float(syn.synapse(x, y, alpha, beta) - syn.synapse(y, x, alpha, beta))
    assert abs(difference - alpha * (x - y)) <= 4 * EPS["float64"] * alpha * (x + y)


positive = st.floats(1e-30, 1)


@given(positive, positive, st.floats(1e-3, 5), positive)
def test_the_two_spaces_agree(x, y, alpha, beta):
    direct = float(syn.synapse(x, y, alpha, beta))
    if direct == 0:
        return
    u, v, theta, gamma = (-np.log(a) for a in (x, y, alpha, beta))
    z = float(syn.surprisal_synapse(u, v, theta, gamma))
    # The surprisals were rounded: γ + v by eps(γ + v), which moves z by BE(γ + v) as much.
    slack = abs(u) + abs(theta) + 2 * abs(z) + 4
    with np.errstate(over="ignore"):
        occupation = beta * y / (1 - beta * y) if beta * y < 1 else np.inf
    slack += 2 * occupation * (gamma + v + EPS["float64"]) + 2 * occupation
    assert abs(z + np.log(direct)) <= slack * EPS["float64"]


OUTSIDE = {"float32": [(1e10, 6e-11, 0.4), (3e4, 1e-5, 0.7)], "float64": [(1e17, 5e-18, 0.5)]}


def test_large_inputs_do_not_cancel(xp, dtype):
    for y, beta, want in OUTSIDE[dtype]:
        arguments = [xp.asarray(v, dtype) for v in (1.0, y, 1.0, beta)]
        exact = 1 - float(np.asarray(y, dtype)) * float(np.asarray(beta, dtype))
        assert abs(exact - want) < 1e-6
        value = xp.call(syn.synapse, *arguments)
        assert_relative(xp.to_numpy(value), exact, 4 * EPS[dtype])
        gx, _, galpha, _ = xp.call(syn.synapse_vjp, *arguments, 1.0)
        assert_relative(xp.to_numpy(gx), exact, 4 * EPS[dtype])
        assert_relative(xp.to_numpy(galpha), exact, 4 * EPS[dtype])


def test_outside_the_domain_the_polynomial_is_followed(xp, dtype):
    y = xp.asarray([2.0, np.inf, np.nan, -3.0, np.inf], dtype)
    beta = xp.asarray([1.0, 0.5, 0.5, 1.0, 0.0], dtype)
    got = xp.to_numpy(xp.call(syn.synapse, 0.5, y, 1.0, beta))
    np.testing.assert_array_equal(got, [-0.5, -np.inf, np.nan, 2.0, np.nan])
