"""Traced arrays compute what NumPy's do, as nodes or at once where numbers are known."""

import operator

import numpy as np
import pytest

from synann_core.export.onnx.array import TracedArray, binary, known, repeated
from synann_core.export.onnx.graph import Graph
from tests.synann_core.export.onnx.cases import of, operators

X = np.linspace(-2.0, 2.0, 24).reshape(2, 3, 4)
OTHER = np.array([[0.5], [-1.0], [2.0]])
BINARY = (
    *(operator.add, operator.sub, operator.mul, operator.truediv),
    *(operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne),
)
PAIRS = (
    *(lambda x, other: (x, other), lambda x, other: (other, x), lambda x, _: (x, 0.5)),
    *(lambda x, _: (0.5, x), lambda x, _: (x, x)),
)
KEYS = (
    *((slice(None), 0), (slice(None), -1, ...), (..., 1), (slice(None), slice(1, 3)), ...),
    *((slice(None), None, 1), (..., slice(0, 2)), (..., slice(2, 4)), (..., slice(1, None), None)),
    *((slice(None), slice(2, 9), slice(1, 2)), (slice(None), slice(2, 1)), (slice(None), 2, 3)),
)


def numbers(value):
    """An array of numbers of its own graph."""
    return known(Graph(), value)


@pytest.mark.parametrize("function", BINARY, ids=lambda f: f.__name__)
def test_operators(function):
    """Between arrays and numbers, on either side; NaN and infinities too."""
    x = X.copy()
    x[0, 0] = [np.inf, -np.inf, np.nan, 0.5]

    def formula(x, *, xp):
        found = function(*pair(x, xp.asarray(OTHER)))
        return found if found.dtype == x.dtype else xp.astype(found, x.dtype)

    for pair in PAIRS:
        with np.errstate(all="ignore"):
            want = np.asarray(function(*pair(x, OTHER)), float)
        np.testing.assert_array_equal(of(formula, x), want)
        graph = Graph()
        at_once = function(*pair(known(graph, x), known(graph, OTHER)))
        np.testing.assert_array_equal(at_once.content, want.astype(at_once.dtype))


def test_truth_values():
    x = np.array([[0.5, 1.5, -1.0]])

    def formula(x, *, xp):
        return xp.where(~((x > 0.0) & (x < 1.0) | (x < 0.0)), -x, x)

    assert of(formula, x).tolist() == [[0.5, -1.5, -1.0]]
    with pytest.raises(TypeError, match="truth value"):
        bool(numbers([True]))


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_parts(key):
    want = X[key]
    if want.size:
        np.testing.assert_array_equal(of(lambda x, xp: x[key], X), want)
    found = numbers(X)[key]
    assert found.shape == want.shape
    np.testing.assert_array_equal(found.content, want)


def test_what_parts_cannot_be():
    def formula(key):
        return lambda x, xp: x[key]

    for key in (0, slice(0, 1), (slice(None), slice(None, None, 2)), (slice(None), 3)):
        with pytest.raises(IndexError):
            operators(formula(key), 3)


def test_halves_are_one_node():
    assert operators(lambda x, xp: x[:, :2] + x[:, 2:], 4) == ["Split", "Add"]
    assert operators(lambda x, xp: x[:, :1] + x[:, 1:2], 4) == ["Slice", "Slice", "Add"]


def test_numbers_for_all_rows_are_kept_once():
    """They are repeated only where the file's operations would not broadcast them."""

    def plus(x, *, xp):
        return x + (xp.ones_like(x) * 2.0 - 1.0)

    def alone(x, *, xp):
        return xp.ones_like(x) * 2.0

    assert operators(plus, 3) == ["Add"]
    assert operators(alone, 3) == ["Shape", "Concat", "Expand"]
    x = np.zeros((5, 3))
    assert of(plus, x).tolist() == (x + 1.0).tolist()
    assert of(alone, x).tolist() == (x + 2.0).tolist()
    assert of(alone, x[:0]).shape == (0, 3)


def test_conditions_that_always_hold_are_not_asked():
    def formula(x, *, xp):
        strength = xp.asarray(np.float32([0.25, 0.5]))
        inside = (x >= 0.0) & (strength >= 0.0) & (strength <= 1.0)
        x = xp.where(strength < 2.0, x, -x)
        return xp.where(inside, xp.where(strength > 2.0, -x, x), 0.0)

    assert operators(formula, 2) == ["GreaterOrEqual", "Where"]


def test_large_constants_are_in_the_file_once():
    """What is made of them is left to the runtime."""
    weights = np.random.default_rng(0).random((80, 60)).astype(np.float32)
    small = weights[:20, :20]

    def formula(weights):
        return lambda x, xp: xp.matmul(x, 1.0 - xp.asarray(weights)) + xp.sum(x, axis=-1)[:, None]

    assert "Sub" in operators(formula(weights), 80)
    assert "Sub" not in operators(formula(small), 20)


def test_arrays_do_not_change_their_dtype_unasked():
    graph = Graph()
    with pytest.raises(TypeError, match="one dtype"):
        known(graph, np.zeros(2)) + known(graph, np.zeros(2, np.float32))
    assert (known(graph, np.float32([1.0])) * 2.5).dtype == np.float32
    assert (np.float64(2.5) * known(graph, np.float32([1.0]))).dtype == np.float32


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="go together"):
        binary("Add", np.add, numbers(np.zeros(2)), numbers(np.zeros(3)))


def test_a_size_that_is_known_needs_no_array():
    """An array with a known shape never hands on another one's unknown size."""
    graph = Graph()
    x = TracedArray(graph, (None, 2), np.dtype(float), graph.argument("x"))
    row = repeated((None, 2), 1.0, np.dtype(float), x)
    assert row.rows_of is x
    assert row.stored == (1, 2)
    assert TracedArray(graph, (2,), np.dtype(float), np.ones(2), x).rows_of is None
