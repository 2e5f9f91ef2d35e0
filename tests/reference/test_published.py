"""The published layer, written afresh, has the published layer's faults."""

import numpy as np
import pytest

from reference.published import (
    published_layer,
    published_layer_closed_form,
    published_log_layer,
    published_log_layer_closed_form,
)
from reference.tensor import synapse_tensor


def arguments(samples=4, n=5, dtype="float64"):
    rng = np.random.default_rng(0)
    x = rng.random((samples, n)).astype(dtype)
    # unconstrained: half of it negative
    return x, rng.uniform(-0.5, 0.5, (n, n)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_literal_construction_equals_closed_form(dtype):
    x, w = arguments(dtype=dtype)
    literal, closed = published_log_layer(x, w), published_log_layer_closed_form(x, w)
    assert literal.dtype == closed.dtype == dtype
    limit = 20 * np.finfo(dtype).eps  # 20 terms
    np.testing.assert_allclose(literal, closed, rtol=0, atol=limit * np.abs(literal).max())
    np.testing.assert_allclose(
        published_layer(x, w), published_layer_closed_form(x, w), rtol=20 * limit
    )


def test_alone_a_sample_gets_the_synapse_tensor():
    x, w = arguments(samples=1)
    np.testing.assert_allclose(published_layer(x, w), synapse_tensor(x, x, 1.0, w), rtol=1e-13)


def test_a_sample_depends_on_its_batch_mates():
    x, w = arguments()
    together, alone = published_layer(x, w), published_layer(x[:1], w)
    assert np.abs(together[0] / alone[0] - 1.0).max() > 0.1
    changed = x.copy()
    changed[1] *= 0.5
    assert np.abs(published_layer(changed, w)[0] / together[0] - 1.0).max() > 0.01
    # which the synapse tensor does not
    np.testing.assert_array_equal(
        synapse_tensor(changed, changed, 1.0, w)[0], synapse_tensor(x, x, 1.0, w)[0]
    )


def test_every_sample_is_multiplied_by_the_same_vector():
    x, w = arguments()
    vector = published_layer(x, w) / x
    np.testing.assert_allclose(vector, np.broadcast_to(vector[0], vector.shape), rtol=1e-13)
    own = synapse_tensor(x, x, 1.0, w) / x
    assert np.abs(own / own[0] - 1.0).max() > 0.1


@pytest.mark.parametrize("log_layer", [published_log_layer, published_log_layer_closed_form])
def test_inputs_on_and_outside_the_border(log_layer):
    x, w = arguments()
    x[0, 2] = 0.0
    log_s = log_layer(x, w)
    assert log_s[0, 2] == -np.inf
    assert np.isfinite(np.delete(log_s.ravel(), 2)).all()
    x[0, 2] = -0.1
    assert np.isnan(log_layer(x, w)[0, 2])
