"""How array operations go through a graph: by levels, and in a level by numbers of inputs.

Neurons of a level with about as many inputs form a group; their inputs are gathered into a block
(neurons, inputs, rows), padded to a power of two, and reduced. The way back gathers too, from the
edges that leave a node, so that nothing is ever scattered.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from synann_core.graph.wiring import Rows, Structure

Ints = np.ndarray[Any, Any]

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
    source_rows: Ints  # row of the values of each inhibitory edge
    alpha: Sum
    beta: Sum


def make_plan(structure: Structure, every: bool, parameters: tuple[int, int]) -> Plan:
    """Plan of a structure; its outputs are all nodes if `every`."""
    inputs, neurons = structure.inputs, structure.neurons
    excitatory, inhibitory = structure.excitatory, structure.inhibitory
    classes = [_power(np.diff(rows.indptr)) for rows in (excitatory, inhibitory)]
    level = structure.levels
    by_group = np.lexsort((classes[1], classes[0], level))
    row = np.empty(inputs + neurons, np.int64)
    row[:inputs] = FIRST + np.arange(inputs)
    row[inputs + by_group] = FIRST + inputs + np.arange(neurons)

    levels: list[list[Group]] = []
    slots: list[list[Ints]] = [[], [], [], []]  # sources and targets of e-edges, then of i-edges
    parts: list[Ints] = []
    beta_parts = [np.zeros(0, np.int64)]
    for members in _runs(by_group, level, *classes):
        e, k = (int(c[members[0]]) for c in classes)
        sources, _ = _block(excitatory, members, e, row, OPEN)
        weak, places = _block(inhibitory, members, k, row, SILENT)
        index = structure.beta_index
        beta = np.where(places < 0, -1, places if index is None else index[places]) + 1
        alpha = members if structure.alpha_index is None else structure.alpha_index[members]
        group = Group(members.size, *map(_narrow, (alpha, sources, weak, beta)))
        if not levels or level[members[0]] != level[parts[-1][0]]:
            levels.append([])
        levels[-1].append(group)
        parts.append(members)
        targets = row[inputs + members]
        for slot, values, width in ((0, sources, e), (2, weak, k)):
            slots[slot].append(values)
            slots[slot + 1].append(np.repeat(targets, width))
        beta_parts.append(beta)
    source = np.concatenate([np.zeros(0, np.int64), *slots[0], *slots[2]])
    target = np.concatenate([np.zeros(0, np.int64), *slots[1], *slots[3]])
    strong = sum(a.size for a in slots[0])

    declared = np.arange(inputs + neurons)
    if structure.place is not None:
        declared[inputs:] = inputs + structure.place
    outputs = declared if every else structure.outputs
    node_level = np.concatenate([np.zeros(inputs, np.int64), level[by_group]])
    back, grad_row = _back(source, target, node_level, row, outputs)
    alphas = by_group if structure.alpha_index is None else structure.alpha_index[by_group]
    betas = np.concatenate(beta_parts)
    return Plan(
        levels=tuple(map(tuple, levels)),
        output_rows=_narrow(row[outputs]),
        edges=source.size,
        back=back,
        input_rows=_narrow(grad_row[FIRST : FIRST + inputs]),
        neuron_rows=_narrow(grad_row[FIRST + inputs :]),
        reader_rows=_narrow(grad_row[target[strong:]]),
        source_rows=_narrow(source[strong:]),
        alpha=_sum(alphas, parameters[0]),
        beta=_sum(betas - 1, parameters[1]),
    )


def _power(counts: Ints) -> Ints:
    """The least power of two that is at least each count; 0 for 0."""
    power = 1 << np.ceil(np.log2(np.maximum(counts, 1))).astype(np.int64)
    return np.where(counts == 0, 0, power)


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
    if not places.size:
        return places, places
    return np.where(places < 0, pad, row[rows.indices[places]]), places


def _back(
    source: Ints, target: Ints, level: Ints, row: Ints, outputs: Ints
) -> tuple[tuple[tuple[Back, ...], ...], Ints]:
    """The way back, and the row of the gradients of each row of values; `level` is by rows."""
    nodes = level.size
    edges = np.argsort(source, kind="stable")
    edges = edges[np.count_nonzero(source < FIRST) :]
    counts = np.bincount(source[edges] - FIRST, minlength=nodes)
    leaving = Rows(np.concatenate([[0], np.cumsum(counts)]), edges)
    width = _power(counts)
    order = np.lexsort((width, -level))
    grad_row = np.zeros(FIRST + nodes, np.int64)  # the constants have none: the row of zeros
    grad_row[FIRST + order] = 1 + np.arange(nodes)
    output_row = np.zeros(nodes, np.int64)
    output_row[row[outputs] - FIRST] = 1 + np.arange(outputs.size)
    back: list[list[Back]] = []
    last = None
    every = np.arange(source.size)
    for members in _runs(order, level, width):
        places, _ = _block(leaving, members, int(width[members[0]]), every, -1)
        readers = np.where(places < 0, 0, grad_row[target[places]]) if places.size else places
        if last != level[members[0]]:
            back.append([])
            last = level[members[0]]
        part = (output_row[members], places + 1, readers)
        back[-1].append(Back(members.size, *map(_narrow, part)))
    return tuple(map(tuple, back)), grad_row


def _sum(owner: Ints, parameters: int) -> Sum:
    """Which entries belong to each parameter; −1 owns padding."""
    order = np.argsort(owner, kind="stable")[np.count_nonzero(owner < 0) :]
    counts = np.bincount(owner[order], minlength=parameters)
    owned = Rows(np.concatenate([[0], np.cumsum(counts)]), order)
    width = np.maximum(_power(counts), 1)
    by_width = np.argsort(width, kind="stable")
    every, blocks = np.arange(owner.size), []
    for members in _runs(by_width, width):
        places, _ = _block(owned, members, int(width[members[0]]), every, -1)
        blocks.append((members.size, _narrow(places + 1)))
    rows = np.empty(parameters, np.int64)
    rows[by_width] = np.arange(parameters)
    return Sum(tuple(blocks), _narrow(rows))


def _narrow(index: Ints) -> Ints:
    """Half the memory where it suffices."""
    small = index.size == 0 or index.max() < np.iinfo(np.int32).max
    return index.astype(np.int32) if small else index
