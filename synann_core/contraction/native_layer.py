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
from synann_core._lib.typing import NumpyArray
from synann_core.native.host import contiguous, enabled, installed, kernels, lent, threads_for

# Factors of a batch: above so many, Python's own time does not count, and threads may. Of one row
# memory takes most of the time, which is gone through less often.
_FEW, _FEW_OF_ONE_ROW = 1 << 18, 1 << 20
_PART = 1 << 17  # strengths or transmissions for a second thread: some 30 microseconds

Tensor = Any  # torch's, float32 or float64; masks are of bool


def serves(*tensors: Tensor | None) -> bool:
    """Whether the kernels take these tensors (None stands for none)."""
    for a in tensors:  # quicker than a generator
        if a is not None and not a.is_cpu:
            return False
    return enabled() and installed()


def of_a_layer(
    x: Tensor | None, y: Tensor, logit: Tensor, theta: Tensor | None, mask: Tensor | None
) -> bool:
    """Whether all are of one dtype, and parameters have the shapes of a layer's own."""
    import torch

    kind = logit.dtype
    if y.dtype != kind or (x is not None and x.dtype != kind):
        return False
    return is_own(theta, kind, logit.shape[:1]) and is_own(mask, torch.bool, logit.shape)


def is_own(parameter: Tensor | None, dtype: Any, shape: Any) -> bool:
    """Whether a parameter, if there is one, has these: kernels cast and broadcast nothing."""
    return parameter is None or (parameter.dtype == dtype and parameter.shape == shape)


def strengths(logit: Tensor, mask: Tensor | None) -> Tensor:
    """β = min(σ(logit), 1 − eps), and 0 where there is no synapse; (m, n)."""
    import torch

    keep_freed_memory()
    z = np.asarray(lent(logit, *logit.shape))
    synapses = None if mask is None else np.asarray(lent(mask, *mask.shape))
    beta = np.empty_like(z)

    def part(rows: slice) -> None:
        kernels.strengths(z[rows], synapses if synapses is None else synapses[rows], beta[rows])

    _on_threads(part, z, logit)
    return torch.from_numpy(beta)


def transmissions(logarithms: Tensor, theta: Tensor | None) -> tuple[Tensor, bool]:
    """e^(T − θ) for T (..., m), and whether all these and their inverses are normal numbers."""
    import torch

    t = contiguous(logarithms)
    rows, gains = _rows(t), None if theta is None else lent(theta, *theta.shape)
    out, ordinary = np.empty_like(rows), []

    def part(own: slice) -> None:
        ordinary.append(kernels.transmissions(rows[own], gains, out[own]))

    _on_threads(part, rows, logarithms)
    return torch.from_numpy(out.reshape(t.shape)), all(ordinary)


def exponential(t: Tensor) -> Tensor:
    """e^t, with the bits that `transmissions` have."""
    return transmissions(t, None)[0]


def small_layer(
    x: Tensor | None, y: Tensor, logit: Tensor, theta: Tensor | None, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor] | None:
    """Return s (..., m), β and e^(T − θ), or None unless all is as usual, and not much.

    Usual are inputs in [0, 1], factors that are not closed, and a normal number e^(T − θ).
    """
    import torch

    m, n = logit.shape
    rows, shape = _row_count(y, m), (*y.shape[:-1], m)
    if not rows or (x is not None and x.shape != shape):
        return None
    keep_freed_memory()
    inputs, kind = lent(y, rows, n), _kind(y)
    beta, near, s = np.empty((m, n), kind), np.empty(shape, kind), np.empty(shape, kind)
    open_ = kernels.layer_open(
        lent(logit, m, n),
        None if mask is None else lent(mask, m, n),
        None if theta is None else lent(theta, m),
        inputs,
        x if x is None else inputs if x is y else lent(x, rows, m),
        beta,
        _rows(near),
        _rows(s),
    )
    if not open_:
        return None
    return torch.from_numpy(s), torch.from_numpy(beta), torch.from_numpy(near)


def small_layer_gradients(
    x: Tensor | None, y: Tensor, grad: Tensor, beta: Tensor, near: Tensor, *rest: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
    """Return gradients of x (..., m), y, the logits and θ, or None, as `small_layer` does.

    `near` and the `rest` are a `Product`.
    """
    import torch

    (m, n), given = beta.shape, (x, y, grad, beta, near)
    rows, usual = _row_count(y, m), all(a is None for a in rest)
    if not (rows and usual and (x is None or x.shape == near.shape)):
        return None
    if torch_watcher(*given) != "nobody" or not serves(*given):
        return None
    keep_freed_memory()
    inputs, kind = lent(y, rows, n), _kind(y)
    gx, gy = np.empty(near.shape, kind), np.empty(y.shape, kind)
    glogit, gtheta = np.empty((m, n), kind), np.empty(m, kind)
    open_ = kernels.layer_gradients_open(
        lent(beta, m, n),
        inputs,
        x if x is None else inputs if x is y else lent(x, rows, m),
        lent(near, rows, m),
        lent(grad, rows, m),
        _rows(gx),
        _rows(gy),
        glogit,
        gtheta,
    )
    if not open_:
        return None
    made = torch.from_numpy
    return made(gx), made(gy), made(glogit), made(gtheta)


def _row_count(y: Tensor, outputs: int) -> int:
    """Rows of y (..., n), or 0 if they are not few."""
    size, n = y.numel(), y.shape[-1]
    most = _FEW_OF_ONE_ROW if size == n else _FEW
    return size // n if 0 < size * outputs < most else 0


def _kind(tensor: Tensor) -> type[np.floating[Any]]:
    return np.float32 if tensor.itemsize == 4 else np.float64


def _rows(a: NumpyArray) -> NumpyArray:
    return a if a.ndim == 2 else a.reshape(-1, a.shape[-1])


def _on_threads(function: Callable[[slice], None], rows: NumpyArray, like: Tensor) -> None:
    """Call `function` for some of the rows, of which all threads get the same share."""
    threads = threads_for(like) if rows.size >= 2 * _PART else 1
    step = max(1, -(-len(rows) // threads))
    run_parts(function, [(slice(k, k + step),) for k in range(0, len(rows), step)], threads)
