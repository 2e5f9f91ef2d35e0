"""The rivals run what the library runs: the same spikes where their neurons are the same."""

import numpy as np
import pytest
import torch

from asv_benchmarks.benchmarks import spiking_rivals
from asv_benchmarks.benchmarks.spiking_rivals import NAMES, NETWORKS, ON_NUMPY, OURS, SIZES, USES
from synann_core.spiking import LIF
from tests.helpers import assert_close

SAME = {  # the library's neuron, with the order that each has
    "snnTorch": LIF(spiking_rivals.DECAY),
    "Norse": LIF(
        spiking_rivals.DECAY,
        gain=1 - spiking_rivals.DECAY,
        order="immediate",
        reset="zero",
    ),
    "SpikingJelly": LIF(spiking_rivals.DECAY, order="immediate", fires=">="),
    "sinabs": LIF(spiking_rivals.DECAY, order="immediate", fires=">="),
}


def made(make, *arguments, **options):
    try:
        return make(*arguments, **options)
    except NotImplementedError as error:
        pytest.skip(str(error))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SAME)
def test_rivals_have_the_librarys_spikes(name):
    _, run = made(NETWORKS[name], (50,))
    # Norse takes a share of the current; sinabs would spike several times a step above 2.
    scale = {"Norse": 10.0, "sinabs": 0.3}.get(name, 0.5)
    x = scale * torch.randn(20, 4, 50, generator=torch.Generator().manual_seed(0))
    found, (expected, _) = run(x).detach().numpy(), SAME[name].run(x.numpy())
    assert expected.mean() > 0.01
    np.testing.assert_array_equal(found, expected)


def test_snntorch_and_the_module_have_the_same_gradients():
    found = []
    for name in (OURS, "snnTorch"):
        stages, run = NETWORKS[name]((30, 20, 5))
        x = torch.rand(10, 8, 30, generator=torch.Generator().manual_seed(0))
        run(2 * x).sum().backward()
        found.append([stage.weight.grad.numpy() for stage in stages])
    for one, other in zip(*found, strict=True):
        assert np.abs(one).max() > 0.1
        assert_close(one, other, 1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("name", [name for name in NAMES if "," not in name or "synann" in name])
def test_a_layer_forward_and_backward(name, linear):
    seconds = made(lambda: spiking_rivals.layer(name, 6, 3, 2, linear=linear)())
    assert len(seconds) == 2
    assert min(seconds) > 0


@pytest.mark.parametrize("use", USES)
def test_both_forms_of_the_library_compute_the_same(use, monkeypatch):
    monkeypatch.setattr(spiking_rivals, "SIZES", (SIZES[0], 12, 10))
    stages = spiking_rivals.stages_of((SIZES[0], 12, 10))
    weights = {
        f"{k}.{name}": parameter.detach().numpy()
        for k, stage in enumerate(stages)
        for name, parameter in stage.named_parameters()
    }
    network = spiking_rivals._on_numpy()
    network.weights = weights
    monkeypatch.setattr(spiking_rivals, "_on_numpy", lambda: network)
    one, other = (USES[use](name, 16)() for name in (OURS, ON_NUMPY))
    assert_close(one.detach().numpy(), np.asarray(other), 1e-4)
