"""What neurons remember, keep of a run, and give back from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from synann_core._lib.arguments import Call
from synann_core._lib.typing import Array, Namespace
from synann_core.spiking.neurons import dynamics

__all__ = ["Gradients", "Record", "State"]

PARAMETERS = ("decay", "threshold", "synaptic_decay", "recurrent")


class State(NamedTuple):
    """What a neuron remembers between two steps; None where it has no such state.

    Attributes
    ----------
    membrane : array, shape (..., N)
    current : array or None
        Synaptic current y, of neurons with a `synaptic_decay`.
    spikes : array or None
        Last spikes; None stands for those that the membrane tells (delayed orders) or for none
        ("immediate"). With an adaptive threshold the membrane does not tell them: pass them on.
    adaptation : array or None
        What raises the threshold, of neurons with an `adaptation`.
    """

    membrane: Array
    current: Array | None = None
    spikes: Array | None = None
    adaptation: Array | None = None


class Gradients(NamedTuple):
    """What `LIF.vjp` returns, each in the shape and dtype of what it is the gradient of."""

    currents: Array
    decay: Array
    threshold: Array | None
    synaptic_decay: Array | None
    recurrent: Array | None
    state: State


@dataclass(frozen=True, eq=False)
class Record:
    """What a run keeps for its backward pass: one array of potentials, (T, ..., N).

    Attributes
    ----------
    membrane : array, shape (T, ..., N)
        After each step. In the delayed orders it is the array that is kept, with no copy.
    state : State
        After the last step: give it to the next `run`, or gradients to `vjp`.
    """

    state: State
    _potential: Array = field(repr=False)
    _spikes: Array | None = field(repr=False)  # what `run` returned, where the membrane needs it
    _initial: State = field(repr=False)
    _currents: Array = field(repr=False)
    _steps: int | None = field(repr=False)
    _call: Call = field(repr=False)
    _rule: dynamics.Rule = field(repr=False)

    @property
    def membrane(self) -> Array:
        """Membranes after each step."""
        call, result = self._call, self._potential
        if self._spikes is not None:
            params = params_of(call)
            result = dynamics.membrane(result, self._spikes, params, self._rule, call.xp)
        return as_dtype(result, call.dtype, call.xp)


def as_dtype(value: Array, dtype: Any, xp: Namespace) -> Array:
    """`value` in this dtype; itself, if it is in it already."""
    return value if value.dtype == dtype else xp.astype(value, dtype)


def params_of(call: Call) -> dynamics.Params:
    """The parameters among the arguments of a call."""
    return {name: call[name] for name in PARAMETERS if name in call.arrays}
