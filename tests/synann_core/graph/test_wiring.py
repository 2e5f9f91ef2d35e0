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
