"""The Triton kernels: compiled where there is a CUDA device, else in Triton's interpreter.

The interpreter runs the kernels' arithmetic on NumPy arrays, a program at a time: sizes are small.
"""

import importlib
import sys

import numpy as np
import pytest
import torch
from array_api_compat import torch as xp

from synann_core import contraction
from synann_core.contraction import array_api
from synann_core.contraction.factors import Factors, surprisal_factors
from tests.helpers import EPS, TINY, assert_close
from tests.synann_core.contraction.test_array_api import batch, cases, check_accuracy

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
MODULES = "triton", "triton_kernels"


def fused(x, y, z):
    """x·y + z with one rounding (but for rare ties), as the GPU does it."""
    if x.dtype == np.float32:
        return (x.astype(np.float64) * y + z).astype(np.float32)
    # Dekker's product with its error, from the halves of x and y.
    product = x * y
    (x_high, x_low), (y_high, y_low) = halves(x), halves(y)
    error = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
    total = product + z
    part = total - product
    rest = ((product - (total - part)) + (z - part)) + error
    return np.where(np.isfinite(rest), total + rest, total)


def halves(a):
    high = a * 134217729.0 - (a * 134217729.0 - a)
    return high, a - high


@pytest.fixture(scope="module")
def kernels():
    """The module under test; interpreted, it leaves no trace for tests that come after."""
    if DEVICE == "cuda":
        yield importlib.import_module("synann_core.contraction.triton")
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        for name in MODULES:  # which the search for doctests may have imported, not interpreted
            patch.delitem(sys.modules, f"{contraction.__name__}.{name}", raising=False)
            patch.delattr(contraction, name, raising=False)
        import triton.language as tl
        from triton.runtime import interpreter

        # The interpreter rounds twice.
        def fma(self, x, y, z):
            data = fused(*np.broadcast_arrays(x.data, y.data, z.data))
            return interpreter.TensorHandle(data, z.dtype.scalar)

        patch.setattr(interpreter.InterpreterBuilder, "create_fma", fma)
        # Triton's own functions are compiled ones if it was imported before this test.
        if not isinstance(tl.max, interpreter.InterpretedFunction):
            patch.setattr(tl, "max", interpreter.InterpretedFunction(tl.max.fn))
        yield importlib.import_module("synann_core.contraction.triton")
        for name in MODULES:
            sys.modules.pop(f"{contraction.__name__}.{name}", None)
            vars(contraction).pop(name, None)


def tensor(a, dtype):
    return torch.asarray(np.array(a), dtype=getattr(torch, dtype), device=DEVICE)


def probability(y, beta, dtype):
    """Factors 1 − βy, without the complements, which the kernels must not need."""
    y, beta = (a if torch.is_tensor(a) else tensor(a, dtype) for a in (y, beta))
    return Factors(y, None, beta, None, EPS[dtype] / 2, 4)


def surprisal(v, gamma, dtype):
    v, gamma = (a if torch.is_tensor(a) else tensor(a, dtype) for a in (v, gamma))
    return surprisal_factors(v, gamma, xp=xp)


SPACES = {"probability": probability, "surprisal": surprisal}


def log_product(kernels, factors):
    assert kernels.serves(factors.y, factors.beta)
    with np.errstate(all="ignore"):  # on a GPU nothing is warned of either
        results = kernels.forward(factors, xp=xp)
    for a in results:
        assert (a.dtype, a.device) == (factors.y.dtype, factors.y.device)
        assert a.is_contiguous()
    return tuple(a.cpu().numpy() for a in results)


def log_product_vjp(kernels, factors, grad):
    grad = grad if torch.is_tensor(grad) else torch.asarray(grad, device=DEVICE)
    with np.errstate(all="ignore"):
        results = kernels.vjp(factors, grad, xp=xp)
    for a, like in zip(results, (factors.y, factors.beta), strict=True):
        assert (a.shape, a.dtype, a.device) == (like.shape, like.dtype, like.device)
    return tuple(a.cpu().numpy() for a in results)


def with_complements(factors):
    """Factors as the agnostic branch wants them."""
    if factors.y_bar is not None:
        return factors
    return factors._replace(y_bar=1 - factors.y, beta_bar=1 - factors.beta)


