"""The compiled kernels on the CPU: sizes, strides, bits, the domain and the accuracy."""

import functools

import mpmath
import numpy as np
import pytest

import synann_core as syn
from synann_core.contraction import array_api, native
from tests.helpers import EPS, TINY, assert_close
from tests.synann_core.contraction.test_array_api import log_product_exactly, open_channel

SIZES = [0, 1, 2, 3, 31, 32, 33, 63, 127, 128, 129, 513]
BY_ROW = {"T", "gy", "dT", "z", "gv"}  # outputs with a row for each row of y


@pytest.fixture(autouse=True)
def kernels_on(monkeypatch):
    monkeypatch.delenv("SYNANN_KERNELS", raising=False)


def arguments(rows, n, m, dtype="float32", seed=0):
    """(y, beta, v, gamma, grad, dy, dbeta), of which the even ones have a row for each row."""
    rng = np.random.default_rng(seed)
    y, beta = rng.uniform(0.001, 0.98, (rows, n)), rng.uniform(0.001, 0.98, (m, n))
    grad = rng.normal(size=(rows, m))
    dy, dbeta = rng.normal(size=y.shape), rng.normal(size=beta.shape)
    return [a.astype(dtype) for a in (y, beta, -np.log(y), -np.log(beta), grad, dy, dbeta)]


def some_rows(given, which):
    y, beta, v, gamma, grad, dy, dbeta = given
    return y[which], beta, v[which], gamma, grad[which], dy[which], dbeta


def outputs(y, beta, v, gamma, grad, dy, dbeta):
    """Everything that the kernels compute, by name, as NumPy arrays."""
    gy, gbeta = syn.log_transmission_vjp(y, beta, grad)
    _, gv, _, ggamma = syn.surprisal_synapse_tensor_vjp(0.0, v, 0.0, gamma, grad)
    values = {
        "T": syn.log_transmission(y, beta),
        "gy": gy,
        "gbeta": gbeta,
        "dT": syn.log_transmission_jvp(y, beta, dy, dbeta),
        "z": syn.surprisal_synapse_tensor(0.0, v, 0.0, gamma),
        "gv": gv,
        "ggamma": ggamma,
    }
    return {name: np.asarray(value) for name, value in values.items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["inside", "closed", "outside", "nan", "negative strength"])
def test_few_values_are_computed_at_once_with_the_same_bits(dtype, kind, monkeypatch):
    y, beta, *_ = arguments(3, 37, 600, dtype)
    y[1, 5], beta[7, 5] = {
        "inside": (0.5, 0.5),
        "closed": (1.0, 1.0),
        "outside": (1.5, 0.9),
        "nan": (np.nan, 0.5),
        "negative strength": (0.5, -0.5),
    }[kind]
    at_once = syn.log_transmission(y, beta)
    by_rows = syn.log_transmission(np.tile(y, (40, 1)), beta)[-3:]
    assert y.size * 600 < native._WORK < 40 * y.size * 600
    assert_same_bits({"T": at_once}, {"T": by_rows})
    used = []
    monkeypatch.setattr(native, "_log_product", lambda *_: used.append(1))
    if kind == "inside":
        syn.log_transmission(y, beta)
    assert not used


def without_kernels(function, *given):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNANN_KERNELS", "off")
        return function(*given)


def assert_same_bits(got, want, message=""):
    for name, value in want.items():
        same = got[name].astype(value.dtype)  # from big-endian too
        assert same.shape == value.shape, name
        # All NaNs count as one: the sign and payload of a NaN say nothing.
        same, value = (np.where(np.isnan(a), np.nan, a).astype(value.dtype) for a in (same, value))
        assert same.tobytes() == value.tobytes(), f"{name} {message}"


def limits(rows, n, m, eps):
    """Error bounds of the outputs, relative to the sums of their terms' magnitudes.

    The values' one is promised. A term of a gradient is good to 8 eps, and a sum of k terms in
    sequence adds eps/2 for each; sums over i and j go by 32 and then over those parts.
    """
    value = 10 + np.sqrt(n)
    over_i, over_j = 24 + m / 64, 24 + n / 64
    over_b = 8 + rows / 2
    terms = {"T": value, "z": value, "dT": over_j}
    terms |= {"gy": over_i, "gv": over_i, "gbeta": over_b, "ggamma": over_b}
    return {name: factor * eps for name, factor in terms.items()}


