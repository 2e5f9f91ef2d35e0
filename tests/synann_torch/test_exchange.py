"""Spiking modules in files, and on the way to the core and back."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from synann_core._lib.files import read_tensors, write_tensors
from synann_core.spiking import LIF, Layer, SpikingNetwork
from synann_torch.exchange import load_spiking, save_spiking, to_core, to_torch
from synann_torch.spiking import Spiking
from tests.synann_core.spiking.network.cases import make

MODULES = {
    "number": lambda: Spiking(LIF(0.9)),
    "learned": lambda: Spiking(LIF(0.9, 0.8, 0.3), learn=("decay", "threshold"), units=3),
    "one for all": lambda: Spiking(LIF(0.9), learn=("decay",)),
    "arrays": lambda: Spiking(LIF(np.array([0.1, 0.2, 0.3]), recurrent=0.1 * np.ones((3, 3)))),
    "recurrent": lambda: Spiking(LIF(recurrent=np.eye(3)), learn=("recurrent",)),
}


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_neurons_come_back(kind, dtype, tmp_path):
    module = MODULES[kind]().to(dtype)
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(1.0 / 3.0)
    save_spiking(module, tmp_path / "x")
    again = load_spiking(tmp_path / "x")
    assert again.learned == module.learned
    assert again.neuron.rule == module.neuron.rule
    currents = torch.rand((6, 2, 3), dtype=dtype, generator=torch.Generator().manual_seed(0))
    for a, b in zip(module.sequence(currents)[:2], again.sequence(currents)[:2], strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("neuron", 3, "neuron must be an object"),
        ("learn", 3, "`learn` is not a list"),
        ("learn", ["gain"], "`learn` must be one of"),
        ("learn", [[]], "where"),
        ("learn", ["recurrent"], "`learn` must name what the neuron has"),
    ],
)
def test_files_that_are_not_neurons(key, value, message, tmp_path):
    path = tmp_path / "x"
    save_spiking(Spiking(LIF(0.9)), path)
    tensors, metadata = read_tensors(path)
    config = json.loads(metadata["config"]) | {key: value}
    write_tensors(path, tensors, {"config": json.dumps(config)})
    with pytest.raises(ValueError, match=rf"`path` must.*{message}"):
        load_spiking(path)


@pytest.mark.parametrize("tensor", [np.ones(3), np.array(np.nan), np.array(1)])
def test_tensors_that_are_not_those_of_the_neurons(tensor, tmp_path):
    path = tmp_path / "x"
    save_spiking(Spiking(LIF(0.9)), path)
    tensors, metadata = read_tensors(path)
    write_tensors(path, tensors | {"decay": tensor}, metadata)
    with pytest.raises(ValueError, match="`path` must hold"):
        load_spiking(path)


@pytest.mark.parametrize("kind", ["article's", "learned", "norse", "adaptive"])
def test_networks_go_to_torch_and_back(kind):
    network, x, _ = make(kind)
    modules = to_torch(network).double()
    with torch.no_grad():  # the modules were made in float32
        for k, _ in enumerate(network.layers):
            linear, spiking = modules[2 * k : 2 * k + 2]
            for module, names in ((linear, ("weight", "bias")), (spiking, spiking.learned)):
                for name in names:
                    getattr(module, name).copy_(torch.as_tensor(network.weights[f"{k}.{name}"]))
            for name in ("decay", "threshold", "synaptic_decay"):
                own = getattr(network.layers[k].neuron, name)
                if own is not None and name not in spiking.learned:
                    getattr(spiking, name).fill_(own)
    signal = torch.as_tensor(x).expand(network.steps, *x.shape)
    for linear, spiking in zip(modules[::2], modules[1::2], strict=True):
        signal, membranes, _ = spiking.sequence(linear(signal))
    wanted = network.run(x)[-1]
    assert np.array_equal(signal.detach().numpy(), wanted[0])
    np.testing.assert_allclose(membranes.detach().numpy(), wanted[1], rtol=1e-10, atol=1e-12)
    again = to_core(modules, steps=network.steps)
    assert again.layers[0].learned == network.layers[0].learned
    for a, b in zip(again.run(x)[-1], wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_what_does_not_fit_the_core():
    linear, spiking = nn.Linear(4, 3), Spiking(LIF(0.9))
    for modules, message in (
        ([], "0 modules"),
        ([linear], "1 modules"),
        ([spiking, linear], "nn.Linear at 0"),
        ([linear, linear], "`modules` must hold a Spiking at 1"),
        ([linear, spiking, linear], "3 modules"),
    ):
        with pytest.raises(TypeError, match=message):
            to_core(modules)
    with pytest.raises(ValueError, match="must fit each other: layer 1"):
        to_core([linear, spiking, linear, spiking])
    with pytest.raises(TypeError, match="must be a SpikingNetwork"):
        to_torch(linear)
    with pytest.raises(ValueError, match="linear layers"):
        to_torch(SpikingNetwork(2, [Layer(2, kind="synapse")]))
    with pytest.raises(TypeError, match="must be a Spiking"):
        save_spiking(linear, "x")
    without_bias = nn.Linear(4, 3, bias=False)
    assert not to_core([without_bias, spiking]).weights["0.bias"].any()


def test_buffers_that_are_not_kept_and_tied_parameters(tmp_path):
    module = Spiking(LIF(decay=0.9, threshold=0.9), learn=("decay", "threshold"))
    module.register_buffer("seen", torch.ones(2), persistent=False)
    module.threshold = module.decay
    save_spiking(module, tmp_path / "neurons.safetensors")
    again = load_spiking(tmp_path / "neurons.safetensors")
    assert again.threshold.item() == again.decay.item() == module.decay.item()
