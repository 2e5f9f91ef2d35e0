"""Which arrays reach the kernels, on how many threads, and how they come back."""

import re

import array_api_compat.numpy as xp
import numpy as np
import pytest
from array_api_compat import torch as torch_xp

import synann_core as syn
from synann_core import spiking
from synann_core.graph import SynapseGraph
from synann_core.graph import native as graphs
from synann_core.native import host
from synann_core.spiking import LIF
from synann_core.spiking.neurons import native as neurons


@pytest.mark.needs_kernels
def test_numpy_arrays_are_served_but_for_long_doubles():
    assert host.serves(xp, np.ones(2), None, np.ones(3, np.float32))
    assert not host.serves(xp, np.ones(2), np.ones(2, np.longdouble))


@pytest.mark.needs_kernels
def test_tensors_on_the_cpu_are_served_and_other_arrays_are_not():
    import array_api_strict
    import torch

    assert host.serves(torch_xp, torch.ones(2), None)
    assert not host.serves(torch_xp, torch.ones(2, device="meta"))
    assert not host.serves(array_api_strict, array_api_strict.ones(2))


def test_an_environment_variable_turns_the_loops_off(monkeypatch):
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    assert not host.serves(xp, np.ones(2))


def test_contiguous_memory_is_not_copied():
    a = np.arange(6.0).reshape(2, 3)
    assert host.contiguous(a) is a
    turned = host.contiguous(a.T)
    assert turned.flags.c_contiguous
    assert np.array_equal(turned, a.T)


def test_results_come_back_in_the_callers_library():
    import torch

    a = np.ones(3)
    assert host.wrap(a, a) is a
    tensor = host.wrap(a, torch.ones(1))
    assert isinstance(tensor, torch.Tensor)
    a[0] = 5.0
    assert float(tensor[0]) == 5.0  # the same memory


@pytest.fixture
def one_thread():
    import torch

    count = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(count)


def test_torchs_number_of_threads_counts_for_tensors(monkeypatch, one_thread):
    import torch

    monkeypatch.setattr(host, "thread_count", lambda: 2)
    assert host.threads_for(np.ones(2)) == 2
    assert host.threads_for(torch.ones(2)) == 1


@pytest.mark.needs_kernels
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_neurons_and_graphs_ask_for_it(monkeypatch, one_thread, library):
    import torch

    found = []

    def run_parts(function, parts, threads):
        found.append(threads)
        for part in parts:
            function(*part)

    make = {"numpy": np.asarray, "torch": torch.asarray}[library]
    monkeypatch.setattr(host, "thread_count", lambda: 2)
    monkeypatch.setattr(neurons, "_WORK", 1)
    for module in (neurons, graphs):
        monkeypatch.setattr(module, "run_parts", run_parts)
    LIF().run(make(np.ones((2, 3))))
    graph = SynapseGraph.from_arrays(2, 2, inhibitory=([3, 2], [0, 1]))
    graph.compile().vjp(make(np.ones((1, 2))), grad=make(np.ones((1, 2))))
    assert found == [2 if library == "numpy" else 1] * 2


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    ("value", "on"),
    [("off", False), ("", True)],
)
def test_the_environment_is_asked_at_every_call(value, on, there, monkeypatch):
    if not there:
        monkeypatch.setattr(host, "kernels", None)
    monkeypatch.setenv("SYNANN_KERNELS", value)
    assert host.enabled() == on
    monkeypatch.delenv("SYNANN_KERNELS")
    assert host.enabled()


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    "value", ["on", "OFF", "of", "offs", "0", "false", " off", "off ", "a" * 999]
)
def test_another_word_is_an_error(value, there, monkeypatch):
    """At every call that would look, not a silent choice of the kernels."""
    if not there:
        monkeypatch.setattr(host, "kernels", None)
    monkeypatch.setenv("SYNANN_KERNELS", value)
    message = f"`SYNANN_KERNELS` must be off, or not set. Received: '{value[:100]}'"
    graph = SynapseGraph.from_arrays(1, 1, inhibitory=([1], [0])).compile()
    a, tensors = np.ones((2, 2)), torch_xp.ones((2, 2))
    calls = [
        host.enabled,
        lambda: syn.log_transmission(a, a),
        lambda: syn.log_transmission(tensors, tensors),
        lambda: syn.log_transmission_vjp(a, a, a),
        lambda: syn.synapse_tensor(a, a, 1.0, a),
        lambda: syn.log_transmission_variant(a, a),
        lambda: graph(np.ones(1)),
        lambda: graph.vjp(np.ones((1, 1)), grad=np.ones((1, 1))),
        lambda: LIF().run(a),
        lambda: spiking.step_forward_encode(a, threshold=0.5),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=re.escape(message)):
            call()
