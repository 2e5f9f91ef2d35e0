"""Networks of every kind, and inputs that make their neurons fire."""

import numpy as np

from synann_core.spiking import LIF, Layer, SpikingNetwork, fast_sigmoid, norse_lif

WIDE = fast_sigmoid(0.5)
PLAIN = LIF(0.9, surrogate=WIDE)
NETWORKS = {
    "article's": [Layer(9, PLAIN), Layer(4, PLAIN)],
    "synapse": [Layer(9, PLAIN, kind="synapse", spread=3.0), Layer(4, PLAIN)],
    "synapse of spikes": [Layer(9, PLAIN), Layer(4, PLAIN, kind="synapse", spread=3.0)],
    "learned": [
        Layer(
            9,
            LIF(0.8, 0.9, 0.4, surrogate=WIDE, detach_reset=False),
            recurrent=True,
            learn=("decay", "threshold", "synaptic_decay"),
        ),
        Layer(4, LIF(0.7, order="immediate", surrogate=WIDE), learn=("decay",)),
    ],
    "norse": [Layer(9, norse_lif(v_leak=0.3)), Layer(7, PLAIN), Layer(4, norse_lif())],
    "adaptive": [
        Layer(9, LIF(0.9, adaptation=0.2, adaptation_decay=0.9, surrogate=WIDE)),
        Layer(4, LIF(0.9, order="article", surrogate=WIDE)),
    ],
}
SAMPLES, FEATURES, STEPS = 6, 5, 7


def make(kind, loss="membrane", sequence=False, seed=0):
    """A network whose neurons fire, inputs in [0, 1], labels."""
    rng = np.random.default_rng(seed)
    network = SpikingNetwork(FEATURES, NETWORKS[kind], steps=STEPS, loss=loss, seed=seed)
    gain = {"weight": 4.0, "bias": 2.0}
    network.weights = {k: w * gain.get(k.split(".")[1], 1.0) for k, w in network.weights.items()}
    shape = (STEPS, SAMPLES, FEATURES) if sequence else (SAMPLES, FEATURES)
    return network, rng.random(shape), rng.integers(0, 4, SAMPLES)
