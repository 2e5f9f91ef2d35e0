"""Initial values of a synapse layer's logits."""

import keras
import numpy as np
import pytest
from keras import ops

import synann_core as syn
from synann_keras import InitialBetaLogit, InitialMixingLogit
from tests.helpers import assert_close
from tests.synann_keras.keras_helpers import FLOAT32, to_numpy

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_seeds():
    shape = (20, 5)
    for kind in (InitialBetaLogit, InitialMixingLogit):
        first = to_numpy(kind(seed=3)(shape))
        np.testing.assert_array_equal(first, to_numpy(kind(seed=3)(shape)))
        keras.utils.set_random_seed(1)
        global_seed = to_numpy(kind()(shape))
        assert not np.array_equal(global_seed, to_numpy(kind()(shape)))
        keras.utils.set_random_seed(1)
        np.testing.assert_array_equal(global_seed, to_numpy(kind()(shape)))
        moving = kind(seed=keras.random.SeedGenerator(3))
        assert not np.array_equal(to_numpy(moving(shape)), to_numpy(moving(shape)))
        again = kind.from_config(kind(seed=7).get_config())
        np.testing.assert_array_equal(to_numpy(again(shape)), to_numpy(kind(seed=7)(shape)))
    weak = to_numpy(ops.sigmoid(InitialBetaLogit(0.1, seed=0)(shape)))
    want = syn.initial_beta(5, 20, mean_input=0.1, rng=0).T
    assert_close(weak, want, 16 * FLOAT32)


def test_bad_seed_and_mean():
    with pytest.raises(ValueError, match="`mean_input` must be in"):
        InitialBetaLogit(0.0)
    with pytest.raises(TypeError, match="`seed` must be an int or a SeedGenerator"):
        InitialMixingLogit("a")


def test_they_are_saved_by_their_names():
    registered = keras.saving.get_registered_name
    assert registered(InitialBetaLogit) == "synann>InitialBetaLogit"
    assert registered(InitialMixingLogit) == "synann>InitialMixingLogit"
    saved = keras.saving.serialize_keras_object(InitialBetaLogit(0.25, seed=3))
    again = keras.saving.deserialize_keras_object(saved)
    assert again.get_config() == {"mean_input": 0.25, "seed": 3}
