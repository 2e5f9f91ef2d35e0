"""The comparisons themselves: what must be caught is caught, on the same path as in the tests."""

import mpmath
import numpy as np
import pytest

import synann_core as syn
from reference import high_precision
from reference.differentiate import complex_step
from reference.tensor import synapse_tensor
from tests import points
from tests.helpers import EPS, assert_close, assert_relative, make_backend
from tests.synann_core import test_tensor


@pytest.fixture
def numpy():
    with make_backend("numpy") as backend:
        yield backend


def planted(monkeypatch, which, change):
    """Let the tests of the tensor see a vjp with one of its gradients changed."""
    function, vjp, *slow = test_tensor.TENSORS["probability"]

    def wrong(*arguments):
        gradients = list(vjp(*arguments))
        gradients[which] = change(gradients[which])
        return tuple(gradients)

    monkeypatch.setitem(test_tensor.TENSORS, "probability", (function, wrong, *slow))


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_gradient_wrong_by_a_twentieth_of_a_per_cent(monkeypatch, numpy, dtype, which):
    test_tensor.test_values_and_gradients(numpy, dtype, 2, "probability")
    planted(monkeypatch, which, lambda g: g * 1.0005)
    with pytest.raises(AssertionError, match="allowed"):
        test_tensor.test_values_and_gradients(numpy, dtype, 2, "probability")


@pytest.mark.parametrize("which", range(4))
def test_the_complex_step_catches_it_too(monkeypatch, numpy, which):
    test_tensor.test_gradients_against_complex_step(numpy, "probability", 2)
    planted(monkeypatch, which, lambda g: g * (1 + 1e-11))
    with pytest.raises(AssertionError, match="allowed"):
        test_tensor.test_gradients_against_complex_step(numpy, "probability", 2)


def test_one_wrong_entry_a_sign_and_a_transposed_batch(monkeypatch, numpy):
    def first(g):
        g = g.copy()
        g.flat[np.abs(g).argmax()] *= 1.0005
        return g

    for change in (first, np.negative, lambda g: g[..., ::-1], lambda g: g * np.nan):
        planted(monkeypatch, 1, change)
        with pytest.raises(AssertionError):
            test_tensor.test_values_and_gradients(numpy, "float64", 2, "probability")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_value_wrong_by_20_eps(numpy, dtype):
    formula = high_precision.surprisal
    columns = [points.probabilities(dtype)]

    def wrong(p):
        value = syn.surprisal(p)
        value[7] *= 1 + 20 * EPS[dtype]
        return value

    points.check_ulp(numpy, "surprisal", syn.surprisal, formula, columns)
    with pytest.raises(AssertionError, match="ulp from the exact value"):
        points.check_ulp(numpy, "surprisal", wrong, formula, columns)
    with pytest.raises(AssertionError, match="allowed"):
        assert_relative([1.0, 1.0 + 20 * EPS[dtype]], [1.0, 1.0], 10 * EPS[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_ulp_errors_are_those_of_the_reference(dtype):
    p = points.probabilities(dtype)
    got = -np.log(p) * (1 + np.linspace(-3, 3, len(p)) * EPS[dtype]).astype(dtype)
    errors = points.ulp_errors(got, *points.exact("surprisal", high_precision.surprisal, [p]))
    want = [
        high_precision.ulp_error(g, high_precision.surprisal(float(x)), dtype)
        for g, x in zip(got, p, strict=True)
    ]
    # The unit differs by 2 where the exact value rounds up to a power of two.
    np.testing.assert_allclose(errors, want, rtol=1e-6, atol=1e-9)
    assert max(want) > 1


def test_nan_and_infinity_are_not_equal_to_numbers():
    for got, want in (([np.nan], [1.0]), ([1.0], [np.nan]), ([np.inf], [1.0]), ([1.0], [np.inf])):
        with pytest.raises(AssertionError):
            assert_close(got, want, 1.0)
    with pytest.raises(AssertionError):
        assert_close([-np.inf], [np.inf], 1.0)
    with pytest.raises(AssertionError):
        assert_close([1.0, 1.0], [[1.0], [1.0]], 1.0)
    assert_close([np.nan, np.inf, 1.0], [np.nan, np.inf, 1.0], 0.0)


def test_complex_step_is_exact_on_a_known_gradient():
    x, y, alpha, beta = np.array([0.5]), np.array([0.25]), np.array([0.75]), np.array([[0.5]])
    got = complex_step(synapse_tensor, (x, y, alpha, beta), 1, np.ones(1))
    assert_relative(got, [-0.75 * 0.5 * 0.5], EPS["float64"])


def test_an_unknown_backend_fails():
    with pytest.raises(ValueError, match="unknown backend"), make_backend("abacus"):
        pass


def test_a_missing_library_fails(monkeypatch):
    import importlib

    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ModuleNotFoundError), make_backend("cupy"):
        pass


def test_high_precision_is_high():
    with mpmath.workprec(points.PRECISION):
        p = mpmath.exp(-700)
        assert mpmath.log(1 - p) != 0
