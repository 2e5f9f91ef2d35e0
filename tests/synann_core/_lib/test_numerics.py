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


@pytest.mark.parametrize("sizes", [1.0, 20.0])
def test_a_product_of_three_depends_on_nothing_beside_it(dtype, sizes):
    """Where all is ordinary, too, and the look for lost digits is all that NumPy does."""
    rng, most = np.random.default_rng(6), np.log2(float(np.finfo(dtype).max)) / 21
    t, a, b = (2.0 ** (most * sizes * rng.uniform(-1, 1, 300)) for _ in range(3))
    t, a, b = (np.where(rng.random(300) < 0.9, v, 0.0).astype(dtype) for v in (t, a, b))
    with np.errstate(over="ignore"):
        got = numerics.ordered_product(t, a, b, np)
        alone = [
            numerics.ordered_product(*(v[k : k + 1] for v in (t, a, b)), np) for k in range(300)
        ]
    np.testing.assert_array_equal(got, np.concatenate(alone))
    want = t.astype(np.longdouble) * a * b
    ordinary = (want <= np.finfo(dtype).max) & (want >= np.finfo(dtype).smallest_normal)
    assert 100 < np.sum(ordinary) < 240
    assert_relative(got[ordinary], want[ordinary].astype(np.float64), 2 * EPS[dtype])


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


def signs(rng, size):
    return rng.choice([-1.0, 1.0], size)


def products(dtype):
    """Factors y and β of every size and sign, with many products close to 1, below and above."""
    rng = np.random.default_rng(5)
    y = np.concatenate([spread(rng, 1e-12, 1e12, 300) * signs(rng, 300), rng.random(100)])
    beta = np.concatenate(
        [
            rng.random(100) / y[:100],
            (1 - spread(rng, EPS[dtype], 0.1, 100) * signs(rng, 100)) / y[100:200],
            spread(rng, 1e-12, 1e2, 100) * signs(rng, 100),
            1 - spread(rng, EPS[dtype], 1, 100),
        ]
    )
    special = [(1e10, 6e-11), (3e4, 1e-5), (1e17, 5e-18), (4, 0.25), (1, 1), (0, 1), (0.5, 2)]
    return np.concatenate([np.stack([y, beta]), np.transpose(special)], axis=1).astype(dtype)


def test_a_transmission_keeps_its_digits_whatever_its_terms(xp, dtype):
    y, beta = products(dtype)
    with mpmath.workdps(60):
        want = np.array(
            [float(1 - mpmath.mpf(a) * b) for a, b in zip(y.tolist(), beta.tolist(), strict=True)]
        )
    got = xp.call(transmission, xp.asarray(y, dtype), xp.asarray(beta, dtype))
    xp.check(got, dtype, y.shape)
    assert_relative(xp.to_numpy(got), want, 4 * EPS[dtype])


def transmission(y, beta):
    import array_api_compat

    with np.errstate(all="ignore"):
        return numerics.transmission(y, beta, array_api_compat.array_namespace(y))


def test_a_transmission_does_not_depend_on_the_numbers_beside_it(xp, dtype):
    y, beta = (xp.asarray(a, dtype) for a in products(dtype))
    whole = xp.to_numpy(transmission(y, beta))
    for k in range(0, y.shape[0], 7):
        one = xp.to_numpy(transmission(y[k : k + 1], beta[k : k + 1]))
        np.testing.assert_array_equal(one, whole[k : k + 1])


def test_a_transmission_broadcasts_inside_and_outside_the_domain(xp, dtype):
    for y, beta in [([[1e8], [0.5]], [0.5, 5e-9, 0.25]), ([[0.5, 0.25]], [[2.0], [0.5]]), (4, 0.2)]:
        y, beta = np.asarray(y, dtype), np.asarray(beta, dtype)
        want = 1 - y.astype(np.longdouble) * beta
        got = xp.to_numpy(xp.call(transmission, xp.asarray(y, dtype), xp.asarray(beta, dtype)))
        assert_relative(got, want.astype(np.float64), 4 * EPS[dtype])


def test_a_transmission_of_infinities_follows_the_formula(xp, dtype):
    inf, huge = np.inf, float(np.finfo(dtype).max)
    y = np.array([inf, inf, -inf, np.nan, 0.5, inf, 0.0, huge, huge, -huge, huge, 1.0], dtype)
    beta = np.array([0.5, 0.0, 0.5, 0.5, np.nan, 1.0, inf, 1.0, huge, huge, 0.0, huge], dtype)
    got = xp.to_numpy(xp.call(transmission, xp.asarray(y, dtype), xp.asarray(beta, dtype)))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got, 1 - y * beta)


