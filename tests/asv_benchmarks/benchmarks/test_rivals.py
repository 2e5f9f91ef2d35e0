"""The published layer as a rival: that of the MNIST example, log output and gradients."""

import torch

from asv_benchmarks.benchmarks import rivals
from asv_benchmarks.benchmarks.common import make_problem
from mnist.models_torch import PublishedSynapse
from tests.helpers import assert_close


def test_the_published_layer_is_that_of_the_example():
    problem = make_problem("5x6x6")
    logs, *gradients = rivals.published(problem)()
    layer = PublishedSynapse(6).double()
    x, beta, t = (torch.from_numpy(a).double() for a in problem)
    layer.load_state_dict({"weight": beta})
    expected = torch.log(layer(x.requires_grad_()))
    assert_close(logs.detach(), expected.detach(), 1e-5)
    wanted = torch.autograd.grad(expected, (x, layer.weight), t)
    for one, other in zip(gradients, wanted, strict=True):
        assert_close(one, other, 1e-5)
