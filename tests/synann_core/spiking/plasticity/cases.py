"""Spike trains, and neurons with delayed synapses."""

import numpy as np

from synann_core.spiking import firing_times

TAU = 7.0


def spike_trains(rng, steps=12, batch=2, n=4, m=3, rate=0.4):
    pre, post = (rng.random((steps, batch, k)) < rate for k in (n, m))
    return pre.astype(float), post.astype(float)


def delayed(rng, batch=4, n=3, m=3, count=6, scale=0.5):
    """Inputs, weights of both signs and delays; some neurons fire and some do not."""
    times = rng.uniform(0.0, 8.0, (batch, n))
    weights = scale * rng.normal(0.25, 0.5, (m, n, count))
    return times, weights, np.arange(1.0, count + 1.0)


def fire(times, weights, delays, tau=TAU, threshold=1.0):
    return firing_times(times, weights, delays, tau=tau, threshold=threshold)
