"""Sparse, nested, quantised and masked tensors: one error of every module."""

import numpy as np
import pytest
import torch

import synann_torch
from synann_core.spiking import LIF, State
from synann_torch.spiking import Spiking

Y = torch.full((2, 3), 0.5)
ODD = {
    "sparse": lambda a: a.to_sparse(),
    "csr": lambda a: a.to_sparse_csr(),
    "nested": lambda a: torch.nested.nested_tensor(list(a)),
    "jagged": lambda a: torch.nested.nested_tensor(list(a), layout=torch.jagged),
    "quantised": lambda a: torch.quantize_per_tensor(a, 0.1, 0, torch.quint8),
    "masked": lambda a: torch.masked.masked_tensor(a, a > 0.1),
}
CALLS = {
    "y": lambda bad: synann_torch.Synapse(3, 3)(bad),
    "x": lambda bad: synann_torch.Synapse(3, 3)(Y, bad),
    "contributions": lambda bad: synann_torch.Synapse(3, 3).contributions(bad),
    "mask": lambda bad: synann_torch.Synapse(3, 2, mask=bad),
    "SynapseBlock": lambda bad: synann_torch.SynapseBlock(3, 3)(bad),
    "OddsBlock": lambda bad: synann_torch.OddsBlock(3)(bad),
    "SynaMLP": lambda bad: synann_torch.SynaMLP(3, 4, 2)(bad),
    "explain": lambda bad: synann_torch.SynaMLP(3, 4, 2).explain(bad),
    "explain background": lambda bad: synann_torch.SynaMLP(3, 4, 2).explain(Y, background=bad),
    "explain_inputs": lambda bad: synann_torch.SynaMLP(3, 4, 2).explain_inputs(bad, Y),
    "inputs' background": lambda bad: synann_torch.SynaMLP(3, 4, 2).explain_inputs(Y, bad),
    "LazySynapse": lambda bad: synann_torch.LazySynapse(2)(bad),
    "SynaRNNCell": lambda bad: synann_torch.SynaRNNCell(3, 3)(bad),
    "SynaRNNCell state": lambda bad: synann_torch.SynaRNNCell(3, 3)(Y, bad),
    "SynaRNN": lambda bad: synann_torch.SynaRNN(3, 3)(bad),
    "SynaRNN state": lambda bad: synann_torch.SynaRNN(3, 3)(Y, bad),
    "Spiking": lambda bad: Spiking(LIF())(bad),
    "Spiking sequence": lambda bad: Spiking(LIF()).sequence(bad),
    "Spiking state": lambda bad: Spiking(LIF())(Y, State(bad)),
}


@pytest.mark.filterwarnings("ignore")  # torch's of what it calls a prototype
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", CALLS)
def test_every_module_refuses(name, kind):
    with pytest.raises(
        TypeError, match=r"`\w.*` must be a plain dense array\. Received: \w*Tensor"
    ):
        CALLS[name](ODD[kind](Y))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ODD)
def test_a_network_for_images_refuses(kind):
    images = torch.full((2, 8), 0.5)
    with pytest.raises(TypeError, match="`images` must be a plain dense array"):
        synann_torch.SynaCNN()(ODD[kind](images))
    with pytest.raises(TypeError, match="`y` must be a plain dense array"):
        synann_torch.SynapseConv2d(1, 1, 1)(ODD[kind](images))


@pytest.mark.parametrize("name", [n for n in CALLS if n != "Spiking state"])
def test_masked_arrays_of_numpy_are_not_tensors(name):
    with pytest.raises(TypeError, match=r"must be a tensor\. Received: MaskedArray"):
        CALLS[name](np.ma.masked_array(Y.numpy(), Y.numpy() > 0.1))
