"""Hold a graph as arrays, sort it by levels, and name the path of a cycle.

Nodes are numbered: 0 … inputs − 1 are the inputs, then the neurons as they were declared. All of it
is vectorised NumPy: millions of synapses take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from synann_core._lib.typing import NumpyArray

Name = str | int
Kind = Literal["alpha", "beta"]
Ints = NumpyArray
Edges = tuple[Ints, Ints]  # targets and sources, both node numbers

_SHOWN = 12  # neurons of a cycle that its message names
_NARROW = 32  # neurons of a level that are taken one by one: arrays would cost more


class Distinct(NamedTuple):
    """Distinct parameters, and the place of each neuron or edge among them; None for its own."""

    values: NumpyArray
    place: Ints | None


class Wiring(NamedTuple):
    """The result of building a graph: names, edges and checked parameters."""

    names: Sequence[Name]
    inputs: int
    excitatory: Edges
    inhibitory: Edges
    alpha: Distinct  # by neurons
    beta: Distinct  # by inhibitory edges
    outputs: Ints
    parameters: dict[str, tuple[Kind, int]]  # those with names


class Counted:
    """A graph that shows itself as its counts: its names may be millions."""

    def __repr__(self: Any) -> str:
        """Say how many inputs and neurons there are."""
        return f"<{type(self).__name__} inputs={len(self.inputs)} neurons={len(self.neurons)}>"


class Rows(NamedTuple):
    """Compressed sparse rows: neuron i reads the nodes ``indices[indptr[i] : indptr[i + 1]]``."""

    indptr: Ints
    indices: Ints

    def row(self, i: int) -> Ints:
        """Nodes that neuron i reads."""
        return self.indices[self.indptr[i] : self.indptr[i + 1]]

    def targets(self) -> Ints:
        """Row of each entry."""
        counts = np.diff(self.indptr)
        return np.repeat(np.arange(counts.size, dtype=self.indices.dtype), counts)


def offsets(counts: Ints) -> Ints:
    """Where each row of the given number of entries begins, and where the last one ends."""
    indptr = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts, out=indptr[1:])
    return indptr


def find_order(inputs: int, neurons: int, edges: Sequence[Edges], names: Sequence[Name]) -> Ints:
    """Find an order of the neurons, each after all that it reads; else as `find_levels`."""
    if all(np.all((sources > targets) | (sources < inputs)) for targets, sources in edges):
        return np.arange(neurons - 1, -1, -1, dtype=np.int32)  # declared from the outputs on
    level = find_levels(inputs, neurons, edges, names)
    return np.argsort(level, kind="stable").astype(np.int32)


def find_levels(inputs: int, neurons: int, edges: Sequence[Edges], names: Sequence[Name]) -> Ints:
    """Find the level of each neuron; ValueError with the path of a cycle.

    Level by level, neurons all of whose inputs have a level are taken away (Kahn's algorithm): by
    arrays where a level is wide, and one by one where it is narrow, as in a long chain.
    """
    inner = [sources >= inputs for _, sources in edges]
    targets, sources = (
        np.concatenate([edge[k][which] for edge, which in zip(edges, inner, strict=True)]) - inputs
        for k in (0, 1)
    )
    missing = np.bincount(targets, minlength=neurons)
    by_source = np.argsort(sources, kind="stable")
    readers = targets[by_source]
    indptr = offsets(np.bincount(sources, minlength=neurons))
    level = np.zeros(neurons, np.int32)
    ready, current = np.flatnonzero(missing == 0), 0
    while ready.size:
        if ready.size <= _NARROW:
            ready, current = _one_by_one(ready, current, level, missing, indptr, readers)
            continue
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


def _one_by_one(
    ready: Ints, current: int, level: Ints, missing: Ints, indptr: Ints, readers: Ints
) -> tuple[Ints, int]:
    """Take neurons away one by one, until a level is wide again; return it and the last level."""
    # Views, whose single entries Python reads and writes faster than those of arrays.
    levels, counts, starts, every = level.data, missing.data, indptr.data, readers.data
    now: list[int] = ready.tolist()
    while 0 < len(now) <= _NARROW:
        current += 1
        freed = []
        for neuron in now:
            levels[neuron] = current
            for reader in every[starts[neuron] : starts[neuron + 1]]:
                counts[reader] -= 1
                if counts[reader] == 0:
                    freed.append(reader)
        now = freed
    return np.asarray(now, np.int64), current


def entries(indptr: Ints, rows: Ints) -> Ints:
    """Find the places of all entries of some rows."""
    starts, counts = indptr[rows], indptr[rows + 1] - indptr[rows]
    first = np.cumsum(counts) - counts
    return np.repeat(starts - first, counts) + np.arange(int(counts.sum()))


def _cycle(targets: Ints, sources: Ints, stuck: Ints) -> list[int]:
    """Find a path from a stuck neuron back to itself, each one read by the next."""
    # Every stuck neuron reads a stuck one: walking on to that one must come back in the end.
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


def find_outputs(inputs: int, nodes: int, edges: Sequence[Edges]) -> Ints:
    """Find the neurons that nothing reads."""
    silent = np.ones(nodes, bool)
    silent[:inputs] = False
    for _, sources in edges:
        silent[sources] = False
    return np.flatnonzero(silent).astype(np.int32)
