"""Weight decay that spares the logits of synapses, on the backend of this process."""

import keras
import numpy as np
import pytest

from synann_keras import Synapse, SynaRNNCell, exclude_from_weight_decay
from tests.synann_keras.keras_helpers import to_numpy

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def make():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((5, 6)),
            keras.layers.RNN(SynaRNNCell(4), name="rnn"),
            keras.layers.BatchNormalization(name="norm"),
            Synapse(3, name="synapse"),
            keras.layers.Dense(2, name="dense"),
        ]
    )


@pytest.mark.parametrize("wrapped", [False, True])
def test_logits_and_vectors_do_not_decay(wrapped):
    """Without gradients only the decay moves weights."""
    moved = {}
    for spared in (True, False):
        model = make()
        optimizer = keras.optimizers.AdamW(0.1, weight_decay=0.5)
        if wrapped:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        if spared:
            assert exclude_from_weight_decay(optimizer, model) is optimizer
        weights = model.trainable_variables
        before = [to_numpy(w.value) for w in weights]
        inner = optimizer.inner_optimizer if wrapped else optimizer
        inner.apply(
            [keras.ops.zeros(w.shape, dtype=w.dtype) for w in weights], trainable_variables=weights
        )
        after = [to_numpy(w.value) for w in weights]
        moved[spared] = {
            w.path.split("/", 1)[-1]
            for w, a, b in zip(weights, before, after, strict=True)
            if not np.array_equal(a, b)
        }
    assert {path.rpartition("/")[2] for path in moved[True]} == {"kernel", "recurrent_kernel"}
    decayed = {path.rpartition("/")[2] for path in moved[False]}
    assert {"beta_logit", "mixing_logit", "gamma"} <= decayed


def test_bad_arguments():
    model = make()
    built = keras.optimizers.AdamW(0.1)
    built.build(model.trainable_variables)
    with pytest.raises(ValueError, match="`optimizer` must not be built yet"):
        exclude_from_weight_decay(built, model)
    with pytest.raises(TypeError, match="`optimizer` must be a Keras opt"):
        exclude_from_weight_decay("adamw", model)
    with pytest.raises(ValueError, match="`model` must be built"):
        exclude_from_weight_decay(keras.optimizers.AdamW(), keras.Sequential([Synapse(3)]))
