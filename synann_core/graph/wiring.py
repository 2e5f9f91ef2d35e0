"""A graph as arrays: which neuron reads what, sorted so that every neuron comes after its inputs.

Nodes are numbered: 0 … inputs − 1 are the inputs, then the neurons, as declared in `Wiring` and in
topological order in `Structure`. All of it is NumPy, vectorised: millions of synapses in seconds.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Ints = np.ndarray[Any, Any]
Floats = np.ndarray[Any, Any]

_SHOWN = 12  # neurons of a cycle that its message names


class Wiring(NamedTuple):
    """What a builder hands over: names, edges and checked parameters.

    `excitatory` and `inhibitory` are (targets, sources), both node numbers. Indices of parameters
    are None where each neuron or edge has its own.
    """

    names: Sequence[Any]
    inputs: int
    excitatory: tuple[Ints, Ints]
    inhibitory: tuple[Ints, Ints]
    alpha: Floats
    beta: Floats
    alpha_index: Ints | None
    beta_index: Ints | None
    outputs: Ints
    parameters: dict[str, tuple[str, int]]


class Rows(NamedTuple):
    """Compressed sparse rows: neuron i reads the nodes ``indices[indptr[i] : indptr[i + 1]]``."""

    indptr: Ints
    indices: Ints

    def targets(self) -> Ints:
        """The row of each entry."""
        counts = np.diff(self.indptr)
        return np.repeat(np.arange(counts.size, dtype=self.indices.dtype), counts)


class Structure:
    """A wiring in topological order.

    Attributes
    ----------
    inputs, neurons : number of each
    order : the declared number of the neuron at each place of the order; None if they are the same
    place : the inverse of `order`; None likewise
    excitatory, inhibitory : `Rows` of the neurons in order, with the nodes numbered in order
    alpha_index : the parameter of each neuron; None if they are the same
    beta_index : the parameter of each entry of `inhibitory`; None likewise
    own_betas : whether every edge has a parameter of its own
    outputs : node numbers in order
    """

    def __init__(self, wiring: Wiring) -> None:
        self.inputs = wiring.inputs
        self.neurons = len(wiring.names) - wiring.inputs
        edges = (wiring.excitatory, wiring.inhibitory)
        self.order = self.place = None
        number = None
        if not all(np.all(sources < targets) for targets, sources in edges):
            level = _levels(self.inputs, self.neurons, edges, wiring.names)
            self.order = np.argsort(level, kind="stable").astype(np.int32)
            self.place = np.empty_like(self.order)
            self.place[self.order] = np.arange(self.neurons, dtype=np.int32)
            number = self.inputs + self.place
            number = np.concatenate([np.arange(self.inputs, dtype=np.int32), number])
        self.excitatory, _ = self._rows(wiring.excitatory, number)
        self.inhibitory, moved = self._rows(wiring.inhibitory, number)
        self.alpha_index = _composed(wiring.alpha_index, self.order)
        self.beta_index = _composed(wiring.beta_index, moved)
        self.own_betas = wiring.beta_index is None
        self.outputs = wiring.outputs if number is None else number[wiring.outputs]

    def _rows(self, edges: tuple[Ints, Ints], number: Ints | None) -> tuple[Rows, Ints | None]:
        """Rows of edges, and where each entry stood before if they were not sorted."""
        targets, sources = edges if number is None else (number[edges[0]], number[edges[1]])
        moved = None
        if not np.all(targets[1:] >= targets[:-1]):
            moved = np.argsort(targets, kind="stable").astype(np.int32)
            sources = sources[moved]
        counts = np.bincount(targets, minlength=self.inputs + self.neurons)[self.inputs :]
        return Rows(_offsets(counts), sources), moved

    @functools.cached_property
    def levels(self) -> Ints:
        """Level of each neuron in order: 1 + the highest of what it reads; inputs have level 0."""
        edges = tuple(
            (self.inputs + rows.targets(), rows.indices)
            for rows in (self.excitatory, self.inhibitory)
        )
        return _levels(self.inputs, self.neurons, edges, range(self.inputs + self.neurons))


def _offsets(counts: Ints) -> Ints:
    indptr = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts, out=indptr[1:])
    return indptr


def _composed(index: Ints | None, moved: Ints | None) -> Ints | None:
    """The index of moved things."""
    if index is None or moved is None:
        return moved if index is None else index
    return index[moved]


def _levels(
    inputs: int, neurons: int, edges: Sequence[tuple[Ints, Ints]], names: Sequence[Any]
) -> Ints:
    """Level of each neuron; ValueError with the path of a cycle.

    Level by level, the neurons all of whose inputs are known are taken away (Kahn's algorithm).
    """
    inner = [sources >= inputs for _, sources in edges]
    targets, sources = (
        np.concatenate([edge[k][which] for edge, which in zip(edges, inner, strict=True)]) - inputs
        for k in (0, 1)
    )
    missing = np.bincount(targets, minlength=neurons)
    by_source = np.argsort(sources, kind="stable")
    readers = targets[by_source]
    indptr = _offsets(np.bincount(sources, minlength=neurons))
    level = np.zeros(neurons, np.int32)
    ready, current = np.flatnonzero(missing == 0), 0
    while ready.size:
        current += 1
        level[ready] = current
        reached = readers[entries(indptr, ready)]
        np.subtract.at(missing, reached, 1)
        ready = np.unique(reached[missing[reached] == 0])
    if level.size and level.min() == 0:
        path = _cycle(targets, sources, level == 0)
        shown = [repr(names[inputs + i]) for i in path]
        if len(shown) > _SHOWN:
            shown = [*shown[: _SHOWN - 1], f"... ({len(path) - _SHOWN} more)", shown[-1]]
        raise ValueError(
            "a graph must be acyclic; use a circuit for feedback. "
            f"Received: the cycle {' -> '.join(shown)}"
        )
    return level


def entries(indptr: Ints, rows: Ints) -> Ints:
    """Places of all entries of some rows."""
    starts, counts = indptr[rows], indptr[rows + 1] - indptr[rows]
    first = np.cumsum(counts) - counts
    return np.repeat(starts - first, counts) + np.arange(int(counts.sum()))


def _cycle(targets: Ints, sources: Ints, stuck: Ints) -> list[int]:
    """A path from a neuron back to itself, along what reads what, among the stuck neurons."""
    # Every stuck neuron reads a stuck one: walking to it again and again must come back.
    inside = stuck[targets] & stuck[sources]
    reads = np.full(stuck.size, -1, np.int64)
    reads[targets[inside]] = sources[inside]
    seen: dict[int, int] = {}
    path: list[int] = []
    node = int(np.flatnonzero(stuck)[0])
    while node not in seen:
        seen[node] = len(path)
        path.append(node)
        node = int(reads[node])
    path = [*path[seen[node] :], node]
    return path[::-1]


def find_outputs(inputs: int, nodes: int, edges: Sequence[tuple[Ints, Ints]]) -> Ints:
    """The neurons that nothing reads."""
    silent = np.ones(nodes, bool)
    silent[:inputs] = False
    for _, sources in edges:
        silent[sources] = False
    return np.flatnonzero(silent).astype(np.int32)
