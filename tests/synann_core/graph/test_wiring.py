"""Levels, cycles and outputs of wirings."""

import re

import numpy as np
import pytest

from synann_core.graph import SynapseGraph
from synann_core.graph.wiring import Rows, entries, find_levels, find_outputs, offsets
from tests.graphs import graph_of

CYCLES = {
    "'a' -> 'a'": {"a": {"excitatory": "a"}},
    "'a' -> 'b' -> 'a'": {"a": {"excitatory": "b"}, "b": {"inhibitory": "a"}},
    "'b' -> 'c' -> 'd' -> 'b'": {
        "a": {"excitatory": "x"},
        "b": {"excitatory": "a", "inhibitory": {"d": 0.5}},
        "c": {"excitatory": ("b", "x")},
        "d": {"inhibitory": {"c": 0.1, "a": 0.1}},
        "e": {"excitatory": "d"},
    },
}


@pytest.mark.parametrize("path", CYCLES)
def test_a_cycle_is_named_by_its_path(path):
    names = re.findall("'(.)'", path)[:-1]
    turns = [names[k:] + names[:k] for k in range(len(names))]
    paths = [" -> ".join(map(repr, [*turn, turn[0]])) for turn in turns]
    with pytest.raises(ValueError, match="acyclic") as caught:
        graph_of(**CYCLES[path]).compile()
    assert any(str(caught.value).endswith(f"the cycle {p}") for p in paths), caught.value


def test_a_long_cycle_is_shortened():
    n = 100_000
    nodes = np.arange(n)
    graph = SynapseGraph.from_arrays(0, n, excitatory=(nodes, (nodes + 1) % n))
    with pytest.raises(ValueError, match=r"more\) -> ") as caught:
        graph.compile()
    assert len(str(caught.value)) < 300


def test_levels_outputs_and_entries():
    """Inputs 0 and 1; neuron 2 reads 4, 3 reads nothing, 4 reads 0 and 3."""
    edges = [(np.array([4, 2]), np.array([0, 4])), (np.array([4]), np.array([3]))]
    assert find_levels(2, 3, edges, range(5)).tolist() == [3, 1, 2]
    assert find_outputs(2, 5, edges).tolist() == [2]
    rows = Rows(offsets(np.array([1, 0, 2])), np.array([4, 0, 3]))
    assert rows.indptr.tolist() == [0, 1, 1, 3]
    assert [rows.row(i).tolist() for i in range(3)] == [[4], [], [0, 3]]
    assert rows.targets().tolist() == [0, 2, 2]
    assert entries(rows.indptr, np.array([2, 1, 0])).tolist() == [1, 2, 0]


def shuffled(n, order):
    """A chain of n neurons, the k-th of which is declared as number ``order[k]``."""
    nodes = 1 + np.asarray(order)
    return SynapseGraph.from_arrays(
        1, n, excitatory=(nodes, np.concatenate([[0], nodes[:-1]])), alpha=0.5
    )


@pytest.mark.parametrize("n", [1, 5, 100, 1000])
def test_levels_of_chains_declared_in_any_order(n):
    for order in (np.arange(n), np.arange(n)[::-1], np.random.default_rng(0).permutation(n)):
        compiled = shuffled(n, order).compile()
        np.testing.assert_array_equal(compiled.levels[order], np.arange(1, n + 1))
        np.testing.assert_array_equal(compiled.order, order)


def test_levels_where_wide_and_narrow_ones_alternate():
    """Every node of a layer is read by all of the next; layers of 1 to 100."""
    sizes = [1, 100, 3, 40, 1, 1, 33, 32, 100]
    ends = np.cumsum(sizes)
    place = np.random.default_rng(1).permutation(ends[-1])
    targets, sources = [], []
    for k in range(1, len(sizes)):
        before, now = range(ends[k - 1] - sizes[k - 1], ends[k - 1]), range(ends[k - 1], ends[k])
        for target in now:
            targets += [place[target]] * len(before)
            sources += [place[source] for source in before]
    graph = SynapseGraph.from_arrays(0, int(ends[-1]), inhibitory=(targets, sources))
    levels = graph.compile().levels
    np.testing.assert_array_equal(levels[place], np.repeat(np.arange(1, 10), sizes))


def test_graphs_show_their_counts():
    graph = SynapseGraph()
    graph.input("x", "y")
    graph.synapse("z", excitatory="x", inhibitory={"y": 0.5})
    assert repr(graph.compile()) == "<CompiledGraph inputs=2 neurons=1>"
    graph.synapse("end", excitatory="nothing that is there")  # which is for `compile` to find
    assert repr(graph) == "<SynapseGraph inputs=2 neurons=2>"
