"""The promises of the contraction: accuracy over the whole domain, batch invariance, memory."""

import functools

import mpmath
import numpy as np
import pytest

import synann_core as syn
from synann_core._lib import loops
from tests.helpers import EPS, assert_relative, spread

pytestmark = pytest.mark.jax_alternates

SIZES = [1, 2, 33, 768, 10_000]


def kinds(n, dtype, rng):
    """Rows (y, β) that are hard in different ways; β is a row of its own for each."""
    eps = EPS[dtype]
    y, beta = rng.random(n), rng.random(n)
    one_closed = np.where(np.arange(n) == n // 2, 1 - eps, y)
    yield "random", y, beta
    yield "tiny", spread(rng, 1e-6, 0.1, n), spread(rng, 1e-6, 0.1, n)
    # Repeated inputs repeat their rounding errors, which then do not average out.
    for value in (1e-9, 0.1, 0.3, 0.41, 0.5, 0.7, 0.9, 1 - eps):
        yield f"all βy equal to {value}", np.full(n, value), np.full(n, 1.0)
    yield "all y and all β equal", np.full(n, 0.77), np.full(n, 0.33)
    yield "one factor near 0", one_closed, np.where(np.arange(n) == n // 2, 1, beta)
    yield "one factor near 0, β below 1", one_closed, np.where(one_closed == 1 - eps, 1 - eps, beta)
    yield "factors near 0", 1 - spread(rng, eps, 1e-3, n), np.full(n, 1.0)
    yield "factors around 0", 1 - spread(rng, eps, 1e-3, n), 1 - spread(rng, eps, 1e-3, n)
    yield "a mix", 1 - spread(rng, eps, 1, n), spread(rng, 1e-12, 1, n)
    yield "zeros between", y * (np.arange(n) % 7 == 0), beta


def kinds_of_surprisals(n, dtype, rng):
    yield "random", rng.exponential(size=n), rng.exponential(size=n)
    yield "energies near 0", np.full(n, 1e-30), np.full(n, 1e-31)
    yield "energies of every size", spread(rng, 1e-30, 30, n), spread(rng, 1e-30, 30, n)
    yield "one energy near 0", np.where(np.arange(n) == n // 2, 1e-30, 1), np.zeros(n)
    yield "large energies", rng.uniform(5, 30, n), rng.uniform(5, 30, n)
    for value in (1e-3, 0.5, 0.6931471805599453, 3.0):
        yield f"all energies equal to {value}", np.full(n, value), np.zeros(n)


def log_product_exactly(first, second, factor):
    """Log of a product of factors, in high precision, of two rows of floating-point numbers."""
    with mpmath.workprec(300):
        product = mpmath.mpf(1)
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            product *= factor(mpmath.mpf(a), mpmath.mpf(b))
        return float(mpmath.log(product))


@functools.lru_cache(1000)  # most rows repeat a number
def open_channel(y, beta):
    return 1 - beta * y


@functools.lru_cache(1000)
def open_channel_of_surprisals(v, gamma):
    return 1 - mpmath.exp(-(v + gamma))  # at 300 bits, of which 1e-30 takes 100


_CASES = {}


def cases(space, n, dtype):
    """Names, rows, weights and exact values; the same for every library."""
    key = space, n, dtype
    if key not in _CASES:
        generator, factor = {
            "probability": (kinds, open_channel),
            "surprisal": (kinds_of_surprisals, open_channel_of_surprisals),
        }[space]
        names, rows, weights = zip(*generator(n, dtype, np.random.default_rng(n)), strict=True)
        rows, weights = np.array(rows).astype(dtype), np.array(weights).astype(dtype)
        want = [log_product_exactly(a, b, factor) for a, b in zip(rows, weights, strict=True)]
        _CASES[key] = names, rows, weights, np.array(want)
    return _CASES[key]


def check_accuracy(got, names, want, n, dtype):
    # Every row is met by every weight row; only the pairs that belong together are known exactly.
    bound = (10 + np.sqrt(n)) * EPS[dtype]
    error = np.abs(np.diagonal(got).astype(np.float64) - want)
    worst = np.where(np.isnan(error), np.inf, error / np.where(want == 0, 1, np.abs(want)))
    k = worst.argmax()
    assert worst[k] <= bound, f"n = {n}, {names[k]}: {worst[k] / bound:.3g} of the bound"


@pytest.mark.parametrize("n", SIZES)
def test_accuracy_of_log_transmission(xp, dtype, n):
    names, rows, weights, want = cases("probability", n, dtype)
    got = xp.call(syn.log_transmission, xp.asarray(rows, dtype), xp.asarray(weights, dtype))
    xp.check(got, dtype, (len(names), len(names)))
    check_accuracy(xp.to_numpy(got), names, want, n, dtype)


@pytest.mark.parametrize("n", SIZES)
def test_accuracy_in_surprisal_space(xp, dtype, n):
    names, rows, weights, want = cases("surprisal", n, dtype)
    got = xp.call(
        syn.surprisal_synapse_tensor, 0.0, xp.asarray(rows, dtype), 0.0, xp.asarray(weights, dtype)
    )
    check_accuracy(xp.to_numpy(got), names, -want, n, dtype)


@pytest.mark.parametrize("n", [1, 33])
def test_accuracy_of_contributions(xp, dtype, n):
    names, rows, weights, _ = cases("probability", n, dtype)
    got = xp.call(syn.contributions, xp.asarray(rows, dtype), xp.asarray(weights, dtype))
    xp.check(got, dtype, (len(names), len(names), n))
    got = xp.to_numpy(got)
    with mpmath.workprec(300):
        for k in range(len(names)):
            pairs = zip(rows[k].tolist(), weights[k].tolist(), strict=True)
            want = [float(-mpmath.log(1 - mpmath.mpf(y) * mpmath.mpf(beta))) for y, beta in pairs]
            assert_relative(got[k, k], want, (8 if xp.is_jax else 4) * EPS[dtype])


def batch(n, m, dtype, seed=0):
    rng = np.random.default_rng(seed)
    y, beta = rng.random((9, n)), rng.random((m, n))
    y[3] = y[3, 0]
    y[4] = np.where(np.arange(n) == n // 2, 1 - EPS[dtype], y[4])
    return y.astype(dtype), beta.astype(dtype), rng.normal(size=(9, m)).astype(dtype)


INVARIANT = {
    "probability": (
        lambda y, beta: syn.log_transmission(y, beta),
        lambda y, beta, t: syn.log_transmission_vjp(y, beta, t)[0],
    ),
    "surprisal": (
        lambda v, gamma: syn.surprisal_synapse_tensor(0.0, v, 0.0, gamma),
        lambda v, gamma, h: syn.surprisal_synapse_tensor_vjp(0.0, v, 0.0, gamma, h)[1],
    ),
}


@pytest.mark.parametrize(
    ("space", "n", "m"), [("probability", 100, 37), ("surprisal", 100, 37), ("probability", 5, 3)]
)
def test_batch_invariance(xp, dtype, space, n, m):
    """A row's value and gradient have the same bits alone, shuffled, and beside bad rows."""
    value, gradient = INVARIANT[space]
    y, beta, grad = batch(n, m, dtype)
    order = np.random.default_rng(1).permutation(len(y))
    spoiled = y.copy()
    spoiled[0], spoiled[1], spoiled[2] = np.nan, 1.0, -3.0

    def run(function, y, *rest):
        arrays = [xp.asarray(a, dtype) for a in (y, beta, *rest)]
        return xp.to_numpy(xp.call(function, *arrays))

    for function, rest in ((value, ()), (gradient, (grad,))):
        whole = run(function, y, *rest)
        assert np.isfinite(whole).all()
        shuffled = run(function, y[order], *(a[order] for a in rest))
        np.testing.assert_array_equal(shuffled, whole[order])
        np.testing.assert_array_equal(run(function, spoiled, *rest)[3:], whole[3:])
        for rows in (slice(4, 5), slice(3, 8)):
            part = run(function, y[rows], *(a[rows] for a in rest))
            np.testing.assert_array_equal(part, whole[rows], err_msg=f"rows {rows}")


def test_large_batches_are_worked_on_in_chunks(xp, monkeypatch):
    # More rows than one chunk of the eager loop holds, and a number that no chunk divides.
    monkeypatch.setattr(loops, "_JAX_CHUNK", 130 * 20)
    y, beta, grad = batch(33, 130, "float64")
    y, grad = np.tile(y, (13, 1))[:113], np.tile(grad, (13, 1))[:113]
    arrays = [xp.asarray(a) for a in (y, beta)]
    want = np.log1p(-y[:, None, :] * beta).sum(-1)
    assert_relative(xp.to_numpy(xp.call(syn.log_transmission, *arrays)), want, 20 * EPS["float64"])
    gy, gbeta = xp.to_numpy(xp.call(syn.log_transmission_vjp, *arrays, xp.asarray(grad)))
    ratio = -grad[:, :, None] / (1 - y[:, None, :] * beta)
    scale = np.abs(ratio).max() * 113
    np.testing.assert_allclose(gy, (ratio * beta).sum(1), atol=1e-14 * scale, rtol=0)
    np.testing.assert_allclose(gbeta, (ratio * y[:, None, :]).sum(0), atol=1e-14 * scale, rtol=0)


@pytest.mark.parametrize("bad", [1.5, np.nan])
def test_outside_the_domain_is_nan_where_it_is(xp, dtype, bad):
    y, beta, _ = batch(40, 6, dtype)
    y[5, 33] = bad
    beta[:3, 33] = 0.25  # βy ≤ 1 for these outputs, unless y is NaN
    beta[3:, 33] = 1.0
    got = xp.to_numpy(xp.call(syn.log_transmission, xp.asarray(y, dtype), xp.asarray(beta, dtype)))
    want = np.zeros((9, 6), dtype=bool)
    want[5, 3:] = True
    want[5, :3] = np.isnan(bad)
    np.testing.assert_array_equal(np.isnan(got), want)


def test_two_negative_factors_do_not_make_a_positive_one(xp, dtype):
    for n in (2, 40):
        y = np.full((2, n), 0.5)
        y[0, :2] = 3.0
        got = xp.call(
            syn.log_transmission, xp.asarray(y, dtype), xp.asarray(np.ones((3, n)), dtype)
        )
        np.testing.assert_array_equal(np.isnan(xp.to_numpy(got)), [[True] * 3, [False] * 3])


def test_negative_inputs_follow_the_formula(xp, dtype):
    y = np.array([[-0.25, 1.5, -3.0], [0.25, -1.0, 0.0]])
    beta = np.array([[0.5, -0.25, 0.125], [-2.0, 0.25, 1.0]])
    got = xp.call(syn.log_transmission, xp.asarray(y, dtype), xp.asarray(beta, dtype))
    want = np.log(1 - y[:, None, :] * beta).sum(-1)
    np.testing.assert_allclose(xp.to_numpy(got), want, rtol=8 * EPS[dtype])


@pytest.mark.parametrize("closed", [1, 2])
def test_closed_factors_give_minus_infinity(xp, dtype, closed):
    y, beta, _ = batch(40, 3, dtype)
    y[2, :closed] = beta[1, :closed] = 1
    got = xp.to_numpy(xp.call(syn.log_transmission, xp.asarray(y, dtype), xp.asarray(beta, dtype)))
    want = np.zeros((9, 3), dtype=bool)
    want[2, 1] = True
    np.testing.assert_array_equal(got == -np.inf, want)
    assert not np.isnan(got).any()
