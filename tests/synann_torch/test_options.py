"""Options that nobody takes are refused under the name of the class that got them."""

import pytest
import torch

from synann_torch import (
    LazySynapse,
    OddsBlock,
    SynaCNN,
    SynaMLP,
    Synapse,
    SynapseBlock,
    SynaRNN,
    SynaRNNCell,
)
from synann_torch.options import check_options


@pytest.mark.parametrize(
    ("module", "sizes"),
    [
        (Synapse, (3, 4)),
        (LazySynapse, (4,)),
        (SynapseBlock, (3, 4)),
        (OddsBlock, (3,)),
        (SynaRNNCell, (3, 4)),
        (SynaRNN, (3, 4)),
        (SynaMLP, (3, 4, 2)),
        (SynaCNN, ()),
    ],
)
def test_unknown_options_are_refused(module, sizes):
    with pytest.raises(TypeError, match=f"{module.__name__} has no option 'bias'"):
        module(*sizes, bias=False)


def test_options_of_the_layer_that_takes_them():
    owner = torch.nn.Identity()
    check_options(owner, {"device": "cpu", "dtype": None})
    check_options(owner, {"excitation": "none", "dtype": None}, Synapse)
    with pytest.raises(TypeError, match="Identity has no option 'excitation'"):
        check_options(owner, {"excitation": "none"})
