"""The formulas as functions of tensors."""

import torch

import synann_core as syn
from synann_torch import functional
from tests.helpers import EPS, assert_close


def test_functional():
    y, beta = torch.rand(3, 5, requires_grad=True), torch.rand(4, 5)
    x, alpha = torch.rand(3, 4), torch.rand(4)
    T = functional.log_transmission(y, beta)
    assert_close(T.detach(), torch.log1p(-y[:, None] * beta).sum(-1).detach(), 64 * EPS["float32"])
    s = functional.synapse_tensor(x, y, alpha, beta)
    assert_close(s.detach(), (alpha * x * torch.exp(T)).detach(), 64 * EPS["float32"])
    assert s.requires_grad


def test_they_are_those_of_the_core():
    assert functional.log_transmission is syn.log_transmission
    assert functional.synapse_tensor is syn.synapse_tensor
    assert sorted(functional.__all__) == ["log_transmission", "synapse_tensor"]
