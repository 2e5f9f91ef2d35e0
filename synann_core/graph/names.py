"""Check the names and numbers of a graph that is built by names, and translate it into arrays."""

from __future__ import annotations

import array
import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
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
    strong = _edges(neurons, [n.excitatory for n in neurons.values()], number)
    sources = [[source for source, _ in n.inhibitory] for n in neurons.values()]
    weak = _edges(neurons, sources, number)
    for name in outputs:
        if name not in number:
            raise ValueError(f"an output must be a declared node. Received: {name!r}")
    shared: dict[str, tuple[Kind, int]] = {}
    alphas = (neuron.alpha for neuron in neurons.values())
    betas = (beta for neuron in neurons.values() for _, beta in neuron.inhibitory)
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


def _edges(
    neurons: Iterable[Name], sources: Sequence[Sequence[Name]], number: Mapping[Name, int]
) -> Edges:
    """Targets and sources of the edges, node numbers; unknown names are refused."""
    counts = np.fromiter(map(len, sources), np.int32, len(sources))
    flat = itertools.chain.from_iterable(sources)
    found = np.fromiter((number.get(name, -1) for name in flat), np.int32, int(counts.sum()))
    if found.size and found.min() < 0:
        pairs = (
            (name, source) for name, own in zip(neurons, sources, strict=True) for source in own
        )
        name, source = next(pair for pair in pairs if pair[1] not in number)
        raise ValueError(f"neuron {name!r} must read declared nodes. Received: {source!r}")
    first = len(number) - counts.size
    return np.repeat(np.arange(first, len(number), dtype=np.int32), counts), found


def _distinct(
    kind: Kind, values: Iterable[float | Parameter], shared: dict[str, tuple[Kind, int]]
) -> Distinct:
    numbers, index = array.array("d"), array.array("i")
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
    places = np.array(index, np.int32)
    own = len(numbers) == len(index)  # in their order, as each was new
    return Distinct(np.array(numbers, np.float64), None if own else places)


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
