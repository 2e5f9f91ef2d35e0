"""Run neurons by compiled kernels, for NumPy arrays and torch tensors on the CPU.

The same operations in the same order as those of the array path, without fused multiply-adds:
spikes and membranes have the same bits. A row of the batch goes through all its steps at once, so
that its state stays in the first-level cache. Recurrent and adaptive neurons are not served.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from synann_core._lib.loops import keep_freed_memory
from synann_core._lib.threads import run_parts, thread_count
from synann_core._lib.typing import Array, Namespace, NumpyArray, Shape
from synann_core.native.host import contiguous, kernels, wrap
from synann_core.spiking.neurons.rule import Rule, complete, fired
from synann_core.spiking.neurons.state import Gradients, Inputs, Run, State, Upstream
from synann_core.spiking.neurons.surrogates import SHAPES

_ROWS = 16  # rows of the batch in one part; parameters' gradients are summed part by part
_WORK = 1 << 16  # neuron steps below which a second thread costs more than it saves


def forward(inputs: Inputs, *, rule: Rule, steps: int | None, xp: Namespace) -> Run:
    """Run the neurons for all steps."""
    job = _job(inputs, rule, steps, xp)
    spikes = np.empty((job.steps, *job.matrix), job.dtype)
    potential, current = np.empty_like(spikes), _empty_like(job.arrays[3])
    membrane, last = np.empty(job.matrix, job.dtype), np.empty(job.matrix, job.dtype)
    arguments = (*job.arrays, potential, spikes, membrane, last, current, *job.options)
    parts = [(*arguments, start, stop) for start, stop, _ in job.parts]
    run_parts(kernels.lif_forward, parts, job.threads)
    shape = tuple(inputs.state.membrane.shape)
    spikes, potential, *state = _back(
        inputs,
        (spikes, (job.steps, *shape)),
        (potential, (job.steps, *shape)),
        (membrane, shape),
        (current, shape),
        (last, shape),
    )
    return Run(spikes, potential, State(*state))


def vjp(
    inputs: Inputs,
    potential: Array,
    upstream: Upstream,
    *,
    rule: Rule,
    steps: int | None,
    learned: bool,
    xp: Namespace,
) -> Gradients[Array]:
    """Return the gradients of everything in `inputs`; those of parameters are (N,)."""
    job = _job(inputs, rule, steps, xp)
    every, surrogate = (job.steps, *job.matrix), rule.surrogate
    last: State[Any] = upstream.state or State(None)
    given = _views(
        (potential, every),
        (upstream.spikes, every),
        (upstream.membrane, every),
        (last.membrane, job.matrix),
        (last.current, job.matrix),
        (last.spikes, job.matrix),
    )
    currents, current = np.empty_like(job.arrays[0]), _empty_like(job.arrays[3])
    membrane, spikes = np.empty(job.matrix, job.dtype), np.empty(job.matrix, job.dtype)
    sums = np.zeros((len(job.parts), 3, job.matrix[1]), job.dtype)
    results = (currents, membrane, spikes, current, sums)
    kind = SHAPES.index(surrogate.shape)
    options = (kind, surrogate.width, surrogate.height, not rule.detach_reset, learned)
    arguments = (*job.arrays, *given, *results, *job.options, *options)
    run_parts(kernels.lif_backward, [(*arguments, *part) for part in job.parts], job.threads)
    shape = tuple(inputs.state.membrane.shape)
    decay, threshold, synaptic_decay = sums.sum(axis=0)
    currents, decay, threshold, synaptic_decay, *state = _back(
        inputs,
        (currents, tuple(inputs.currents.shape)),
        (decay, decay.shape),
        (threshold, decay.shape),
        (None if inputs.parameters.synaptic_decay is None else synaptic_decay, decay.shape),
        (membrane, shape),
        (current, shape),
        (spikes, shape),
    )
    return Gradients(currents, decay, threshold, synaptic_decay, None, State(*state))


class _Job(NamedTuple):
    """The inputs where the kernels meet them."""

    arrays: list[Any]  # currents, m, s, y as matrices (batch, N), parameters as (N,); or None
    options: tuple[Any, ...]  # the rule, as numbers
    steps: int
    matrix: tuple[int, int]
    dtype: np.dtype[Any]
    parts: list[tuple[int, int, int]]  # first row, last row, number
    threads: int


def _job(inputs: Inputs, rule: Rule, steps: int | None, xp: Namespace) -> _Job:
    keep_freed_memory()
    params, state, currents = inputs
    state = complete(inputs, rule, fired, xp)
    shape, count = state.membrane.shape, currents.shape[0] if steps is None else steps
    rows, n = int(np.prod(shape[:-1], dtype=int)), shape[-1]
    arrays = _views(
        (currents, (count if steps is None else 1, rows, n)),
        (state.membrane, (rows, n)),
        (state.spikes, (rows, n)),
        (state.current, (rows, n)),
        (params.decay, (n,)),
        (params.threshold, (n,)),
        (params.synaptic_decay, (n,)),
    )
    later, subtract, to_value = (
        rule.order != "immediate",
        rule.reset == "subtract",
        rule.reset == "zero",
    )
    options = (
        rule.gain,
        rule.rest,
        rule.reset_to,
        later and subtract,
        later and to_value,
        not later and subtract,
        not later and to_value,
        rule.fires == ">=",
        rule.order == "article",
    )
    parts = [(b, min(b + _ROWS, rows), b // _ROWS) for b in range(0, rows, _ROWS)]
    threads = thread_count() if count * rows * n >= _WORK else 1
    return _Job(arrays, options, count, (rows, n), arrays[0].dtype, parts, threads)


def _views(*arrays: tuple[Array | None, Shape]) -> list[Any]:
    """Return arrays of these shapes: numbers repeated; None stays None."""
    views: list[Any] = []
    for a, shape in arrays:
        if a is None:
            views.append(None)
            continue
        # (asked here first, for there are many small arrays)
        own = a if isinstance(a, np.ndarray) and a.flags.carray else contiguous(a)
        views.append(own.reshape(shape) if own.ndim else np.full(shape, own))
    return views


def _empty_like(a: NumpyArray | None) -> NumpyArray | None:
    return None if a is None else np.empty_like(a)


def _back(inputs: Inputs, *arrays: tuple[NumpyArray | None, Shape]) -> list[Any]:
    """Return arrays in these shapes and in the library of the inputs; None stays None."""
    like, results = inputs.currents, []
    for a, shape in arrays:
        result: Any = None if a is None else a.reshape(shape)
        results.append(result if a is None or isinstance(like, np.ndarray) else wrap(result, like))
    return results