def exact_gradients(factors, grad):
    """Gradients in extended precision, and the sums of their terms' absolute values."""
    y, beta = (a.cpu().numpy().astype(np.longdouble) for a in (factors.y, factors.beta))
    if factors.y_bar is None:  # the product in 1 − βy would be rounded
        y_bar, beta_bar = 1 - y, 1 - beta
    else:
        bars = (factors.y_bar, factors.beta_bar)
        y_bar, beta_bar = (a.cpu().numpy().astype(np.longdouble) for a in bars)
    f = y_bar[:, None, :] + y[:, None, :] * beta_bar
    ratio = -np.asarray(grad, dtype=np.longdouble)[:, :, None] / np.maximum(f, factors.floor)
    terms = ((ratio * beta, 1), (ratio * y[:, None, :], 0))
    return [(a.sum(axis), abs(a).sum(axis)) for a, axis in terms]


def check_gradients(got, factors, grad, dtype):
    # Eight roundings in a term; of the sums' errors, which are of both signs, 3 eps were seen.
    for a, (want, scale) in zip(got, exact_gradients(factors, grad), strict=True):
        assert_close(a, want, 10 * EPS[dtype], scale=scale)


@pytest.mark.parametrize("n", [1, 2, 33, 300] + [768, 10_000] * (DEVICE == "cuda"))
@pytest.mark.parametrize("space", SPACES)
def test_accuracy(kernels, space, dtype, n):
    names, rows, weights, want = cases(space, n, dtype)
    exact, guarded = log_product(kernels, SPACES[space](rows, weights, dtype))
    check_accuracy(exact, names, want, n, dtype)
    np.testing.assert_array_equal(guarded, exact)


@pytest.mark.parametrize("space", SPACES)
def test_gradients(kernels, space, dtype):
    y, beta, grad = batch(100, 37, dtype)
    factors = SPACES[space](y, beta, dtype)
    check_gradients(log_product_vjp(kernels, factors, grad), factors, grad, dtype)


def test_gradients_of_hard_rows(kernels, dtype):
    names, rows, weights, _ = cases("probability", 33, dtype)
    factors = probability(rows, weights, dtype)
    grad = np.random.default_rng(0).normal(size=(len(names), len(names))).astype(dtype)
    check_gradients(log_product_vjp(kernels, factors, grad), factors, grad, dtype)


def test_gradients_of_tiny_energies(kernels, dtype):
    # Factors at the floor and below, where the product of two of them underflows.
    v = np.array([[1e-30, 1.0, 3 * TINY[dtype], 1e-25]])
    factors = surprisal(v, np.zeros((3, 4)), dtype)
    grad = np.full((1, 3), 1e-9, dtype=dtype)
    check_gradients(log_product_vjp(kernels, factors, grad), factors, grad, dtype)


@pytest.mark.parametrize("space", SPACES)
def test_batch_invariance(kernels, space, dtype):
    """A row's value and gradient have the same bits alone, shuffled, and beside bad rows."""
    y, beta, grad = batch(70, 20, dtype)
    order = np.random.default_rng(1).permutation(len(y))
    spoiled = y.copy()
    spoiled[0], spoiled[1], spoiled[2] = np.nan, 1.0, -3.0

    def run(y, grad):
        factors = SPACES[space](y, beta, dtype)
        return *log_product(kernels, factors), log_product_vjp(kernels, factors, grad)[0]

    whole = run(y, grad)
    many = run(np.tile(y, (5, 1)), np.tile(grad, (5, 1)))
    shuffled = run(y[order], grad[order])
    beside = run(spoiled, grad)
    for i, a in enumerate(whole):
        assert np.isfinite(a).all()
        np.testing.assert_array_equal(shuffled[i], a[order])
        np.testing.assert_array_equal(beside[i][3:], a[3:])
        np.testing.assert_array_equal(many[i].reshape(5, *a.shape), [a] * 5)
    for rows in (slice(4, 5), slice(3, 8)):  # which also start at other addresses
        for a, part in zip(whole, run(tensor(y, dtype)[rows], grad[rows]), strict=True):
            np.testing.assert_array_equal(part, a[rows])


