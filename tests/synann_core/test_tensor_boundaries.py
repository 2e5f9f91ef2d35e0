"""Corners, closed factors, NaN and dtypes of the synapse tensor."""

import itertools

import mpmath
import numpy as np
import pytest

import reference.tensor as slow
import synann_core as syn
from tests.helpers import EPS, TINY, assert_close, assert_relative
from tests.synann_core.test_tensor import on

pytestmark = pytest.mark.jax_alternates

CORNERS = [0.0, 1.0]


def every_corner(m, n):
    """All y and β of 0s and 1s: y as rows of a batch, β one after the other."""
    ys = np.array(list(itertools.product(CORNERS, repeat=n)))
    for beta in itertools.product(CORNERS, repeat=m * n):
        yield ys, np.reshape(beta, (m, n))


def check_corner(xp, dtype, x, y, alpha, beta, grad):
    arrays = on(xp, (x, y, alpha, beta), dtype)
    value = xp.to_numpy(xp.call(syn.synapse_tensor, *arrays))
    assert_close(value, slow.synapse_tensor(x, y, alpha, beta), 4 * EPS[dtype], scale=1)
    gradients = xp.call(syn.synapse_tensor_vjp, *arrays, xp.asarray(grad, dtype))
    # Each sample in turn, so that no error hides behind another one's size.
    for got, want in zip(gradients, slow.synapse_tensor_vjp(x, y, alpha, beta, grad), strict=True):
        assert_close(xp.to_numpy(got), want, 8 * EPS[dtype], scale=max(len(y), 1))


def test_every_corner_follows_the_product_rule(xp, dtype):
    rng = np.random.default_rng(0)
    for y, beta in every_corner(2, 2):
        x, grad = rng.random((len(y), 2)), rng.normal(size=(len(y), 2))
        exact = (a.astype(dtype).astype(float) for a in (x, y, rng.random(2), beta, grad))
        check_corner(xp, dtype, *exact)


def test_corners_of_the_excitation_too(xp, dtype):
    for x, alpha in itertools.product(CORNERS, CORNERS):
        ys = np.array(list(itertools.product(CORNERS, repeat=3)))
        xs, grad = np.full((len(ys), 1), x), np.ones((len(ys), 1))
        check_corner(xp, dtype, xs, ys, np.array([alpha]), np.array([[1.0, 0.0, 1.0]]), grad)


@pytest.mark.parametrize("closed", [1, 2, 3])
def test_closed_factors_among_ordinary_ones(xp, dtype, closed):
    """With one closed factor the others' product is the slope; with two there is none."""
    rng = np.random.default_rng(closed)
    x, y, alpha = rng.random((6, 3)), rng.random((6, 40)), rng.random(3)
    beta, grad = rng.uniform(0, 0.1, (3, 40)), rng.normal(size=(6, 3))
    y[2, 7 : 7 + closed] = beta[1, 7 : 7 + closed] = 1
    arguments = [a.astype(dtype).astype(float) for a in (x, y, alpha, beta, grad)]
    check_corner(xp, dtype, *arguments)
    # The gradient of this sample alone is not small, and it is right entry by entry.
    x, y, alpha, beta, grad = arguments
    one = (x[2:3], y[2:3], alpha, beta, grad[2:3])
    gy = xp.to_numpy(xp.call(syn.synapse_tensor_vjp, *on(xp, one, dtype))[1])
    assert_relative(gy, slow.synapse_tensor_vjp(*one)[1], 256 * EPS[dtype])


def test_surprisal_gradients_are_capped_and_never_nan(xp, dtype):
    v = np.array([[0.0, 1.0], [0.0, 0.0], [np.inf, 0.5]])
    gamma = np.array([[0.0, 0.5], [0.0, np.inf]])
    u = np.zeros((3, 2))
    arrays = on(xp, (u, v, np.zeros(2), gamma), dtype)
    z = xp.to_numpy(xp.call(syn.surprisal_synapse_tensor, *arrays))
    np.testing.assert_array_equal(np.isinf(z), [[True, True], [True, True], [False, False]])
    gradients = xp.call(syn.surprisal_synapse_tensor_vjp, *arrays, xp.asarray(u + 1, dtype))
    cap = EPS[dtype] / TINY[dtype]
    for gradient in xp.to_numpy(gradients):
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() <= 4 * cap
    gv = xp.to_numpy(gradients[1])
    np.testing.assert_allclose(gv[:2, 0], -2 * cap, rtol=1e-5)
    np.testing.assert_allclose(gv[2], [0, -1 / np.expm1(1.0)], rtol=1e-5)


@pytest.mark.parametrize("name", ["x", "y"])
def test_nan_stays_in_its_row(xp, dtype, name):
    rng = np.random.default_rng(2)
    shapes = {"x": (3, 2), "y": (3, 4), "alpha": (2,), "beta": (2, 4)}
    arguments = {name: rng.random(shape) for name, shape in shapes.items()}
    arguments[name][1, 0] = np.nan
    s = xp.to_numpy(xp.call(syn.synapse_tensor, *on(xp, arguments.values(), dtype)))
    want = np.zeros((3, 2), dtype=bool)
    want[1, : 1 if name == "x" else 2] = True
    np.testing.assert_array_equal(np.isnan(s), want)


