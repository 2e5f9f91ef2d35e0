"""The kernels for rows outside the domain: which rows these are, and what is computed for them."""

import numpy as np
import pytest

from synann_core.contraction import array_api
from synann_core.contraction.factors import Factors
from synann_core.native.host import kernels
from tests.helpers import EPS, assert_close

KINDS = [np.float32, np.float64]
SOME_OUTSIDE, CAREFUL_GRADIENTS, CAREFUL_PRODUCTS = 1, 2, 4


def name_of(kind):
    return np.dtype(kind).name


def domain(factors):
    inside = np.full(factors.y.shape[0], 7, np.uint8)
    return kernels.domain(*factors[:4], inside), inside.tolist()


def probabilities(y, beta, kind):
    return Factors(np.array(y, kind), None, np.array(beta, kind), None, EPS[name_of(kind)] / 2, 4)


def surprisals(v, gamma, kind):
    v, gamma = np.array(v, kind), np.array(gamma, kind)
    with np.errstate(over="ignore"):
        own = np.exp(-v), -np.expm1(-v), np.exp(-gamma), -np.expm1(-gamma)
    return Factors(*own, float(np.finfo(kind).smallest_normal / np.finfo(kind).eps), 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [-0.1, 1.5, np.nan, np.inf, -np.inf, 1e30])