def reference(given, dtype):
    """The outputs by the array-API branch, and the sums of their terms' magnitudes."""
    y, beta, v, gamma, grad, dy, dbeta = (np.asarray(a, dtype) for a in given)
    want = without_kernels(outputs, y, beta, v, gamma, grad, dy, dbeta)
    sizes = without_kernels(outputs, y, beta, v, gamma, abs(grad), abs(dy), abs(dbeta))
    return want, sizes


def check(got, want, sizes, given, eps):
    limit = limits(*given[0].shape, given[1].shape[0], eps)
    for name, value in got.items():
        assert value.dtype == given[0].dtype, name
        assert_close(value, want[name], limit[name], scale=np.abs(sizes[name]))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shifts", [(4, 8), (7, 2), (1, 11), (0, 0)])
def test_sizes(dtype, shifts):
    """Each size as batch, n and m, beside others; all three the same up to 129."""
    for k, rows in enumerate(SIZES):
        n, m = (SIZES[(k + shift) % len(SIZES)] for shift in shifts)
        if rows == n == m == 513:  # a second of array-API work
            continue
        given = arguments(rows, n, m, dtype, seed=k)
        assert syn.log_transmission_variant(*given[:2]) == "native"
        own = 2 if dtype == "float64" else 1  # the other result has errors too
        check(outputs(*given), *reference(given, "float64"), given, own * EPS[dtype])


def every_second(a):
    wide = np.full((2 * a.shape[0], 2 * a.shape[1]), np.nan, a.dtype)
    wide[::2, ::2] = a
    return wide[::2, ::2]


def unaligned(a):
    flat = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    flat[:] = a
    assert not flat.flags.aligned
    return flat


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


