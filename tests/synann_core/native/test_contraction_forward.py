"""The compiled sum of logarithms, called as its host calls it."""

import numpy as np
import pytest

from synann_core.native.host import kernels


def arguments(rows, m, n, kind, power=1):
    rng = np.random.default_rng(n)
    y, beta = (rng.random(s).astype(kind) ** power for s in ((rows, n), (m, n)))
    return y, beta, np.log1p(-(y[:, None, :].astype(np.longdouble) * beta)).sum(-1)


def log_product(y, beta, bounds=None, careful=0, floor=0.0):
    out = np.full((y.shape[0], beta.shape[0]), 7, y.dtype)
    bounds = bounds or (0, out.shape[0], 0, out.shape[1])
    return out, kernels.log_product(y, None, beta, None, out, *bounds, careful, floor)


@pytest.mark.parametrize("power", [1, 16])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 31, 32, 33, 70, 127, 128, 129, 300])
@pytest.mark.parametrize(("rows", "m"), [(3, 5), (70, 2), (5, 33)])
def test_sums_of_logarithms_with_every_remainder(kind, n, rows, m, power):
    y, beta, want = arguments(rows, m, n, kind, power)
    out, opened = log_product(y, beta)
    assert opened
    assert np.allclose(out, want, rtol=20 * np.finfo(kind).eps, atol=np.finfo(kind).tiny)
    whole = np.full_like(out, np.nan)
    # It leaves sums of products that may be subnormal to its caller.
    limits = np.finfo(kind)
    faint = (out < 0) & (out > -limits.tiny / limits.eps)
    assert kernels.log_product_open(y, beta, whole) == (not faint.any())
    assert faint.any() or np.array_equal(whole, out)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_faint_sums_are_refused(kind):
    limits = np.finfo(kind)
    y, beta, out = np.ones((2, 3), kind), np.full((1, 3), 0.5, kind), np.empty((2, 1), kind)
    for size, opened in ((0, 1), (limits.tiny, 0), (4 * limits.tiny / limits.eps, 1)):
        y[1] = size
        assert kernels.log_product_open(y, beta, out) == opened
        assert kernels.log_product(y, None, beta, None, out, 0, 2, 0, 1, 2, 0.0) == opened
        assert kernels.log_product(y, None, beta, None, out, 0, 2, 0, 1, 0, 0.0) == 1


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_bits_do_not_depend_on_the_way_that_was_taken(kind):
    """Nor on which side lies in vectors: products alone, or with their complements."""
    y, beta, _ = arguments(40, 40, 300, kind)
    y[::3] **= 32  # blocks that need their complements, in some rows only
    y[1::3] = 1 - y[1::3] ** 64  # and products that underflow
    beta[::7] **= 32
    out, _ = log_product(y, beta)
    for careful in (0, 1):
        assert np.array_equal(log_product(y, beta, None, careful)[0], out)
    for k in range(40):
        assert np.array_equal(log_product(y[k : k + 1], beta)[0], out[k : k + 1])
        assert np.array_equal(log_product(y, beta[k : k + 1])[0], out[:, k : k + 1])
    assert np.array_equal(log_product(beta, y)[0], out.T)


def test_a_block_leaves_the_rest_alone():
    y, beta, want = arguments(4, 6, 40, np.float64)
    out, _ = log_product(y, beta, (1, 3, 2, 5))
    assert np.allclose(out[1:3, 2:5], want[1:3, 2:5].astype(float), rtol=1e-14, atol=0)
    out[1:3, 2:5] = 7
    assert (out == 7).all()


@pytest.mark.parametrize("bad", [1.5, -0.1, np.nan, np.inf])
@pytest.mark.parametrize("at", [0, 3, 15])
def test_values_outside_the_domain_are_reported(bad, at):
    y, beta, _ = arguments(2, 2, 16, np.float64)
    for a in (y, beta):
        a[1, at], kept = bad, a[1, at]
        assert kernels.log_product_open(y, beta, np.empty((2, 2))) == 0
        a[1, at] = kept


def test_a_closed_factor_is_reported():
    y, beta, _ = arguments(2, 2, 300, np.float64)
    y[1, 3] = beta[0, 3] = 1.0
    assert kernels.log_product_open(y, beta, np.empty((2, 2))) == 0
    out, opened = log_product(y, beta)
    assert not opened
    assert np.argwhere(np.isneginf(out)).tolist() == [[1, 0]]
    guarded, opened = log_product(y, beta, floor=1e-300)
    assert opened
    open_ones = np.isfinite(out)
    assert np.array_equal(guarded[open_ones], out[open_ones])
    assert guarded[1, 0] < np.log(1e-300)
