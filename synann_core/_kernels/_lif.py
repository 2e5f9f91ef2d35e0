"""LIF neurons by compiled kernels, for NumPy arrays and torch tensors on the CPU.

The same operations in the same order as `spiking._lif`'s, without fused multiply-adds: spikes and
membranes have the same bits. A row of the batch goes through all its steps at once, so that its
state stays in the first-level cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._lib import _threads
from .._lib._blocks import keep_freed_memory
from ._cpu import _contiguous, _read_only, _wrap

Array = Any

_ROWS = 16  # rows of the batch in one part; parameters' gradients are summed part by part
_WORK = 1 << 16  # neuron steps below which a second thread costs more than it saves


def run(
    params: dict[str, Array],
    state: tuple[Any, ...],
    currents: Array,
    rule: Any,
    steps: int | None,
) -> tuple[Array, Array, tuple[Any, ...]]:
    """`spiking._lif.run` for a complete state."""
    from ._lif_loops import forward

    keep_freed_memory()
    like, job = currents, _Job(params, state, currents, rule, steps)
    potential = np.empty((job.steps, *job.m.shape), job.dtype)
    spikes = np.empty_like(potential)
    m, s = np.empty_like(job.m), np.empty_like(job.m)
    y = None if job.y is None else np.empty_like(job.m)
    arrays = (job.currents, job.m, job.s, job.y, *job.parameters)
    arguments = (*map(_read_only, arrays), *job.options, potential, spikes, m, s, y)
    job.over_rows(forward, arguments)
    shape = job.shape
    final = (None if a is None else _wrap(a.reshape(shape), like) for a in (m, y, s))
    first, second, third = final
    return (
        _wrap(spikes.reshape(job.steps, *shape), like),
        _wrap(potential.reshape(job.steps, *shape), like),
        (first, second, third, None),
    )


def vjp(
    params: dict[str, Array],
    state: tuple[Any, ...],
    currents: Array,
    potential: Array,
    grads: tuple[Array | None, Array | None, tuple[Any, ...]],
    rule: Any,
    steps: int | None,
) -> tuple[Array, dict[str, Array], tuple[Any, ...]]:
    """`spiking._lif.vjp` for a complete state; parameters' gradients are (N,)."""
    from ._lif_loops import backward

    keep_freed_memory()
    like, job = currents, _Job(params, state, currents, rule, steps)
    kinds = ("fast_sigmoid", "arctan", "sigmoid", "triangle", "boxcar", "gaussian")
    kind = kinds.index(rule.surrogate.shape) if rule.surrogate.shape in kinds else len(kinds)
    number = job.dtype.type
    surrogate = (kind, number(rule.surrogate.width), number(rule.surrogate.height))
    rows, n = job.m.shape
    stacked = [_flat(g, (job.steps, rows, n)) for g in grads[:2]]
    last = [_flat(g, (rows, n)) for g in grads[2][:3]]
    if job.y is None:
        last[1] = None
    gcurrents = np.empty(job.currents.shape, job.dtype)
    gm, gs = np.empty_like(job.m), np.empty_like(job.m)
    gy = None if job.y is None else np.empty_like(job.m)
    sums = np.zeros((-(-rows // _ROWS), 3, n), job.dtype)
    attached = not rule.detach_reset
    h = _flat(potential, (job.steps, rows, n))
    arrays = (job.currents, job.m, job.s, job.y, *job.parameters)
    arguments = (*map(_read_only, arrays), *job.options, *surrogate, attached)
    arguments += (*map(_read_only, (h, *stacked, *last)), gcurrents, gm, gs, gy, sums)
    job.over_rows(backward, arguments)
    names = ("decay", "threshold", "synaptic_decay")
    total = sums.sum(axis=0)
    gparams = {name: _wrap(total[k], like) for k, name in enumerate(names) if name in params}
    shape = job.shape
    first, second, third = (
        None if a is None else _wrap(a.reshape(shape), like) for a in (gm, gy, gs)
    )
    back = _wrap(gcurrents.reshape(currents.shape), like)
    return back, gparams, (first, second, third, None)


class _Job:
    """The arguments as matrices (batch, N), parameters as (N,), options as numbers."""

    def __init__(
        self,
        params: dict[str, Array],
        state: tuple[Any, ...],
        currents: Array,
        rule: Any,
        steps: int | None,
    ) -> None:
        self.shape = tuple(state[0].shape)
        n = self.shape[-1] if self.shape else 1
        rows = int(np.prod(self.shape[:-1], dtype=int))
        self.steps = currents.shape[0] if steps is None else steps
        self.currents = _flat(currents, (-1 if rows * n else self.steps, rows, n))
        if steps is not None:
            self.currents = self.currents.reshape(1, rows, n)
        self.m, self.y, self.s = (_flat(a, (rows, n)) for a in state[:3])
        self.dtype = self.m.dtype
        numbers = (params["decay"], params["threshold"], params.get("synaptic_decay"))
        self.parameters = tuple(
            None if a is None else np.array(np.broadcast_to(_contiguous(a), (n,))) for a in numbers
        )
        later, number = not rule.immediate, self.dtype.type
        subtract, to_value = number(rule.reset == "subtract"), number(rule.reset == "zero")
        zero = number(0)
        self.options = (
            number(1),
            number(rule.gain),
            number(rule.rest),
            number(rule.reset_to),
            subtract if later else zero,
            to_value if later else zero,
            zero if later else subtract,
            zero if later else to_value,
            rule.fires == ">=",
            rule.order == "article",
        )

    def over_rows(self, function: Any, arguments: tuple[Any, ...]) -> None:
        """Call ``function(*arguments, first row, last row, part)`` on all threads."""
        rows = self.m.shape[0]
        parts = [
            (*arguments, start, min(start + _ROWS, rows), k)
            for k, start in enumerate(range(0, rows, _ROWS))
        ]
        work = self.steps * self.m.size
        _threads.run(function, parts, _threads.thread_count() if work >= _WORK else 1)


def _flat(a: Array | None, shape: tuple[int, ...]) -> Any:
    return None if a is None else _contiguous(a).reshape(shape)
