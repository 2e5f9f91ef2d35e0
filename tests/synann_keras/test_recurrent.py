"""The recurrent cell, by itself and in Keras' layers."""

import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

from reference import tensor as reference
from synann_keras import SynaRNNCell
from tests.helpers import assert_close
from tests.synann_keras.keras_helpers import FLOAT32, gradients, randomise, to_numpy

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed"),  # by Keras' TestCase
]
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def test_keras_checks_of_the_cell():
    TestCase().run_layer_test(
        keras.layers.RNN,
        init_kwargs={"cell": SynaRNNCell(4, kernel_regularizer="l2"), "return_sequences": True},
        input_shape=(2, 5, 3),
        expected_output_shape=(2, 5, 4),
        expected_num_trainable_weights=4,
        expected_num_non_trainable_weights=0,
        supports_masking=True,
    )


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def test_cell_formula():
    rng = np.random.default_rng(0)
    cell = SynaRNNCell(4)
    rnn = keras.layers.RNN(cell, return_sequences=True, return_state=True)
    y = rng.normal(size=(3, 5, 6)).astype(np.float32)
    rnn(y)
    randomise(cell)
    assert {w.name: w.shape for w in cell.weights} == {
        "kernel": (6, 8),
        "recurrent_kernel": (4, 4),
        "bias": (8,),
        "beta_logit": (4, 4),
    }
    W, U, b = (to_numpy(w) for w in (cell.kernel, cell.recurrent_kernel, cell.bias))
    beta = sigmoid(to_numpy(cell.synapse.beta_logit)).T
    h, states = np.zeros((3, 4)), []
    for t in range(5):
        projected = np.float64(y[:, t]) @ W + b
        s = reference.synapse_tensor(sigmoid(projected[:, :4]), h, np.ones(4), beta)
        z = sigmoid(projected[:, 4:] + h @ U)
        h = (1 - z) * h + z * s
        states.append(h)
    got, last = rnn(y)
    assert_close(to_numpy(got), np.stack(states, axis=1), 100 * FLOAT32)
    assert_close(to_numpy(last), h, 100 * FLOAT32)
    with pytest.raises(ValueError, match=r"`inputs` must have shape \(..., 6\)"):
        rnn(y[..., :5])
    with pytest.raises(TypeError, match="`inputs` must have a real floating-point dtype"):
        cell(np.ones((3, 6), "int32"), [h])
    with pytest.raises(ValueError, match=r"`states` must have shape \(..., 4\)"):
        cell(y[:, 0], [h[:, :3]])
    with pytest.raises(ValueError, match="`inputs` must have a last axis of known size"):
        SynaRNNCell(4).build((None, None))


def test_cell_in_keras_layers():
    """Unrolled, stacked, in both directions: all as a plain loop."""
    y = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    cell = SynaRNNCell(3)
    want = to_numpy(keras.layers.RNN(cell)(y))
    assert_close(to_numpy(keras.layers.RNN(cell, unroll=True)(y)), want, 16 * FLOAT32)
    both = keras.layers.Bidirectional(keras.layers.RNN(SynaRNNCell(3)))
    both(y)
    both.backward_layer.set_weights(both.forward_layer.get_weights())
    assert_close(to_numpy(both(y))[:, 3:], to_numpy(both(y[:, ::-1]))[:, :3], 16 * FLOAT32)
    stacked = keras.layers.RNN([cell, SynaRNNCell(2)], return_state=True)(y)
    assert_close(to_numpy(stacked[1][0]), want, 16 * FLOAT32)
    assert tuple(stacked[0].shape) == (2, 2)


def test_cell_gradients_are_finite_differences():
    rnn = keras.layers.RNN(SynaRNNCell(3))
    rng = np.random.default_rng(0)
    y, upstream = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 3))
    rnn(np.float32(y))
    randomise(rnn, spread=0.3)
    got = gradients(rnn, y, upstream=upstream)

    def loss():
        return np.sum(upstream * to_numpy(rnn(ops.convert_to_tensor(y, dtype="float32"))))

    for weight, gradient in zip(rnn.trainable_weights, got[1:], strict=True):
        value, direction = to_numpy(weight), rng.normal(size=weight.shape)
        ends = []
        for sign in (1, -1):
            weight.assign(value + sign * 0.01 * direction)
            ends.append(loss())
        weight.assign(value)
        want = (ends[0] - ends[1]) / 0.02
        assert np.sum(gradient * direction) == pytest.approx(want, rel=2e-3, abs=2e-4)


def test_cell_keeps_probabilities_and_learns():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    y = rng.normal(size=(64, 6, 4)).astype(np.float32)
    labels = (y[:, -1, 0] > 0).astype(int)
    states = keras.layers.RNN(SynaRNNCell(16))(10 * y)
    assert 0.0 <= to_numpy(states).min() < to_numpy(states).max() <= 1.0
    model = keras.Sequential([keras.layers.RNN(SynaRNNCell(16)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.03), CROSS_ENTROPY)
    losses = model.fit(y, labels, epochs=30, batch_size=64, verbose=0).history["loss"]
    assert losses[-1] < 0.3 < losses[0]


def test_a_masked_step_leaves_the_state():
    y = np.random.default_rng(0).random((2, 4, 3)).astype(np.float32)
    y[1, 2:] = 0.0
    rnn = keras.layers.RNN(SynaRNNCell(3))
    masked = to_numpy(rnn(keras.layers.Masking()(y)))
    assert_close(masked[1], to_numpy(rnn(y[1:, :2]))[0], 8 * FLOAT32)


def test_units_are_checked():
    with pytest.raises(ValueError, match=r"`units` must be at least 1. Received: -2"):
        SynaRNNCell(-2)
