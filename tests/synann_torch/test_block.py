"""SynapseBlock: a synapse layer's surprisals, normalised. OddsBlock: log-odds to log-odds."""

import numpy as np
import pytest
import torch

from synann_torch import OddsBlock, SynapseBlock
from tests.helpers import assert_close


def test_block():
    block = SynapseBlock(6, 4)
    z = block(torch.rand(10, 3, 6))
    assert z.shape == (10, 3, 4)
    assert_close(z.mean((0, 1)).detach(), np.zeros(4), 1e-5, scale=1.0)
    assert_close(z.var((0, 1), unbiased=False).detach(), np.ones(4), 1e-2)
    assert block.synapse.theta is None


def test_options_are_those_of_the_layer():
    block = SynapseBlock(3, 4, excitation="none", alpha=True, dtype=torch.float64)
    assert block.synapse.excitation == "none"
    assert block.synapse.theta is not None
    assert {p.dtype for p in block.parameters()} == {torch.float64}
    x = torch.rand(2, 4, dtype=torch.float64)
    assert block(torch.rand(2, 3, dtype=torch.float64), x).shape == (2, 4)
    with pytest.raises(TypeError, match="`output` must not be given"):
        SynapseBlock(3, 4, output="probability")


def odds_block(features=5, **options):
    return OddsBlock(features, dtype=torch.float64, **options)


def test_odds_are_multiplied_by_alpha_and_transmission():
    block = odds_block()
    h = torch.randn(4, 3, 5, dtype=torch.float64)
    odds = torch.exp(h)
    y = (odds / (1.0 + odds))[..., None, :]
    product = (1.0 - block.synapse.beta * y).prod(-1)
    want = block.synapse.alpha * odds * product
    assert_close(torch.exp(block(h)).detach(), want.detach(), 1e-13)


def test_even_odds_pass_on_as_they_are():
    block = odds_block(mask=~torch.eye(5, dtype=torch.bool))
    for _ in range(2):
        assert_close(
            block(torch.zeros(5, dtype=torch.float64)).detach(), np.zeros(5), 1e-14, scale=1.0
        )
        before = block.synapse.beta_logit.detach().clone()
        block.reset_parameters()
        assert not torch.equal(before, block.synapse.beta_logit)
    block.reset_parameters(generator=torch.Generator().manual_seed(0))
    other = odds_block(generator=torch.Generator().manual_seed(0))
    assert torch.equal(block.synapse.beta_logit, other.synapse.beta_logit)


def test_a_deep_stack_keeps_spread_and_gradients():
    """As it is made: 64 layers neither squeeze the signal nor lose the gradient."""
    generator = torch.Generator().manual_seed(0)
    stack = torch.nn.Sequential(*(OddsBlock(32, generator=generator) for _ in range(64)))
    h = torch.randn(100, 32, generator=generator).requires_grad_()
    out = stack(h)
    assert 0.5 < float((out.std(0).mean() / h.std(0).mean()).detach()) < 4.0
    out.square().sum().backward()
    norms = [float(block.synapse.beta_logit.grad.norm()) for block in stack]
    assert max(norms) / min(norms) < 10.0


def test_gradients_of_an_odds_block():
    block = odds_block(3)
    h = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda h, *_: block(h), (h, *block.parameters()))


def test_an_odds_block_without_values():
    block = OddsBlock(3, device="meta")
    block.to_empty(device="cpu").reset_parameters()
    assert_close(block(torch.zeros(3)).detach(), np.zeros(3), 1e-6, scale=1.0)


def test_an_odds_block_has_its_own_options():
    for name in ("excitation", "alpha", "space", "output", "gate", "strict"):
        with pytest.raises(TypeError, match=f"`{name}` must not be given"):
            OddsBlock(3, **{name: None})