SIZES = [0, 1, 3, 31, 32, 33, 65]


@pytest.mark.parametrize("turn", [1, 2, 3, 5])
def test_sizes(kernels, turn):
    """Each number as batch, m and n, beside different ones."""
    rng = np.random.default_rng(turn)
    for i, rows in enumerate(SIZES):
        m, n = SIZES[(i * turn + 1) % 7], SIZES[(i + 2 * turn) % 7]
        y, beta, grad = rng.random((rows, n)), rng.random((m, n)), rng.normal(size=(rows, m))
        for dtype in ("float64", "float32")[: 1 + (turn == 1)]:
            factors = probability(y, beta, dtype)
            exact, guarded = log_product(kernels, factors)
            assert exact.shape == guarded.shape == (rows, m)
            low = factors.y.cpu().numpy()[:, None, :] * factors.beta.cpu().numpy().astype(float)
            assert_close(exact, np.log1p(-low).sum(-1), 30 * EPS[dtype])
            np.testing.assert_array_equal(guarded, exact)
            t = grad.astype(dtype)
            check_gradients(log_product_vjp(kernels, factors, t), factors, t, dtype)


def test_sizes_in_surprisal_space(kernels):
    rng = np.random.default_rng(0)
    for rows, m, n in ((65, 3, 33), (1, 65, 31), (3, 1, 65), (33, 32, 1), (0, 3, 3), (3, 3, 0)):
        v, gamma = rng.exponential(size=(rows, n)), rng.exponential(size=(m, n))
        factors, t = surprisal(v, gamma, "float64"), rng.normal(size=(rows, m))
        want = np.log(-np.expm1(-(v[:, None, :] + gamma))).sum(-1)
        assert_close(log_product(kernels, factors)[0], want, 1e-14)
        check_gradients(log_product_vjp(kernels, factors, t), factors, t, "float64")


def boundaries(dtype):
    """Rows by what is special about them; β has a row of ones and a row of halves."""
    eps = EPS[dtype]
    rng = np.random.default_rng(0)
    y = rng.random((12, 40))
    y[1, 5] = 1  # closed
    y[2, [5, 33]] = 1
    y[3] = 1
    y[4, 7] = 1.5  # βy > 1
    y[5, :2] = 3.0  # two negative factors, in one block
    y[6, [0, 39]] = 3.0
    y[7, 8] = np.nan
    y[8] = -5.0  # outside, but with a value; the product overflows
    y[9, :3] = -2e9, 1 - eps, 1.0
    y[10] = 1 - eps / 2  # every factor at the floor
    y[11, 3] = 1.0
    y[11, 4] = np.nan
    beta = np.stack([np.ones(40), np.full(40, 0.5), rng.random(40), np.full(40, 1 - eps)])
    return y, beta


def boundaries_of_surprisals(dtype):
    v = np.random.default_rng(0).exponential(size=(8, 40))
    v[1, 5] = 0  # closed
    v[2, [5, 6]] = 0
    v[3] = 0
    v[4, 8] = np.nan
    v[5, [8, 9]] = -0.5  # two negative factors
    v[6] = np.inf
    v[7, :5] = 4 * TINY[dtype]
    v[7, 5:7] = TINY[dtype] / 8  # factors below the floor of both values and gradients
    gamma = np.stack([np.zeros(40), np.full(40, 0.7), np.full(40, np.inf)])
    return v, gamma


@pytest.mark.parametrize("space", SPACES)
def test_boundaries(kernels, space, dtype, monkeypatch):
    """The same infinities, NaN and guarded values as in the agnostic branch."""
    make = {"probability": boundaries, "surprisal": boundaries_of_surprisals}[space]
    factors = SPACES[space](*make(dtype), dtype)
    got = log_product(kernels, factors)
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    want = array_api.forward(with_complements(factors), xp=xp)
    for a, b in zip(got, want, strict=True):
        b = b.cpu().numpy()
        finite = np.where(np.isfinite(b), abs(b), 0)
        assert_close(a, b, 30 * EPS[dtype], scale=finite)
    assert np.isinf(got[0]).any()
    assert np.isnan(got[0]).any()
    assert not np.isinf(got[1]).any()

    t = np.random.default_rng(1).normal(size=got[0].shape).astype(dtype)
    got = log_product_vjp(kernels, factors, t)
    bad = np.isnan(factors.y.cpu().numpy()).any(1)
    assert not np.isnan(got[0][~bad]).any()
    keep = torch.asarray(~bad, device=DEVICE)
    clean = factors._replace(y=factors.y[keep])
    if factors.y_bar is not None:
        clean = clean._replace(y_bar=factors.y_bar[keep])
    check_gradients(log_product_vjp(kernels, clean, t[~bad]), clean, t[~bad], dtype)


