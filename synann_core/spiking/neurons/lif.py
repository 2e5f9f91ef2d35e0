"""Leaky integrate-and-fire neurons with explicit state, and their backward pass by hand.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit, runs without a step, and unknown options.
"""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass, field
from typing import Any, Generic

from synann_core._lib.arguments import Arguments, is_number, silence
from synann_core._lib.checks import check_int
from synann_core._lib.typing import Array, ArrayT
from synann_core.spiking.neurons import dispatch
from synann_core.spiking.neurons.checks import NAMES, check_neuron, check_shapes, check_state
from synann_core.spiking.neurons.formulas import membranes, thresholds
from synann_core.spiking.neurons.records import (
    Gradients,
    Inputs,
    Order,
    Parameters,
    Plan,
    Reset,
    Rule,
    State,
    Test,
    Upstream,
    mapped,
)
from synann_core.spiking.neurons.surrogates import Surrogate, arctan


@dataclass(frozen=True, eq=False)
class Record(Generic[ArrayT]):
    """Result of a run, which keeps one array for the backward pass: potentials, (T, ..., N).

    Attributes
    ----------
    membrane : array, shape (T, ..., N)
        After each step. In the delayed orders it is the array that is kept, with no copy; in the
        order "immediate" it is computed from that array and the spikes that `run` returned, which
        must not have been changed.
    slope : array, shape (T, ..., N)
        Derivative of the surrogate at each step's potential minus threshold, for e-prop and its
        like; ValueError for neurons without a threshold.
    state : State
        After the last step: give it to the next `run`, or gradients to `vjp`.
    """

    state: State[ArrayT]
    _potential: Array = field(repr=False)
    _spikes: Array | None = field(repr=False)  # what `run` returned, where the membrane needs it
    _inputs: Inputs = field(repr=False)
    _plan: Plan = field(repr=False)
    _given: Arguments[ArrayT] = field(repr=False)

    @property
    def membrane(self) -> ArrayT:
        """Membranes after each step."""
        given, result = self._given, self._potential
        if self._spikes is not None:
            params, rule = self._inputs.parameters, self._plan.rule
            with silence(given.xp):
                result = membranes(result, self._spikes, params, rule, given.xp)
        return given.result(result)

    @property
    def slope(self) -> ArrayT:
        """Derivatives of the surrogate at each step."""
        given, rule = self._given, self._plan.rule
        with silence(given.xp):
            level = thresholds(self._inputs, self._potential, rule, given.xp)
            if level is None:
                raise ValueError(
                    "`slope` needs a neuron with a threshold. Received: threshold=None"
                )
            slope = rule.surrogate.derivative(self._potential - level, xp=given.xp)
        return given.result(slope)


