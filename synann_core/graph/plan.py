"""Plan how array operations go through a graph: by levels, and in a level by numbers of inputs.

Neurons of a level with about as many inputs form a group. Their inputs are gathered into a block
(neurons, inputs, rows), padded to a power of two, and reduced. The way back gathers too, from the
edges that leave a node, so that nothing is ever scattered.
"""

from __future__ import annotations

import itertools
import operator
from typing import NamedTuple, TypeVar

import numpy as np

from synann_core.graph.structure import Structure
from synann_core.graph.wiring import Ints, Rows, offsets

T = TypeVar("T")

# Rows of the array of all values: two constants that change nothing, then the nodes.
SILENT, OPEN, FIRST = 0, 1, 2  # an inhibitory input of 0, an excitatory input of 1


class Group(NamedTuple):
    """Neurons of one level: rows of values, and rows of parameters (β's after a row of 0)."""

    size: int
    alpha: Ints  # (size,)
    excitatory: Ints  # (size · e,), rows of values
    inhibitory: Ints  # (size · k,), rows of values
    beta: Ints  # (size · k,)


class Back(NamedTuple):
    """Nodes whose gradients are computed together."""

    size: int
    outputs: Ints  # (size,), row of the upstream gradient, which begins with a row of 0
    edges: Ints  # (size · d,), row of the slopes, which begin with a row of 0
    readers: Ints  # (size · d,), row of the gradients, which begin with a row of 0


class Sum(NamedTuple):
    """Entries that belong to one parameter, added up: blocks of rows, then a permutation."""

    blocks: tuple[tuple[int, Ints], ...]  # size, rows (size · d,); 0 is a row of zeros
    rows: Ints


class Plan(NamedTuple):
    """All groups of a graph, forwards and backwards."""

    levels: tuple[tuple[Group, ...], ...]
    output_rows: Ints  # rows of the values
    edges: int  # padded entries: the work for each row
    back: tuple[tuple[Back, ...], ...]  # by levels, the last one first; inputs are the last level
    input_rows: Ints  # rows of the gradients of the inputs
    neuron_rows: Ints  # rows of the gradients of the neurons, in the order of the groups
    reader_rows: Ints  # the same of the neuron of each inhibitory edge
    alpha: Sum
    beta: Sum


def make_plan(structure: Structure, outputs: Ints, *, joined: int = 0) -> Plan:
    """Plan how to evaluate a structure whose outputs are these nodes (their numbers in order).

    A level is one group where that takes at most `joined` entries: where an operation costs more
    than some padding.
    """
    inputs, neurons = structure.inputs, structure.neurons
    excitatory, inhibitory = structure.excitatory, structure.inhibitory
    classes = [_power(np.diff(rows.indptr)) for rows in (excitatory, inhibitory)]
    level = structure.levels
    if joined and neurons:
        classes = _joined(classes, level, joined)
    by_group = np.lexsort((classes[1], classes[0], level))
    row = np.empty(inputs + neurons, np.int64)
    row[:inputs] = FIRST + np.arange(inputs)
    row[inputs + by_group] = FIRST + inputs + np.arange(neurons)

    groups: list[tuple[int, Group]] = []
    strong: list[tuple[Ints, Ints]] = []  # of each entry the source and the target
    weak: list[tuple[Ints, Ints, Ints]] = []  # and the parameter
    for members in _runs(by_group, level, *classes):
        e, k = (int(c[members[0]]) for c in classes)
        x, _ = _block(excitatory, members, e, row, OPEN)
        y, places = _block(inhibitory, members, k, row, SILENT)
        index = structure.beta_index
        beta = np.where(places < 0, -1, places if index is None else index[places]) + 1
        alpha = members if structure.alpha_index is None else structure.alpha_index[members]
        group = Group(members.size, *map(_narrow, (alpha, x, y, beta)))
        groups.append((level[members[0]], group))
        targets = row[inputs + members]
        strong.append((x, np.repeat(targets, e)))
        weak.append((y, np.repeat(targets, k), beta))
    none = np.zeros(0, np.int64)
    source, target = (
        np.concatenate([none, *(a[end] for a in strong), *(a[end] for a in weak)]) for end in (0, 1)
    )
    betas = np.concatenate([none, *(beta for _, _, beta in weak)])

    node_level = np.concatenate([np.zeros(inputs, np.int64), level[by_group]])
    back, grad_row = _back(source, target, node_level, row, outputs)
    alphas = by_group if structure.alpha_index is None else structure.alpha_index[by_group]
    return Plan(
        levels=_by_level(groups),
        output_rows=_narrow(row[outputs]),
        edges=source.size,
        back=back,
        input_rows=_narrow(grad_row[FIRST : FIRST + inputs]),
        neuron_rows=_narrow(grad_row[FIRST + inputs :]),
        reader_rows=_narrow(grad_row[target[source.size - betas.size :]]),
        alpha=_sum(alphas, structure.params.alpha.size),
        beta=_sum(betas - 1, structure.params.beta.size),
    )


