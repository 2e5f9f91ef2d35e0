"""LIF neurons by compiled kernels, for NumPy arrays and torch tensors on the CPU.

The same operations in the same order as `spiking._lif`'s, without fused multiply-adds: spikes and
membranes have the same bits. A row of the batch goes through all its steps at once, so that its
state stays in the first-level cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synann_core._lib.loops import keep_freed_memory
from synann_core._lib.threads import run_parts, thread_count
from synann_core.native.host import contiguous, read_only, wrap

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
    from synann_core.native.lif_loops import forward

    keep_freed_memory()
    like, job = currents, _Job(params, state, currents, rule, steps)
    potential = np.empty((job.steps, *job.m.shape), job.dtype)
    spikes = np.empty_like(potential)
    m, s = np.empty_like(job.m), np.empty_like(job.m)
    y = np.empty_like(job.y)
    arguments = (*map(read_only, job.arrays), *job.options, potential, spikes, m, s, y)
    job.over_rows(forward, arguments)
    shape = job.shape
    first, third = (wrap(a.reshape(shape), like) for a in (m, s))
    second = None if state[1] is None else wrap(y.reshape(shape), like)
    return (
        wrap(spikes.reshape(job.steps, *shape), like),
        wrap(potential.reshape(job.steps, *shape), like),
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
    learned: bool,
) -> tuple[Array, dict[str, Array], tuple[Any, ...]]:
    """`spiking._lif.vjp` for a complete state; parameters' gradients, if `learned`, are (N,)."""
    from synann_core.native.lif_loops import backward

    keep_freed_memory()
    like, job = currents, _Job(params, state, currents, rule, steps)
    kinds = ("fast_sigmoid", "arctan", "sigmoid", "triangle", "boxcar", "gaussian")
    kind = kinds.index(rule.surrogate.shape) if rule.surrogate.shape in kinds else len(kinds)
    number = job.dtype.type
    surrogate = (kind, number(rule.surrogate.width), number(rule.surrogate.height))
    rows, n = job.m.shape
    stacked = [job.flat(g, (job.steps, rows, n)) for g in grads[:2]]
    last = [job.flat(g, (rows, n)) for g in grads[2][:3]]
    gcurrents = np.empty(job.currents.shape, job.dtype)
    gm, gy, gs = np.empty_like(job.m), np.empty_like(job.y), np.empty_like(job.m)
    sums = np.zeros((-(-rows // _ROWS), 3, n), job.dtype)
    attached = not rule.detach_reset
    h = job.flat(potential, (job.steps, rows, n))
    arguments = (*map(read_only, job.arrays), *job.options, *surrogate, attached, learned)
    arguments += (*map(read_only, (h, *stacked, *last)), gcurrents, gm, gs, gy, sums)
    job.over_rows(backward, arguments)
    names = ("decay", "threshold", "synaptic_decay")
    total = sums.sum(axis=0)
    gparams = {name: wrap(total[k], like) for k, name in enumerate(names) if name in params}
    shape = job.shape
    first, third = (wrap(a.reshape(shape), like) for a in (gm, gs))
    second = None if state[1] is None else wrap(gy.reshape(shape), like)
    back = wrap(gcurrents.reshape(currents.shape), like)
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
        self.m = contiguous(state[0]).reshape(rows, n)
        self.dtype = self.m.dtype
        self.y, self.s = (self.flat(a, (rows, n)) for a in state[1:3])
        self.currents = self.flat(currents, (1 if steps is not None else self.steps, rows, n))
        numbers = (params["decay"], params["threshold"], params.get("synaptic_decay"))
        parameters = (
            self.flat(a, (-1,)) if a is None else np.array(np.broadcast_to(contiguous(a), (n,)))
            for a in numbers
        )
        self.arrays = (self.currents, self.m, self.s, self.y, *parameters)
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

    def flat(self, a: Array | None, shape: tuple[int, ...]) -> Any:
        """An array of this shape; an empty one, of as many axes, for None."""
        if a is None:
            return np.empty((0,) * len(shape), self.dtype)
        return contiguous(a).reshape(shape)

    def over_rows(self, function: Any, arguments: tuple[Any, ...]) -> None:
        """Call ``function(*arguments, first row, last row, part)`` on all threads."""
        rows = self.m.shape[0]
        parts = [
            (*arguments, start, min(start + _ROWS, rows), k)
            for k, start in enumerate(range(0, rows, _ROWS))
        ]
        work = self.steps * self.m.size
        run_parts(function, parts, thread_count() if work >= _WORK else 1)
