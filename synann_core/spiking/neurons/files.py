"""Describe a neuron for a file: its options as a JSON object, its arrays beside it.

A number stands in the object itself; "array" stands for an array, which is a tensor of the file. A
framework's state dict, which holds the arrays alone, tells the options as numbers (`rule_state`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from synann_core._lib.checks import to_numpy
from synann_core._lib.states import check_choices
from synann_core._lib.typing import NumpyArray
from synann_core.spiking.neurons.lif import LIF
from synann_core.spiking.neurons.records import Order, Parameters, Reset, Rule, Test
from synann_core.spiking.neurons.surrogates import Surrogate

ARRAY = "array"
FIELDS = tuple(field.name for field in dataclasses.fields(LIF))
SURROGATE = tuple(field.name for field in dataclasses.fields(Surrogate))
# What a state tells of a rule: places among the choices, and numbers as they are. The surrogate and
# `detach_reset` are left out: they change how a neuron learns, not what it computes.
_CHOICES = {"order": get_args(Order), "reset": get_args(Reset), "fires": get_args(Test)}
_NUMBERS = ("gain", "rest", "reset_to", "adaptation", "adaptation_decay")

Config = dict[str, Any]
Arrays = dict[str, NumpyArray]


def described(neuron: LIF) -> tuple[Config, Arrays]:
    """Return a neuron's options and numbers, and its arrays by their names.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import LIF
    >>> from synann_core.spiking.neurons.files import described
    >>> config, arrays = described(LIF(np.array([0.8, 0.9]), reset="zero"))
    >>> config["decay"], config["threshold"], config["reset"], list(arrays)
    ('array', 1.0, 'zero', ['decay'])
    """
    config: Config = {name: getattr(neuron, name) for name in Rule._fields}
    config["surrogate"] = dataclasses.asdict(neuron.surrogate)
    arrays: Arrays = {}
    for name in Parameters._fields:
        value = getattr(neuron, name)
        if hasattr(value, "ndim"):
            arrays[name], value = to_numpy(value), ARRAY
        config[name] = value
    return {name: config[name] for name in FIELDS}, arrays


def restored(config: Any, arrays: Mapping[str, NumpyArray], place: str = "neuron") -> LIF:
    """Return the neuron that `described` took apart.

    Raises
    ------
    TypeError, ValueError
        If `config` or an array is not what `described` gives: the message names the `place`.
    """
    fields = keys(config, place, FIELDS)
    surrogate = Surrogate(**keys(fields["surrogate"], f"{place}.surrogate", SURROGATE))
    values = fields | {"surrogate": surrogate}
    named = {name for name in Parameters._fields if fields[name] == ARRAY}
    for name in named | arrays.keys():
        if name not in named or name not in arrays:
            raise ValueError(
                f"{place}.{name} must be {ARRAY!r} where a tensor holds it, and only there. "
                f"Received: {fields.get(name)!r}"
            )
        if arrays[name].dtype.kind != "f":
            raise ValueError(f"{place}.{name} must hold floats. Received: {arrays[name].dtype}")
        values[name] = arrays[name]
    return LIF(**values)


def rule_state(rule: Rule) -> list[float]:
    """Numbers that say what a neuron of this rule computes, beside its arrays."""
    places = [choices.index(getattr(rule, name)) for name, choices in _CHOICES.items()]
    return [*map(float, places), *(getattr(rule, name) for name in _NUMBERS)]


def check_rule_state(argument: str, state: Sequence[float], rule: Rule) -> None:
    """Refuse the state of a neuron that computes something else from the same arrays.

    A state may be a mean of states, and one of a later version may say more.
    """
    options = rule._asdict()
    check_choices(argument, "neuron", _CHOICES, state, options)
    for name, found in zip(_NUMBERS, state[len(_CHOICES) :], strict=False):
        own = options[name]
        if not (own == found or abs(own - found) < abs(own) / 128):  # as bfloat16 has it
            raise ValueError(
                f"`{argument}` must hold the state of a neuron with {name} {own!r}. "
                f"Received: number {found}"
            )


def keys(value: Any, place: str, wanted: tuple[str, ...]) -> Config:
    """Return `value`, an object with these keys and no others."""
    if not isinstance(value, dict):
        raise TypeError(f"{place} must be an object. Received: {str(value)[:80]!r}")
    odd = sorted(set(wanted) ^ value.keys())
    if odd:
        kind = "unknown" if odd[0] in value else "missing"
        raise ValueError(
            f"{place} must have the keys {wanted} and no others. Received: {kind} {odd[0][:80]!r}"
        )
    return value