def test_nan_above_one(xp, dtype):
    y, beta = np.array([[2.0, 3.0], [2.0, 0.5]]), np.array([[1.0, 1.0], [0.25, 0.125]])
    arrays = [1.0, *on(xp, (y,), dtype), 1.0, *on(xp, (beta,), dtype)]
    s = xp.to_numpy(xp.call(syn.synapse_tensor, *arrays))
    np.testing.assert_array_equal(np.isnan(s), [[True, False], [True, False]])
    parts = xp.to_numpy(xp.call(syn.contributions, *on(xp, (y, beta), dtype)))
    np.testing.assert_array_equal(np.isnan(parts[0]), [[True, True], [False, False]])


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_16_bit_floats_are_computed_in_float32(xp, half):
    """Not a rounding per factor: the result is the float32 result, rounded once."""
    if half == "bfloat16" and not xp.name.startswith(("torch", "jax")):
        return  # NumPy and the standard have no such type
    if xp.name.startswith("strict"):
        return  # the standard has no float16 either
    rng = np.random.default_rng(0)
    shapes = [(5, 3), (5, 200), (3,), (3, 200), (5, 3)]
    low = [xp.asarray(rng.random(shape) * 0.5, half) for shape in shapes]
    high = [xp.asarray(xp.to_numpy(a), "float32") for a in low]
    s = xp.call(syn.synapse_tensor, *low[:4])
    xp.check(s, half, (5, 3))
    want = xp.to_numpy(xp.call(syn.synapse_tensor, *high[:4]))
    assert_close(xp.to_numpy(s), want, EPS[half] / 2, scale=np.abs(want) + 2.0**-14)
    wants = xp.to_numpy(xp.call(syn.synapse_tensor_vjp, *high))
    for got, want in zip(xp.call(syn.synapse_tensor_vjp, *low), wants, strict=True):
        xp.check(got, half, want.shape)
        assert_close(xp.to_numpy(got), want, EPS[half] / 2, scale=np.abs(want) + 2.0**-14)
    single = xp.call(syn.surprisal, low[0])
    xp.check(single, half, (5, 3))


def test_mixed_dtypes(xp):
    rng = np.random.default_rng(0)
    dtypes = ("float32", "float64", "float32", "float64")
    values = [rng.random((5, 3)), rng.random((5, 4)), rng.random(3), rng.random((3, 4))]
    arrays = [xp.asarray(a, d) for a, d in zip(values, dtypes, strict=True)]
    exact = [v.astype(d).astype(float) for v, d in zip(values, dtypes, strict=True)]
    s = xp.call(syn.synapse_tensor, *arrays)
    xp.check(s, "float64", (5, 3))
    assert_relative(xp.to_numpy(s), slow.synapse_tensor(*exact), 20 * EPS["float64"])
    gradients = xp.call(syn.synapse_tensor_vjp, *arrays, xp.asarray(np.ones((5, 3)), "float32"))
    wants = slow.synapse_tensor_vjp(*exact, np.ones((5, 3)))
    for got, want, dtype in zip(gradients, wants, dtypes, strict=True):
        xp.check(got, dtype, want.shape)
        assert_close(xp.to_numpy(got), want, 20 * EPS[dtype])
    xp.check(xp.call(syn.log_transmission, arrays[0], arrays[3][:, :3]), "float64", (5, 3))


def test_float32_stays_float32_everywhere(xp):
    p = xp.asarray([0.25, 0.5], "float32")
    for name in ("surprisal", "probability", "complement", "odds", "logit", "expit"):
        xp.check(xp.call(getattr(syn, name), p), "float32", (2,))
    for function in (syn.odds_ratio, syn.swap_ratio, syn.synapse, syn.surprisal_synapse):
        xp.check(xp.call(function, p, 0.5), "float32", (2,))
        xp.check(xp.call(function, 0.5, p), "float32", (2,))


def test_arguments_are_left_alone():
    rng = np.random.default_rng(0)
    arguments = [rng.random((5, 3)), rng.random((5, 4)), rng.random(3), rng.random((3, 4))]
    before = [a.copy() for a in arguments]
    syn.synapse_tensor(*arguments)
    syn.synapse_tensor_vjp(*arguments, np.ones((5, 3)))
    for argument, copy in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(argument, copy)


def test_surprisal_of_the_smallest_numbers(xp, dtype):
    """One input down to the smallest normal number, far below the floor of its gradient."""
    v = np.geomspace(float(np.finfo(dtype).tiny), 1.0, 200).astype(dtype)
    if xp.is_jax:
        v = v[1:]  # XLA may flush the last one to zero
    zero = xp.asarray(np.zeros(1), dtype)
    z = xp.call(
        syn.surprisal_synapse_tensor, zero, xp.asarray(v[:, None], dtype), zero, zero[None, :]
    )
    exact = np.array([float(-mpmath.log(-mpmath.expm1(-mpmath.mpf(float(w))))) for w in v])
    assert_close(xp.to_numpy(z)[:, 0], exact, 11 * EPS[dtype], scale=exact)
