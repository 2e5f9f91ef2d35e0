"""Compiled neurons: bits of the array operations, gradients to within rounding, any shape."""

import numpy as np
import pytest

from synann_core.native import host
from synann_core.spiking import LIF, Surrogate
from synann_core.spiking.neurons import native
from tests.helpers import EPS, assert_close


@pytest.fixture(autouse=True)
def kernels_there():
    assert host.installed()


@pytest.mark.parametrize("order", ["article", "snntorch", "immediate"])
@pytest.mark.parametrize("synaptic", [None, 0.7])
@pytest.mark.parametrize(
    "shape",
    ["fast_sigmoid", "arctan", "sigmoid", "triangle", "boxcar", "gaussian", "straight_through"],
)
@pytest.mark.parametrize("steps", [None, 7])
def test_compiled_loops_have_the_same_bits(order, synaptic, shape, steps, dtype, monkeypatch):
    rng = np.random.default_rng(0)
    surrogate = Surrogate(shape, 0.5, 1.5)
    neuron = LIF(
        0.9, rng.uniform(0.5, 1, 37).astype(dtype), synaptic, order=order, surrogate=surrogate
    )
    shape = (35, 37) if steps else (7, 35, 37)
    currents = rng.normal(0.1, 0.4, shape).astype(dtype)
    found = []
    for kernels in ("on", "off"):
        monkeypatch.setenv("SYNANN_KERNELS", kernels)
        spikes, record = neuron.run(currents, steps=steps)
        grads = neuron.vjp(record, spikes=1.0, membrane=0.5)
        found.append((spikes, record.membrane, *record.state[:2], grads.currents, grads.threshold))
    for k, (one, other) in enumerate(zip(*found, strict=True)):
        if one is None:
            assert other is None
        elif k < 4:
            np.testing.assert_array_equal(one, other)
        else:
            assert_close(one, other, 100 * EPS[dtype])


@pytest.mark.parametrize("kernels", ["on", "off"])
@pytest.mark.parametrize("shape", [(3, 0), (3, 0, 4), (3, 4, 0), (1, 2, 2, 5), (4,)])
def test_any_number_of_axes(shape, kernels, monkeypatch):
    monkeypatch.setenv("SYNANN_KERNELS", kernels)
    neuron = LIF(0.9, synaptic_decay=0.5, order="article")
    spikes, record = neuron.run(np.full(shape, 2.0))
    grads = neuron.vjp(record, 1.0, 1.0)
    assert spikes.shape == record.membrane.shape == grads.currents.shape == shape
    assert record.state.membrane.shape == shape[1:]
    assert grads.decay.shape == ()


def test_threads_and_parts_change_nothing(monkeypatch):
    """Rows go in parts of sixteen, on several threads where there is work for them."""
    currents = np.random.default_rng(0).normal(0.1, 0.4, (7, 35, 37))
    neuron, found = LIF(0.9, np.full(37, 0.8)), []
    for rows, work in ((16, 1), (16, 1 << 30), (5, 1)):
        monkeypatch.setattr(native, "_ROWS", rows)
        monkeypatch.setattr(native, "_WORK", work)
        spikes, record = neuron.run(currents)
        grads = neuron.vjp(record, spikes=1.0)
        found.append((spikes, record.membrane, grads.currents, grads.threshold))
    for one, other in zip(found[0], found[1], strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(found[0][:3], found[2][:3], strict=True):
        np.testing.assert_array_equal(one, other)
    assert_close(found[2][3], found[0][3], 1e-14)  # summed in other parts
