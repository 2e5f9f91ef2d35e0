"""Records of arrays: a neuron's parameters and state, what a run takes and gives, its gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from synann_core._lib.typing import Array, ArrayT

RecordT = TypeVar("RecordT", bound=tuple[Any, ...])


class Parameters(NamedTuple):
    """The numbers of a neuron that can be learned; None where it has no such part."""

    decay: Array
    threshold: Array | None = None
    synaptic_decay: Array | None = None
    recurrent: Array | None = None


class State(NamedTuple, Generic[ArrayT]):
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

    membrane: ArrayT
    current: ArrayT | None = None
    spikes: ArrayT | None = None
    adaptation: ArrayT | None = None


class Inputs(NamedTuple):
    """What a run starts from."""

    parameters: Parameters
    state: State[Array]
    currents: Array  # time first; or one step's, which stay


class Run(NamedTuple):
    """What a run gives: all spikes and potentials, time first, and the state after it."""

    spikes: Array
    potential: Array
    state: State[Array]


class Upstream(NamedTuple):
    """Gradients of what a run gives; None where they are 0."""

    spikes: Array | None = None
    membrane: Array | None = None
    state: State[Array] | None = None


class Gradients(NamedTuple, Generic[ArrayT]):
    """What `LIF.vjp` returns, each in the shape and dtype of what it is the gradient of."""

    currents: ArrayT
    decay: ArrayT
    threshold: ArrayT | None
    synaptic_decay: ArrayT | None
    recurrent: ArrayT | None
    state: State[ArrayT]


def mapped(function: Callable[..., Any], *records: RecordT) -> RecordT:
    """Return a record of ``function(*entries)``, with None where the first record has None."""
    make: Any = type(records[0])
    entries = zip(*records, strict=True)
    return make(*(None if group[0] is None else function(*group) for group in entries))  # type: ignore[no-any-return]