FORMS = {
    "Fortran": np.asfortranarray,
    "reversed": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "every second": every_second,
    "one row repeated": lambda a: np.broadcast_to(a[:1], a.shape),
    "one column repeated": lambda a: np.broadcast_to(a[:, :1], a.shape),
    "unaligned": unaligned,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "read-only": read_only,
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("form", FORMS)
def test_strides(form, dtype):
    given = [FORMS[form](a) for a in arguments(9, 70, 40, dtype)]
    copies = [np.array(a, dtype=dtype, order="C") for a in given]
    assert_same_bits(outputs(*given), outputs(*copies))
    for a, copy in zip(given, copies, strict=True):
        np.testing.assert_array_equal(a, copy)


def by_row(results, which=slice(None)):
    return {name: results[name][which] for name in BY_ROW}


@pytest.mark.parametrize("strongest", [1.0, 0.98])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_bits_of_a_row_do_not_depend_on_the_others(dtype, strongest):
    given = arguments(515, 100, 37, dtype)
    given[1][5, 7], given[3][5, 7] = strongest, -np.log(strongest)  # closed where y is 1
    y, _, v, _, grad, dy, _ = given
    y[11], y[17, 7] = 0.25, 1 - EPS[dtype]
    v[17, 7] = TINY[dtype]
    whole = outputs(*given)
    assert_same_bits(outputs(*given), whole, "in a second run")
    for row in (0, 11, 17, 254, 255, 256, 511, 512, 514):
        alone = outputs(*some_rows(given, slice(row, row + 1)))
        assert_same_bits(alone, by_row(whole, slice(row, row + 1)), f"alone, row {row}")
    order = np.random.default_rng(1).permutation(515)
    shuffled = outputs(*some_rows(given, order))
    assert_same_bits(by_row(shuffled), by_row(whole, order), "shuffled")

    spoiled = np.arange(515) % 3 == 1
    bad = np.resize([np.nan, 2.0, -1.0, 1.0, np.inf, -np.inf], spoiled.sum())
    bad_surprisals = np.resize([np.nan, -1.0, 0.0, np.inf, -np.inf], spoiled.sum())
    y[spoiled, 7], v[spoiled, 7] = bad, bad_surprisals
    grad[spoiled, 3] = np.resize([np.nan, np.inf, 1e30], spoiled.sum())
    dy[spoiled, 9] = np.nan
    beside = outputs(*given)
    assert_same_bits(by_row(beside, ~spoiled), by_row(whole, ~spoiled), "beside bad rows")
    assert not np.array_equal(beside["T"][spoiled], whole["T"][spoiled])


def check_outside(got, want, dtype):
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
    size = np.abs(np.where(np.isfinite(want), want, 0)).max(axis=1, keepdims=True)
    good = np.isfinite(want)
    scale = np.broadcast_to(size, want.shape)[good]
    assert_close(got[good], want[good], 200 * EPS[dtype], scale=scale)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_outside_the_domain(dtype, library):
    """They have the values of the array-API branch, without a warning, on both libraries."""
    import torch

    given = arguments(12, 70, 6, dtype)
    y, beta, v = given[:3]
    bad = {1: 1.5, 3: -0.25, 4: np.nan, 7: np.inf, 8: -1e30, 10: 1e30}
    for row, value in bad.items():
        y[row, 33] = v[row, 33] = value
    beta[:2, 33] = 0
    want = without_kernels(outputs, *given)
    if library == "torch":
        given = [torch.from_numpy(a) for a in given]
    got = outputs(*given)
    outside = sorted(bad)
    for name in BY_ROW:
        check_outside(got[name][outside], want[name][outside], dtype)
    for name in want:
        np.testing.assert_array_equal(np.isfinite(got[name]), np.isfinite(want[name]), name)
    good = np.setdiff1d(np.arange(12), outside)
    np.testing.assert_allclose(got["T"][good], want["T"][good], rtol=20 * EPS[dtype])


def test_weights_outside_the_domain():
    for weight in (1.5, -0.25, np.nan, np.inf):
        given = arguments(5, 40, 6)
        given[1][2, 3] = weight
        want = without_kernels(outputs, *given)
        got = outputs(*given)
        for name in ("T", "gy", "gbeta", "dT"):
            check_outside(got[name], want[name], "float32")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_inputs_above_one_with_weak_weights(monkeypatch, dtype):
    given = arguments(20, 70, 40, dtype)
    given[0] *= 2
    given[1] *= 0.5
    want, sizes = reference(given, "float64")

    def not_called(*_, **__):
        pytest.fail("the array-API branch was called")

    for name in ("forward", "vjp", "jvp"):
        monkeypatch.setattr(array_api, name, not_called)
    check(outputs(*given), want, sizes, given, 2 * EPS[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("closed", [1, 2, 4])
def test_closed_factors(dtype, closed):
    """T is −inf, gradients go through a factor eps/2, and the guarded product is the product's."""
    given = arguments(9, 140, 6, dtype)
    y, beta, v, gamma, grad = given[:5]
    at = slice(30, 30 + 32 * closed, 32)  # inputs that share a division
    y[2, at] = beta[1, at] = 1
    v[2, at] = gamma[1, at] = 0
    got = outputs(*given)
    assert np.argwhere(np.isinf(got["T"])).tolist() == [[2, 1]]
    assert np.argwhere(np.isinf(got["z"])).tolist() == [[2, 1]]
    check(got, *reference(given, dtype), given, 2 * EPS[dtype])
    ones = np.ones(6, dtype)
    row = ones, y[2:3], ones, beta, grad[2:3]
    wants = without_kernels(syn.synapse_tensor_vjp, *row)
    for value, want in zip(syn.synapse_tensor_vjp(*row), wants, strict=True):
        assert_close(value, want, 2000 * EPS[dtype])  # e^T, where T is around −100


@pytest.mark.parametrize(("dtype", "upstream"), [("float32", 1e30), ("float64", 1e290)])
def test_large_upstream_gradients(dtype, upstream):
    """t/f is finite, so the gradient is: also where t/f² is not."""
    y = np.full((1, 128), 1 - EPS[dtype] / 2, dtype)
    beta = np.ones((2, 128), dtype)
    for signs in ([1, 0], [1, -1]):
        grad = (upstream * np.array([signs])).astype(dtype)
        gy, gbeta = syn.log_transmission_vjp(y, beta, grad)
        slope = -2 / EPS[dtype] * grad.astype(np.float64)
        assert_close(gy, np.full((1, 128), slope.sum()), 8 * EPS[dtype], scale=-slope.min())
        assert_close(gbeta, np.repeat(slope.T, 128, axis=1), 8 * EPS[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_no_gradient_of_finite_numbers_is_nan(dtype):
    """Nor infinite, for upstream gradients whose sums leave room below 1/eps."""
    rng, eps = np.random.default_rng(0), EPS[dtype]
    for _ in range(20):
        given = arguments(8, 130, 5, dtype)
        for k in (0, 1):
            given[k][:] = rng.choice([0, TINY[dtype], eps, 0.5, 1 - eps / 2, 1], given[k].shape)
            given[k + 2][:] = rng.choice([0, TINY[dtype], eps, 0.7, 80, np.inf], given[k].shape)
        given[4][:] = rng.choice([0, 1, -1, 2.0**18, -(2.0**18)], given[4].shape)
        for name, value in outputs(*given).items():
            assert not np.isnan(value).any(), name
            assert name in ("T", "z") or np.isfinite(value).all(), name


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_upstream_gradients_that_are_not_finite(dtype):
    given = arguments(9, 140, 40, dtype)
    given[1][:, 5] = 0  # inf · 0 is NaN
    given[4][1, 2], given[4][3, 0], given[4][7, 9] = np.nan, np.inf, -np.inf
    got, want = outputs(*given), without_kernels(outputs, *given)
    for name in ("gy", "gbeta", "gv", "ggamma"):
        assert_close(got[name], want[name], 100 * EPS[dtype])


def test_accuracy_at_the_size_of_a_layer():
    rng = np.random.default_rng(0)
    y, beta = rng.uniform(0, 0.98, (2, 768, 768)).astype(np.float32)
    y, grad = y[:64], rng.normal(size=(64, 768)).astype(np.float32)
    exact = [a.astype(np.float64) for a in (y, beta)]
    want = without_kernels(syn.log_transmission, *exact)
    assert_close(syn.log_transmission(y, beta), want, 5e-7, scale=np.abs(want))
    wants = without_kernels(syn.log_transmission_vjp, *exact, grad.astype(np.float64))
    for got, want in zip(syn.log_transmission_vjp(y, beta, grad), wants, strict=True):
        assert_close(got, want, 2e-6)


# Of all float32 numbers, these have been seen to be the worst: 0.8 of the bound.
WORST = [0.030332716181874275, 0.026403220370411873, 0.028796225786209106, 0.032225102186203]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n", [32, 64, 768, 3000])
def test_accuracy_of_equal_factors(dtype, n):
    """Repeated inputs repeat their rounding errors, in every step of every block."""
    rng, count = np.random.default_rng(n), min(6000, 2_000_000 // n)
    beta = np.exp(rng.uniform(np.log(1e-7), 0, count))
    beta[: count // 3] = rng.uniform(0.01, 0.04, count // 3)
    beta[-5:] = [*WORST, 1 - EPS[dtype]]
    beta = beta.astype(dtype)
    got = syn.log_transmission(
        np.array([[1.0], [0.77]], dtype).repeat(n, 1), beta[:, None].repeat(n, 1)
    )
    for row, y in zip(got, (1.0, 0.77), strict=True):
        # Exact for float32; for float64 better by a factor of 2000, where long doubles are longer.
        q = beta.astype(np.longdouble) * np.asarray(y, dtype).astype(np.longdouble)
        own = 0 if np.finfo(np.longdouble).eps < EPS[dtype] else 4
        want = (n * np.log1p(-q)).astype(np.float64)
        assert_close(row, want, (10 + np.sqrt(n) + own) * EPS[dtype], scale=np.abs(want))


@functools.lru_cache(1000)
def open_energy(v, _):
    return -mpmath.expm1(-v)


def rows_near_underflow(n, dtype, rng):
    nearly, ordinary = 1 - EPS[dtype] / 2, rng.random(n)
    yield np.full(n, nearly)
    for step in (2, 4, 5, 9, 33):
        yield np.where(np.arange(n) % step == 0, nearly, ordinary)
    yield np.where(np.arange(n) < n // 2, nearly, 1e-6)
    yield 1 - np.exp(rng.uniform(np.log(EPS[dtype]), 0, n))
    yield np.where(np.arange(n) % 3 == 0, 0, nearly)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n", [5, 40, 1000, 10_000])
def test_accuracy_near_underflow(dtype, n):
    limit = (10 + np.sqrt(n)) * EPS[dtype]
    rows = np.array([*rows_near_underflow(n, dtype, np.random.default_rng(n))]).astype(dtype)
    ones = np.ones((1, n), dtype)
    want = np.array([[log_product_exactly(row, ones[0], open_channel)] for row in rows])
    assert_close(syn.log_transmission(rows, ones), want, limit, scale=np.abs(want))
    # The same in energies, down to the smallest normal number.
    energies = np.where(rows == rows[0, 0], rows.dtype.type(TINY[dtype]), rows)
    want = -np.array([[log_product_exactly(row, ones[0], open_energy)] for row in energies])
    got = syn.surprisal_synapse_tensor(0.0, energies, 0.0, 0 * ones)
    assert_close(got, want, limit, scale=np.abs(want))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(5,), (1, 5), (3, 5), (2, 3, 5)])
def test_few_numbers_go_a_shorter_way_to_the_same_bits(dtype, shape, monkeypatch):
    rng = np.random.default_rng(0)
    y, beta = rng.random(shape).astype(dtype), rng.random((4, 5)).astype(dtype)
    grad = rng.random((*shape[:-1], 4)).astype(dtype)
    few = native.few_logs(y, beta), native.few_gradients(y, beta, grad)
    assert (few[0] is None) == (len(shape) > 2)
    got = syn.log_transmission(y, beta), *syn.log_transmission_vjp(y, beta, grad)
    monkeypatch.setattr(native, "few_logs", lambda *arrays: None)
    monkeypatch.setattr(native, "few_gradients", lambda *arrays: None)
    want = syn.log_transmission(y, beta), *syn.log_transmission_vjp(y, beta, grad)
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(
    ("y", "beta"),
    [
        (np.ones(3), np.ones((2, 4))),  # shapes
        (np.ones(3), np.ones(3)),
        (np.ones(()), np.ones((2, 3))),
        (np.ones((2, 2, 3)), np.ones((2, 3))),
        (np.ones(3, np.float32), np.ones((2, 3))),  # dtypes
        (np.ones(3, np.float16), np.ones((2, 3), np.float16)),
        (np.ones(3, ">f8"), np.ones((2, 3), ">f8")),
        (np.ones(3, int), np.ones((2, 3))),
        (np.ones(6)[::2], np.ones((2, 3))),  # layout
        (np.ones(3), np.ones((3, 2)).T),
        (np.ones(3), np.ones((2, 3))),  # a closed factor
        (np.full(3, np.nan), np.ones((2, 3))),  # values
        (np.full(3, 1.5), np.full((2, 3), 0.5)),
        (np.ones((0, 3)), np.ones((2, 3))),  # nothing
        (np.ones(0), np.ones((2, 0))),
        (np.ones((600, 3)), np.full((200, 3), 0.5)),  # much
        ([0.5, 0.5], np.full((2, 2), 0.5)),  # kinds
        (np.ma.ones(3), np.full((2, 3), 0.5)),
        (1.0, 0.5),
    ],
)
def test_what_few_numbers_leave_to_the_checked_way(y, beta):
    assert native.few_logs(y, beta) is None


def test_gradients_of_few_numbers_want_a_gradient_that_fits():
    y, beta = np.full(3, 0.5), np.full((2, 3), 0.5)
    assert native.few_gradients(y, beta, np.ones(2)) is not None
    for grad in (1.0, np.ones(3), np.ones((1, 2)), np.ones(2, np.float32), np.ones(2, int)):
        assert native.few_gradients(y, beta, grad) is None


def test_few_numbers_see_the_environment(monkeypatch):
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    assert native.few_logs(np.full(3, 0.5), np.full((2, 3), 0.5)) is None
