"""The compiled gradients of the sum of logarithms, a strip of inputs at a time."""

import numpy as np
import pytest

from synann_core.native.contraction_backward import COLUMNS, gradient_strip


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 127, 128, 129])
def test_strips_make_up_the_gradients(kind, n):
    rng = np.random.default_rng(n)
    y, beta, grad = (rng.random(s, kind) for s in ((5, n), (3, n), (5, 3)))
    gy, gbeta = np.full_like(y, np.nan), np.full_like(beta, np.nan)
    floor = kind(np.finfo(kind).eps / 2)
    for start in range(0, n, COLUMNS):
        gradient_strip(y, None, beta, None, grad, floor, None, gy, gbeta, start)
    f = 1 - y[:, None, :].astype(float) * beta
    ratio = -grad[..., None] / f
    tolerance = 40 * np.finfo(kind).eps
    assert np.allclose(gy, (ratio * beta).sum(1), rtol=tolerance, atol=tolerance)
    assert np.allclose(gbeta, (ratio * y[:, None, :]).sum(0), rtol=tolerance, atol=tolerance)


def test_a_closed_factor_is_divided_by_the_floor():
    one, floor = np.ones((1, 1)), 2.0**-53
    gy, gbeta = np.empty((1, 1)), np.empty((1, 1))
    gradient_strip(one, None, one, None, one, floor, None, gy, gbeta, 0)
    assert gy[0, 0] == gbeta[0, 0] == -1 / floor
