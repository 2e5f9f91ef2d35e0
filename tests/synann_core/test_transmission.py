"""The log-transmission and its parts: values, derivatives, boundaries, and who computes it."""

import numpy as np
import pytest

import reference.tensor as slow
import synann_core as syn
from tests.helpers import EPS, assert_close, assert_relative
from tests.synann_core.test_tensor import case, on, tolerance

pytestmark = [pytest.mark.kernel_branches, pytest.mark.jax_alternates]


@pytest.mark.parametrize(
    ("index", "dtype"), [(k, "float64") for k in (0, 2, 3, 8, 9, 10)] + [(2, "float32")]
)
def test_log_transmission_and_its_derivatives(xp, dtype, index):
    _, y, _, beta, grad = case(index, dtype)
    arrays = on(xp, (y, beta), dtype)
    want = slow.log_transmission(y, beta)
    value = xp.call(syn.log_transmission, *arrays)
    xp.check(value, dtype, want.shape)
    assert_relative(xp.to_numpy(value), want, tolerance(dtype, beta.shape[1]))

    wants = slow.log_transmission_vjp(y, beta, grad)
    gradients = xp.call(syn.log_transmission_vjp, *arrays, xp.asarray(grad, dtype))
    for got, want in zip(gradients, wants, strict=True):
        xp.check(got, dtype, want.shape)
        assert_close(xp.to_numpy(got), want, tolerance(dtype, *grad.shape, 4))

    rng = np.random.default_rng(index)
    dy, dbeta = rng.normal(size=y.shape), rng.normal(size=beta.shape)
    tangent = xp.call(syn.log_transmission_jvp, *arrays, *on(xp, (dy, dbeta), dtype))
    want = slow.log_transmission_jvp(y, beta, dy, dbeta)
    xp.check(tangent, dtype, want.shape)
    # dy and dβ are rounded to the dtype here: one more relative eps per term.
    scale = slow.log_transmission_jvp(y, beta, -np.abs(dy), -np.abs(dbeta))
    assert_close(xp.to_numpy(tangent), want, tolerance(dtype, beta.shape[1]), scale=scale)

    parts = xp.to_numpy(xp.call(syn.contributions, *arrays))
    assert_relative(parts, slow.contributions(y, beta), 16 * EPS[dtype])
    assert_relative(
        parts.sum(-1, dtype=np.float64),
        -xp.to_numpy(value),
        tolerance(dtype, max(1, beta.shape[1])),
    )


def test_boundary_contributions(xp, dtype):
    got = xp.call(syn.contributions, *on(xp, ([0.0, 1.0, 0.5], [[1.0, 1.0, 0.0]]), dtype))
    np.testing.assert_array_equal(xp.to_numpy(got), [[0.0, np.inf, 0.0]])


@pytest.mark.needs_kernels
def test_variant_is_named(xp):
    y, beta = xp.asarray(np.ones(3)), xp.asarray(np.ones((2, 3)))
    want = "array-api"
    if xp.name in ("numpy", "numpy-readonly", "torch", "jax", "jax-jit"):
        want = "native"
    if xp.name in ("torch-cuda", "cupy"):
        want = "triton"
    assert syn.log_transmission_variant(y, beta) == want
