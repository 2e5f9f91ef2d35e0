"""Leaky integrate-and-fire neurons with explicit state, and their backward pass by hand."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass, field
from typing import Any

from synann_core._lib.arguments import Call, is_number, silence
from synann_core._lib.checks import check_int, check_option
from synann_core._lib.numerics import sum_to_shape
from synann_core._lib.typing import Array, Shape
from synann_core.spiking.neurons import dynamics
from synann_core.spiking.neurons.state import (
    PARAMETERS,
    Gradients,
    Record,
    State,
    as_dtype,
    params_of,
)
from synann_core.spiking.neurons.surrogates import Surrogate, fast_sigmoid

__all__ = ["LIF"]

ORDERS = ("article", "snntorch", "immediate")
RESETS = ("subtract", "zero", "none")
TESTS = (">", ">=")


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
        Share of the membrane that is left after a step, β in [0, 1]; see `decay_factor`.
    threshold : number, array of shape (N,), or None
        θ > 0; None for an integrator without spikes.
    synaptic_decay : number or array, shape (N,), optional
        α in [0, 1]: inputs add to a current that decays by it, and the current moves the membrane.
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
        Stand-in for the derivative of that test.
    detach_reset : bool
        Whether gradients pass by the reset, as in snnTorch; they do not in Norse.

    Raises
    ------
    TypeError
        If a number is none.
    ValueError
        If an option is unknown or a number not finite.

    Notes
    -----
    Only the potentials of a run are kept for its backward pass: spikes and resets follow by
    comparison. Autodiff of torch and JAX sees the same gradients as `vjp` gives.
    Source: docs/spiking.md.

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
    order: str = "snntorch"
    reset: str = "subtract"
    fires: str = ">"
    surrogate: Surrogate = field(default_factory=fast_sigmoid)
    detach_reset: bool = True

    def __post_init__(self) -> None:
        check_option("order", self.order, ORDERS)
        check_option("reset", self.reset, RESETS)
        check_option("fires", self.fires, TESTS)
        if not isinstance(self.surrogate, Surrogate):
            raise TypeError(f"`surrogate` must be a Surrogate. Received: {self.surrogate!r}")
        if not isinstance(self.detach_reset, bool):
            raise TypeError(f"`detach_reset` must be a bool. Received: {self.detach_reset!r}")
        for name in ("gain", "rest", "reset_to", "adaptation", "adaptation_decay"):
            object.__setattr__(self, name, finite(name, getattr(self, name)))
        for name in ("decay", "threshold", "synaptic_decay"):
            value = getattr(self, name)
            if isinstance(value, numbers.Real):
                object.__setattr__(self, name, finite(name, value))
            elif not (hasattr(value, "ndim") or (value is None and name != "decay")):
                raise TypeError(f"`{name}` must be a number or an array. Received: {value!r}")
        if self.recurrent is not None and not hasattr(self.recurrent, "ndim"):
            raise TypeError(f"`recurrent` must be an array. Received: {self.recurrent!r}")
        if self.threshold is None and self.adaptation:
            raise ValueError(
                f"`adaptation` must be 0 without a threshold. Received: {self.adaptation}"
            )

    @property
    def rule(self) -> dynamics.Rule:
        """The options, without the arrays."""
        return dynamics.Rule(**{name: getattr(self, name) for name in dynamics.Rule._fields})

    def step(self, current: Array, /, state: State | None = None) -> tuple[Array, State]:
        """One step.

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

        Raises
        ------
        TypeError, ValueError
            As for `run`.

        Examples
        --------
        >>> import numpy as np
        >>> from synann_core.spiking import LIF
        >>> spikes, state = LIF(order="immediate").step(np.array([0.5, 1.5]))
        >>> spikes, state.membrane
        (array([0., 1.]), array([0.5, 0.5]))
        """
        spikes, record = self.run(current, state, steps=1)
        return spikes[0, ...], record.state

    def run(
        self, currents: Array, /, state: State | None = None, *, steps: int | None = None
    ) -> tuple[Array, Record]:
        """A whole sequence.

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

        Raises
        ------
        TypeError
            If an argument is not a real floating-point array, or if the libraries differ.
        ValueError
            If there is no step, or if the shapes do not fit.
        """
        call, initial = self.checked(currents, state, steps)
        rule, params = self.rule, params_of(call)
        with silence(call.xp):
            spikes, potential, final = dynamics.run(
                params, initial, call["currents"], rule=rule, steps=steps, xp=call.xp
            )
        after = State(*(None if a is None else as_dtype(a, call.dtype, call.xp) for a in final))
        # With a synaptic current, the inputs tell it again; else only their shape counts.
        kept = spikes if rule.immediate else None
        start = State(*initial)
        record = Record(after, potential, kept, start, call["currents"], steps, call, rule)
        return as_dtype(spikes, call.dtype, call.xp), record

    def vjp(
        self,
        record: Record,
        spikes: Array = 0.0,
        membrane: Array = 0.0,
        state: State | None = None,
    ) -> Gradients:
        """Backpropagation through time.

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

        Raises
        ------
        TypeError, ValueError
            If a gradient is no array like what it is the gradient of.

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
        call, rule = record._call, record._rule
        shape = tuple(record._potential.shape)
        upstream = [
            None if is_number(value) and value == 0 else call.shaped(value, shape, name)
            for name, value in (("spikes", spikes), ("membrane", membrane))
        ]
        gfinal = _upstream_state(call, state, record.state)
        with silence(call.xp):
            gcurrents, gparams, gstate = dynamics.vjp(
                params_of(call),
                tuple(record._initial),
                record._currents,
                record._potential,
                (upstream[0], upstream[1], gfinal),
                rule=rule,
                steps=record._steps,
                xp=call.xp,
            )
        results = {"currents": gcurrents, **gparams}
        values = {
            name: as_dtype(sum_to_shape(g, call.shape(name), call.xp), call._dtypes[name], call.xp)
            for name, g in results.items()
        }
        before = State(*(None if g is None else as_dtype(g, call.dtype, call.xp) for g in gstate))
        theta, alpha, recurrent = (values.get(name) for name in PARAMETERS[1:])
        return Gradients(values["currents"], values["decay"], theta, alpha, recurrent, before)

    def checked(
        self, currents: Array, state: State | None, steps: int | None
    ) -> tuple[Call, dynamics.Carry]:
        """Checked arguments, and a state in which all that the neuron has is there."""
        given = {n: getattr(self, n) for n in PARAMETERS if getattr(self, n) is not None}
        if is_number(currents):
            raise TypeError(f"`currents` must be an array. Received: {currents!r}")
        if state is not None and not isinstance(state, State):
            raise TypeError(f"`state` must be a State. Received: {type(state).__qualname__}")
        before = {f"state.{n}": a for n, a in (state or State(None))._asdict().items()}
        call = Call(
            currents=currents, **given, **{n: a for n, a in before.items() if a is not None}
        )
        shape = call.shape("currents")
        if steps is not None:
            check_int("steps", steps, 1)
        elif not shape or shape[0] < 1:
            raise ValueError(
                f"`currents` must have shape (T, ..., N) with T ≥ 1. Received: shape {shape}"
            )
        shape = shape if steps is not None else shape[1:]
        _check_shapes(call, shape)
        return call, self._initial(call, shape)

    def _initial(self, call: Call, shape: Shape) -> dynamics.Carry:
        xp, arrays = call.xp, call.arrays

        def of(name: str, otherwise: float | None) -> Array | None:
            found = arrays.get(f"state.{name}")
            if found is None and otherwise is not None:
                return call.shaped(otherwise, shape)
            return None if found is None else xp.broadcast_to(found, shape)

        return (
            of("membrane", self.rest),
            None if self.synaptic_decay is None else of("current", 0.0),
            of("spikes", None),
            of("adaptation", 0.0) if self.adaptation else None,
        )


