"""Run neurons by compiled loops, for NumPy arrays and torch tensors on the CPU.

The same operations in the same order as those of the array path, without fused multiply-adds:
spikes and membranes have the same bits. A row of the batch goes through all its steps at once, so
that its state stays in the first-level cache. Recurrent and adaptive neurons are not served.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from synann_core._lib.loops import keep_freed_memory
from synann_core._lib.threads import run_parts, thread_count
from synann_core._lib.typing import Array, Namespace, NumpyArray, Shape
from synann_core.native.host import contiguous, wrap
from synann_core.spiking.neurons.formulas import complete, fired
from synann_core.spiking.neurons.records import Gradients, Inputs, Plan, Run, State, Upstream
from synann_core.spiking.neurons.surrogates import SHAPES

_ROWS = 16  # rows of the batch in one part; parameters' gradients are summed part by part
_WORK = 1 << 16  # neuron steps below which a second thread costs more than it saves


def forward(inputs: Inputs, *, plan: Plan, xp: Namespace) -> Run:
    """Run the neurons for all steps."""
    from synann_core.native import lif_loops

    job = _job(inputs, plan, xp)
    spikes, there = np.empty(job.every, job.dtype), inputs.state.current is not None
    potential, current = np.empty_like(spikes), np.empty_like(job.arrays[3])
    membrane, last = np.empty(job.every[1:], job.dtype), np.empty(job.every[1:], job.dtype)
    results = (potential, spikes, membrane, last, current)
    _over_rows(lif_loops.forward, (*job.arrays, *job.options, *results), job)
    spikes, potential, *state = _back(
        inputs, spikes, potential, membrane, current if there else None, last
    )
    return Run(spikes, potential, State(*state))


def vjp(
    inputs: Inputs, potential: Array, upstream: Upstream, *, plan: Plan, xp: Namespace
) -> Gradients[Array]:
    """Return the gradients of everything in `inputs`; those of parameters are (N,)."""
    from synann_core.native import lif_loops

    job = _job(inputs, plan, xp)
    number, surrogate = job.dtype.type, plan.rule.surrogate
    last: State[Any] = upstream.state or State(None)
    given = (
        *_views(job.dtype, job.every, potential, upstream.spikes, upstream.membrane),
        *_views(job.dtype, job.every[1:], last.membrane, last.current, last.spikes),
    )
    kind, size = SHAPES.index(surrogate.shape), (surrogate.width, surrogate.height)
    options = (kind, *map(number, size), not plan.rule.detach_reset, plan.learned)
    currents, current = np.empty_like(job.arrays[0]), np.empty_like(job.arrays[3])
    membrane, spikes = np.empty(job.every[1:], job.dtype), np.empty(job.every[1:], job.dtype)
    sums = np.zeros((-(-job.every[1] // _ROWS), 3, job.every[2]), job.dtype)
    results = (currents, membrane, spikes, current, sums)
    arguments = (*job.arrays, *job.options, *options, *given, *results)
    _over_rows(lif_loops.backward, arguments, job)
    decay, threshold, synaptic = sums.sum(axis=0)
    there = inputs.state.current is not None
    currents, decay, threshold, synaptic, *state = _back(
        inputs,
        currents if plan.steps is None else currents[0],
        decay,
        threshold,
        synaptic if there else None,
        membrane,
        current if there else None,
        spikes,
    )
    return Gradients(currents, decay, threshold, synaptic, None, State(*state))


class _Job(NamedTuple):
    """The inputs where the loops meet them."""

    arrays: tuple[NumpyArray, ...]  # currents, m, s, y as matrices (batch, N); parameters as (N,)
    options: tuple[Any, ...]  # the rule, as numbers
    every: tuple[int, int, int]  # steps, batch, N
    dtype: np.dtype[Any]


def _job(inputs: Inputs, plan: Plan, xp: Namespace) -> _Job:
    keep_freed_memory()
    params, currents, rule = inputs.parameters, inputs.currents, plan.rule
    state = complete(inputs, rule, fired, xp)
    *batch, n = state.membrane.shape
    rows, times = math.prod(batch), currents.shape[0] if plan.steps is None else 1
    dtype = contiguous(state.membrane).dtype
    arrays = (
        *_views(dtype, (times, rows, n), currents),
        *_views(dtype, (rows, n), state.membrane, state.spikes, state.current),
        *_views(dtype, (n,), params.decay, params.threshold, params.synaptic_decay),
    )
    number = dtype.type
    never, resets = (
        (number(0),) * 2,
        (number(rule.reset == "subtract"), number(rule.reset == "zero")),
    )
    options = (
        *map(number, (1, rule.gain, rule.rest, rule.reset_to)),
        *((*never, *resets) if rule.order == "immediate" else (*resets, *never)),
        rule.fires == ">=",
        rule.order == "article",
    )
    return _Job(arrays, options, (plan.steps or times, rows, n), dtype)


def _views(dtype: np.dtype[Any], shape: Shape, *arrays: Array | None) -> list[NumpyArray]:
    """Return arrays of this shape: empty ones, of as many axes, for None; numbers repeated.

    They are read-only views, so that the loops are compiled once for arrays of either kind.
    """
    views: list[NumpyArray] = []
    for a in arrays:
        if a is None:
            view = np.empty((0,) * len(shape), dtype)
        else:
            # (asked here first, for there are many small arrays)
            own = a if isinstance(a, np.ndarray) and a.flags.carray else contiguous(a)
            view = own.reshape(shape) if own.ndim else np.full(shape, own)
        view.flags.writeable = False
        views.append(view)
    return views


def _back(inputs: Inputs, *arrays: NumpyArray | None) -> list[Any]:
    """Return (N,), (batch, N) and (steps, batch, N) in the shapes and the library of the inputs."""
    like, shape, results = inputs.currents, tuple(inputs.state.membrane.shape), []
    for a in arrays:
        result: Any = a
        if a is not None and a.ndim > 1:
            result = a.reshape(a.shape[:-2] + shape)
        results.append(result if a is None or isinstance(like, np.ndarray) else wrap(result, like))
    return results


def _over_rows(function: Callable[..., None], arguments: tuple[Any, ...], job: _Job) -> None:
    """Call ``function(*arguments, first row, last row, part)`` on all threads."""
    steps, rows, n = job.every
    parts: list[tuple[Any, ...]] = []
    for start in range(0, rows, _ROWS):
        parts.append((*arguments, start, min(start + _ROWS, rows), len(parts)))
    run_parts(function, parts, thread_count() if steps * rows * n >= _WORK else 1)
