"""The element-wise reference: known values, identities, derivatives, and high precision."""

import mpmath
import numpy as np
import pytest

from reference import elementwise, high_precision
from reference.differentiate import central_difference, complex_step

LOG_2 = np.log(2.0)
BITS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).T


def test_known_values():
    assert elementwise.bose_einstein(LOG_2) == 1.0
    assert elementwise.complement(LOG_2) == pytest.approx(LOG_2, rel=1e-15)
    assert elementwise.complement(np.log(4.0)) == pytest.approx(np.log(4.0 / 3.0), rel=1e-15)
    assert elementwise.synapse(0.9, 0.2, beta=0.5) == pytest.approx(0.81, rel=1e-15)
    assert elementwise.odds(0.75) == 3.0
    assert elementwise.logit(0.75) == pytest.approx(np.log(3.0), rel=1e-15)
    assert elementwise.expit(np.log(3.0)) == pytest.approx(0.75, rel=1e-15)
    assert elementwise.odds_ratio(0.75, 0.5) == 3.0
    assert elementwise.surprisal(0.5) == LOG_2
    assert elementwise.probability(LOG_2) == 0.5


def test_synapses_are_boolean_gates():
    x, y = BITS
    synapse = elementwise.synapse
    np.testing.assert_array_equal(synapse(x, y), [0, 0, 1, 0])  # x and not y
    np.testing.assert_array_equal(synapse(1.0, y), [1, 0, 1, 0])  # not y
    conjunction = synapse(x, synapse(1.0, y))
    np.testing.assert_array_equal(conjunction, [0, 0, 0, 1])
    neither = synapse(synapse(1.0, x), y)
    np.testing.assert_array_equal(neither, [1, 0, 0, 0])
    either = synapse(1.0, neither)
    np.testing.assert_array_equal(either, [0, 1, 1, 1])
    np.testing.assert_array_equal(synapse(either, conjunction), [0, 1, 1, 0])


def test_chemical_potential_is_minus_gamma():
    v, gamma = np.array([0.2, 1.0, 3.0]), 0.4
    occupation = elementwise.bose_einstein(v, chemical_potential=-gamma)
    p = np.exp(-gamma) * np.exp(-v)
    np.testing.assert_allclose(occupation, p / (1 - p), rtol=1e-14)


def test_surprisal_synapse_is_the_synapse_of_probabilities():
    rng = np.random.default_rng(0)
    x, y, alpha, beta = rng.random((4, 20))
    s = elementwise.synapse(x, y, alpha, beta)
    logs = elementwise.surprisal_synapse(-np.log(x), -np.log(y), -np.log(alpha), -np.log(beta))
    np.testing.assert_allclose(logs, -np.log(s), rtol=1e-13)


def test_swap_ratio_is_the_odds_ratio():
    rng = np.random.default_rng(1)
    x, y, beta = rng.random((3, 20))
    got = elementwise.swap_ratio(x, y, beta)
    np.testing.assert_allclose(got, elementwise.odds_ratio(beta * x, beta * y), rtol=1e-12)


POINTS = [1e-9, 1e-3, 0.25, 0.4999, 0.5, 0.7, 0.999]
FUNCTIONS = {
    "surprisal": POINTS,
    "probability": [*POINTS, 2.0, 30.0],
    "complement": [*POINTS, LOG_2, 2.0, 10.0, 20.0, 30.0],
    "bose_einstein": [*POINTS, 2.0, 30.0],
    "odds": POINTS,
    "expit": [-30.0, -1.0, *POINTS, 2.0, 30.0],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_agrees_with_high_precision_at_moderate_arguments(name):
    for point in FUNCTIONS[name]:
        exact = getattr(high_precision, name)(point)
        assert high_precision.ulp_error(getattr(elementwise, name)(point), exact) <= 4, point


@pytest.mark.parametrize("name", FUNCTIONS)
def test_complex_step_agrees_with_high_precision_derivative(name):
    for point in FUNCTIONS[name]:
        exact = getattr(high_precision, name)
        with mpmath.mp.workdps(30):
            h = mpmath.mpf(point) * mpmath.mpf(10) ** -12
            slope = (exact(mpmath.mpf(point) + h) - exact(mpmath.mpf(point) - h)) / (2 * h)
        got = complex_step(getattr(elementwise, name), (point,), 0, 1.0)
        assert got == pytest.approx(float(slope), rel=1e-12), point


@pytest.mark.parametrize("shapes", [((), (), (), ()), ((3,), (2, 1), (), (2, 3))])
@pytest.mark.parametrize("name", ["synapse", "surprisal_synapse"])
def test_vjp_equals_complex_step(name, shapes):
    rng = np.random.default_rng(2)
    args = [0.1 + rng.random(shape) for shape in shapes]
    grad = rng.normal(size=np.broadcast_shapes(*shapes))
    function = getattr(elementwise, name)
    gradients = getattr(elementwise, f"{name}_vjp")(*args, grad)
    for index, gradient in enumerate(gradients):
        want = complex_step(function, args, index, grad)
        assert gradient.shape == args[index].shape
        np.testing.assert_allclose(gradient, want, rtol=0, atol=1e-12 * np.abs(want).max())


def test_complex_step_agrees_with_central_difference():
    rng = np.random.default_rng(3)
    args, grad = 0.2 + 0.6 * rng.random((4, 5)), rng.normal(size=5)
    for index in range(4):
        exact = complex_step(elementwise.surprisal_synapse, args, index, grad)
        coarse = central_difference(elementwise.surprisal_synapse, args, index, grad)
        np.testing.assert_allclose(coarse, exact, rtol=1e-7, atol=1e-8)
        # a gradient wrong by 0.05 % is told apart
        assert np.abs(coarse - 1.0005 * exact).max() > 1e-5


@pytest.mark.parametrize(
    ("got", "exact", "dtype", "want"),
    [
        (1.0 + 2.0**-52, 1.0, np.float64, 1.0),
        (1.0 + 2.0**-23, 1.0, np.float32, 1.0),
        (0.0, 2.0**-1074, np.float64, 1.0),
        (0.0, 2.0**-149, np.float32, 1.0),
        (np.inf, 1e39, np.float32, 0.0),
        (np.inf, 1e39, np.float64, np.inf),
        (-np.inf, np.inf, np.float64, np.inf),
        (np.nan, np.nan, np.float64, 0.0),
        (np.nan, 1.0, np.float64, np.inf),
    ],
)
def test_ulp_error(got, exact, dtype, want):
    assert high_precision.ulp_error(got, mpmath.mpf(exact), dtype) == want


def test_high_precision_at_the_ends():
    assert high_precision.complement(0.0) == mpmath.inf
    assert high_precision.complement(np.inf) == 0
    assert high_precision.bose_einstein(0.0) == mpmath.inf
    assert high_precision.odds(1.0) == mpmath.inf
    assert high_precision.logit(0.0) == -mpmath.inf
    assert mpmath.isnan(high_precision.surprisal(-1.0))
    assert high_precision.log_transmission([1.0, 0.5], [1.0, 0.5]) == -mpmath.inf
    # G(w) ≈ e^(−w) for large w, far below the digits that 1 − e^(−w) could keep
    assert float(high_precision.complement(700.0)) == pytest.approx(np.exp(-700.0), rel=1e-12)
