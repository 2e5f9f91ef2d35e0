"""The loops of `graph_loops` in surprisal space.

The sum of the excitatory inputs stands in both loops: as a function of its own it made the forward
loop a quarter slower.

A factor f = ȳ + y β̄ of an inhibitory input is a sum of positive terms and keeps its digits where
γ + u comes close to 0. Its logarithm is taken of the product of up to 32 of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synann_core._lib.typing import NumpyArray as Array
from synann_core.native.compile import njit
from synann_core.native.graph_loops import BLOCK, ONE
from synann_core.native.intrinsics import fma


@njit
def forward(
    z: Array,
    y: Array,
    y_bar: Array,
    rows: Any,
    theta: Array,
    beta: Array,
    beta_bar: Array,
    graph: Any,
) -> None:
    """Write the neurons' surprisals z, y = e^(−z) and ȳ = 1 − y.

    Parameters
    ----------
    z, y, y_bar : arrays, shape (nodes · rows,), the inputs filled in
    theta : array, one entry a neuron
    beta, beta_bar : arrays, one entry an inhibitory edge: e^(−γ) and 1 − e^(−γ)
    graph : (excitatory indptr, indices, inhibitory indptr, indices), unsigned, in topological order
    """
    strong, sources, weak, readings = graph
    half, one, zero = z.dtype.type(0.5), z.dtype.type(1), z.dtype.type(0)
    first = np.uint64(z.size) - np.uint64(theta.size) * rows
    small = np.sqrt(np.finfo(z.dtype).tiny)  # the product of two such numbers is still normal
    for j in range(theta.size):
        i = np.uint64(j)
        for r in range(rows):
            total = zero
            for start in range(strong[i], strong[i + ONE], BLOCK):
                part = zero
                for e in range(start, min(start + BLOCK, strong[i + ONE])):
                    part += z[sources[e] * rows + r]
                total += part
            for start in range(weak[i], weak[i + ONE], BLOCK):
                p, c, logs = one, zero, zero
                for k in range(start, min(start + BLOCK, weak[i + ONE])):
                    node = readings[k] * rows + r
                    f = fma(y[node], beta_bar[k], y_bar[node])
                    if not f > small:  # also 0 and NaN
                        logs += np.log(f)
                        continue
                    c = fma(y[node] * beta[k], p, c)
                    p *= f
                    if p < small:
                        logs += np.log(p)
                        p, c = one, zero
                total -= logs + (np.log1p(-c) if c < half else np.log(p))
            value = theta[i] + total
            at = first + i * rows + r
            z[at] = value
            if value < half:
                y_bar[at] = -np.expm1(-value)
                y[at] = one - y_bar[at]
            else:
                y[at] = np.exp(-value)
                y_bar[at] = one - y[at]


@njit
def backward(
    y: Array,
    y_bar: Array,
    h: Array,
    rows: Any,
    beta: Array,
    beta_bar: Array,
    graph: Any,
    floor: Any,
    gtheta: Array,
    ggamma: Array,
) -> None:
    """Turn the gradients h of all nodes' surprisals into those of the inputs; see `graph_loops`.

    Occupations are those of factors of at least `floor`.
    """
    strong, sources, weak, readings = graph
    first = np.uint64(h.size) - np.uint64(gtheta.size) * rows
    for j in range(gtheta.size):
        i = np.uint64(gtheta.size - 1 - j)
        for r in range(rows):
            up = h[first + i * rows + r]
            gtheta[i] += up
            for e in range(strong[i], strong[i + ONE]):
                h[sources[e] * rows + r] += up
            for k in range(weak[i], weak[i + ONE]):
                node = readings[k] * rows + r
                f = fma(y[node], beta_bar[k], y_bar[node])
                f = floor if f < floor else f
                through = up * (y[node] * beta[k] / f)
                h[node] -= through
                ggamma[k] -= through


@njit
def tangents(
    y: Array,
    y_bar: Array,
    dz: Array,
    rows: Any,
    dtheta: Array,
    beta: Array,
    beta_bar: Array,
    dgamma: Array,
    graph: Any,
    floor: Any,
) -> None:
    """Write the neurons' tangents into dz, in which those of the inputs stand."""
    strong, sources, weak, readings = graph
    zero = dz.dtype.type(0)
    first = np.uint64(dz.size) - np.uint64(dtheta.size) * rows
    for j in range(dtheta.size):
        i = np.uint64(j)
        for r in range(rows):
            total = zero
            for start in range(strong[i], strong[i + ONE], BLOCK):
                part = zero
                for e in range(start, min(start + BLOCK, strong[i + ONE])):
                    part += dz[sources[e] * rows + r]
                total += part
            for start in range(weak[i], weak[i + ONE], BLOCK):
                part = zero
                for k in range(start, min(start + BLOCK, weak[i + ONE])):
                    node = readings[k] * rows + r
                    f = fma(y[node], beta_bar[k], y_bar[node])
                    f = floor if f < floor else f
                    part += y[node] * beta[k] / f * (dgamma[k] + dz[node])
                total -= part
            dz[first + i * rows + r] = dtheta[i] + total