def test_rows_outside_are_found(kind, bad):
    y, beta = np.full((5, 40), 0.5), np.full((3, 40), 0.7)
    assert domain(probabilities(y, beta, kind)) == (0, [1] * 5)
    y[3, 17] = bad
    flags, inside = domain(probabilities(y, beta, kind))
    assert (flags & SOME_OUTSIDE, inside) == (1, [1, 1, 1, 0, 1])
    y[3, 17], beta[2, 39] = 0.5, bad
    flags, inside = domain(probabilities(y, beta, kind))
    assert inside == ([1] * 5 if bad == 1.5 else [0] * 5)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_care(kind):
    y, beta = np.full((2, 9), 0.5), np.full((3, 9), 0.7)
    y[0, 3] = beta[1, 4] = 1  # not in the same place, but who looks
    assert domain(probabilities(y, beta, kind)) == (CAREFUL_GRADIENTS, [1, 1])
    assert domain(probabilities(1.3 * y, beta / 2, kind)) == (0, [1, 1])
    energies = np.full((2, 9), 0.5)
    assert domain(surprisals(energies, energies, kind)) == (0, [1, 1])
    small = np.where(np.eye(2, 9) > 0, 1e-20, energies)
    flags = CAREFUL_GRADIENTS + CAREFUL_PRODUCTS
    assert domain(surprisals(energies, small, kind)) == (flags, [1, 1])
    flags, inside = domain(surprisals(-energies, small, kind))
    assert (flags & SOME_OUTSIDE, inside) == (1, [0, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_the_domain(kind):
    """Whatever the other rows are; and what the flags promise of the factors inside."""
    rng = np.random.default_rng(0)
    eps = np.finfo(kind).eps
    for k in range(200):
        high = rng.choice([0.9, 1.0, 1.2, 3.0])
        y, beta = rng.uniform(0, high, (7, 5)), rng.uniform(0, rng.choice([0.3, 0.9, 1.1]), (4, 5))
        y[rng.integers(7), rng.integers(5)] = rng.choice([0.5, 1.0, -1.0, np.nan])
        given = probabilities(y, beta, kind)
        if k % 2:
            given = surprisals(y - 0.1 * (k % 3), beta, kind)
        y, y_bar, beta, beta_bar = given[:4]
        most = np.max(y, axis=1)
        want = np.all(y >= 0, axis=1) & np.all(beta >= 0)
        want &= ((most <= 1) & (beta.max() <= 1)) | (most * beta.max() <= 0.99)
        if y_bar is not None:
            want &= np.all(y_bar >= 0, axis=1) & np.all(beta_bar >= 0)
        flags, inside = domain(given)
        assert inside == want.astype(int).tolist()
        assert bool(flags & SOME_OUTSIDE) == (not want.all())
        if want.any():
            y, y_bar = y[want], 1 - y[want] if y_bar is None else y_bar[want]
            f = y_bar[:, None] + y[:, None] * (1 - beta if beta_bar is None else beta_bar)
            assert flags & CAREFUL_GRADIENTS or f.min() >= eps / 2
            assert flags & CAREFUL_PRODUCTS or np.all((f == 0) | (f >= eps / 2))


def cases(kind):
    """Factors of all signs and sizes, with those that are 0, NaN or below the floor."""
    rng = np.random.default_rng(0)
    y, beta = rng.normal(size=(6, 150)), rng.uniform(0.01, 0.9, (5, 150))
    y[1] *= 10
    y[2] = -np.exp(rng.uniform(-20, 20, 150))
    y[3, 7], beta[2, 7] = 2, 0.5
    y[4, 9] = np.nan
    y[5] = 0.5
    yield probabilities(y, beta, kind)
    yield probabilities(abs(y), -beta, kind)
    yield surprisals(y, beta, kind)
    yield surprisals(np.where(y < 0, 0, y), np.where(beta < 0.1, 0, beta), kind)


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_those_of_array_operations(kind):
    for given in cases(kind):
        inside = np.array([0, 0, 0, 0, 0, 1], np.uint8)
        rows, m = given.y.shape[0], given.beta.shape[0]
        exact, guarded = np.full((2, rows, m), 7, kind)
        floor = given.floor if given.group > 1 else float(np.finfo(kind).smallest_normal)
        kernels.log_product_outside(*given[:4], inside, exact, guarded, 0, rows, floor)
        assert (exact[5] == 7).all()
        assert (guarded[5] == 7).all()
        with np.errstate(all="ignore"):
            wants = array_api.forward(given, xp=np)
            size = abs(np.log(np.maximum(1 - given.y[:5, None] * given.beta, floor))).sum(-1)
        for got, want in zip((exact, guarded), wants, strict=True):
            # Half a unit of 1 − y, where y is large, is many of 1 − βy.
            moved = np.abs(given.y).max(axis=1)[:5, None] if given.group > 1 else 1
            limit = 30 * EPS[name_of(kind)] * np.maximum(moved, 1)
            finite = np.isfinite(want[:5]) & np.isfinite(got[:5])
            assert np.array_equal(np.isnan(got[:5]), np.isnan(want[:5]))
            scale = (limit * (size + 1))[finite]
            assert_close(got[:5][finite], want[:5][finite], 1, scale=scale)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_array_operations(kind):
    rng = np.random.default_rng(1)
    for given in cases(kind):
        inside = np.array([0, 0, 0, 0, 0, 1], np.uint8)
        grad = rng.normal(size=(6, 5)).astype(kind)
        gy, gbeta = np.full_like(given.y, 7), np.zeros_like(given.beta)
        for j0, j1 in ((0, 128), (128, 150)):
            kernels.gradients_outside(*given[:4], inside, grad, gy, gbeta, j0, j1, given.floor)
        assert (gy[5] == 7).all()
        outside = given._replace(
            y=given.y[:5], y_bar=None if given.y_bar is None else given.y_bar[:5]
        )
        with np.errstate(all="ignore"):
            wants = array_api.vjp(outside, grad[:5], xp=np)
        for got, want in zip((gy[:5], gbeta), wants, strict=True):
            assert np.array_equal(np.isnan(got), np.isnan(want))
            assert_close(got, want, 1e-4 if kind == np.float32 else 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_terms_of_large_inputs_do_not_cancel(kind):
    """1 − βy is formed from the product: 1 − y would lose everything where y is large."""
    given = probabilities([[2.0**40, 0.5]], [[0.0, 0.5], [2.0**-41, 0.5]], kind)
    exact, guarded = np.full((2, 1, 2), 7, kind)
    inside = np.zeros(1, np.uint8)
    kernels.log_product_outside(*given[:4], inside, exact, guarded, 0, 1, given.floor)
    want = np.log([[0.75, 0.375]])
    assert_close(exact, want, 4 * EPS[name_of(kind)])
    assert_close(guarded, want, 4 * EPS[name_of(kind)])


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("log_product_outside", (-1, 2, 0.0)),
        ("log_product_outside", (0, 3, 0.0)),
        ("log_product_outside", (2, 1, 0.0)),
        ("gradients_outside", (-1, 4, 0.0)),
        ("gradients_outside", (0, 5, 0.0)),
    ],
)
def test_sizes_outside_the_arrays_are_refused(name, numbers):
    y, beta = np.ones((2, 4)), np.ones((3, 4))
    inside, out = np.zeros(2, np.uint8), np.ones((2, 3))
    arrays = [out, out.copy()] if name == "log_product_outside" else [out, y.copy(), beta.copy()]
    kernel = getattr(kernels, name)
    with pytest.raises(ValueError, match="outside its range"):
        kernel(y, None, beta, None, inside, *arrays, *numbers)
    with pytest.raises(ValueError, match="outside its range"):  # one bar without the other
        kernel(y, y, beta, None, inside, *arrays, 0, 2, 0.0)
    with pytest.raises(ValueError, match="outside its range"):
        kernels.domain(y, y, beta, None, inside)
