"""A model of Keras as the core's."""

import keras
import numpy as np
import pytest

from synann_keras import SynaCNN, SynaMLP, to_core
from tests.helpers import assert_close
from tests.synann_keras.keras_helpers import FLOAT32, randomise

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize(
    ("layer", "gate"), [("synapse", "sigmoid"), ("dense", "softmax"), ("none", "sigmoid")]
)
def test_the_core_computes_the_same(layer, gate):
    model = SynaMLP(6, 9, 3, layer=layer, gate=gate, dropout=0.1)
    randomise(model, spread=0.3)
    for norm in ("norm1", "norm2"):
        model.get_layer(norm).moving_variance.assign(np.full(9, 0.5))
    X = np.random.default_rng(0).random((20, 6), dtype=np.float32)
    core = to_core(model)
    assert (core.layer, core.gate, core.dropout) == (layer, gate, 0.1)
    assert_close(core.decision_function(X), model.predict(X, verbose=0), 200 * FLOAT32)


def with_epsilon():
    net = SynaMLP(3, 4, 2)
    net.get_layer("norm2").epsilon = 1e-3
    return net


def with_gains():
    net = SynaMLP(3, 4, 2)
    net.get_layer("synapse").has_alpha = True
    return net


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SynaCNN(1, 3, width=2, hidden=4), "layers.*conv1"),
        (lambda: keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), "missing"),
        (with_epsilon, "norm2 with epsilon"),
        (with_gains, "alpha False"),
    ],
)
def test_models_that_the_core_lacks_are_refused(make, message):
    with pytest.raises(ValueError, match=f"`model`.*{message}.*Received|Received.*{message}"):
        to_core(make())
