"""Losses and readouts of a spiking network's output; arrays are (steps, batch, classes)."""

from __future__ import annotations

from typing import Literal

from synann_core._lib.loops import scan
from synann_core._lib.typing import Array, Namespace
from synann_core.learning import _cross_entropy, _cross_entropy_vjp
from synann_core.spiking.neurons.records import Upstream

Loss = Literal["membrane", "membrane_sum", "count", "first_spike"]
Readout = Literal["count", "membrane", "first_spike"]


def scores(readout: Readout, spikes: Array, membrane: Array, xp: Namespace) -> Array:
    """Return one score for each sample and class; the largest wins."""
    if readout == "count":
        return xp.sum(spikes, axis=0)
    if readout == "first_spike":
        return -first_spike(spikes, xp)[0]
    return xp.sum(membrane, axis=0)


def loss(
    kind: Loss, spikes: Array, membrane: Array, target: Array, xp: Namespace
) -> tuple[Array, Upstream]:
    """Return the mean loss of the batch, and its gradients by spikes and by membranes.

    Cross-entropy of `target` (batch, classes) and the softmax of: the membranes at every step,
    added up ("membrane", as snnTorch's tutorials do); the sum of the membranes over the steps
    ("membrane_sum"); the number of spikes ("count"); minus the time of the first one
    ("first_spike").
    """
    batch = target.shape[0]
    slopes = None
    if kind == "membrane":
        logits, target = membrane, xp.broadcast_to(target, membrane.shape)
    elif kind == "first_spike":
        times, slopes = first_spike(spikes, xp)
        logits = -times
    else:
        logits = xp.sum(spikes if kind == "count" else membrane, axis=0)
    each = xp.full_like(logits[..., 0], 1.0 / batch)
    grad, _ = _cross_entropy_vjp(logits, target, each, xp=xp)
    value = xp.sum(_cross_entropy(logits, target, xp=xp)) / batch
    if slopes is not None:
        return value, Upstream(spikes=-grad * slopes)
    grad = xp.broadcast_to(grad, spikes.shape)
    return value, Upstream(spikes=grad) if kind == "count" else Upstream(membrane=grad)


def first_spike(spikes: Array, xp: Namespace) -> tuple[Array, Array]:
    """Count the steps before the first spike (all, if there is none); derivatives by the spikes.

    The time is ``Σ_t ∏_{k ≤ t} (1 − s[k])``, which is linear in every spike: its derivative is
    exact for spikes 0 and 1, and reaches a silent neuron. One by s[τ] is minus the steps from τ to
    the next spike if none came before τ, else 0.
    """
    silent = 1.0 - spikes
    one = xp.ones_like(silent[0, ...])

    def forward(before: Array, part: tuple[Array]) -> tuple[Array, tuple[Array, Array]]:
        after = before * part[0]
        return after, (before, after)

    def backward(after: Array, part: tuple[Array]) -> tuple[Array, tuple[Array]]:
        return 1.0 + part[0] * after, (after,)

    _, (before, still) = scan(forward, one, (silent,), xp)
    _, (until,) = scan(backward, one, (xp.flip(silent, axis=0),), xp)
    return xp.sum(still, axis=0), -before * xp.flip(until, axis=0)
