"""Find inputs of one neuron that are not independent, though the formula takes them to be.

They share a cause that is uncertain: an input, or a neuron whose own channels are. Sets of causes
are the bits of Python's integers, some thousand causes at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from synann_core._lib.typing import NumpyArray
from synann_core.graph.structure import Structure
from synann_core.graph.wiring import Ints, Name, Rows, offsets

_BITS = 1 << 29  # of the sets of all nodes together: 64 MB
_LEAST = 256  # causes that are taken together at least
_OPEN = 0.5  # the state of a node that is neither surely 0 nor surely 1

Found = dict[tuple[int, int, int], int]  # a neuron and two of its inputs, and their cause


class DependentPair(NamedTuple):
    """Two inputs of one neuron that share an uncertain cause.

    Attributes
    ----------
    neuron : name
    first, second : names
        Nodes that it reads; one name twice if it reads the node more than once.
    cause : name
        An uncertain node on which both depend, or that is one of them: of several the last one.
    """

    neuron: Name
    first: Name
    second: Name
    cause: Name


def dependent_pairs(
    structure: Structure,
    names: Sequence[Name],
    x: NumpyArray,
    alpha: NumpyArray,
    beta: NumpyArray,
) -> list[DependentPair]:
    """All dependent pairs for probabilities x of the inputs, from checked arguments."""
    if structure.alpha_index is not None:
        alpha = alpha[structure.alpha_index]
    if structure.beta_index is not None:
        beta = beta[structure.beta_index]
    states = _states(structure, x, alpha, beta)
    rows = _uncertain_edges(structure, states, beta)
    nodes = structure.inputs + structure.neurons
    # Where paths part, a node is read more than once: every shared cause stands behind such a one.
    parting = np.flatnonzero(np.bincount(rows.indices, minlength=nodes) > 1)
    starts, sources = rows.indptr.tolist(), rows.indices.tolist()
    reads = [sources[start:stop] for start, stop in itertools.pairwise(starts)]
    found: Found = {}
    block = max(_LEAST, _BITS // max(nodes, 1))
    for start in range(0, parting.size, block):
        _search(reads, structure.inputs, parting[start : start + block].tolist(), found)
    declared = np.argsort(structure.nodes).tolist()
    pairs = ((*pair, cause) for pair, cause in sorted(found.items()))
    return [DependentPair(*(names[declared[node]] for node in nodes)) for nodes in pairs]


def _search(reads: list[list[int]], inputs: int, causes: list[int], found: Found) -> None:
    """Find the pairs with one of these causes, which are in order."""
    own = {cause: 1 << bit for bit, cause in enumerate(causes)}
    sets = [0] * (inputs + len(reads))
    for cause in causes:
        if cause < inputs:
            sets[cause] = own[cause]
    for node in range(max(inputs, causes[0]), len(sets)):
        seen = shared = 0
        for source in reads[node - inputs]:
            shared |= seen & sets[source]
            seen |= sets[source]
        sets[node] = seen | own.get(node, 0)
        if not shared:
            continue
        members: dict[int, int] = {}
        for source in reads[node - inputs]:
            common = sets[source] & shared
            if source in members and common:  # the last bit is its own, being read more than once
                found[node, source, source] = causes[common.bit_length() - 1]
            members[source] = common
        for (first, mine), (second, others) in itertools.combinations(members.items(), 2):
            if common := mine & others:
                found[node, first, second] = causes[common.bit_length() - 1]


def _states(
    structure: Structure, x: NumpyArray, alpha: NumpyArray, beta: NumpyArray
) -> list[float]:
    """0, 1 or `_OPEN` of each node, by logic: products would underflow."""
    states = [v if v in (0.0, 1.0) else _OPEN for v in x.tolist()]
    gains, strengths = alpha.tolist(), beta.tolist()
    strong, weak = structure.excitatory, structure.inhibitory
    ends, sources = strong.indptr.tolist(), strong.indices.tolist()
    weak_ends, readings = weak.indptr.tolist(), weak.indices.tolist()
    for i, gain in enumerate(gains):
        state = gain if gain in (0.0, 1.0) else _OPEN
        for e in range(ends[i], ends[i + 1]):
            state = min(state, states[sources[e]])
        for k in range(weak_ends[i], weak_ends[i + 1]):
            y, strength = states[readings[k]], strengths[k]
            if y and strength:
                state = 0.0 if y == strength == 1.0 else min(state, _OPEN)
        states.append(state)
    return states


def _uncertain_edges(structure: Structure, states: list[float], beta: NumpyArray) -> Rows:
    """What each neuron of an uncertain value reads that is uncertain, excitatory inputs first."""
    uncertain = np.asarray(states) == _OPEN
    targets: list[Ints] = []
    sources: list[Ints] = []
    for rows, strength in ((structure.excitatory, None), (structure.inhibitory, beta)):
        target = rows.targets()
        kept = uncertain[structure.inputs + target] & uncertain[rows.indices]
        if strength is not None:
            kept &= strength > 0.0
        targets.append(target[kept])
        sources.append(rows.indices[kept])
    target, source = np.concatenate(targets), np.concatenate(sources)
    counts = np.bincount(target, minlength=structure.neurons)
    return Rows(offsets(counts), source[np.argsort(target, kind="stable")])
