"""Run neurons by compiled kernels, for NumPy arrays and torch tensors on the CPU.

The same operations in the same order as those of the array path, without fused multiply-adds:
spikes and membranes have the same bits. A row of the batch goes through all its steps at once, so
that its state stays in the first-level cache. Recurrent and adaptive neurons are not served.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from synann_core._lib.loops import keep_freed_memory
from synann_core._lib.threads import run_parts
from synann_core._lib.typing import Array, Namespace, NumpyArray, Shape
from synann_core.native.host import contiguous, kernels, threads_for, wrap
from synann_core.spiking.neurons.formulas import complete, fired
from synann_core.spiking.neurons.records import Gradients, Inputs, Plan, Run, State, Upstream
from synann_core.spiking.neurons.surrogates import SHAPES

_ROWS = 16  # rows of the batch in one part; parameters' gradients are summed part by part
_WORK = 1 << 16  # neuron steps below which a second thread costs more than it saves


def forward(inputs: Inputs, *, plan: Plan, xp: Namespace) -> Run:
    """Run the neurons for all steps."""
    job = _job(inputs, plan, xp)
    spikes = np.empty(job.every, job.dtype)
    potential, current = np.empty_like(spikes), _empty_like(job.arrays[3])
    membrane, last = np.empty(job.every[1:], job.dtype), np.empty(job.every[1:], job.dtype)
    arguments = (*job.arrays, potential, spikes, membrane, last, current, *job.options)
    run_parts(kernels.lif_forward, [(*arguments, *part[:2]) for part in job.parts], job.threads)
    spikes, potential, *state = _back(inputs, spikes, potential, membrane, current, last)
    return Run(spikes, potential, State(*state))


def vjp(
    inputs: Inputs, potential: Array, upstream: Upstream, *, plan: Plan, xp: Namespace
) -> Gradients[Array]:
    """Return the gradients of everything in `inputs`; those of parameters are (N,)."""
    job = _job(inputs, plan, xp)
    surrogate = plan.rule.surrogate
    last: State[Any] = upstream.state or State(None)
    given = (
        *_views(job.every, potential, upstream.spikes, upstream.membrane),
        *_views(job.every[1:], last.membrane, last.current, last.spikes),
    )
    kind, attached = SHAPES.index(surrogate.shape), not plan.rule.detach_reset
    options = (kind, surrogate.width, surrogate.height, attached, plan.learned)
    currents, current = np.empty_like(job.arrays[0]), _empty_like(job.arrays[3])
    membrane, spikes = np.empty(job.every[1:], job.dtype), np.empty(job.every[1:], job.dtype)
    sums = np.zeros((len(job.parts), 3, job.every[2]), job.dtype)
    results = (currents, membrane, spikes, current, sums)
    arguments = (*job.arrays, *given, *results, *job.options, *options)
    run_parts(kernels.lif_backward, [(*arguments, *part) for part in job.parts], job.threads)
    decay, threshold, synaptic = sums.sum(axis=0)
    there = inputs.state.current is not None
    currents, decay, threshold, synaptic, *state = _back(
        inputs,
        currents if plan.steps is None else currents[0],
        decay,
        threshold,
        synaptic if there else None,
        membrane,
        current,
        spikes,
    )
    return Gradients(currents, decay, threshold, synaptic, None, State(*state))


class _Job(NamedTuple):
    """The inputs where the kernels meet them."""

    arrays: list[Any]  # currents, m, s, y as matrices (batch, N), parameters as (N,); or None
    options: tuple[Any, ...]  # the rule, as numbers
    every: tuple[int, int, int]  # steps, batch, N
    dtype: np.dtype[Any]
    parts: list[tuple[int, int, int]]  # first row, last row, number
    threads: int


def _job(inputs: Inputs, plan: Plan, xp: Namespace) -> _Job:
    keep_freed_memory()
    params, currents, rule = inputs.parameters, inputs.currents, plan.rule
    state = complete(inputs, rule, fired, xp)
    *batch, n = state.membrane.shape
    rows, times = math.prod(batch), currents.shape[0] if plan.steps is None else 1
    arrays: list[Any] = [
        *_views((times, rows, n), currents),
        *_views((rows, n), state.membrane, state.spikes, state.current),
        *_views((n,), params.decay, params.threshold, params.synaptic_decay),
    ]
    never, resets = (False, False), (rule.reset == "subtract", rule.reset == "zero")
    options = (
        *(rule.gain, rule.rest, rule.reset_to),
        *((*never, *resets) if rule.order == "immediate" else (*resets, *never)),
        rule.fires == ">=",
        rule.order == "article",
    )
    parts: list[tuple[int, int, int]] = []
    for start in range(0, rows, _ROWS):
        parts.append((start, min(start + _ROWS, rows), len(parts)))
    every = (plan.steps or times, rows, n)
    threads = threads_for(currents) if math.prod(every) >= _WORK else 1
    return _Job(arrays, options, every, contiguous(state.membrane).dtype, parts, threads)


def _views(shape: Shape, *arrays: Array | None) -> list[NumpyArray | None]:
    """Return arrays of this shape: numbers repeated; None stays None."""
    views: list[NumpyArray | None] = []
    for a in arrays:
        if a is None:
            views.append(None)
            continue
        # (asked here first, for there are many small arrays)
        own = a if isinstance(a, np.ndarray) and a.flags.carray else contiguous(a)
        views.append(own.reshape(shape) if own.ndim else np.full(shape, own))
    return views


def _empty_like(a: NumpyArray | None) -> NumpyArray | None:
    return None if a is None else np.empty_like(a)


def _back(inputs: Inputs, *arrays: NumpyArray | None) -> list[Any]:
    """Return (N,), (batch, N) and (steps, batch, N) in the shapes and the library of the inputs."""
    like, shape, results = inputs.currents, tuple(inputs.state.membrane.shape), []
    for a in arrays:
        result: Any = a
        if a is not None and a.ndim > 1:
            result = a.reshape(a.shape[:-2] + shape)
        results.append(result if a is None or isinstance(like, np.ndarray) else wrap(result, like))
    return results
