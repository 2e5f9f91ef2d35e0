"""Models on jax exported for batches of any size, beside a layer that is a product of matrices."""

import keras
import numpy as np
import pytest

from synann_keras import SynaMLP, Synapse
from tests.helpers import assert_close
from tests.synann_keras.keras_helpers import BACKEND, FLOAT32, to_numpy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

MODELS = {
    "product": lambda: keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)]),
    "synapse": lambda: keras.Sequential([keras.Input((6,)), Synapse(4)]),
    "network": lambda: SynaMLP(6, 5, 3),
}


@pytest.mark.skipif(BACKEND != "jax", reason="its own way of exporting, with symbolic sizes")
@pytest.mark.parametrize("name", MODELS)
def test_any_number_of_rows(name, tmp_path):
    import tensorflow as tf

    model = MODELS[name]()
    model.export(tmp_path / "model", format="tf_saved_model", verbose=False)
    exported = tf.saved_model.load(tmp_path / "model")
    y = np.random.default_rng(0).random((7, 6)).astype(np.float32)
    want = to_numpy(model(y))
    for rows in (1, 7):
        assert_close(to_numpy(exported.serve(y[:rows])), want[:rows], 32 * FLOAT32)
