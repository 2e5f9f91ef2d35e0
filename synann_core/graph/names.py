"""Check the names and numbers of a graph that is built by names, and translate it into arrays."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np

from synann_core._lib.checks import check_number
from synann_core.graph.wiring import Distinct, Edges, Kind, Name, Wiring, find_outputs


@dataclasses.dataclass(frozen=True, eq=False)
class Parameter:
    """A parameter that several synapses share; made by `SynapseGraph.parameter`."""

    name: str
    value: float


@dataclasses.dataclass(frozen=True)
class Neuron:
    """What a neuron reads, and its gain."""

    excitatory: tuple[Name, ...]
    inhibitory: tuple[tuple[Name, float | Parameter], ...]
    alpha: float | Parameter


def wiring_from_names(
    inputs: Sequence[Name], neurons: Mapping[Name, Neuron], outputs: Sequence[Name]
) -> Wiring:
    """Number the nodes and parameters; unknown names are refused."""
    names = (*inputs, *neurons)
    number = {name: k for k, name in enumerate(names)}
    excitatory = [(name, source) for name, n in neurons.items() for source in n.excitatory]
    inhibitory = [(name, source) for name, n in neurons.items() for source, _ in n.inhibitory]
    for name, source in (*excitatory, *inhibitory):
        if source not in number:
            raise ValueError(f"neuron {name!r} must read declared nodes. Received: {source!r}")
    for name in outputs:
        if name not in number:
            raise ValueError(f"an output must be a declared node. Received: {name!r}")
    strong, weak = _edges(excitatory, number), _edges(inhibitory, number)
    shared: dict[str, tuple[Kind, int]] = {}
    alphas = [neuron.alpha for neuron in neurons.values()]
    betas = [beta for neuron in neurons.values() for _, beta in neuron.inhibitory]
    chosen = np.asarray([number[name] for name in outputs], np.int32)
    return Wiring(
        names=names,
        inputs=len(inputs),
        excitatory=strong,
        inhibitory=weak,
        alpha=_distinct("alpha", alphas, shared),
        beta=_distinct("beta", betas, shared),
        outputs=chosen if outputs else find_outputs(len(inputs), len(names), (strong, weak)),
        parameters=shared,
    )


def _edges(pairs: list[tuple[Name, Name]], number: Mapping[Name, int]) -> Edges:
    numbers = [(number[target], number[source]) for target, source in pairs]
    targets, sources = np.asarray(numbers, np.int32).reshape(-1, 2).T.copy()
    return targets, sources


def _distinct(
    kind: Kind, values: Sequence[float | Parameter], shared: dict[str, tuple[Kind, int]]
) -> Distinct:
    numbers: list[float] = []
    index = []
    for value in values:
        place = len(numbers)
        if isinstance(value, Parameter):
            use, place = shared.setdefault(value.name, (kind, place))
            if use != kind:
                raise ValueError(
                    f"parameter {value.name!r} must be an alpha or a beta. Received: both uses"
                )
        if place == len(numbers):
            numbers.append(value.value if isinstance(value, Parameter) else value)
        index.append(place)
    own = index == list(range(len(index)))
    places = None if own else np.asarray(index, np.int32)
    return Distinct(np.asarray(numbers, np.float64), places)


def is_name(value: Any) -> TypeGuard[Name]:
    """Whether `value` may name a node."""
    return isinstance(value, str | int | np.integer) and not isinstance(value, bool)


def check_name(what: str, name: Any) -> None:
    """Refuse a value that cannot name a node."""
    if not is_name(name):
        hint = ": names are arguments of their own" if isinstance(name, list | tuple) else ""
        raise TypeError(f"`{what}` must be a string or an int{hint}. Received: {name!r}")


def check_strength(kind: Kind, value: Any, where: str) -> float:
    """Check a number that is to be an α or, in [0, 1], a β."""
    try:
        return check_number(kind, value, 0.0, 1.0 if kind == "beta" else math.inf)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace(f"`{kind}`", f"`{kind}` of {where}", 1)) from None
