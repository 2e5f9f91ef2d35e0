"""A layer's synapse tensor by compiled kernels, for torch's tensors on the CPU that nobody watches.

Where numbers are few one kernel computes all of it. Those that it is made of serve where there are
many: a row has the same bits in a batch of any size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from synann_core._lib.loops import keep_freed_memory
from synann_core._lib.threads import run_parts
from synann_core._lib.torch_modes import torch_watcher
from synann_core._lib.typing import Array, NumpyArray
from synann_core.native.host import contiguous, enabled, installed, kernels, threads_for, wrap

# Factors of a batch: above so many, Python's own time does not count, and threads may.
_FEW = 1 << 18
_PART = 1 << 17  # strengths or transmissions for a second thread: some 30 microseconds


def serves(*tensors: Any) -> bool:
    """Whether the kernels take these tensors (None stands for none), float32 or float64."""
    return enabled() and installed() and all(a is None or a.is_cpu for a in tensors)


def strengths(logit: Array, mask: Array | None) -> Array:
    """β = min(σ(logit), 1 − eps), and 0 where there is no synapse; (m, n)."""
    z, synapses = contiguous(logit), None if mask is None else contiguous(mask)
    keep_freed_memory()
    beta = np.empty_like(z)

    def part(rows: slice) -> None:
        kernels.strengths(z[rows], synapses if synapses is None else synapses[rows], beta[rows])

    _on_threads(part, z, logit)
    return wrap(beta, logit)


def transmissions(logarithms: Array, theta: Array | None) -> tuple[Array, bool]:
    """e^(T − θ) for T (..., m), and whether all these and their inverses are normal numbers."""
    t = contiguous(logarithms)
    rows, gains = t.reshape(-1, t.shape[-1]), None if theta is None else contiguous(theta)
    out, ordinary = np.empty_like(rows), []

    def part(own: slice) -> None:
        ordinary.append(kernels.transmissions(rows[own], gains, out[own]))

    _on_threads(part, rows, logarithms)
    return wrap(out.reshape(t.shape), logarithms), all(ordinary)


def few(
    x: Array | None, y: Array, logit: Array, theta: Array | None, mask: Array | None
) -> tuple[Array, Array, Array] | None:
    """s (..., m), β and e^(T − θ), or None unless they are few and all is as usual.

    That is: inputs and strengths in [0, 1], no factor closed, and e^(T − θ) a normal number.
    """
    shape = (*y.shape[:-1], logit.shape[0])
    size = logit.shape[0] * y.numel()
    if not 0 < size < _FEW or (x is not None and x.shape != shape):
        return None
    z, inputs = contiguous(logit), contiguous(y)
    beta, near, s = np.empty_like(z), np.empty(shape, z.dtype), np.empty(shape, z.dtype)
    open_ = kernels.layer_open(
        z,
        None if mask is None else contiguous(mask),
        None if theta is None else contiguous(theta),
        _rows(inputs),
        None if x is None else _rows(inputs if x is y else contiguous(x)),
        beta,
        _rows(near),
        _rows(s),
    )
    return (wrap(s, y), wrap(beta, y), wrap(near, y)) if open_ else None


def few_gradients(
    x: Array | None, y: Array, beta: Array, near: Array, guarded: Any, far: Any, grad: Array
) -> tuple[Array, Array, Array, Array] | None:
    """Gradients of x (..., m), y, the logits and θ, of β and a `Product`; or None, as there."""
    unusual = guarded is not None or far is not None or (x is not None and x.shape != near.shape)
    if unusual or not 0 < beta.shape[0] * y.numel() < _FEW:
        return None
    given = x, y, beta, near, grad
    if not (serves(*given) and torch_watcher(*given) == "nobody"):
        return None
    inputs, strong, p = contiguous(y), contiguous(beta), contiguous(near)
    gx, gy, glogit = np.empty_like(p), np.empty_like(inputs), np.empty_like(strong)
    gtheta = np.empty(len(strong), p.dtype)
    open_ = kernels.layer_gradients_open(
        strong,
        _rows(inputs),
        None if x is None else _rows(inputs if x is y else contiguous(x)),
        _rows(p),
        _rows(contiguous(grad)),
        _rows(gx),
        _rows(gy),
        glogit,
        gtheta,
    )
    if not open_:
        return None
    return wrap(gx, y), wrap(gy, y), wrap(glogit, y), wrap(gtheta, y)


def _rows(a: NumpyArray) -> NumpyArray:
    return a if a.ndim == 2 else a.reshape(-1, a.shape[-1])


def _on_threads(function: Callable[[slice], None], rows: NumpyArray, like: Array) -> None:
    """Call `function` for some of the rows, of which all threads get the same share."""
    threads = threads_for(like) if rows.size >= 2 * _PART else 1
    step = max(1, -(-len(rows) // threads))
    run_parts(function, [(slice(k, k + step),) for k in range(0, len(rows), step)], threads)
