"""Elementary functions where the plain formula loses digits, on every library."""

import mpmath
import numpy as np
import pytest

from synann_core._lib import numerics
from tests.helpers import EPS, assert_relative, spread

pytestmark = pytest.mark.jax_alternates


def namespace(xp):
    import array_api_compat

    return array_api_compat.array_namespace(xp.asarray(np.ones(1)))


def exact(function, values):
    with mpmath.workdps(40):
        return np.array([float(function(mpmath.mpf(float(v)))) for v in values])


def test_expm1_is_accurate_down_to_tiny_numbers(xp, dtype):
    w = -spread(np.random.default_rng(0), 1e-20, 50.0, 200).astype(dtype)
    got = xp.to_numpy(numerics.expm1(xp.asarray(w, dtype), namespace(xp)))
    assert_relative(got, exact(mpmath.expm1, w), 4 * EPS[dtype])


def test_log_one_minus_is_accurate_up_to_a_half(xp, dtype):
    q = np.append(spread(np.random.default_rng(1), 1e-20, 0.5, 200), [0.25, 0.4, 0.5]).astype(dtype)
    got = xp.to_numpy(numerics.log_one_minus(xp.asarray(q, dtype), namespace(xp)))
    assert_relative(got, exact(lambda v: mpmath.log(1 - v), q), 4 * EPS[dtype])


def test_log_complement_is_accurate_at_both_ends(xp, dtype):
    small = spread(np.random.default_rng(2), 1e-15, 0.4, 100).astype(dtype)
    for p, q, want in (
        (1 - small, small, exact(lambda v: mpmath.log(1 - v), small)),
        (small, 1 - small, exact(mpmath.log, small)),
    ):
        p, q = xp.asarray(p, dtype), xp.asarray(q, dtype)
        got = xp.to_numpy(numerics.log_complement(p, q, p, namespace(xp)))
        assert_relative(got, want, 6 * EPS[dtype])


def test_a_sum_and_its_error_are_exact(xp, dtype):
    rng = np.random.default_rng(3)
    a, b = (spread(rng, 1e-8, 1e8, 100).astype(dtype) for _ in range(2))
    total, error = numerics.add_with_error(*(xp.asarray(v, dtype) for v in (a, b)), namespace(xp))
    total, error = xp.to_numpy(total), xp.to_numpy(error)
    with mpmath.workdps(60):
        for k in range(a.size):
            whole = mpmath.mpf(float(total[k])) + mpmath.mpf(float(error[k]))
            assert whole == mpmath.mpf(float(a[k])) + mpmath.mpf(float(b[k]))


def test_an_infinite_sum_has_no_error(xp, dtype):
    a, b = (xp.asarray(np.array(v), dtype) for v in ([np.inf, np.inf], [1.0, -np.inf]))
    with np.errstate(invalid="ignore"):
        _, error = numerics.add_with_error(a, b, namespace(xp))
    assert np.array_equal(xp.to_numpy(error), [0.0, 0.0])


def test_the_floor_leaves_headroom_below_overflow(xp, dtype):
    floor = numerics.surprisal_floor(xp.dtype(dtype), namespace(xp))
    info = np.finfo(dtype)
    assert 0 < floor < float(info.eps)
    assert (1 / floor) / float(info.eps) * 4 > float(info.max) * float(info.eps)
    assert np.isfinite(np.asarray(1 / floor / float(info.eps) / 8, dtype))


@pytest.mark.parametrize(
    ("value", "shape"), [((2, 3, 4), (4,)), ((2, 3), (2, 1)), ((3,), ()), ((2, 3), (2, 3))]
)
def test_repeated_axes_are_summed(xp, value, shape):
    a = np.random.default_rng(4).random(value)
    got = xp.to_numpy(numerics.sum_to_shape(xp.asarray(a), shape, namespace(xp)))
    assert got.shape == shape
    repeated = np.broadcast_to(np.zeros(shape), value)
    axes = tuple(k for k in range(len(value)) if repeated.strides[k] == 0 and value[k] != 1)
    assert np.allclose(got, a.sum(axis=axes).reshape(shape))


def test_rows_are_counted_and_unknown_ones_are_minus_one():
    class Open:
        shape = (None, 3, 4)

    assert numerics.row_count(np.ones((2, 3, 4))) == 6
    assert numerics.row_count(np.ones(4)) == 1
    assert numerics.row_count(Open()) == -1
