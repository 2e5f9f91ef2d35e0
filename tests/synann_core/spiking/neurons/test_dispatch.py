"""Who runs neurons: compiled kernels where they can, array operations elsewhere."""

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

from synann_core.spiking import LIF
from synann_core.spiking.neurons import dispatch, dynamics, native
from synann_core.spiking.neurons.records import Plan, Upstream
from tests.helpers import assert_close, make_backend


def choice(neuron, currents):
    given, inputs = neuron.checked(currents, None, None)
    return dispatch.choose(given.xp, inputs)


@pytest.mark.needs_kernels
@pytest.mark.parametrize("make", [np.ones, torch.ones])
@pytest.mark.parametrize(
    "options",
    [
        {"synaptic_decay": 0.5},
        {"adaptation": 0.1, "adaptation_decay": 0.5},
        {"threshold": None},
        {"recurrent": True},
    ],
    ids=["synaptic", "adaptive", "integrator", "recurrent"],
)
def test_all_neurons_have_kernels_on_a_cpu(make, options):
    options = {name: make((4, 4)) if value is True else value for name, value in options.items()}
    assert choice(LIF(0.9, **options), make((3, 2, 4))) is native


def test_one_neuron_without_an_axis_has_none():
    assert choice(LIF(0.9), np.ones(3)) is dynamics


@pytest.mark.needs_kernels
def test_tensors_that_autograd_watches_have_none():
    assert choice(LIF(0.9), torch.ones(3, 4, requires_grad=True)) is dynamics
    assert choice(LIF(torch.tensor(0.9, requires_grad=True)), torch.ones(3, 4)) is dynamics
    with torch.no_grad():
        assert choice(LIF(0.9), torch.ones(3, 4, requires_grad=True)) is native


@pytest.mark.parametrize("library", ["jax", "strict"])
def test_other_libraries_have_none(library):
    with make_backend(library) as xp:
        assert choice(LIF(0.9), xp.asarray(np.ones((3, 4)))) is dynamics


def test_kernels_can_be_turned_off(monkeypatch):
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    assert choice(LIF(0.9), np.ones((3, 4))) is dynamics


def test_both_implementations_offer_the_same():
    """Forward and backward, called as dispatch calls them."""
    neuron, currents = LIF(0.9, 0.7), np.random.default_rng(0).random((5, 3, 4))
    _, inputs = neuron.checked(currents, None, None)
    plan, xp = Plan(neuron.rule), array_namespace(currents)
    runs = [module.forward(inputs, plan=plan, xp=xp) for module in (native, dynamics)]
    np.testing.assert_array_equal(runs[0].spikes, runs[1].spikes)
    upstream = Upstream(membrane=currents)
    found = [
        module.vjp(inputs, runs[0].potential, upstream, plan=plan, xp=xp)
        for module in (native, dynamics)
    ]
    assert_close(found[0].currents, found[1].currents, 1e-15)
    assert_close(found[0].decay, found[1].decay.sum(0), 1e-14)  # one a neuron, or of the state
