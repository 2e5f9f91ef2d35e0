"""The published layer's faults, pinned: it mixes samples, and ours does not."""

import numpy as np
import pytest
import torch

import reference.tensor as slow
import synann_core as syn
from reference.published import published_layer, published_layer_closed_form
from tests.helpers import EPS, assert_relative


@pytest.fixture
def layer():
    rng = np.random.default_rng(0)
    return rng.random((6, 8)), rng.uniform(0, 0.2, (8, 8))


def ours(xp, x, w):
    x, w = xp.asarray(x), xp.asarray(w)
    return xp.to_numpy(xp.call(syn.synapse_tensor, x, x, 1.0, w))


def test_the_published_layer_depends_on_the_other_samples(layer):
    x, w = layer
    changed = x.copy()
    changed[1:] = 0.9
    difference = np.abs(published_layer(changed, w)[0] / published_layer(x, w)[0] - 1)
    assert difference.min() > 0.01


def test_ours_does_not(xp, layer):
    x, w = layer
    changed = x.copy()
    changed[1:] = 0.9
    np.testing.assert_array_equal(ours(xp, changed, w)[0], ours(xp, x, w)[0])
    np.testing.assert_array_equal(ours(xp, x[:1], w)[0], ours(xp, x, w)[0])


def test_the_published_layer_multiplies_samples_by_one_vector(layer):
    x, w = layer
    factors = published_layer(x, w) / x
    assert_relative(factors, np.broadcast_to(factors[0], factors.shape), 16 * EPS["float64"])
    own = slow.synapse_tensor(x, x, np.ones(8), w) / x
    assert np.abs(own / own[0] - 1).max() > 0.1
    # That vector is the product of what the samples should have been multiplied by, each its own.
    assert_relative(factors[0], own.prod(0), 64 * EPS["float64"])


def test_ours_is_the_published_layer_for_one_sample(xp, layer):
    x, w = layer
    for row in x:
        assert_relative(ours(xp, row[None], w), published_layer(row[None], w), 32 * EPS["float64"])


def test_closed_form(layer):
    x, w = layer
    assert_relative(published_layer(x, w), published_layer_closed_form(x, w), 64 * EPS["float64"])


def test_faults_at_the_border_that_ours_does_not_have(xp, layer):
    x, w = layer
    # Different numbers of inputs and outputs raise there, and are a shape like any other here.
    with pytest.raises(ValueError, match="shape"):
        published_layer(x, w[:3])
    y, beta = xp.asarray(x), xp.asarray(w[:3])
    assert xp.call(syn.synapse_tensor, 1.0, y, 1.0, beta).shape == (6, 3)
    # x = 0 has a gradient here: αP.
    x[0] = 0
    arrays = [xp.asarray(a) for a in (x, x, np.ones(8), w, np.ones((6, 8)))]
    for gradient in xp.to_numpy(xp.call(syn.synapse_tensor_vjp, *arrays)):
        assert np.isfinite(gradient).all()


def test_the_published_gradient_at_zero_is_nan_and_ours_is_not(layer):
    x, w = (torch.tensor(a) for a in layer)
    x[0, 3] = 0.0
    x.requires_grad_()
    log_factors = torch.log1p(-x[:, None, :] * w).sum(dim=(0, 2))
    (gradient,) = torch.autograd.grad(torch.exp(torch.log(x) + log_factors).sum(), x)
    assert torch.isnan(gradient[0, 3])
    (gradient,) = torch.autograd.grad(syn.synapse_tensor(x, x, 1.0, w).sum(), x)
    assert torch.isfinite(gradient).all()
