"""Circuits: synapse graphs whose outputs are their own inputs one step later.

What a graph cannot do, a circuit can: settle, remember, oscillate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device

from ._graph import CompiledGraph, GraphParameters
from ._lib._arguments import Array, Call, Namespace, broadcast_shape, sum_to_shape
from ._lib._checks import check_int, to_numpy
from .graph import SynapseGraph

__all__ = ["Circuit", "FixedPoint"]

_ROUNDS = 100  # of Newton's method from one start; it takes about ten


class FixedPoint(NamedTuple):
    """A state that the circuit leaves as it is.

    Attributes
    ----------
    state : ndarray, shape (states,)
    radius : float
        Largest magnitude of an eigenvalue of the step's Jacobian there.
    stable : bool
        ``radius < 1``: the circuit comes back after a small push. At exactly 1 the linear part
        does not decide (the comparator, say, comes back slowly from one side).
    """

    state: np.ndarray[Any, Any]
    radius: float

    @property
    def stable(self) -> bool:
        """Whether a small push dies away."""
        return self.radius < 1.0


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
        Bound every state to [0, 1], as gains α > 1 need. Gradients pass where nothing is cut off.

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
    >>> from synann_core.circuit import Circuit
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
            For each step, or the same for all.
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
        gstate : array, shape of state
        gdrive : array, shape of drive, or None
        gparams : GraphParameters
            Summed over steps and batch.

        Raises
        ------
        TypeError, ValueError
            As `iterate`; also if `grad` does not fit.
        """
        shape = tuple(getattr(grad, "shape", ()))
        if len(shape) != len(state.shape) + 1 or shape[0] < 1:
            raise ValueError(f"`grad` must have shape (steps + 1, ..., states). Received: {shape}")
        steps = shape[0] - 1
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
            g = self._unbounded(g, self._next(before, now, params, xp), xp)
            gx, step = self._graph.vjp(self._inputs(before, now, xp), self._outward(g, xp), params)
            gx = _take(gx, self._out_of, xp)
            g = grad[t, ...] + gx[..., : len(self.states)]
            gdrives.append(gx[..., len(self.states) :])
            gparams = GraphParameters(*(a + b for a, b in zip(gparams, step, strict=True)))
        if drive is None:
            return g, None, gparams
        if not gdrives:
            return g, xp.zeros_like(drive), gparams
        by_step = xp.stack(gdrives[::-1])
        whole = _steps_first(drive, state)
        by_step = by_step if whole else xp.sum(by_step, axis=0)
        return g, sum_to_shape(by_step, drive.shape, xp), gparams

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
        columns = self._unbounded(columns, self._next(rows, held, params, xp), xp)
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
            As `step`; also if an option is out of range.
        """
        check_int("starts", starts, 0)
        if not tolerance > 0.0:
            raise ValueError(f"`tolerance` must be above 0. Received: {tolerance!r}")
        held = None if drive is None else to_numpy(drive).astype(np.float64)
        points = self._newton(self._starts(starts, np.random.default_rng(rng)), held, params)
        found: list[np.ndarray[Any, Any]] = []
        for point in points:
            if all(np.abs(point - p).max() > tolerance for p in found):
                found.append(point)
        found.sort(key=lambda point: np.round(point, 9).tolist())
        return [FixedPoint(point, self._radius(point, held, params)) for point in found]

    def _newton(self, state: Any, drive: Any, params: Any) -> Any:
        """The fixed points in [0, 1] to which Newton's method comes from any of the states."""
        for _ in range(_ROUNDS):
            change = self.step(state, drive, params) - state
            slope = np.eye(state.shape[-1]) - self.jacobian(state, drive, params)
            # Its pseudoinverse: it may be singular, as where fixed points meet.
            move = (np.linalg.pinv(slope, rcond=1e-12) @ change[..., None])[..., 0]
            state = np.clip(state + move, 0.0, 1.0)
            if np.abs(move).max() < 1e-13:
                break
        error = np.abs(self.step(state, drive, params) - state).max(axis=-1)
        return state[error < 1e-12]

    def _radius(self, state: Any, drive: Any, params: Any) -> float:
        return float(np.abs(np.linalg.eigvals(self.jacobian(state, drive, params))).max())

    def _starts(self, count: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        size = len(self.states)
        corners = np.indices((2,) * size).reshape(size, -1).T if size <= 8 else np.empty((0, size))
        return np.concatenate([corners, np.full((1, size), 0.5), rng.random((count, size))])

    def _checked(
        self, state: Array, drive: Array | None, steps: int | None = None
    ) -> tuple[Namespace, Array, Array | None]:
        """The namespace, and the arrays once they fit."""
        if (drive is None) != (not self.drives):
            wanted = f"given for {self.drives}" if self.drives else "left out: there are no drives"
            raise ValueError(f"`drive` must be {wanted}. Received: {drive!r}")
        call = Call(state=state) if drive is None else Call(state=state, drive=drive)
        call.expect(state=(..., len(self.states)))
        if drive is None:
            return call.xp, call["state"], None
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
        return call.xp, call["state"], call["drive"]

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
        return xp.clip(state, 0.0, 1.0) if self.clip else state

    def _unbounded(self, grad: Array, raw: Array, xp: Namespace) -> Array:
        """The gradient before `_bounded`: nothing of it where the state was cut off."""
        if not self.clip:
            return grad
        return xp.where((raw >= 0.0) & (raw <= 1.0), grad, xp.zeros_like(grad))


def _steps_first(drive: Array, state: Array) -> bool:
    return bool(drive.ndim == state.ndim + 1)


def _at(drive: Array | None, t: int, state: Array) -> Array | None:
    """The drive of one step."""
    return drive if drive is None or not _steps_first(drive, state) else drive[t, ...]


def _take(a: Array, places: list[int], xp: Namespace) -> Array:
    """Columns of a in another order."""
    return xp.take(a, xp.asarray(places, dtype=xp.int64, device=device(a)), axis=-1)
