"""Run circuits: synapse graphs whose outputs are their own inputs one step later.

A graph only computes; a circuit can settle, remember and oscillate. The methods of `Circuit` raise
TypeError and ValueError as the compiled graph does, and ValueError if a drive is missing or does
not fit.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from array_api_compat import device

from synann_core._lib.arguments import Arguments, broadcast_shape, namespace_of
from synann_core._lib.checks import as_generator, check_int, check_number
from synann_core._lib.typing import AnyArray, Array, ArrayT
from synann_core.graph.builder import SynapseGraph
from synann_core.graph.fixed_points import FixedPoint, find, one_drive, starting_points
from synann_core.graph.parameters import Given, GraphParameters, arguments
from synann_core.graph.steps import Steps
from synann_core.graph.structure import Task
from synann_core.graph.wiring import Name


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
    feedback : dict of input name to output name
        As given.
    params : GraphParameters
        The graph's own α and β.

    Raises
    ------
    TypeError
        If `graph` is not a SynapseGraph, or `feedback` not a mapping.
    ValueError
        If `feedback` is empty or names something that is not an input or output, or if the graph
        does not compile.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.graph import Circuit, SynapseGraph
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

    def __init__(self, graph: SynapseGraph, feedback: Mapping[Any, Name], *, clip: bool = False):
        if not isinstance(graph, SynapseGraph):
            raise TypeError(f"`graph` must be a SynapseGraph. Received: {type(graph).__name__}")
        if not isinstance(feedback, Mapping):
            raise TypeError(f"`feedback` must map inputs to outputs. Received: {feedback!r}")
        if not feedback:
            raise ValueError("`feedback` must name one input or more. Received: none")
        self._graph = _snapshot(graph)
        compiled = graph.compile()
        inputs = compiled.inputs
        outputs = {name: k for k, name in enumerate(compiled.outputs)}
        known = set(inputs)
        for into, out in feedback.items():
            for name, names, kind in ((into, known, "an input"), (out, outputs, "an output")):
                if name not in names:
                    raise ValueError(
                        f"`feedback` must name {kind} of the graph. Received: {name!r}"
                    )
        self.params, self._structure = compiled.params, compiled._structure
        self.feedback = dict(feedback)
        self.states = tuple(feedback)
        self.drives = tuple(name for name in inputs if name not in feedback)
        self.clip = bool(clip)
        source = [outputs[out] for out in feedback.values()]
        if len(set(source)) < len(source):
            raise ValueError(
                f"`feedback` must name every output once. Received: {list(feedback.values())}"
            )
        entry = {name: k for k, name in enumerate((*self.states, *self.drives))}
        places, back = [entry[name] for name in inputs], {k: i for i, k in enumerate(source)}
        self._make_steps = functools.partial(
            Steps,
            into=places,
            out_of=np.argsort(places).tolist(),
            source=source,
            back=[back.get(k, len(source)) for k in range(len(compiled.outputs))],
            clip=self.clip,
        )

    def __repr__(self) -> str:
        """Say how many states and drives there are."""
        return f"<{type(self).__name__} states={len(self.states)} drives={len(self.drives)}>"

    @property
    def graph(self) -> SynapseGraph:
        """A copy of the graph that computes a step."""
        return _snapshot(self._graph)

    def step(
        self, state: ArrayT, /, *, drive: ArrayT | None = None, params: Given[ArrayT] = None
    ) -> ArrayT:
        """Compute the next state.

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
        """
        with self._arguments(state, drive, params) as given:
            run, held = self._steps(given)
            return given.result(run.step(given["state"], held))

    def iterate(
        self,
        state: ArrayT,
        /,
        steps: int,
        *,
        drive: ArrayT | None = None,
        params: Given[ArrayT] = None,
    ) -> ArrayT:
        """Compute the states from the first on.

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
            Also if `steps` is not an int ≥ 0.
        """
        check_int("steps", steps, 0)
        with self._arguments(state, drive, params, steps) as given:
            run, held = self._steps(given)
            states = run.states(given["state"], _by_step(held, given["state"], steps))
            return given.result(given.xp.stack(states))

    def iterate_vjp(
        self,
        state: ArrayT,
        /,
        *,
        drive: ArrayT | None = None,
        params: Given[ArrayT] = None,
        grad: ArrayT,
    ) -> tuple[ArrayT, ArrayT | None, GraphParameters[ArrayT]]:
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
            Also if `grad` does not fit.
        """
        namespace_of(grad=grad)
        shape = tuple(getattr(grad, "shape", ()))
        if not shape or shape[0] < 1:
            raise ValueError(
                f"`grad` must have shape (steps + 1, ..., states). Received: shape {shape}"
            )
        with self._arguments(state, drive, params, shape[0] - 1) as given:
            upstream = given.array("grad", grad, (shape[0], *given.shape("state")))
            run, held = self._steps(given)
            drives = _by_step(held, given["state"], shape[0] - 1)
            g, gdrive, gparams = run.vjp(given["state"], drives, upstream)
            if held.ndim <= g.ndim:  # the same at all steps
                gdrive = given.xp.sum(gdrive, axis=0)
            names = ("state", "drive", "params.alpha", "params.beta")
            found: dict[str, Any] = dict(zip(names, (g, gdrive, *gparams), strict=True))
            found |= zip(given.named, given.gradients(found[k] for k in given.named), strict=True)
            gstate, gdrive, *of_params = found.values()
            return gstate, None if drive is None else gdrive, GraphParameters(*of_params)

    def jacobian(
        self, state: ArrayT, /, *, drive: ArrayT | None = None, params: Given[ArrayT] = None
    ) -> ArrayT:
        """Derivatives of the next state, (..., states, states), a row for each neuron.

        Parameters
        ----------
        state, drive, params
            As for `step`.
        """
        with self._arguments(state, drive, params) as given:
            run, held = self._steps(given)
            return given.tangent(run.jacobian(given["state"], held))

    def fixed_points(
        self,
        *,
        drive: AnyArray | None = None,
        params: Given = None,
        starts: int = 200,
        tolerance: float = 1e-6,
        rng: int | np.random.Generator = 0,
    ) -> list[FixedPoint]:
        """Find states in [0, 1] that stay as they are, with their stability.

        Parameters
        ----------
        drive : array, shape (drives,), optional
            From any library.
        params : GraphParameters, optional
            Of NumPy.
        starts : int
            Newton's method starts from this many random states, from every corner of up to 8
            neurons, and from the middle. That finds isolated points, most of the time all of
            them; of a continuum it finds samples.
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
            Also if an option is out of range, or if the drive or the parameters make the Jacobian
            infinite or NaN.
        """
        check_int("starts", starts, 0)
        tolerance = check_number("tolerance", tolerance, 0.0, ends="()")
        if self.drives and drive is not None:
            drive = one_drive(drive, len(self.drives))
        states: Any = starting_points(len(self.states), starts, as_generator(rng))
        with self._arguments(states, drive, params) as given:
            run, held = self._steps(given)
            step, jacobian = (functools.partial(f, drive=held) for f in (run.step, run.jacobian))
            return find(step, jacobian, states, tolerance)

    def _arguments(
        self,
        state: ArrayT,
        drive: ArrayT | None,
        params: Given[ArrayT],
        steps: int | None = None,
    ) -> Arguments[ArrayT]:
        """Check all arguments; with `steps`, the drive may have an axis of them."""
        if (drive is None) != (not self.drives):
            wanted = f"given for {self.drives}" if self.drives else "left out: there are no drives"
            raise ValueError(f"`drive` must be {wanted}. Received: {drive!r}")
        arrays, shapes = {"state": state}, {"state": (..., len(self.states))}
        if drive is not None:
            arrays["drive"], shapes["drive"] = drive, (..., len(self.drives))
        given = arguments(self.params, params, **arrays)
        given.check_shapes(**shapes)
        if drive is None:
            return given
        shape, batch = given.shape("drive"), given.shape("state")[:-1]
        if steps is not None and len(shape) == len(batch) + 2:
            if shape[0] != steps:
                raise ValueError(f"`drive` must have {steps} steps. Received: shape {shape}")
            shape = shape[1:]
        if broadcast_shape(0, state=batch, drive=shape[:-1]) != batch:
            raise ValueError(
                f"`drive` must have leading axes that repeat to {batch}. Received: shape {shape}"
            )
        return given

    def _steps(self, given: Arguments[Any]) -> tuple[Steps, Array]:
        """The circuit with the library and parameters of the arguments, and the drive."""
        task, params = Task(self._structure, given.xp), self._structure.parameters(given)
        like = given["state"]
        none = given.xp.zeros((0,), dtype=like.dtype, device=device(like))
        steps = self._make_steps(dtype=given.dtype, task=task, params=params)
        return steps, given.named.get("drive", none)


def _by_step(drive: Array, state: Array, steps: int) -> list[Array]:
    """The drive of each step; with one axis more than the state, it begins with one of steps."""
    return [drive[t, ...] if drive.ndim > state.ndim else drive for t in range(steps)]


def _snapshot(graph: SynapseGraph) -> SynapseGraph:
    """The graph as it is now: what is added to one of the two is not in the other."""
    own = SynapseGraph()
    vars(own).update({name: copy.copy(value) for name, value in vars(graph).items()})
    return own
