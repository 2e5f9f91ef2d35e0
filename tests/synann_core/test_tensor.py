"""The synapse tensor against the slow reference: values, gradients, tangents, contributions."""

import functools

import numpy as np
import pytest

import reference.tensor as slow
import synann_core as syn
from reference.differentiate import central_difference, complex_step
from tests.helpers import EPS, assert_close, assert_relative

pytestmark = [pytest.mark.kernel_branches, pytest.mark.jax_alternates]

# (batch axes of x, batch axes of y, m, n); None: a 0-d x and alpha
SHAPES = [
    ((), (), 3, 4),
    ((5,), (5,), 4, 4),
    ((2, 3), (2, 3), 2, 35),
    ((), (4,), 3, 2),
    ((2, 1), (3,), 2, 3),
    (None, (3,), 2, 3),
    ((3,), (3,), 1, 5),
    ((3,), (3,), 4, 1),
    ((3,), (3,), 2, 0),
    ((3,), (3,), 0, 2),
    ((0,), (0,), 2, 3),
    ((2, 0), (2, 0), 0, 0),
]
IDS = [f"{x}-{y}-{m}-{n}".replace(" ", "") for x, y, m, n in SHAPES]


@functools.cache
def case(index, dtype, surprisals=False):
    """Arguments and upstream gradient of one shape: float64 arrays of exact `dtype` values."""
    x_batch, y_batch, m, n = SHAPES[index]
    rng = np.random.default_rng(index)
    draw = rng.exponential if surprisals else rng.random
    x = draw(size=() if x_batch is None else (*x_batch, m))
    alpha = draw(size=() if x_batch is None else (m,))
    batch = np.broadcast_shapes(x_batch or (), y_batch)
    y, beta, grad = draw(size=(*y_batch, n)), draw(size=(m, n)), rng.normal(size=(*batch, m))
    return [
        np.asarray(a.astype(dtype), dtype=np.float64)
        for a in map(np.asarray, (x, y, alpha, beta, grad))
    ]


def broadcast(x, y, alpha, beta):
    """The arguments with all their axes, as the reference wants them."""
    m, n = beta.shape
    batch = np.broadcast_shapes(x.shape[:-1], y.shape[:-1])
    return (
        np.broadcast_to(x, (*batch, m)),
        np.broadcast_to(y, (*batch, n)),
        np.broadcast_to(alpha, (m,)),
        beta,
    )


def undo(gradient, like):
    """Sum a gradient over the axes along which its argument was repeated."""
    gradient = gradient.sum(tuple(range(gradient.ndim - like.ndim)))
    axes = tuple(k for k, size in enumerate(like.shape) if size == 1)
    return gradient.sum(axes, keepdims=True)


def on(xp, arrays, dtype):
    return [xp.asarray(a, dtype) for a in arrays]


def tolerance(dtype, *sizes):
    """A few roundings for each of the terms that are added, √ as they are independent."""
    return (10 + 4 * np.sqrt(np.prod(sizes))) * EPS[dtype]


TENSORS = {
    "probability": (
        syn.synapse_tensor,
        syn.synapse_tensor_vjp,
        slow.synapse_tensor,
        slow.synapse_tensor_vjp,
    ),
    "surprisal": (
        syn.surprisal_synapse_tensor,
        syn.surprisal_synapse_tensor_vjp,
        slow.surprisal_synapse_tensor,
        slow.surprisal_synapse_tensor_vjp,
    ),
}


# Shapes are tried in float64, numerics in both (JAX compiles each of these for a second).
SHAPES_AND_DTYPES = [(k, "float64") for k in range(len(SHAPES))] + [(2, "float32"), (4, "float32")]
SHAPE_IDS = [f"{IDS[k]}-{dtype}" for k, dtype in SHAPES_AND_DTYPES]


@pytest.mark.parametrize("space", TENSORS)
@pytest.mark.parametrize(("index", "dtype"), SHAPES_AND_DTYPES, ids=SHAPE_IDS)
def test_values_and_gradients(xp, dtype, index, space):
    function, vjp, slow_function, slow_vjp = TENSORS[space]
    *arguments, grad = case(index, dtype, space == "surprisal")
    arrays = on(xp, arguments, dtype)
    full = broadcast(*arguments)
    want = slow_function(*full)
    value = xp.call(function, *arrays)
    xp.check(value, dtype, want.shape)
    assert_relative(xp.to_numpy(value), want, tolerance(dtype, arguments[3].shape[1]))
    wants = slow_vjp(*full, np.broadcast_to(grad, want.shape))
    gradients = xp.call(vjp, *arrays, xp.asarray(grad, dtype))
    for got, argument, whole in zip(gradients, arguments, wants, strict=True):
        xp.check(got, dtype, argument.shape)
        assert_close(xp.to_numpy(got), undo(whole, argument), tolerance(dtype, *grad.shape, 4))


