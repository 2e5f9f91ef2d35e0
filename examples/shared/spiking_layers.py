"""Spiking layers one after the other, and backpropagation through time for what learns otherwise.

A network is a list of weights, shape (outputs, inputs), without biases, all with one kind of
neuron; spikes are (steps, batch, neurons).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from shared import plots
from synann.spiking import LIF, Record


class Pass(NamedTuple):
    """What went into a layer, what came out, and the record of its neurons."""

    x: np.ndarray
    spikes: np.ndarray
    record: Record


def new_weights(sizes: Sequence[int], scale: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw weights of standard deviation scale/√inputs between layers of these sizes."""
    return [rng.normal(0.0, scale / np.sqrt(n), (m, n)) for n, m in pairwise(sizes)]


def forward(weights: Sequence[np.ndarray], x: np.ndarray, neuron: LIF) -> list[Pass]:
    passes = []
    for w in weights:
        spikes, record = neuron.run(x @ w.T)
        passes.append(Pass(x, spikes, record))
        x = spikes
    return passes


def bptt(
    weights: Sequence[np.ndarray], passes: Sequence[Pass], grad: np.ndarray, neuron: LIF
) -> list[np.ndarray]:
    """Gradients of all weights from that of the last layer's spikes."""
    gradients: list[np.ndarray] = []
    for w, own in zip(reversed(weights), reversed(passes), strict=True):
        currents = neuron.vjp(own.record, spikes=grad).currents
        gradients.insert(0, np.einsum("tbi,tbj->ij", currents, own.x, optimize=True))
        grad = currents @ w
    return gradients


def draw_curves(axes, curves: Mapping[str, np.ndarray], every: int = 1) -> None:
    """Draw the mean of each label's rows (seeds, epochs), and between the least and the most."""
    for k, (label, rows) in enumerate(curves.items()):
        epochs = every * np.arange(1, rows.shape[1] + 1)
        colour = plots.COLOURS[k % len(plots.COLOURS)]
        axes.plot(epochs, rows.mean(axis=0), color=colour, label=label)
        axes.fill_between(
            epochs, rows.min(axis=0), rows.max(axis=0), color=colour, alpha=0.2, linewidth=0
        )
