"""Step circuits, and differentiate the steps, on arrays that were checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from array_api_compat import device

from synann_core._lib.typing import Array, Namespace
from synann_core.graph import dispatch
from synann_core.graph.parameters import GraphParameters, Parameters
from synann_core.graph.structure import Task


class Steps(NamedTuple):
    """The steps of one circuit with arrays of one library; a drive may have no entries."""

    into: list[int]  # of each input of the graph, its place in (state, drive)
    out_of: list[int]  # the inverse
    source: list[int]  # of each entry of the state, its place among the graph's outputs
    back: list[int]  # of each output, its place in (state, 0)
    clip: bool  # whether states are bounded to [0, 1]
    dtype: Any  # of the states that are returned
    task: Task
    params: Parameters

    def step(self, state: Array, drive: Array) -> Array:
        """The next state."""
        state, xp = self._next(state, drive), self.task.xp
        if not self.clip:
            return state
        # Not `clip`, of which JAX takes half the derivative where a state is just 0 or 1.
        state = xp.where(state > 1.0, xp.ones_like(state), state)
        return xp.where(state < 0.0, xp.zeros_like(state), state)

    def states(self, state: Array, drives: Sequence[Array]) -> list[Array]:
        """The states from the first on, one more than drives."""
        xp, states = self.task.xp, [state]
        for drive in drives:
            state = self.step(state, drive)
            if state.dtype != self.dtype:  # a step begins from what is returned, in 16 bits too
                state = xp.astype(xp.astype(state, self.dtype), state.dtype)
            states.append(state)
        return states

    def vjp(
        self, state: Array, drives: Sequence[Array], grad: Array
    ) -> tuple[Array, Array, Parameters]:
        """Gradients of the first state, of the drives and of the parameters for all states'."""
        xp = self.task.xp
        states = self.states(state, drives)
        galpha, gbeta = map(xp.zeros_like, self.params)
        size, g, gdrives = len(self.source), grad[len(drives), ...], []
        for t in reversed(range(len(drives))):
            g = self._unbounded(g, states[t], drives[t])
            # Zero for the outputs that are not fed back.
            outward = xp.concat([g, xp.zeros_like(g[..., :1])], axis=-1)
            outward = _take(outward, self.back, xp)
            x = self._inputs(states[t], drives[t])
            gx, gparams = dispatch.vjp(self.task, x, self.params, outward)
            gx = _take(gx, self.out_of, xp)
            g = grad[t, ...] + gx[..., :size]
            gdrives.append(gx[..., size:])
            galpha, gbeta = galpha + gparams.alpha, gbeta + gparams.beta
        if not gdrives:
            shape = (0, *state.shape[:-1], len(self.into) - size)
            gdrive = xp.zeros(shape, dtype=grad.dtype, device=device(grad))
        else:
            gdrive = xp.stack(gdrives[::-1])
        return g, gdrive, GraphParameters(galpha, gbeta)

    def jacobian(self, state: Array, drive: Array) -> Array:
        """Derivatives of the next state, (..., states, states)."""
        xp, source = self.task.xp, self.source
        # A copy of the state for each direction.
        rows = xp.broadcast_to(state[..., None, :], (*state.shape, len(source)))
        eye = xp.eye(len(source), dtype=state.dtype, device=device(state))
        drive = drive[..., None, :]
        dx = self._inputs(xp.broadcast_to(eye, rows.shape), xp.zeros_like(drive))
        dparams = GraphParameters(*map(xp.zeros_like, self.params))
        out = dispatch.jvp(self.task, self._inputs(rows, drive), self.params, dx, dparams)
        columns = self._unbounded(_take(out, source, xp), rows, drive)
        return xp.matrix_transpose(columns)

    def _next(self, state: Array, drive: Array) -> Array:
        """The next state before it is bounded."""
        out = dispatch.forward(self.task, self._inputs(state, drive), self.params)
        return _take(out, self.source, self.task.xp)

    def _inputs(self, state: Array, drive: Array) -> Array:
        """The graph's inputs in its order."""
        xp = self.task.xp
        if drive.shape[-1]:
            drive = xp.broadcast_to(drive, (*state.shape[:-1], drive.shape[-1]))
            state = xp.concat([state, drive], axis=-1)
        return _take(state, self.into, xp)

    def _unbounded(self, grad: Array, state: Array, drive: Array) -> Array:
        """The gradient before a state is bounded: nothing of it where that was cut off."""
        if not self.clip:
            return grad
        raw, xp = self._next(state, drive), self.task.xp
        return xp.where((raw < 0.0) | (raw > 1.0), xp.zeros_like(grad), grad)


def _take(a: Array, places: Sequence[int], xp: Namespace) -> Array:
    """Columns of a in another order."""
    # (int32: JAX has no int64 unless told.)
    return xp.take(a, xp.asarray(places, dtype=xp.int32, device=device(a)), axis=-1)