@pytest.mark.parametrize("number", [1, 0.5])
def test_python_numbers_for_x_and_alpha(xp, dtype, number):
    _, y, _, beta, grad = case(1, dtype)
    y_, beta_, grad_ = on(xp, (y, beta, grad), dtype)
    value = xp.call(syn.synapse_tensor, number, y_, number, beta_)
    full = broadcast(np.asarray(float(number)), y, np.asarray(float(number)), beta)
    xp.check(value, dtype, grad.shape)
    assert_relative(xp.to_numpy(value), slow.synapse_tensor(*full), tolerance(dtype, 4))
    got = xp.call(syn.synapse_tensor_vjp, number, y_, number, beta_, grad_)
    wants = slow.synapse_tensor_vjp(*full, grad)
    wants = (wants[0].sum(), wants[1], wants[2].sum(), wants[3])
    for result, want in zip(got, wants, strict=True):
        xp.check(result, dtype, want.shape)
        assert_close(xp.to_numpy(result), want, tolerance(dtype, 20, 4), scale=20)


@pytest.mark.parametrize("space", TENSORS)
@pytest.mark.parametrize("index", [0, 2])
def test_gradients_against_complex_step(xp, space, index):
    """Each float64 gradient to 1e-12 of its largest entry, from nothing but the forward formula."""
    vjp = TENSORS[space][1]
    *arguments, grad = case(index, "float64", space == "surprisal")
    gradients = xp.call(vjp, *on(xp, (*arguments, grad), "float64"))
    for k, got in enumerate(gradients):
        assert_close(xp.to_numpy(got), exact_gradient(space, index, k), 1e-12)


@functools.cache
def exact_gradient(space, index, argument):
    *arguments, grad = case(index, "float64", space == "surprisal")
    return complex_step(TENSORS[space][2], arguments, argument, grad)


@pytest.mark.parametrize("low", [0.0, 0.999])
def test_gradients_against_central_differences_near_the_borders(low):
    """On our own forward function, so that value and gradient belong together."""
    rng = np.random.default_rng(3)
    y, beta = (
        rng.uniform(low + 1e-4, low + 9e-4, (2, 3)),
        rng.uniform(low + 1e-4, low + 9e-4, (2, 3)),
    )
    grad = rng.normal(size=(2, 2))
    gradients = syn.log_transmission_vjp(y, beta, grad)
    for k, got in enumerate(gradients):
        want = central_difference(syn.log_transmission, (y, beta), k, grad, step=1e-8)
        # T ≈ n log(1 − βy) is rounded to eps|T|, over a step of 1e-8; the next order is step²/f³.
        assert_close(got, want, 1e-6)


def test_adjoint_of_the_tangent_is_the_gradient(xp, dtype):
    rng = np.random.default_rng(4)
    y, beta = rng.random((2, 6, 6)).astype(dtype)
    dy, dbeta, grad = rng.normal(size=(3, 6, 6)).astype(dtype)
    tangent = xp.call(syn.log_transmission_jvp, *on(xp, (y, beta, dy, dbeta), dtype))
    gy, gbeta = xp.call(syn.log_transmission_vjp, *on(xp, (y, beta, grad), dtype))
    left = (xp.to_numpy(tangent) * np.float64(grad)).sum()
    right = (xp.to_numpy(gy) * np.float64(dy)).sum() + (
        xp.to_numpy(gbeta) * np.float64(dbeta)
    ).sum()
    y, beta = np.float64(y)[:, None, :], np.float64(beta)
    terms = (np.abs(beta * dy[:, None, :]) + np.abs(y * dbeta)) / (1 - y * beta)
    scale = (np.abs(grad) * terms.sum(-1)).sum()
    assert abs(left - right) <= 8 * EPS[dtype] * scale
    assert abs(left) > 1e-3 * scale  # not two zeros


def test_the_surprisal_tensor_is_minus_the_log_of_the_other(xp):
    rng = np.random.default_rng(7)
    u, v = rng.exponential(size=(4, 3)), rng.exponential(size=(4, 50))
    theta, gamma = rng.exponential(size=3), rng.uniform(1, 4, size=(3, 50))
    z = xp.call(syn.surprisal_synapse_tensor, *on(xp, (u, v, theta, gamma), "float64"))
    arguments = on(xp, (np.exp(-u), np.exp(-v), np.exp(-theta), np.exp(-gamma)), "float64")
    s = xp.call(syn.synapse_tensor, *arguments)
    assert_relative(xp.to_numpy(z), -np.log(xp.to_numpy(s)), 64 * EPS["float64"])
    # ... and the log output needs no function of its own.
    log_s = -theta - u + xp.to_numpy(xp.call(syn.log_transmission, arguments[1], arguments[3]))
    assert_relative(xp.to_numpy(z), -log_s, 64 * EPS["float64"])


def test_log_output_survives_where_the_product_underflows(xp):
    half, beta = np.full((1, 784), 0.5), np.full((2, 784), 0.5)
    s = xp.call(
        syn.synapse_tensor, 1.0, *on(xp, (half,), "float32"), 1.0, xp.asarray(beta, "float32")
    )
    log_s = xp.call(syn.log_transmission, *on(xp, (half, beta), "float32"))
    np.testing.assert_array_equal(xp.to_numpy(s), 0)
    assert_relative(xp.to_numpy(log_s), np.full((1, 2), 784 * np.log(0.75)), 38 * EPS["float32"])
