"""Counts of spikes, additions and multiply-adds: by hand, by loops, on every library."""

import numpy as np
import pytest

from synann_core.spiking import LIF, Layer, Operations, SpikingNetwork
from tests.synann_core.spiking.network.cases import FEATURES, NETWORKS, SAMPLES, STEPS, make

# With these the neuron fires in the step in which a spike comes in, and in no other.
RELAY = LIF(0.0, 0.5)


def relay(sizes, neuron=RELAY, **options):
    """A network in which every neuron fires where any input does."""
    features, *units = sizes
    network = SpikingNetwork(features, [Layer(n, neuron, **options) for n in units], steps=3)
    network.weights = {
        name: np.ones_like(w) if name.endswith("weight") else np.zeros_like(w)
        for name, w in network.weights.items()
    }
    return network


def test_a_sequence_of_spikes_by_hand(xp):
    x = np.zeros((4, 2, 3))
    x[0, 0, 1] = x[2, 0, :2] = 1.0  # the first sample: 1 and 2 spikes; the second is silent
    counts = relay((3, 5, 2)).operations(xp.asarray(x), inputs="spikes")
    assert isinstance(counts, Operations)
    assert all(a.dtype == np.int64 for a in counts)
    # Both layers fire in two steps, all neurons.
    np.testing.assert_array_equal(counts.spikes, [[2 * 5, 2 * 2], [0, 0]])
    np.testing.assert_array_equal(counts.additions, [[3 * 5, 10 * 2], [0, 0]])
    np.testing.assert_array_equal(counts.multiply_adds, np.zeros((2, 2)))
    np.testing.assert_array_equal(counts.updates, [[4 * 5, 4 * 2]] * 2)
    np.testing.assert_array_equal(counts.dense, [3 * 5, 5 * 2])


def test_numbers_are_multiplied_once_or_at_every_step():
    network, x = relay((3, 5, 2)), np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    constant = network.operations(x)
    np.testing.assert_array_equal(constant.multiply_adds, [[15, 0]] * 2)  # zeros, too
    np.testing.assert_array_equal(constant.spikes, [[3 * 5, 3 * 2], [0, 0]])
    np.testing.assert_array_equal(constant.additions, [[0, 15 * 2], [0, 0]])
    sequence = network.operations(np.stack([x] * 4))
    np.testing.assert_array_equal(sequence.multiply_adds, [[4 * 15, 0]] * 2)
    # Constant spikes come in at every step.
    spikes = network.operations(x / 2, inputs="spikes")
    np.testing.assert_array_equal(spikes.additions[:, 0], [3 * 5, 0])


@pytest.mark.parametrize("order", ["snntorch", "immediate", "article"])
def test_own_spikes_come_back_at_the_next_step(order):
    x = np.zeros((3, 1, 1))
    x[0] = x[2] = 1.0
    neuron = LIF(0.0, 0.5, recurrent=np.zeros((4, 4)), order=order)
    counts = relay((1, 4), neuron).operations(x, inputs="spikes")
    # They fire in steps 0 and 2; nobody sees what comes back after the last. "article" puts the
    # spikes of step 0 out, and back, in step 1, and those of step 2 never.
    shown = 1 if order == "article" else 2
    assert counts.spikes == shown * 4
    assert counts.additions == 2 * 4 + 4 * 4
    one = relay((1, 4), neuron).operations(x[:1], inputs="spikes")
    assert one.additions == 4


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("kind", NETWORKS)
def test_what_run_returns_is_what_is_counted(kind, sequence):
    network, x, _ = make(kind, sequence=sequence)
    counts, runs = network.operations(x), network.run(x)
    assert counts.spikes.sum() > 0
    inputs = FEATURES
    for k, (layer, (spikes, _)) in enumerate(zip(network.layers, runs, strict=True)):
        assert counts.dense[k] == inputs * layer.units
        np.testing.assert_array_equal(counts.updates[:, k], STEPS * layer.units)
        for sample in range(SAMPLES):
            expected = sum(int(s) for s in spikes[:, sample].ravel())
            assert counts.spikes[sample, k] == expected
            if k:
                came = sum(int(s) for s in runs[k - 1][0][:, sample].ravel())
                assert counts.additions[sample, k] == came * layer.units
        inputs = layer.units
    own = runs[0][0][:-1].sum(axis=(0, 2)) if network.layers[0].recurrent else np.zeros(SAMPLES)
    np.testing.assert_array_equal(counts.additions[:, 0], own * network.layers[0].units)


def test_samples_by_chunks():
    network, x = relay((2, 3)), np.zeros((1100, 2))
    x[::7] = 1.0
    counts = network.operations(x, inputs="spikes")
    assert counts.spikes.shape == (1100, 1)
    np.testing.assert_array_equal(counts.additions[:, 0], np.where(np.arange(1100) % 7, 0, 18))


def test_errors():
    network = relay((2, 3))
    with pytest.raises(
        ValueError, match=r"`X` must hold 0 and 1.*Received: values from 0.5 to 0.5"
    ):
        network.operations(np.full((1, 2), 0.5), inputs="spikes")
    with pytest.raises(ValueError, match="`inputs` must be"):
        network.operations(np.ones((1, 2)), inputs="rates")
    with pytest.raises(ValueError, match="`X` must have shape"):
        network.operations(np.ones((1, 3)))


def test_printed_they_are_a_table_of_means():
    counts = relay((3, 5, 2)).operations(np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]))
    assert str(counts).splitlines() == [
        "layer  spikes  additions  multiply-adds  updates  dense",
        "    0     7.5        0.0           15.0     15.0   15.0",
        "    1     3.0       15.0            0.0      6.0   10.0",
    ]
