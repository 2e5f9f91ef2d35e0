"""Circuits: synapse graphs whose outputs are their own inputs one step later.

What a graph cannot do, a circuit can: settle, remember, oscillate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from array_api_compat import device

from synann_core._lib.arguments import Call, broadcast_shape, namespace_of
from synann_core._lib.checks import check_int
from synann_core._lib.numerics import sum_to_shape
from synann_core._lib.typing import Array, Namespace
from synann_core.graph.builder import SynapseGraph
from synann_core.graph.compiled import CompiledGraph, GraphParameters
from synann_core.graph.fixed_points import FixedPoint, find

__all__ = ["Circuit", "FixedPoint"]


class Circuit:
    """A synapse graph with feedback: one step gives the next state, for all neurons at once.

    Parameters
    ----------
    graph : SynapseGraph
        Computes the next state from the present one.
    feedback : mapping of input name to output name
        The graph's inputs that hold the state, in the state's order, and the outputs that they are
        one step later. The graph's other inputs are driven from outside.
    clip : bool
        Bound every state to [0, 1], as gains α > 1 need. Gradients pass where nothing is cut off,
        at just 0 and 1 too.

    Attributes
    ----------
    states : tuple of names
        The state's neurons, in order.
    drives : tuple of names
        The inputs that are driven from outside, in declared order.
    params : GraphParameters
        The graph's own α and β.

    Raises
    ------
    TypeError
        If `graph` is no SynapseGraph or `feedback` no mapping.
    ValueError
        If `feedback` is empty or names what is no input or output, or if the graph does not
        compile.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.graph import Circuit
    >>> from synann_core.graph import SynapseGraph
    >>> graph = SynapseGraph()
    >>> graph.input("x")
    >>> graph.synapse("next", excitatory="x", inhibitory="x", alpha=2.0)
    'next'
    >>> growth = Circuit(graph, {"x": "next"})
    >>> growth.iterate(np.array([0.1]), 3)[:, 0].round(4)
    array([0.1   , 0.18  , 0.2952, 0.4161])
    >>> [(round(float(point.state[0]), 6), point.stable) for point in growth.fixed_points()]
    [(0.0, False), (0.5, True)]
    """

    def __init__(self, graph: SynapseGraph, feedback: Mapping[Any, Any], *, clip: bool = False):
        if not isinstance(graph, SynapseGraph):
            raise TypeError(f"`graph` must be a SynapseGraph. Received: {type(graph).__name__}")
        if not isinstance(feedback, Mapping):
            raise TypeError(f"`feedback` must map inputs to outputs. Received: {feedback!r}")
        self._graph: CompiledGraph = graph.compile()
        inputs, outputs = list(self._graph.inputs), list(self._graph.outputs)
        if not feedback:
            raise ValueError("`feedback` must name one input or more. Received: none")
        for into, out in feedback.items():
            for name, names, kind in ((into, inputs, "an input"), (out, outputs, "an output")):
                if name not in names:
                    raise ValueError(
                        f"`feedback` must name {kind} of the graph. Received: {name!r}"
                    )
        self.states = tuple(feedback)
        self.drives = tuple(name for name in inputs if name not in feedback)
        self.clip = bool(clip)
        # Where the graph's inputs stand in (state, drive), the state in the graph's outputs, and
        # the outputs in (state, 0).
        self._into = [[*self.states, *self.drives].index(name) for name in inputs]
        self._from = [outputs.index(out) for out in feedback.values()]
        if len(set(self._from)) < len(self._from):
            raise ValueError(
                f"`feedback` must name every output once. Received: {list(feedback.values())}"
            )
        unused = len(self._from)
        self._out_of = [self._into.index(k) for k in range(len(inputs))]
        self._back = [
            self._from.index(k) if k in self._from else unused for k in range(len(outputs))
        ]

    @property
    def params(self) -> GraphParameters:
        """The graph's own α and β."""
        return self._graph.params

    def step(
        self, state: Array, drive: Array | None = None, params: GraphParameters | None = None
    ) -> Array:
        """The next state.

        Parameters
        ----------
        state : array, shape (..., states)
        drive : array, shape (..., drives), optional
            Needed where the circuit has drives.
        params : GraphParameters, optional
            α and β other than the graph's own.

        Returns
        -------
        array, shape (..., states)

        Raises
        ------
        TypeError, ValueError
            As the compiled graph; also if the drive is missing or does not fit.
        """
        xp, state, drive = self._checked(state, drive)
        return self._bounded(self._next(state, drive, params, xp), xp)

    def iterate(
        self,
        state: Array,
        steps: int,
        *,
        drive: Array | None = None,
        params: GraphParameters | None = None,
    ) -> Array:
        """States from the first on.

        Parameters
        ----------
        state : array, shape (..., states)
            Where to begin.
        steps : int
            ≥ 0.
        drive : array, shape (steps, ..., drives) or (..., drives), optional
            For each step, then with one axis more than `state`; or the same for all. Leading axes
            repeat to those of `state`.
        params : GraphParameters, optional
            α and β other than the graph's own.

        Returns
        -------
        array, shape (steps + 1, ..., states)
            The first entry is `state`.

        Raises
        ------
        TypeError, ValueError
            As `step`; also if `steps` is no int ≥ 0.
        """
        check_int("steps", steps, 0)
        xp, state, drive = self._checked(state, drive, steps)
        states = [state]
        for t in range(steps):
            following = self._next(states[-1], _at(drive, t, state), params, xp)
            states.append(self._bounded(following, xp))
        return xp.stack(states)

    def iterate_vjp(
        self,
        state: Array,
        grad: Array,
        *,
        drive: Array | None = None,
        params: GraphParameters | None = None,
    ) -> tuple[Array, Array | None, GraphParameters]:
        """Gradients through time of `iterate`.

        Parameters
        ----------
        state, drive, params
            As for `iterate`.
        grad : array, shape (steps + 1, ..., states)
            Gradient of the loss with respect to every state; its length gives the steps.

        Returns
        -------
        gstate : array, shape and dtype of state
        gdrive : array, shape and dtype of drive, or None
        gparams : GraphParameters
            Summed over steps and batch.

        Raises
        ------
        TypeError, ValueError
            As `iterate`; also if `grad` does not fit.
        """
        namespace_of(grad=grad)
        shape = tuple(getattr(grad, "shape", ()))
        if not shape or shape[0] < 1:
            raise ValueError(
                f"`grad` must have shape (steps + 1, ..., states). Received: shape {shape}"
            )
        steps, given, given_drive = shape[0] - 1, state, drive
        xp, state, drive = self._checked(state, drive, steps)
        grad = Call(state=state).shaped(grad, (steps + 1, *state.shape))
        states = self.iterate(state, steps, drive=drive, params=params)
        own = {"dtype": state.dtype, "device": device(state)}
        gparams = GraphParameters(
            *(xp.zeros(a.shape, **own) for a in self.params)
            if params is None
            else map(xp.zeros_like, params)
        )
        g, gdrives = grad[steps, ...], []
        for t in reversed(range(steps)):
            before, now = states[t, ...], _at(drive, t, state)
            g = self._unbounded(g, before, now, params, xp)
            gx, step = self._graph.vjp(self._inputs(before, now, xp), self._outward(g, xp), params)
            gx = _take(gx, self._out_of, xp)
            g = grad[t, ...] + gx[..., : len(self.states)]
            gdrives.append(gx[..., len(self.states) :])
            gparams = GraphParameters(*(a + b for a, b in zip(gparams, step, strict=True)))
        g = xp.astype(g, given.dtype)
        if drive is None or given_drive is None:
            return g, None, gparams
        if not gdrives:
            return g, xp.zeros_like(given_drive), gparams
        by_step = xp.stack(gdrives[::-1])
        whole = _steps_first(drive, state)
        by_step = by_step if whole else xp.sum(by_step, axis=0)
        gdrive = sum_to_shape(by_step, drive.shape, xp)
        return g, xp.astype(gdrive, given_drive.dtype), gparams

    def jacobian(
        self, state: Array, drive: Array | None = None, params: GraphParameters | None = None
    ) -> Array:
        """Derivatives of the next state, (..., states, states), a row for each neuron.

        Parameters
        ----------
        state, drive, params
            As for `step`.

        Raises
        ------
        TypeError, ValueError
            As `step`.
        """
        xp, state, drive = self._checked(state, drive)
        size = len(self.states)
        eye = xp.eye(size, dtype=state.dtype, device=device(state))
        # A copy of the state for each direction.
        rows = xp.broadcast_to(state[..., None, :], (*state.shape, size))
        eye = xp.broadcast_to(eye, rows.shape)
        held = drive if drive is None else drive[..., None, :]
        rest = held if held is None else xp.zeros_like(held)
        x, dx = self._inputs(rows, held, xp), self._inputs(eye, rest, xp)
        columns = _take(self._graph.jvp(x, dx, params), self._from, xp)
        columns = self._unbounded(columns, rows, held, params, xp)
        return xp.matrix_transpose(columns)

    def fixed_points(
        self,
        *,
        drive: Array | None = None,
        params: GraphParameters | None = None,
        starts: int = 200,
        tolerance: float = 1e-6,
        rng: int | np.random.Generator = 0,
    ) -> list[FixedPoint]:
        """States in [0, 1] that stay as they are, with their stability.

        Parameters
        ----------
        drive : array, shape (drives,), optional
        params : GraphParameters, optional
            Of NumPy.
        starts : int
            Newton's method begins at so many random states, at every corner of up to 8 neurons, and
            at the middle. That finds isolated points, most of the time all of them; of a continuum
            it finds samples.
        tolerance : float
            Points nearer than this to another, in the largest difference, count as one; > 0. Where
            two points are about to meet, they are found to half of the digits only.
        rng : int or numpy.random.Generator
            Of the starts.

        Returns
        -------
        list of FixedPoint
            Sorted by state.

        Raises
        ------
        TypeError, ValueError
            As `step`; also if an option is out of range, or if the drive or the parameters make
            the Jacobian infinite or NaN.
        """
        check_int("starts", starts, 0)
        if not (isinstance(tolerance, int | float | np.floating) and tolerance > 0.0):
            raise ValueError(f"`tolerance` must be a number above 0. Received: {tolerance!r}")
        return find(self, drive, params, starts, tolerance, np.random.default_rng(rng))

    def _checked(
        self, state: Array, drive: Array | None, steps: int | None = None
    ) -> tuple[Namespace, Array, Array | None]:
        """The namespace, and the arrays in their common dtype once they fit."""
        if (drive is None) != (not self.drives):
            wanted = f"given for {self.drives}" if self.drives else "left out: there are no drives"
            raise ValueError(f"`drive` must be {wanted}. Received: {drive!r}")
        call = Call(state=state) if drive is None else Call(state=state, drive=drive)
        call.expect(state=(..., len(self.states)))
        xp = call.xp
        fitting = xp.astype(call["state"], call.dtype)
        if drive is None:
            return xp, fitting, None
        call.expect(drive=(..., len(self.drives)))
        shape = call.shape("drive")
        if steps is not None and _steps_first(drive, state):
            if shape[0] != steps:
                raise ValueError(f"`drive` must have {steps} steps. Received: shape {shape}")
            shape = shape[1:]
        batch = call.shape("state")[:-1]
        if broadcast_shape(0, state=batch, drive=shape[:-1]) != batch:
            raise ValueError(
                f"`drive` must have leading axes that repeat to {batch}. Received: shape {shape}"
            )
        return xp, fitting, xp.astype(call["drive"], call.dtype)

    def _next(self, state: Array, drive: Array | None, params: Any, xp: Namespace) -> Array:
        """The next state before it is bounded."""
        return _take(self._graph(self._inputs(state, drive, xp), params), self._from, xp)

    def _inputs(self, state: Array, drive: Array | None, xp: Namespace) -> Array:
        """The graph's inputs in its order."""
        if drive is not None:
            drive = xp.broadcast_to(drive, (*state.shape[:-1], drive.shape[-1]))
            state = xp.concat([state, drive], axis=-1)
        return _take(state, self._into, xp)

    def _outward(self, grad: Array, xp: Namespace) -> Array:
        """The gradient of the graph's outputs: zero where they are not fed back."""
        padded = xp.concat([grad, xp.zeros_like(grad[..., :1])], axis=-1)
        return _take(padded, self._back, xp)

    def _bounded(self, state: Array, xp: Namespace) -> Array:
        if not self.clip:
            return state
        # Not `clip`, of which JAX takes half the derivative where a state is just 0 or 1.
        state = xp.where(state > 1.0, xp.ones_like(state), state)
        return xp.where(state < 0.0, xp.zeros_like(state), state)

    def _unbounded(
        self, grad: Array, state: Array, drive: Array | None, params: Any, xp: Namespace
    ) -> Array:
        """The gradient before `_bounded`: nothing of it where the next state was cut off."""
        if not self.clip:
            return grad
        raw = self._next(state, drive, params, xp)
        return xp.where((raw < 0.0) | (raw > 1.0), xp.zeros_like(grad), grad)


def _steps_first(drive: Array, state: Array) -> bool:
    return bool(drive.ndim == state.ndim + 1)


def _at(drive: Array | None, t: int, state: Array) -> Array | None:
    """The drive of one step."""
    return drive if drive is None or not _steps_first(drive, state) else drive[t, ...]


def _take(a: Array, places: list[int], xp: Namespace) -> Array:
    """Columns of a in another order."""
    # (int32: JAX has no int64 unless told.)
    return xp.take(a, xp.asarray(places, dtype=xp.int32, device=device(a)), axis=-1)
