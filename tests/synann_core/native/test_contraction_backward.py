"""The compiled gradients of the sum of logarithms, a strip of inputs at a time."""

import numpy as np
import pytest

from synann_core.native.host import kernels


def gradients(y, beta, grad, width=64, careful=0):
    """By strips of `width` inputs."""
    gy, gbeta = np.full_like(y, np.nan), np.full_like(beta, np.nan)
    floor, n = float(np.finfo(y.dtype).eps / 2), y.shape[1]
    for start in range(0, n, width):
        bounds = start, min(start + width, n)
        kernels.gradients(y, None, beta, None, grad, gy, gbeta, *bounds, careful, floor)
    return gy, gbeta


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 63, 64, 65, 128, 129])
@pytest.mark.parametrize(("rows", "m"), [(1, 40), (5, 3), (131, 33), (300, 1)])
def test_strips_make_up_the_gradients(kind, n, rows, m):
    rng = np.random.default_rng(n)
    y, beta, grad = (rng.random(s).astype(kind) for s in ((rows, n), (m, n), (rows, m)))
    gy, gbeta = gradients(y, beta, grad)
    f = 1 - y[:, None, :].astype(np.longdouble) * beta
    ratio = -grad[..., None] / f
    tolerance = (24 + rows / 2) * np.finfo(kind).eps
    assert np.allclose(gy, (ratio * beta).sum(1), rtol=tolerance, atol=0)
    assert np.allclose(gbeta, (ratio * y[:, None, :]).sum(0), rtol=tolerance, atol=0)
    for width, careful in ((128, 0), (64, 1)):
        other = gradients(y, beta, grad, width, careful)
        assert np.array_equal(other[0], gy)
        assert np.array_equal(other[1], gbeta)
    whole = np.full_like(gy, np.nan), np.full_like(gbeta, np.nan)
    assert kernels.gradients_open(y, beta, grad, *whole) == 1
    assert np.array_equal(whole[0], gy)
    assert np.array_equal(whole[1], gbeta)


@pytest.mark.parametrize("bad", [1.5, -0.1, np.nan])
def test_values_outside_the_domain_are_reported(bad):
    y, beta, grad = np.full((2, 20), 0.5), np.full((3, 20), 0.5), np.ones((2, 3))
    for a in (y, beta):
        a[1, 17] = bad
        assert kernels.gradients_open(y, beta, grad, np.empty_like(y), np.empty_like(beta)) == 0
        a[1, 17] = 0.5


def test_a_closed_factor_is_divided_by_the_floor():
    one, floor = np.ones((1, 1)), 2.0**-53
    gy, gbeta = gradients(one, one, one, careful=1)
    assert gy[0, 0] == gbeta[0, 0] == -1 / floor
    assert kernels.gradients_open(one, one, one, gy, gbeta) == 1
    assert gy[0, 0] == gbeta[0, 0] == -1 / floor
