"""Run the sequential codes by compiled kernels, for NumPy arrays and torch tensors on the CPU.

The same comparisons as those of the array path, but for BSA's sums, which go along the kernel.
"""

from __future__ import annotations

import numpy as np

from synann_core._lib.typing import Array, NumpyArray
from synann_core.native.host import contiguous, kernels, wrap


def step_forward(x: Array, threshold: Array) -> Array:
    """Return the spikes of the step-forward code; thresholds broadcast to a step of x."""
    signals = _columns(x)
    each = np.broadcast_to(contiguous(threshold), x.shape[1:]).reshape(signals.shape[1:])
    spikes = np.empty_like(signals)
    kernels.step_forward(signals, contiguous(each), spikes)
    return wrap(spikes.reshape(x.shape), x)


def bsa(x: Array, kernel: Array, *, threshold: float, rule: str, end: str) -> Array:
    """Return the spikes of Ben's spiker algorithm."""
    left = _columns(x).copy()
    spikes = np.empty_like(left)
    kernels.bsa(left, contiguous(kernel), spikes, threshold, rule == "ratio", end == "partial")
    return wrap(spikes.reshape(x.shape), x)


def _columns(x: Array) -> NumpyArray:
    """Return x as (steps, signals)."""
    return contiguous(x).reshape(x.shape[0], int(np.prod(x.shape[1:], dtype=int)))