def test_a_transmission_near_the_largest_number(xp, dtype):
    """Its halves would overflow there, or those of β underflow, without a power of two between."""
    most = float(np.finfo(dtype).max) / (32 if xp.is_jax else 1)  # no subnormal β on JAX
    y = most * np.array([1.0, 0.99, 1 / 64, 1 / 256, 1 / 3e3, 1 / 1e5, 1 / 1e6, 1 / 1e9])
    y = np.tile(y.astype(dtype), 5)
    part = np.repeat([0.5, 0.9, 0.999, 1.0 - 9 * EPS[dtype], 1.0], 8)
    beta = (part / y.astype(np.longdouble)).astype(dtype)
    with mpmath.workdps(60):
        exact = [1 - mpmath.mpf(a) * b for a, b in zip(y.tolist(), beta.tolist(), strict=True)]
        want = np.array([float(v) for v in exact])
    for a, b in ((y, beta), (beta, y)):
        got = xp.to_numpy(xp.call(transmission, xp.asarray(a, dtype), xp.asarray(b, dtype)))
        assert_relative(got, want, 2 * EPS[dtype])


def test_gradients_of_a_transmission(ad, dtype):
    """Autodiff gives −β and −y to the last bit: nothing of them cancels either."""
    y, beta = products(dtype)
    grad = np.random.default_rng(6).normal(size=y.size).astype(dtype)
    arrays = [ad.asarray(a, dtype) for a in (y, beta)]
    gy, gbeta = ad.gradients(transmission, ad.asarray(grad, dtype), *arrays)
    assert_relative(ad.to_numpy(gy), -grad.astype(float) * beta, 2 * EPS[dtype])
    assert_relative(ad.to_numpy(gbeta), -grad.astype(float) * y, 2 * EPS[dtype])


def test_halves_are_the_whole_and_their_products_exact(xp, dtype):
    y, beta = products(dtype)
    parts = []
    for a in (y, beta):
        high, low = numerics.halves(xp.asarray(a, dtype), namespace(xp))
        parts.append((xp.to_numpy(high), xp.to_numpy(low)))
        np.testing.assert_array_equal(parts[-1][0] + parts[-1][1], a)
    for a in parts[0]:
        for b in parts[1]:
            with mpmath.workdps(60):
                for one, other, product in zip(*(v.tolist() for v in (a, b, a * b)), strict=True):
                    assert mpmath.mpf(one) * other == product


def test_only_numbers_that_can_be_read_are_known_to_be_inside(xp):
    xp_ = namespace(xp)
    read = xp.name.startswith(("numpy", "torch")) and xp.name != "torch-cuda"
    inside, outside = xp.asarray([0.0, 0.5, 1.0]), xp.asarray([0.5, 1.5])
    assert numerics.known_inside(xp_, inside, inside) == read
    assert not numerics.known_inside(xp_, inside, outside)
    assert not numerics.known_inside(xp_, inside, xp.asarray([-0.5, 0.5]))
    assert not numerics.known_inside(xp_, xp.asarray([0.5, np.nan, 0.5]))
    assert numerics.known_inside(xp_, xp.asarray(np.empty(0))) == read


@pytest.mark.parametrize("size", [3, 5000])
@pytest.mark.parametrize(
    ("value", "below"), [(2.0, True), (-3.0, True), (3.5, False), (-4.0, False), (np.nan, False)]
)
def test_bounds_of_few_and_many_numbers(size, value, below):
    a = np.zeros(size)
    a[1] = value
    assert numerics.known_below(3.0, a) is below
    torch = pytest.importorskip("torch")
    assert numerics.known_below(3.0, torch.from_numpy(a).requires_grad_()) is below


def test_all_of_many_numbers_below_a_bound_are_seen_to_be():
    """The sum of their squares is not below that of the bound."""
    a = np.full(1000, 2.5, np.float32)
    assert numerics.known_below(3.0, a)


def test_no_bound_is_known_without_values():
    torch = pytest.importorskip("torch")
    assert not numerics.known_below(3.0, torch.zeros(3, device="meta"))
    assert not numerics.known_below(3.0, torch.nn.Parameter(torch.zeros(3)))  # a subclass


def test_nothing_is_known_of_what_a_transform_watches():
    torch = pytest.importorskip("torch")
    seen = []

    def look(y):
        seen.append(numerics.known_inside(namespace_of_torch(), y))
        return y

    torch.func.vmap(look)(torch.ones(3))
    assert seen == [False]


def namespace_of_torch():
    import array_api_compat.torch

    return array_api_compat.torch
