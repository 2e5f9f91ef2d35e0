"""SynapseBlock: a synapse layer's surprisals, normalised."""

import numpy as np
import pytest
import torch

from synann_torch import SynapseBlock
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