def finite(name: str, value: Any) -> float:
    """`value`, a finite number, as a float."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be a number. Received: {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"`{name}` must be finite. Received: {value!r}")
    return float(value)


def _check_shapes(call: Call, shape: Shape) -> None:
    n = shape[-1] if shape else 0
    for name in ("decay", "threshold", "synaptic_decay"):
        if name in call.arrays and call.shape(name) not in ((), (n,)):
            raise ValueError(
                f"`{name}` must be a number or have shape ({n},). "
                f"Received: shape {call.shape(name)}"
            )
    if "recurrent" in call.arrays and call.shape("recurrent") != (n, n):
        raise ValueError(
            f"`recurrent` must have shape ({n}, {n}). Received: shape {call.shape('recurrent')}"
        )
    for name in call.arrays:
        if name.startswith("state.") and call.shape(name) != shape:
            raise ValueError(
                f"`{name}` must have shape {shape}. Received: shape {call.shape(name)}"
            )


def _upstream_state(call: Call, state: State | None, like: State) -> dynamics.Carry:
    """Gradients of the last state, None where there are none."""
    if state is None:
        return (None,) * len(like)
    return tuple(
        None if g is None or now is None else call.shaped(g, tuple(now.shape), f"state.{name}")
        for name, g, now in zip(State._fields, state, like, strict=True)
    )
