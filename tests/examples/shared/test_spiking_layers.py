"""Layers of spiking neurons, forward and back in time."""

import numpy as np
from matplotlib.figure import Figure

from shared import spiking_layers
from synann.spiking import LIF, Layer, SpikingNetwork


def test_gradients_equal_those_of_a_network():
    rng = np.random.default_rng(0)
    neuron, x, y = LIF(0.9), (rng.random((12, 5, 6)) < 0.5).astype(float), np.arange(5) % 3
    network = SpikingNetwork(6, [Layer(8, neuron), Layer(3, neuron)], loss="count")
    for k in range(2):
        network.weights[f"{k}.bias"] *= 0.0
    weights = [2.0 * network.weights[f"{k}.weight"] for k in range(2)]
    network.weights |= {f"{k}.weight": w for k, w in enumerate(weights)}
    passes = spiking_layers.forward(weights, x, neuron)
    assert [p.spikes.shape for p in passes] == [(12, 5, 8), (12, 5, 3)]
    counts = passes[-1].spikes.sum(axis=0)
    assert counts.sum() > 5
    shares = np.exp(counts) / np.exp(counts).sum(axis=1, keepdims=True)
    grad = np.broadcast_to((shares - np.eye(3)[y]) / 5, (12, 5, 3))
    found = spiking_layers.bptt(weights, passes, grad, neuron)
    want = network.gradients(x, y)[1]
    for k in range(2):
        np.testing.assert_allclose(found[k], want[f"{k}.weight"], rtol=1e-10, atol=1e-12)


def test_weights_have_the_spread_that_is_asked_for():
    first, second = spiking_layers.new_weights((400, 300, 5), 0.5, np.random.default_rng(1))
    assert first.shape == (300, 400)
    assert second.shape == (5, 300)
    assert abs(first.std() * 20.0 - 0.5) < 0.01


def test_curves_are_means_within_bands():
    axes = Figure().subplots()
    rows = np.array([[1.0, 2.0], [3.0, 6.0]])
    spiking_layers.draw_curves(axes, {"one": rows, "two": rows[:1]})
    (one, two) = axes.lines
    assert one.get_label() == "one"
    np.testing.assert_array_equal(one.get_xydata(), [[1, 2], [2, 4]])
    np.testing.assert_array_equal(two.get_ydata(), [1, 2])
    assert len(axes.collections) == 2