def test_any_strides(kernels):
    rng = np.random.default_rng(0)
    y, beta, t = (tensor(rng.random(s), "float32") for s in ((66, 9), (5, 132), (9, 10)))
    views = y.T, beta[:, ::2], t[:, ::2]
    copies = [a.contiguous() for a in views]
    assert not any(a.is_contiguous() for a in views)
    repeated = copies[0][:1].expand(9, 66)
    for first in (views[0], repeated):
        results = []
        for y, beta, t in ((first, *views[1:]), (first.contiguous(), *copies[1:])):
            factors = probability(y, beta, "float32")
            results.append((*log_product(kernels, factors), *log_product_vjp(kernels, factors, t)))
        for a, b in zip(*results, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_lazily_negated_view(kernels):
    y, beta = (tensor(a, "float32") for a in batch(5, 4, "float32")[:2])
    negated = torch.complex(torch.zeros_like(y), y).conj().imag
    assert negated.is_neg()
    results = [log_product(kernels, probability(a, beta, "float32")) for a in (negated, -y)]
    np.testing.assert_array_equal(*results)


def test_the_gradient_of_beta_repeats_bit_by_bit(kernels):
    # So many rows that they are added in parts.
    rng = np.random.default_rng(0)
    factors = probability(rng.random((200, 20)), rng.random((6, 20)), "float32")
    t = rng.normal(size=(200, 6)).astype("float32")
    first, second = (log_product_vjp(kernels, factors, t) for _ in range(2))
    np.testing.assert_array_equal(first[1], second[1])
    check_gradients(first, factors, t, "float32")


def test_arguments_are_left_alone(kernels):
    y, beta, t = (tensor(a, "float32") for a in batch(33, 4, "float32"))
    before = torch.cat([a.flatten() for a in (y, beta, t)])
    log_product(kernels, probability(y, beta, "float32"))
    log_product_vjp(kernels, probability(y, beta, "float32"), t)
    assert torch.equal(torch.cat([a.flatten() for a in (y, beta, t)]), before)


def test_serves(kernels, monkeypatch):
    good = torch.ones(2, device=DEVICE)
    assert kernels.serves(good, good.double())
    for bad in (good.half(), good.int(), np.ones(2), torch.ones(2, device="meta")):
        assert not kernels.serves(good, bad)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert not kernels.serves(torch.ones(2))


def test_arrays_on_two_devices_are_not_served(kernels, monkeypatch):
    monkeypatch.setattr(kernels, "_fits", lambda a: True)
    assert kernels.serves(torch.ones(2), None, torch.ones(3))
    assert not kernels.serves(torch.ones(2), None, torch.ones(3, device="meta"))


@pytest.mark.skipif(DEVICE == "cpu", reason="CuPy arrays live on a GPU")
def test_cupy_arrays_on_their_stream(kernels):
    import cupy

    y, beta, t = batch(33, 40, "float32")
    factors = probability(y, beta, "float32")
    want = (*log_product(kernels, factors), *log_product_vjp(kernels, factors, t))
    for stream in (cupy.cuda.Stream.null, cupy.cuda.Stream(non_blocking=True)):
        with stream:
            arrays = [cupy.asarray(a) for a in (y, beta, t)]
            assert kernels.serves(*arrays)
            factors = factors._replace(y=arrays[0], beta=arrays[1])
            got = *kernels.forward(factors, xp=xp), *kernels.vjp(factors, arrays[2], xp=xp)
            for a, b in zip(got, want, strict=True):
                assert isinstance(a, cupy.ndarray)
                np.testing.assert_array_equal(a.get(), b)
