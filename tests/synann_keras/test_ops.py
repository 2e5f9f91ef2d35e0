"""The core's formulas on the tensors of this process' backend."""

import math

import keras
import numpy as np
import pytest
from keras import ops

import synann_core as syn
from reference import tensor as reference
from synann_core import tensor, transmission
from synann_keras import Synapse, _ops
from tests.helpers import assert_close
from tests.synann_keras.keras_helpers import FLOAT32, gradients, hessian_vector, to_numpy

SPACES = ("probability", "surprisal")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Bare(keras.layers.Layer):
    """The synapse tensor of its inputs, with weights that are α and β."""

    def __init__(self, alpha, beta):
        super().__init__()
        self.alpha = self.add_weight(shape=alpha.shape, initializer="zeros")
        self.beta = self.add_weight(shape=beta.shape, initializer="zeros")
        self.alpha.assign(alpha)
        self.beta.assign(beta)
        self.built = True

    def call(self, x, y):
        weights = ops.convert_to_tensor(self.alpha), ops.convert_to_tensor(self.beta)
        return _ops.evaluate(tensor._synapse_tensor, (x, y), weights)


def test_gradients_at_closed_factors():
    """Where β y = 1 the product of the other factors is the gradient, not 0 and not NaN."""
    rng = np.random.default_rng(0)
    x, y, grad = rng.random((4, 3)), rng.random((4, 6)), rng.normal(size=(4, 3))
    alpha, beta = rng.random(3), 0.9 * rng.random((3, 6))
    y[0, 0], y[1, 1], y[1, 2] = 1.0, 1.0, 1.0
    beta[0, 0], beta[1, 1], beta[1, 2] = 1.0, 1.0, 1.0
    x, y, alpha, beta = (np.float64(np.float32(a)) for a in (x, y, alpha, beta))
    got = gradients(Bare(alpha, beta), x, y, upstream=grad)
    want = reference.synapse_tensor_vjp(x, y, alpha, beta, grad)
    assert abs(want[1][0, 0]) > 1e-3
    for value, wanted in zip(got, want, strict=True):
        assert_close(value, wanted, 300 * FLOAT32)


def test_second_derivatives_are_the_references():
    """For a gradient penalty, say."""
    rng = np.random.default_rng(0)
    x, y, direction = (np.float64(np.float32(rng.random((2, 3)))) for _ in range(3))
    beta, grad = 0.9 * np.float64(np.float32(rng.random((3, 3)))), rng.normal(size=(2, 3))
    tensors = [ops.convert_to_tensor(a, dtype="float32") for a in (x, beta, grad)]

    def value(y):
        s = _ops.evaluate(tensor._synapse_tensor, (tensors[0], y), (None, tensors[1]))
        return ops.sum(tensors[2] * s)

    def gradient(y):
        return reference.synapse_tensor_vjp(x, y, np.ones(3), beta, grad)[1]

    step = 1e-5 * direction
    want = (gradient(y + step) - gradient(y - step)) / 2e-5
    # Differences of float64 numbers are as exact as float32.
    assert_close(hessian_vector(value, y, direction), want, 300 * FLOAT32, scale=np.max(abs(want)))


@pytest.mark.parametrize("space", SPACES)
def test_no_rows(space):
    empty = np.zeros((0, 6), np.float32)
    assert tuple(Synapse(4, space=space)(empty).shape) == (0, 4)


def test_accuracy_of_repeated_inputs():
    """Rounding errors must not add up, in the graph either, where every factor is the same."""
    y = np.full((2, 800), 0.3, dtype=np.float32)
    beta = np.full((3, 800), 0.2, dtype=np.float32)
    y, beta = ops.convert_to_tensor(y), ops.convert_to_tensor(beta)
    got = to_numpy(_ops.evaluate(transmission._log_transmission, (y,), (beta,)))
    want = syn.log_transmission(to_numpy(y), to_numpy(beta))
    assert_close(got, want, (10 + math.sqrt(800)) * FLOAT32)


def test_batch_axes_of_any_number():
    rng = np.random.default_rng(0)
    y, beta = np.float32(rng.random((2, 3, 5))), np.float32(rng.random((4, 5)))
    weights = (ops.convert_to_tensor(beta),)
    for rows in (y, y[0], y[0, 0]):
        given = ops.convert_to_tensor(rows)
        got = _ops.evaluate(transmission._log_transmission, (given,), weights)
        want = np.log1p(-np.float64(beta) * np.float64(rows)[..., None, :]).sum(-1)
        assert_close(to_numpy(got), want, 16 * FLOAT32)


def test_who_has_values():
    seen = []

    class Ask(keras.layers.Layer):
        def call(self, y):
            seen.append(_ops.readable(y))
            return y

    ask = Ask()
    assert _ops.readable(ops.convert_to_tensor(np.ones(2, "float32")))
    ask(np.ones((1, 2), "float32"))
    assert seen == [True]
    seen.clear()
    keras.Model(inputs := keras.Input((2,)), ask(inputs))
    assert set(seen) == {False}
