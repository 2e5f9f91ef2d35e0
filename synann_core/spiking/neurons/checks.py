"""Check a neuron's options and parameters, and the arrays that it runs on."""

from __future__ import annotations

import math
import numbers
from typing import Any, get_args

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_known, check_number, check_option
from synann_core._lib.typing import ArrayT, Shape
from synann_core.spiking.neurons.records import Order, Reset, State, Test
from synann_core.spiking.neurons.surrogates import Surrogate

NAMES = State[Any](*(f"state.{name}" for name in State._fields))  # as errors use them


def check_neuron(neuron: Any) -> None:
    """Check the fields of a `LIF`, and make its numbers floats."""
    check_option("order", neuron.order, get_args(Order))
    check_option("reset", neuron.reset, get_args(Reset))
    check_option("fires", neuron.fires, get_args(Test))
    if not isinstance(neuron.surrogate, Surrogate):
        raise TypeError(f"`surrogate` must be a Surrogate. Received: {neuron.surrogate!r}")
    if not isinstance(neuron.detach_reset, bool):
        raise TypeError(f"`detach_reset` must be a bool. Received: {neuron.detach_reset!r}")
    for name in ("gain", "rest", "reset_to", "adaptation", "adaptation_decay"):
        object.__setattr__(neuron, name, check_number(name, getattr(neuron, name)))
    for name in ("decay", "threshold", "synaptic_decay"):
        value = getattr(neuron, name)
        most, ends = (math.inf, "()") if name == "threshold" else (1.0, "[]")
        if isinstance(value, numbers.Real):
            object.__setattr__(neuron, name, check_number(name, value, 0.0, most, ends))
        elif hasattr(value, "ndim"):
            check_known(name, value, 0.0, most, ends, infinite=name == "threshold")
        elif value is not None or name == "decay":
            raise TypeError(f"`{name}` must be a number or an array. Received: {value!r}")
    if neuron.recurrent is not None:
        if not hasattr(neuron.recurrent, "ndim"):
            raise TypeError(f"`recurrent` must be an array. Received: {neuron.recurrent!r}")
        check_known("recurrent", neuron.recurrent)
    if neuron.threshold is None and neuron.adaptation:
        raise ValueError(
            f"`adaptation` must be 0 without a threshold. Received: {neuron.adaptation}"
        )


def check_state(state: Any, like: State[Any] | None = None) -> None:
    """Refuse what is not a State, or has a part that `like` does not have."""
    if state is not None and not isinstance(state, State):
        raise TypeError(f"`state` must be a State. Received: {type(state).__qualname__}")
    for name, own, value in zip(NAMES, like or (), state or (), strict=False):
        if own is None and value is not None:
            raise ValueError(f"`{name}` must be None for a neuron without it. Received: {value!r}")


def check_shapes(given: Arguments[ArrayT], shape: Shape) -> None:
    """Check parameters and state for currents of this shape, without the axis of time."""
    n = shape[-1] if shape else 0
    for name in given.named:
        wanted = shape if name.startswith("state.") else (n, n) if name == "recurrent" else (n,)
        number = "be a number or " if name in ("decay", "threshold", "synaptic_decay") else ""
        fits = given.shape(name) == wanted or (number and given.shape(name) == ())
        if not fits and name != "currents":
            raise ValueError(
                f"`{name}` must {number}have shape {wanted}. Received: shape {given.shape(name)}"
            )
