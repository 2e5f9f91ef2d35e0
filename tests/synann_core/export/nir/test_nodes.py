"""Nodes of NIR graphs in a row, and graphs that are not one."""

import itertools

import nir
import numpy as np
import pytest

from synann_core.export.nir.nodes import MOST_NODES, Node, in_a_row, node_of

LINEAR = Node("Linear", {"weight": np.eye(2)})
KINDS = {"in": "Input", "a": "Affine", "l": "LIF", "b": "Linear", "m": "LIF", "out": "Output"}


def graph(edges, **more):
    nodes = {name: Node(kind, {}) for name, kind in KINDS.items()} | more
    used = {name for edge in edges for name in edge}
    return Node(
        "NIRGraph", {"nodes": {k: v for k, v in nodes.items() if k in used}, "edges": edges}
    )


def names(*path):
    return list(itertools.pairwise(path))


def test_a_row_with_recurrent_weights():
    row = in_a_row(graph([*names("in", "a", "l", "m", "out"), ("l", "b"), ("b", "l")]))
    assert [link.name for link in row] == ["in", "a", "l", "m", "out"]
    assert [link.recurrent for link in row] == [None, None, Node("Linear", {}), None, None]


def test_graphs_in_graphs_are_opened():
    inner = graph([*names("in", "l", "out"), ("l", "b"), ("b", "l")])
    outer = graph(names("in", "a", "part", "out"), part=inner)
    row = in_a_row(outer)
    assert [link.name for link in row] == ["in", "a", "part/in", "part/l", "part/out", "out"]
    assert row[3].recurrent == Node("Linear", {})


def test_nodes_of_the_package():
    lif = nir.LIF(*(np.ones(2) for _ in range(4)))
    found = node_of(nir.NIRGraph.from_list(nir.Linear(np.eye(2)), lif))
    assert found.fields["edges"] == names("input", "linear", "lif", "output")
    assert found.fields["nodes"]["lif"].fields["tau"].tolist() == [1.0, 1.0]
    assert [link.node.kind for link in in_a_row(found)] == ["Input", "Linear", "LIF", "Output"]


def nested(depth):
    return graph(names("in", "part", "out"), part=nested(depth - 1) if depth else LINEAR)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (graph([]), "0 inputs, not one"),
        (graph(names("a", "l", "out")), "0 inputs"),
        (graph(names("in", "a", "l")), "do not lead from the input to one output"),
        (graph([*names("in", "a", "out"), ("l", "m")]), r"do not lead.*\['l', 'm'\]"),
        (graph([*names("in", "a", "l", "out"), ("a", "m")]), "'a' is not followed by one"),
        (graph([*names("in", "a", "l", "out"), ("m", "l")]), "'l' has more than one input"),
        (graph([*names("in", "a", "l", "m"), ("m", "a")]), "'a' has more than one input"),
        (graph([*names("in", "l", "out"), ("l", "m"), ("m", "l")]), "more than one Linear"),
        (graph([*names("in", "l", "out"), ("in", "z")]), "'z', which is not a node"),
        (graph(names("in", "part", "out"), part=graph(names("a", "l"))), "'part' in it has not"),
        (nested(9), "more than 4 deep"),
        (graph([], **{str(k): LINEAR for k in range(MOST_NODES + 1)}), "0 inputs"),
    ],
)
def test_graphs_that_are_not_a_row(given, message):
    with pytest.raises(ValueError, match=message):
        in_a_row(given)


def test_a_graph_with_too_many_nodes():
    path = [str(k) for k in range(MOST_NODES)]
    with pytest.raises(ValueError, match="more than 512 nodes: 514"):
        in_a_row(graph(names("in", *path, "out"), **dict.fromkeys(path, LINEAR)))
