"""One row or few outputs: kernels look at numbers as they read them, and leave some to others."""

import numpy as np
import pytest

import synann_core as syn
from synann_core.contraction import native
from tests.helpers import EPS, assert_close

# Rows, outputs, inputs: whole strips and remainders, more than are worth a second thread.
SHAPES = [
    *((1, 700, 400), (1, 33, 9000), (1, 4100, 65), (1, 270000, 1), (1, 513, 1030)),
    *((700, 1, 400), (400, 7, 100), (33, 1, 9001), (20000, 3, 17), (300, 5, 1030)),
]
WRONG = {
    "a NaN": np.nan,
    "infinite": np.inf,
    "above 1": 1.5,
    "negative": -0.5,
    "a closed factor": 1.0,
    "nothing": None,
}


@pytest.fixture(autouse=True)
def kernels_on(monkeypatch):
    monkeypatch.delenv("SYNANN_KERNELS", raising=False)


def arguments(rows, outputs, inputs, dtype):
    rng = np.random.default_rng(0)
    y, beta = (rng.random(shape).astype(dtype) for shape in ((rows, inputs), (outputs, inputs)))
    return y * dtype(0.9), beta, rng.normal(size=(rows, outputs)).astype(dtype)


def results(y, beta, grad):
    return syn.log_transmission(y, beta), *syn.log_transmission_vjp(y, beta, grad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_array_operations(shape, dtype, monkeypatch):
    y, beta, grad = arguments(*shape, dtype)
    assert shape[0] * beta.size >= native._WORK
    got = results(y, beta, grad)
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    want, sizes = results(y, beta, grad), results(y, beta, abs(grad))
    for a, b, size in zip(got, want, sizes, strict=True):
        # Sums of as many terms as there are inputs, outputs or rows, at most in this order.
        assert_close(a, b, (10 + np.sqrt(max(shape))) * EPS[np.dtype(dtype).name], scale=abs(size))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_anywhere_is_left_to_the_checked_way(kind, shape, dtype, monkeypatch):
    y, beta, grad = arguments(*shape, dtype)
    rng = np.random.default_rng(1)
    if kind != "nothing":
        side = y if rng.random() < 0.5 else beta
        place = tuple(rng.integers(0, size) for size in side.shape)
        side[place] = WRONG[kind]
        if kind == "a closed factor":
            y[:, place[1]] = beta[:, place[1]] = 1.0
    got = results(y, beta, grad)
    monkeypatch.setattr(native, "_open_logs", lambda *arrays: None)
    monkeypatch.setattr(native, "_open_gradients", lambda *arrays: None)
    for a, b in zip(got, results(y, beta, grad), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", SHAPES)
def test_threads_change_nothing(shape, monkeypatch):
    given = arguments(*shape, np.float64)
    monkeypatch.setattr(native, "_FEW_WORK", 0)
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(native, "threads_for", lambda like, count=threads: count)
        found.append(results(*given))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("outputs", [1, 7, 40])
def test_a_row_has_the_same_bits_alone_and_among_others(outputs):
    """One row goes along the outputs, few outputs along the rows, and many by blocks of both."""
    y, beta, grad = arguments(9, outputs, 1300, np.float64)
    values, gy, _ = results(y, beta, grad)
    for row in range(9):
        alone = results(y[row : row + 1], beta, grad[row : row + 1])
        np.testing.assert_array_equal(alone[0][0], values[row])
        np.testing.assert_array_equal(alone[1][0], gy[row])


@pytest.mark.parametrize("inputs", [600, 601])
@pytest.mark.parametrize("rows_first", [True, False])
def test_what_caches_do_not_hold_has_the_same_bits(rows_first, inputs):
    """Rows are turned in registers, and gradients of 24 MB written past the caches."""
    rng = np.random.default_rng(0)
    many, one = rng.random((5000, inputs)) * 0.9, rng.random((1, inputs))
    grad = rng.normal(size=(5000, 1))

    def both(some):
        given = (some, one, grad[: len(some)]) if rows_first else (one, some, grad[: len(some)].T)
        value, *gradients = results(*given)
        return value.ravel(), gradients[0 if rows_first else 1]

    for whole, part in zip(both(many), both(many[:700]), strict=True):
        np.testing.assert_array_equal(whole[:700], part)
