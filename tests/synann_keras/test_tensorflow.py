"""What only tensorflow has: its namespace for the core, and SavedModels."""

import keras
import numpy as np
import pytest

from synann_keras import Synapse
from tests.helpers import assert_close
from tests.synann_keras.keras_helpers import BACKEND, FLOAT32, network, to_numpy

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a namespace over tensorflow")
def test_names_of_the_standard():
    from synann_keras import _tensorflow as xp

    a = np.float32([[0.5, -2.0, 7.0], [1.0, 0.25, 3.0]])
    tensor = xp.asarray(a, dtype=xp.float32)
    for low, high in ((0.0, None), (None, 1.0), (0.0, 1.0)):
        np.testing.assert_array_equal(to_numpy(xp.clip(tensor, low, high)), np.clip(a, low, high))
    np.testing.assert_array_equal(to_numpy(xp.matrix_transpose(tensor)), a.T)
    assert tuple(xp.reshape(tensor, (None, 2)).shape) == (3, 2)
    assert tuple(xp.zeros((2, 3), dtype=xp.float64).shape) == (2, 3)
    assert xp.finfo(xp.float64).eps == 2.0**-52
    assert_close(to_numpy(xp.sigmoid(tensor)), 1 / (1 + np.exp(-a)), 4 * FLOAT32)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="gradients of tensorflow")
def test_written_gradients_are_taken():
    """Of a function whose own would be others; and none is recorded inside it."""
    import tensorflow as tf

    from synann_keras import _tensorflow as xp

    a, nothing = tf.constant([1.0, 2.0]), None
    inside = []

    def square(a, nothing):
        inside.append(xp.attach(a, lambda: pytest.fail("recorded")))
        return a * a

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(a)
        squared = xp.with_gradient(square, lambda a, nothing, g: (100.0 * g * a, None), a, nothing)
        attached = xp.attach(tf.floor(a), lambda: 3.0 * a)
    np.testing.assert_array_equal(to_numpy(squared), [1.0, 4.0])
    np.testing.assert_array_equal(to_numpy(tape.gradient(squared, a)), [100.0, 200.0])
    np.testing.assert_array_equal(to_numpy(attached), [1.0, 2.0])
    np.testing.assert_array_equal(to_numpy(tape.gradient(attached, a)), [3.0, 3.0])
    assert len(inside) == 1


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a SavedModel is tensorflow's")
def test_saved_model(tmp_path):
    import tensorflow as tf

    model = network(output="surprisal")
    model.export(tmp_path / "model", format="tf_saved_model", verbose=False)
    exported = tf.saved_model.load(tmp_path / "model")
    for shape in ((3, 2), (1, 5)):
        y = np.random.default_rng(0).random((*shape, 6)).astype(np.float32)
        assert_close(to_numpy(exported.serve(y)), model.predict(y, verbose=0), 32 * FLOAT32)
    # Where β y is small, 1 − β y is 1: log1p must stay what it is.
    layer = Synapse(4, excitation="none", output="surprisal", alpha=False)
    model = keras.Sequential([keras.Input((6,)), layer])
    model.export(tmp_path / "small", format="tf_saved_model", verbose=False)
    y = np.float32(1e-9 * np.random.default_rng(0).random((3, 6)))
    exported = tf.saved_model.load(tmp_path / "small")
    got = to_numpy(exported.serve(y))
    assert_close(got, np.float64(y) @ to_numpy(layer.beta), 32 * FLOAT32)
