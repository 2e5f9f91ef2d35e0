"""Masked and sparse arrays, whose hidden numbers Keras would use: one error of every layer."""

import keras
import numpy as np
import pytest
import scipy.sparse

from synann_keras import SynaCNN, SynaMLP, Synapse, SynapseConv2d, SynaRNNCell
from tests.synann_keras.keras_helpers import BACKEND

Y, LABELS = np.full((2, 3), 0.5, np.float32), np.array([0, 1])
IMAGES = np.full((2, 8, 8, 1), 0.5, np.float32)


def by_torch(a):
    torch = pytest.importorskip("torch")
    return torch.nested.nested_tensor(list(torch.from_numpy(a)))


def ragged(a):
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.RaggedTensor.from_tensor(a)
    return keras.KerasTensor(a.shape, sparse=True)


ODD = {
    "masked": lambda a: np.ma.masked_array(a, a > 0.1),
    "matrix": np.asmatrix,
    "sparse": scipy.sparse.csr_array,
    "nested": by_torch,
    "ragged": ragged,
}
CALLS = {
    "y": lambda bad: Synapse(3)(bad),
    "x": lambda bad: Synapse(3)(Y, bad),
    "x by name": lambda bad: Synapse(3)(Y, x=bad),
    "mask": lambda bad: Synapse(3, mask=bad),
    "images' mask": lambda bad: SynapseConv2d(3, 1, mask=bad),
    "inputs": lambda bad: SynaRNNCell(3)(bad, [Y]),
    "states": lambda bad: SynaRNNCell(3)(Y, [bad]),
    "call": lambda bad: SynaMLP(3, 4, 2)(bad),
    "predict": lambda bad: SynaMLP(3, 4, 2).predict(bad, verbose=0),
    "fit": lambda bad: compiled().fit(bad, LABELS, verbose=0),
    "fit by name": lambda bad: compiled().fit(x=bad, y=LABELS, verbose=0),
    "evaluate": lambda bad: compiled().evaluate(bad, LABELS, verbose=0),
}


def compiled():
    model = SynaMLP(3, 4, 2)
    model.compile(loss="sparse_categorical_crossentropy")
    return model


@pytest.mark.filterwarnings("ignore")  # NumPy's of matrix, torch's of what it calls a prototype
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", CALLS)
def test_every_layer_refuses(name, kind):
    with pytest.raises(TypeError, match="must be a plain dense array"):
        CALLS[name](ODD[kind](Y))


def test_labels_and_images_too():
    hidden = np.ma.masked_array(LABELS, [True, False])
    with pytest.raises(TypeError, match="`y` must be a plain dense array"):
        compiled().fit(Y, hidden, verbose=0)
    with pytest.raises(TypeError, match="`x` must be a plain dense array"):
        SynaCNN(width=2, hidden=4).predict(np.ma.masked_array(IMAGES, IMAGES > 0.1), verbose=0)
