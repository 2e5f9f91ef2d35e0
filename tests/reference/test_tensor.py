"""The loops of the tensor reference: formulas, gradients up to the corners, batch axes."""

import itertools

import numpy as np
import pytest

from reference import elementwise, high_precision, tensor
from reference.differentiate import central_difference, complex_step

NEAR_BORDERS = [1e-9, 1e-3, 0.5, 0.999, 1.0 - 1e-9]
CORNERS = [0.0, 1.0, 0.5]
SHAPES = {  # x batch, y batch, m, n
    "no batch": ((), (), 3, 3),
    "rectangular": ((2,), (2,), 4, 2),
    "one input": ((2,), (2,), 3, 1),
    "several axes": ((2, 2), (2, 2), 2, 3),
    "broadcast": ((3,), (2, 1), 2, 3),
}


def arguments(x_batch, y_batch, m, n, values, seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.choice(values, (*x_batch, m)), rng.choice(values, (*y_batch, n))
    grad = rng.normal(size=(*np.broadcast_shapes(x_batch, y_batch), m))
    return (x, y, 0.5 + rng.random(m), rng.choice(values, (m, n))), grad


def assert_gradients(gradients, function, args, grad, difference=complex_step, limit=1e-12):
    for index, gradient in enumerate(gradients):
        want = difference(function, args, index, grad)
        assert gradient.shape == np.shape(args[index])
        largest = max(np.abs(want).max(), np.finfo(float).tiny)
        np.testing.assert_allclose(gradient, want, rtol=0, atol=limit * largest)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("values", [CORNERS, NEAR_BORDERS])
def test_synapse_tensor_vjp_equals_complex_step(shape, values):
    for seed in range(5):
        args, grad = arguments(*SHAPES[shape], values, seed)
        gradients = tensor.synapse_tensor_vjp(*args, grad)
        assert_gradients(gradients, tensor.synapse_tensor, args, grad)


def test_synapse_tensor_vjp_in_every_corner():
    one, largest = np.ones(1), 0.0
    for x, y0, y1, beta0, beta1 in itertools.product([0.0, 1.0], repeat=5):
        args = (np.array([x]), np.array([y0, y1]), one, np.array([[beta0, beta1]]))
        gradients = tensor.synapse_tensor_vjp(*args, one)
        assert_gradients(gradients, tensor.synapse_tensor, args, one)
        largest = max(largest, *(np.abs(g).max() for g in gradients))
    assert largest == 1.0


def test_gradient_at_a_closed_factor_is_not_zero():
    y, beta = np.array([1.0, 0.5]), np.array([[1.0, 0.5]])
    assert tensor.synapse_tensor(np.ones(1), y, np.ones(1), beta) == 0.0
    _, gy, _, gbeta = tensor.synapse_tensor_vjp(np.ones(1), y, np.ones(1), beta, np.ones(1))
    np.testing.assert_array_equal(gy, [-0.75, 0.0])
    np.testing.assert_array_equal(gbeta, [[-0.75, 0.0]])


def test_numbers_stand_for_constant_arrays():
    args, grad = arguments((2,), (2,), 3, 4, NEAR_BORDERS)
    _, y, _, beta = args
    full = tensor.synapse_tensor_vjp(np.full((2, 3), 0.7), y, np.full(3, 0.9), beta, grad)
    short = tensor.synapse_tensor_vjp(0.7, y, 0.9, beta, grad)
    for got, want in zip(short, full, strict=True):
        np.testing.assert_allclose(np.sum(got), np.sum(want), rtol=1e-12, atol=1e-15)
    assert short[0].shape == short[2].shape == ()


@pytest.mark.parametrize("shape", SHAPES)
def test_surprisal_synapse_tensor_vjp_equals_complex_step(shape):
    for seed, values in enumerate([[1e-6, 0.1, 0.7, 5.0], [0.3, 40.0, 200.0], [0.0, 2.0, 300.0]]):
        (u, v, theta, gamma), grad = arguments(*SHAPES[shape], values, seed)
        # γ > 0: no occupation is infinite. γ + v ≤ 600: e^(−600) times the step does not underflow.
        args = (u, v, theta, gamma + 1e-6)
        gradients = tensor.surprisal_synapse_tensor_vjp(*args, grad)
        assert_gradients(gradients, tensor.surprisal_synapse_tensor, args, grad)


@pytest.mark.parametrize("shape", SHAPES)
def test_log_transmission_vjp_and_jvp_near_the_borders(shape):
    (_, y, _, beta), _ = arguments(*SHAPES[shape], NEAR_BORDERS)
    rng = np.random.default_rng(1)
    grad = rng.normal(size=(*y.shape[:-1], len(beta)))
    gradients = tensor.log_transmission_vjp(y, beta, grad)
    assert_gradients(gradients, tensor.log_transmission, (y, beta), grad)
    dy, dbeta = rng.normal(size=y.shape), rng.normal(size=beta.shape)
    tangent = tensor.log_transmission_jvp(y, beta, dy, dbeta)
    pushed = np.sum(grad * tangent)
    pulled = np.sum(gradients[0] * dy) + np.sum(gradients[1] * dbeta)
    scale = sum(np.abs(g).sum() for g in gradients)
    assert pushed == pytest.approx(pulled, rel=0, abs=1e-12 * scale)


def test_log_transmission_at_a_closed_factor():
    y, beta = np.array([1.0, 0.5]), np.array([[1.0, 0.5]])
    np.testing.assert_array_equal(tensor.log_transmission(y, beta), [-np.inf])
    np.testing.assert_array_equal(tensor.contributions(y, beta)[0], [np.inf, -np.log(0.75)])
    gy, gbeta = tensor.log_transmission_vjp(y, beta, np.ones(1))
    assert gy[0] == gbeta[0, 0] == -(2.0**53)
    assert tensor.log_transmission_jvp(y, beta, np.array([1.0, 0.0]), 0.0) == -(2.0**53)


@pytest.mark.parametrize("name", ["synapse_tensor", "surprisal_synapse_tensor"])
def test_complex_step_agrees_with_central_difference(name):
    args, grad = arguments((2,), (2,), 3, 4, [0.2, 0.4, 0.7])
    function = getattr(tensor, name)
    gradients = getattr(tensor, f"{name}_vjp")(*args, grad)
    assert_gradients(gradients, function, args, grad, central_difference, limit=1e-7)
    for index in range(4):
        wrong = 1.0005 * gradients[index]  # 0.05 % must be caught
        want = central_difference(function, args, index, grad)
        assert np.abs(wrong - want).max() > 1e-5 * np.abs(want).max()


def test_one_input_is_the_elementwise_synapse():
    args, _ = arguments((5,), (5,), 1, 1, NEAR_BORDERS)
    got = tensor.synapse_tensor(*args)
    np.testing.assert_array_equal(got, elementwise.synapse(*args))


def test_logarithm_and_surprisal_space_agree_with_the_product():
    args, _ = arguments((4,), (4,), 3, 6, [0.1, 0.5, 0.9])
    x, y, alpha, beta = args
    log_s = np.log(tensor.synapse_tensor(*args))
    through_t = np.log(alpha) + np.log(x) + tensor.log_transmission(y, beta)
    np.testing.assert_allclose(through_t, log_s, rtol=1e-13)
    z = tensor.surprisal_synapse_tensor(*(-np.log(a) for a in args))
    np.testing.assert_allclose(z, -log_s, rtol=1e-13)
    parts = tensor.contributions(y, beta)
    assert parts.shape == (4, 3, 6)
    np.testing.assert_allclose(parts.sum(-1), -tensor.log_transmission(y, beta), rtol=1e-14)


def test_each_sample_stands_on_its_own():
    args, _ = arguments((2, 3), (2, 3), 3, 4, NEAR_BORDERS)
    x, y, alpha, beta = args
    together = tensor.synapse_tensor(*args)
    for place in np.ndindex(2, 3):
        alone = tensor.synapse_tensor(x[place], y[place], alpha, beta)
        np.testing.assert_array_equal(together[place], alone)


def test_empty_axes():
    assert tensor.log_transmission(np.ones((0, 3)), np.ones((2, 3))).shape == (0, 2)
    np.testing.assert_array_equal(
        tensor.log_transmission(np.ones((2, 0)), np.ones((3, 0))), np.zeros((2, 3))
    )
    gradients = tensor.synapse_tensor_vjp(
        np.ones((0, 2)), np.ones((0, 3)), np.ones(2), np.ones((2, 3)), np.ones((0, 2))
    )
    assert [g.shape for g in gradients] == [(0, 2), (0, 3), (2,), (2, 3)]
    np.testing.assert_array_equal(gradients[3], 0.0)


@pytest.mark.parametrize("value", [0.5, 0.999, 1e-3])
def test_sum_stays_near_high_precision(value):
    y, beta = np.full(200, value), np.full((1, 200), value)
    exact = high_precision.log_transmission(y, beta[0])
    # 200 rounded terms: errors add up at worst, and 1 − βy magnifies that of βy
    limit = 200 + 200 / (1 - value**2)
    assert high_precision.ulp_error(tensor.log_transmission(y, beta)[0], exact) <= limit
