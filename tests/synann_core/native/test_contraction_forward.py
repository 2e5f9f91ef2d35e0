"""The compiled sum of logarithms, called as its host calls it."""

import numpy as np
import pytest

from synann_core.contraction.native import _scaling
from synann_core.native.contraction_forward import log_product_block, log_product_open


def arguments(rows, m, n, kind):
    rng = np.random.default_rng(n)
    y, beta = rng.random((rows, n), kind), rng.random((m, n), kind)
    return y, beta, np.log1p(-(y[:, None, :].astype(float) * beta)).sum(-1)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 31, 32, 33, 70])
def test_sums_of_logarithms_with_every_remainder(kind, n):
    y, beta, want = arguments(3, 5, n, kind)
    out = np.full((3, 5), np.nan, kind)
    assert log_product_open(y, beta, _scaling(kind, None), out)
    assert np.allclose(out, want, rtol=20 * np.finfo(kind).eps, atol=0)


def test_a_block_leaves_the_rest_alone():
    y, beta, want = arguments(4, 6, 40, np.float64)
    out = np.full((4, 6), 7.0)
    bounds = (1, 3, 2, 5)
    log_product_block(y, None, beta, None, None, None, _scaling(np.float64, None), out, *bounds)
    assert np.allclose(out[1:3, 2:5], want[1:3, 2:5], rtol=1e-14, atol=0)
    out[1:3, 2:5] = 7.0
    assert (out == 7.0).all()


@pytest.mark.parametrize("bad", [1.5, -0.1, np.nan])
def test_values_outside_the_domain_are_reported(bad):
    y, beta, _ = arguments(2, 2, 8, np.float64)
    y[1, 3] = bad
    assert not log_product_open(y, beta, _scaling(np.float64, None), np.empty((2, 2)))


def test_a_closed_factor_is_reported():
    y, beta, _ = arguments(2, 2, 8, np.float64)
    y[1, 3] = beta[0, 3] = 1.0
    assert not log_product_open(y, beta, _scaling(np.float64, None), np.empty((2, 2)))
