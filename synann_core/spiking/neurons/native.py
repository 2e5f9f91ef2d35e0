"""Run neurons by compiled kernels, for NumPy arrays and torch tensors on the CPU.

The same operations in the same order as those of the array path, without fused multiply-adds:
spikes and membranes have the same bits, but for the sums over recurrent weights, which no library
takes in a stated order. A row's neurons, a block at a time, go through all their steps at once, so
that their state stays in the first-level cache, and bits do not depend on the rest of the batch.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from synann_core._lib.loops import keep_freed_memory
from synann_core._lib.threads import run_parts
from synann_core._lib.typing import Array, Namespace, NumpyArray, Shape
from synann_core.native.host import contiguous, kernels, threads_for, wrap
from synann_core.spiking.neurons.formulas import complete, fired
from synann_core.spiking.neurons.records import (
    Gradients,
    Inputs,
    Plan,
    Rule,
    Run,
    State,
    Upstream,
)
from synann_core.spiking.neurons.surrogates import SHAPES

_ROWS = 16  # rows of the batch in one part; parameters' gradients are summed part by part
_BLOCK = 4096  # neurons in one part; connected ones stay together
_WORK = 1 << 16  # neuron steps below which a second thread costs more than it saves
_STATE = slice(1, 5)  # of a job's arrays
_ABOVE, _AT_LEAST, _NEVER = range(3)  # when a neuron fires


def forward(inputs: Inputs, *, plan: Plan, xp: Namespace) -> Run:
    """Run the neurons for all steps."""
    job = _job(inputs, plan, xp)
    spikes, potential = np.empty(job.every, job.dtype), np.empty(job.every, job.dtype)
    state = [None if a is None else np.empty_like(a) for a in job.arrays[_STATE]]
    arguments = (*job.arrays, potential, spikes, *state, *job.options)
    run_parts(kernels.lif_forward, [(*arguments, *part[:4]) for part in job.parts], job.threads)
    spikes, potential, *after = _back(inputs, spikes, potential, *state)
    return Run(spikes, potential, State(*after))


def vjp(
    inputs: Inputs, potential: Array, upstream: Upstream, *, plan: Plan, xp: Namespace
) -> Gradients[Array]:
    """Return the gradients of everything in `inputs`; those of parameters are (N,)."""
    weights = inputs.parameters.recurrent
    constant = plan.steps is not None
    if weights is not None and constant:  # their gradients need the currents' at each step
        repeated = np.broadcast_to(contiguous(inputs.currents), tuple(potential.shape)).copy()
        plan = plan._replace(steps=None)
        inputs = inputs._replace(currents=wrap(repeated, inputs.currents))
    job = _job(inputs, plan, xp)
    rule, last = plan.rule, upstream.state or State[Any](None)
    given = (
        *_views((job.every, potential)),
        _steady(job.every, upstream.spikes),
        _steady(job.every, upstream.membrane),
        *_views((job.every[1:], *last)),
        None if weights is None else contiguous(weights),
    )
    currents = np.empty_like(job.arrays[0])
    state = [None if a is None else np.empty_like(a) for a in job.arrays[_STATE]]
    before = None if weights is None else np.empty(job.every, job.dtype)
    sums = np.zeros((job.parts[-1][4] + 1 if job.parts else 0, 3, job.every[2]), job.dtype)
    surrogate = rule.surrogate
    kind, attached = SHAPES.index(surrogate.shape), not rule.detach_reset
    options = (kind, surrogate.width, surrogate.height, attached, plan.learned)
    arguments = (*job.arrays, *given, currents, *state, before, sums, *job.options, *options)
    run_parts(kernels.lif_backward, [(*arguments, *part) for part in job.parts], job.threads)
    learned: list[Any] = [*sums.sum(axis=0), None]
    if before is not None:
        every = (math.prod(job.every[:2]), job.every[2])
        learned[3] = currents.reshape(every).T @ before.reshape(every)
    plain = isinstance(inputs.currents, np.ndarray)
    for k, parameter in enumerate(inputs.parameters):
        if parameter is None:
            learned[k] = None
        elif not plain:
            learned[k] = wrap(learned[k], inputs.currents)
    if constant:
        currents = currents.sum(axis=0)
    currents, *after = _back(inputs, currents, *state)
    return Gradients._make((currents, *learned, State(*after)))


class _Job(NamedTuple):
    """The inputs where the kernels meet them."""

    arrays: list[Any]  # currents, state as matrices (batch, N), parameters; or None
    options: tuple[Any, ...]  # the rule, as numbers
    every: tuple[int, int, int]  # steps, batch, N
    dtype: np.dtype[Any]
    parts: list[tuple[int, ...]]  # first and last row, first and last neuron, number of the rows
    threads: int


def _job(inputs: Inputs, plan: Plan, xp: Namespace) -> _Job:
    keep_freed_memory()
    params, currents, rule = inputs.parameters, inputs.currents, plan.rule
    state = complete(inputs, rule, fired, xp)
    *batch, n = state.membrane.shape
    rows, times = math.prod(batch), currents.shape[0] if plan.steps is None else 1
    threshold, weights = params.threshold, params.recurrent
    arrays: list[Any] = [
        *_views(
            ((times, rows, n), currents),
            ((rows, n), *state),
            ((n,), params.decay, params.decay if threshold is None else threshold),
            ((n,), params.synaptic_decay),
        ),
        None if weights is None else contiguous(contiguous(weights).T),
    ]
    block = _BLOCK if weights is None else max(n, 1)
    parts: list[tuple[int, ...]] = [
        (first, min(first + _ROWS, rows), start, min(start + block, n), first // _ROWS)
        for first in range(0, rows, _ROWS)
        for start in range(0, n, block)
    ]
    every = (plan.steps or times, rows, n)
    threads = threads_for(currents) if math.prod(every) >= _WORK else 1
    options, dtype = _options(rule, threshold is not None), arrays[1].dtype
    return _Job(arrays, options, every, dtype, parts, threads)


@functools.lru_cache
def _options(rule: Rule, fires: bool) -> tuple[Any, ...]:
    """Return the rule as numbers; `fires` says whether there is a threshold."""
    never = (False, False)
    resets = (fires and rule.reset == "subtract", fires and rule.reset == "zero")
    test = (_AT_LEAST if rule.fires == ">=" else _ABOVE) if fires else _NEVER
    return (
        *(rule.gain, rule.rest, rule.reset_to),
        *((*never, *resets) if rule.order == "immediate" else (*resets, *never)),
        *(rule.adaptation, rule.adaptation_decay, test, rule.order == "article"),
    )


def _views(*groups: tuple[Any, ...]) -> list[NumpyArray | None]:
    """Return the arrays of groups (shape, *arrays): numbers repeated; None stays None."""
    views: list[NumpyArray | None] = []
    for shape, *arrays in groups:
        for a in arrays:
            if a is None:
                views.append(None)
                continue
            # (asked here first, for there are many small arrays)
            own = a if isinstance(a, np.ndarray) and a.flags.carray else contiguous(a)
            views.append(own.reshape(shape) if own.ndim else np.full(shape, own))
    return views


def _steady(shape: Shape, a: Array | None) -> NumpyArray | None:
    """Return an array of this shape, or its first step where it stands for all of them."""
    if a is None:
        return None
    view: Any = a if isinstance(a, np.ndarray) else a.numpy(force=True)  # type: ignore[attr-defined]
    if view.strides[0] == 0:
        view = view[:1]
    return contiguous(view).reshape((view.shape[0], *shape[1:]))


def _back(inputs: Inputs, *arrays: NumpyArray | None) -> list[Any]:
    """Return (batch, N) and (steps, batch, N) in the shapes and the library of the inputs."""
    like, shape, results = inputs.currents, tuple(inputs.state.membrane.shape), []
    plain = isinstance(like, np.ndarray)
    for a in arrays:
        result: Any = a if a is None else a.reshape(a.shape[:-2] + shape)
        results.append(result if a is None or plain else wrap(result, like))
    return results
