"""The torch models that are trained on MNIST."""

import numpy as np
import torch

from mnist.models_torch import PublishedSynapse, build, parameter_count
from mnist.recipes import LAYERS
from reference.published import published_layer


def test_the_published_layer_is_the_references():
    layer = PublishedSynapse(6).double()
    x = torch.softmax(torch.randn(5, 6, dtype=torch.float64), dim=1)
    expected = published_layer(x.numpy(), layer.weight.detach().numpy())
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-13)
    assert layer.weight.abs().max() <= 6**-0.5
    assert torch.autograd.gradcheck(layer, x.requires_grad_())


def test_the_rivals_have_the_same_number_of_parameters():
    ours, gru = (parameter_count(build("rnn", name, "rnn", (28, 28), 10)) for name in LAYERS["rnn"])
    assert abs(gru / ours - 1) < 0.01  # a unit more or less is about 0.9 % of them
    synapse, dense, none = (
        parameter_count(build("cnn", name, "cnn", (28, 28), 10)) for name in LAYERS["cnn"]
    )
    assert none < synapse <= dense