@dataclass(frozen=True, eq=False)
class LIF:
    """Leaky integrate-and-fire neurons, by default as in snnTorch.

    One step from the membrane m, with input current I::

        r = spikes of the step before
        m = decay·m + gain·I + (1 − decay)·rest − r·threshold        (reset "subtract")
        s = 1 where m > threshold, else 0

    Parameters
    ----------
    decay : number or array, shape (N,)
        Share of the membrane that is left after a step, in [0, 1]; see `decay_factor`.
    threshold : number, array of shape (N,), or None
        > 0; None for an integrator without spikes, ∞ in an array for a neuron that never fires.
    synaptic_decay : number or array, shape (N,), optional
        In [0, 1]: inputs add to a current that decays by it, and the current moves the membrane.
    recurrent : array, shape (N, N), optional
        Weights [to, from] of the spikes of the step before, added to the input.
    gain : float
        What a unit of current adds to the membrane.
    rest, reset_to : float
        Membrane without input, and after a reset to a value ("zero").
    adaptation, adaptation_decay : float
        Each spike raises the threshold by `adaptation`, which decays by `adaptation_decay`; 0 for a
        constant threshold.
    order : {"snntorch", "article", "immediate"}
        When the reset happens. "snntorch": in the step after the spike. "article": likewise, and
        the spike is put out then, too. "immediate": in the step of the spike, as in Norse.
    reset : {"subtract", "zero", "none"}
        Take the threshold away, go to `reset_to`, or go on.
    fires : {">", ">="}
        Test of membrane against threshold: snnTorch and Norse ">", SpikingJelly and sinabs ">=".
    surrogate : Surrogate
        Stand-in for the derivative of that test; `arctan`, snnTorch's default, if not given.
    detach_reset : bool
        Whether gradients pass by the reset, as in snnTorch; they do not in Norse.

    Notes
    -----
    Only the potentials of a run are kept for its backward pass: spikes and resets follow by
    comparison. Autodiff of torch and JAX sees the same gradients as `vjp` gives. The parameters'
    values are checked here, NaN among them, but for arrays that a trace stands for; currents are
    not: after a NaN the membrane is NaN, and silent. Source: docs/spiking.md.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import LIF
    >>> neuron = LIF(decay=0.5)
    >>> spikes, record = neuron.run(np.full((4, 1), 0.8))
    >>> spikes[:, 0], record.membrane[:, 0]
    (array([0., 1., 0., 0.]), array([0.8, 1.2, 0.4, 1. ]))
    >>> neuron.vjp(record, spikes=1.0).currents.shape
    (4, 1)
    """

    decay: Any = 0.95
    threshold: Any = 1.0
    synaptic_decay: Any = None
    recurrent: Any = None
    gain: float = 1.0
    rest: float = 0.0
    reset_to: float = 0.0
    adaptation: float = 0.0
    adaptation_decay: float = 0.0
    order: Order = "snntorch"
    reset: Reset = "subtract"
    fires: Test = ">"
    surrogate: Surrogate = field(default_factory=arctan)
    detach_reset: bool = True

    def __post_init__(self) -> None:
        check_neuron(self)

    @functools.cached_property
    def rule(self) -> Rule:
        """The options, without the arrays."""
        return Rule(**{name: getattr(self, name) for name in Rule._fields})

    def with_parameters(self, **parameters: Any) -> LIF:
        """Return the neuron with other arrays, whose values are not looked at: they are learned.

        Parameters
        ----------
        **parameters : arrays
            Of `decay`, `threshold`, `synaptic_decay` and `recurrent`, as for the neuron.

        Examples
        --------
        >>> import numpy as np
        >>> from synann_core.spiking import LIF
        >>> LIF(0.9, reset="zero").with_parameters(decay=np.full(3, 0.8)).reset
        'zero'
        """
        for name in parameters.keys() - set(Parameters._fields):
            raise TypeError(f"a neuron has no parameter {name!r}")
        other = copy.copy(self)
        other.__dict__.update(parameters)
        return other

    def step(
        self, current: ArrayT, /, state: State[ArrayT] | None = None
    ) -> tuple[ArrayT, State[ArrayT]]:
        """Take one step.

        Parameters
        ----------
        current : array, shape (..., N)
            Input of the step.
        state : State, optional
            At rest if not given.

        Returns
        -------
        spikes : array, shape (..., N)
            0 or 1.
        state : State

        Examples
        --------
        >>> import numpy as np
        >>> from synann_core.spiking import LIF
        >>> spikes, state = LIF(order="immediate").step(np.array([0.5, 1.5]))
        >>> spikes, state.membrane
        (array([0., 1.]), array([0.5, 0.5]))
        """
        spikes: Any
        spikes, record = self.run(current, state, steps=1)
        return spikes[0, ...], record.state

    def run(
        self, currents: ArrayT, /, state: State[ArrayT] | None = None, *, steps: int | None = None
    ) -> tuple[ArrayT, Record[ArrayT]]:
        """Run a whole sequence.

        Parameters
        ----------
        currents : array, shape (T, ..., N)
            Inputs, time first; with `steps`, shape (..., N): the same input at every step.
        state : State, optional
            Before the first step; at rest if not given.
        steps : int, optional
            T, for a constant input.

        Returns
        -------
        spikes : array, shape (T, ..., N)
            0 or 1, in the inputs' dtype.
        record : Record
            Membranes and last state; `vjp` needs it.
        """
        given, inputs = self.checked(currents, state, steps)
        with given:
            plan = Plan(self.rule, steps)
            run = dispatch.forward(inputs, plan=plan, xp=given.xp)
            after: State[Any] = mapped(given.result, run.state)
            kept = run.spikes if self.order == "immediate" else None
            record = Record(after, run.potential, kept, inputs, plan, given)
            return given.result(run.spikes), record

    def vjp(
        self,
        record: Record[ArrayT],
        spikes: ArrayT | float = 0.0,
        membrane: ArrayT | float = 0.0,
        state: State[ArrayT] | None = None,
    ) -> Gradients[ArrayT]:
        """Backpropagate through time.

        Parameters
        ----------
        record : Record
            What `run` returned.
        spikes, membrane : array, shape (T, ..., N), or number
            Gradients of the loss with respect to `run`'s spikes and the record's membranes.
        state : State, optional
            Gradient with respect to the record's last state, where a later run goes on with it.

        Returns
        -------
        Gradients
            Of the currents (summed over the steps, for a constant input), of decay, threshold,
            synaptic decay and recurrent weights (None where there are none), and of the state
            before the first step.

        Examples
        --------
        >>> import numpy as np
        >>> from synann_core.spiking import LIF
        >>> neuron = LIF(decay=0.5, threshold=None)
        >>> _, record = neuron.run(np.ones((3, 1)))
        >>> grads = neuron.vjp(record, membrane=1.0)
        >>> grads.currents[:, 0], float(grads.decay)
        (array([1.75, 1.5 , 1.  ]), 3.0)
        """
        if not isinstance(record, Record):
            raise TypeError(f"`record` must be a Record. Received: {type(record).__qualname__}")
        check_state(state, like=record.state)
        given = copy.copy(record._given)  # it takes in the gradients, in place of the record's
        given.arrays = []
        potential = record._potential

        def gradient(of: Array, value: Any, name: str) -> Array | None:
            if value is None or (is_number(value) and value == 0):
                return None
            if is_number(value):  # one that stands for all
                return given.xp.broadcast_to(given.array(name, value, ()), of.shape)
            return given.array(name, value, tuple(of.shape))

        with given:
            last: State[Any] | None = None
            if state is not None:
                last = mapped(gradient, record.state, state, NAMES)
            upstream = Upstream(
                gradient(potential, spikes, "spikes"),
                gradient(potential, membrane, "membrane"),
                last,
            )
            found = dispatch.vjp(
                record._inputs, potential, upstream, plan=record._plan, xp=given.xp
            )
            before = dict(zip(NAMES, found.state, strict=True))
            values = {**found._asdict(), **before}
            fitted = given.gradients(values[name] for name in given.named)
            own = dict(zip(given.named, fitted, strict=True))
            results: dict[str, Any] = {name: own.get(name) for name in Gradients._fields[:-1]}
            return Gradients(**results, state=mapped(given.result, found.state))

    def checked(
        self, currents: ArrayT, state: State[ArrayT] | None, steps: int | None
    ) -> tuple[Arguments[ArrayT], Inputs]:
        """Check the arguments; return them, and with a state in which all is that a neuron has."""
        if is_number(currents):
            raise TypeError(f"`currents` must be an array. Received: {currents!r}")
        check_state(state)
        still = None if self.synaptic_decay is None else 0.0
        start = State[Any](self.rest, still, None, 0.0 if self.adaptation else None)
        if state is not None:
            merged = mapped(lambda at_rest, own: at_rest if own is None else own, start, state)
            start = merged._replace(spikes=state.spikes)
        named = {name: getattr(self, name) for name in Parameters._fields}
        named |= {n: a for n, a in zip(NAMES, start, strict=True) if not is_number(a)}
        given = Arguments[ArrayT](
            currents=currents, **{name: a for name, a in named.items() if a is not None}
        )
        shape = given.shape("currents")
        if steps is not None:
            check_int("steps", steps, 1)
        elif not shape or shape[0] < 1:
            raise ValueError(
                f"`currents` must have shape (T, ..., N) with T ≥ 1. Received: shape {shape}"
            )
        shape = shape if steps is not None else shape[1:]
        check_shapes(given, shape)
        arrays: dict[str, Any] = given.named
        initial = mapped(
            lambda a, name: given.array(name, a, shape) if is_number(a) else arrays[name],
            start,
            NAMES,
        )
        parameters = {name: a for name, a in arrays.items() if name in Parameters._fields}
        return given, Inputs(Parameters(**parameters), initial, given["currents"])