def _power(counts: Ints) -> Ints:
    """The least power of two that is at least each count; 0 for 0."""
    power = 1 << np.ceil(np.log2(np.maximum(counts, 1))).astype(np.int64)
    return np.where(counts == 0, 0, power)


def _joined(classes: list[Ints], level: Ints, most: int) -> list[Ints]:
    """The largest classes of a level for all its neurons, where these have at most so many."""
    widest = [np.zeros(level.max() + 1, np.int64) for _ in classes]
    for wide, own in zip(widest, classes, strict=True):
        np.maximum.at(wide, level, own)
    few = (np.bincount(level) * np.add(*widest) <= most)[level]
    return [np.where(few, wide[level], own) for wide, own in zip(widest, classes, strict=True)]


def _runs(members: Ints, *keys: Ints) -> list[Ints]:
    """Members, sorted by their keys, divided where a key changes."""
    if not members.size:
        return []
    change = np.zeros(members.size - 1, bool)
    for key in keys:
        change |= np.diff(key[members]) != 0
    return np.split(members, np.flatnonzero(change) + 1)


def _block(rows: Rows, members: Ints, width: int, row: Ints, pad: int) -> tuple[Ints, Ints]:
    """Rows of values of the members' inputs, and where they stand, −1 for padding; both flat."""
    places = rows.indptr[members][:, None] + np.arange(width)
    inside = places < rows.indptr[members + 1][:, None]
    places = np.where(inside, places, -1).ravel()
    if not rows.indices.size:  # nothing but padding
        return np.full(places.size, pad), places
    return np.where(places < 0, pad, row[rows.indices[places]]), places


def _back(
    source: Ints, target: Ints, level: Ints, row: Ints, outputs: Ints
) -> tuple[tuple[tuple[Back, ...], ...], Ints]:
    """The way back, and the row of the gradients of each row of values; `level` is by rows."""
    nodes = level.size
    leaving = _owned(source - FIRST, nodes)
    width = _power(np.diff(leaving.indptr))
    order = np.lexsort((width, -level))
    grad_row = np.zeros(FIRST + nodes, np.int64)  # the constants have none: the row of zeros
    grad_row[FIRST + order] = 1 + np.arange(nodes)
    output_row = np.zeros(nodes, np.int64)
    output_row[row[outputs] - FIRST] = 1 + np.arange(outputs.size)
    back: list[tuple[int, Back]] = []
    every = np.arange(source.size)
    for members in _runs(order, level, width):
        places, _ = _block(leaving, members, int(width[members[0]]), every, -1)
        readers = np.where(places < 0, 0, grad_row[target[places]]) if places.size else places
        part = (output_row[members], places + 1, readers)
        back.append((level[members[0]], Back(members.size, *map(_narrow, part))))
    return _by_level(back), grad_row


def _sum(owner: Ints, parameters: int) -> Sum:
    """Which entries belong to each parameter; −1 owns padding."""
    owned = _owned(owner, parameters)
    width = np.maximum(_power(np.diff(owned.indptr)), 1)
    by_width = np.argsort(width, kind="stable")
    every, blocks = np.arange(owner.size), []
    for members in _runs(by_width, width):
        places, _ = _block(owned, members, int(width[members[0]]), every, -1)
        blocks.append((members.size, _narrow(places + 1)))
    rows = np.empty(parameters, np.int64)
    rows[by_width] = np.arange(parameters)
    return Sum(tuple(blocks), _narrow(rows))


def _owned(owner: Ints, owners: int) -> Rows:
    """The entries of each owner; negative ones belong to nobody."""
    entries = np.argsort(owner, kind="stable")[np.count_nonzero(owner < 0) :]
    return Rows(offsets(np.bincount(owner[entries], minlength=owners)), entries)


def _by_level(parts: list[tuple[int, T]]) -> tuple[tuple[T, ...], ...]:
    """Parts, which come with their level, in one tuple a level."""
    levels = itertools.groupby(parts, operator.itemgetter(0))
    return tuple(tuple(part for _, part in same) for _, same in levels)


def _narrow(index: Ints) -> Ints:
    """Half the memory where it suffices."""
    small = index.size == 0 or index.max() < np.iinfo(np.int32).max
    return index.astype(np.int32) if small else index
