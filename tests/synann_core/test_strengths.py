"""The gradient of logits; β and γ themselves are tested with the layer that they are part of."""

import numpy as np
import pytest

from synann_core import layer, strengths


def test_gradient_of_the_logit():
    beta, gbeta = np.array([0.25, 0.5]), np.array([4.0, -1.0])
    np.testing.assert_array_equal(strengths.logit_gradient(beta, gbeta), [0.75, -0.25])
    torch = pytest.importorskip("torch")
    from array_api_compat import torch as xp

    got = strengths.logit_gradient(torch.from_numpy(beta), torch.from_numpy(gbeta), xp=xp)
    np.testing.assert_array_equal(got.numpy(), [0.75, -0.25])


def test_a_layer_offers_the_same_functions():
    assert all(
        getattr(layer, name) is getattr(strengths, name)
        for name in ("beta_of", "gamma_of", "logit_gradient")
    )
