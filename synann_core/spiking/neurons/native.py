"""Run neurons by compiled loops, for NumPy arrays and torch tensors on the CPU.

The same operations in the same order as those of the array path, without fused multiply-adds:
spikes and membranes have the same bits. A row of the batch goes through all its steps at once, so
that its state stays in the first-level cache. Recurrent and adaptive neurons are not served.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from synann_core._lib.loops import keep_freed_memory
from synann_core._lib.threads import run_parts, thread_count
from synann_core._lib.typing import Array, Namespace, NumpyArray, Shape
from synann_core.native.host import contiguous, wrap
from synann_core.spiking.neurons.rule import Rule, complete, fired
from synann_core.spiking.neurons.state import Gradients, Inputs, Run, State, Upstream
from synann_core.spiking.neurons.surrogates import SHAPES

_ROWS = 16  # rows of the batch in one part; parameters' gradients are summed part by part
_WORK = 1 << 16  # neuron steps below which a second thread costs more than it saves


def forward(inputs: Inputs, *, rule: Rule, steps: int | None, xp: Namespace) -> Run:
    """Run the neurons for all steps."""
    from synann_core.native import lif_loops

    job = _job(inputs, rule, steps, xp)
    spikes = np.empty((job.steps, *job.matrix), job.dtype)
    potential, current = np.empty_like(spikes), np.empty_like(job.arrays[3])
    membrane, last = np.empty(job.matrix, job.dtype), np.empty(job.matrix, job.dtype)
    results = (potential, spikes, membrane, last, current)
    _over_rows(lif_loops.forward, (*job.arrays, *job.options, *results), job)
    shape = tuple(inputs.state.membrane.shape)
    spikes, potential, *state = _back(
        inputs,
        (spikes, (job.steps, *shape)),
        (potential, (job.steps, *shape)),
        (membrane, shape),
        (None if inputs.state.current is None else current, shape),
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
    from synann_core.native import lif_loops

    job = _job(inputs, rule, steps, xp)
    every, number, surrogate = (job.steps, *job.matrix), job.dtype.type, rule.surrogate
    last: State[Any] = upstream.state or State(None)
    given = _views(
        (potential, every),
        (upstream.spikes, every),
        (upstream.membrane, every),
        (last.membrane, job.matrix),
        (last.current, job.matrix),
        (last.spikes, job.matrix),
    )
    options = (
        SHAPES.index(surrogate.shape),
        number(surrogate.width),
        number(surrogate.height),
        not rule.detach_reset,
        learned,
    )
    currents, current = np.empty_like(job.arrays[0]), np.empty_like(job.arrays[3])
    membrane, spikes = np.empty(job.matrix, job.dtype), np.empty(job.matrix, job.dtype)
    sums = np.zeros((-(-job.matrix[0] // _ROWS), 3, job.matrix[1]), job.dtype)
    results = (currents, membrane, spikes, current, sums)
    arguments = (*job.arrays, *job.options, *options, *given, *results)
    _over_rows(lif_loops.backward, arguments, job)
    shape = tuple(inputs.state.membrane.shape)
    decay, threshold, synaptic_decay = sums.sum(axis=0)
    currents, decay, threshold, synaptic_decay, *state = _back(
        inputs,
        (currents, tuple(inputs.currents.shape)),
        (decay, decay.shape),
        (threshold, decay.shape),
        (None if inputs.parameters.synaptic_decay is None else synaptic_decay, decay.shape),
        (membrane, shape),
        (None if inputs.state.current is None else current, shape),
        (spikes, shape),
    )
    return Gradients(currents, decay, threshold, synaptic_decay, None, State(*state))


class _Job(NamedTuple):
    """The inputs where the loops meet them."""

    arrays: list[NumpyArray]  # currents, m, s, y as matrices (batch, N); parameters as (N,)
    options: tuple[Any, ...]  # the rule, as numbers
    steps: int
    matrix: tuple[int, int]
    dtype: np.dtype[Any]


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
    dtype, later = arrays[0].dtype, rule.order != "immediate"
    number = dtype.type
    subtract, to_value = number(rule.reset == "subtract"), number(rule.reset == "zero")
    zero = number(0)
    options = (
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
    return _Job(arrays, options, count, (rows, n), dtype)


def _views(*arrays: tuple[Array | None, Shape]) -> list[NumpyArray]:
    """Return arrays of these shapes: empty ones, of as many axes, for None; numbers repeated.

    The first is not None. All are read-only views, so that the loops are compiled once for arrays
    of either kind.
    """
    views: list[NumpyArray] = []
    for a, shape in arrays:
        if a is None:
            view = np.empty((0,) * len(shape), views[0].dtype)
        else:
            # (asked here first, for there are many small arrays)
            own = a if isinstance(a, np.ndarray) and a.flags.carray else contiguous(a)
            view = own.reshape(shape) if own.ndim else np.full(shape, own)
        view.flags.writeable = False
        views.append(view)
    return views


def _back(inputs: Inputs, *arrays: tuple[NumpyArray | None, Shape]) -> list[Any]:
    """Return arrays in these shapes and in the library of the inputs; None stays None."""
    like, results = inputs.currents, []
    for a, shape in arrays:
        result: Any = None if a is None else a.reshape(shape)
        results.append(result if a is None or isinstance(like, np.ndarray) else wrap(result, like))
    return results


def _over_rows(function: Callable[..., None], arguments: tuple[Any, ...], job: _Job) -> None:
    """Call ``function(*arguments, first row, last row, part)`` on all threads."""
    rows, n = job.matrix
    parts: list[tuple[Any, ...]] = []
    for start in range(0, rows, _ROWS):
        parts.append((*arguments, start, min(start + _ROWS, rows), len(parts)))
    run_parts(function, parts, thread_count() if job.steps * rows * n >= _WORK else 1)
