"""Graphs are declared by names, in any order, each name once."""

import numpy as np
import pytest

from synann_core.graph import SynapseGraph
from tests.graphs import graph_of, small_graph
from tests.helpers import assert_close


def test_names_and_structure():
    graph = small_graph()
    assert graph.nodes == ("x", "y", "late", "early", "bare")
    assert graph.inputs == ("x", "y")
    assert graph.neurons == ("late", "early", "bare")
    compiled = graph.compile()
    for name in ("nodes", "inputs", "neurons", "outputs"):
        assert getattr(compiled, name) == getattr(graph, name)
    assert compiled.outputs == ("late", "y", "bare")
    assert compiled.output_nodes.tolist() == [2, 1, 4]
    assert compiled.order.tolist() == [2, 1, 0]  # declared from the outputs on
    assert compiled.levels.tolist() == [2, 1, 1]
    assert [a.tolist() for a in compiled.excitatory] == [[0, 3, 3, 3], [3, 0, 0]]
    indptr, indices, beta_index = compiled.inhibitory
    assert [indptr.tolist(), indices.tolist()] == [[0, 2, 4, 4], [1, 0, 0, 1]]
    assert compiled.params.beta[beta_index].tolist() == [0.3, 0.2, 0.5, 0.3]
    assert compiled.params.alpha[compiled.alpha_index].tolist() == [1.0, 0.9, 2.0]
    assert compiled.parameters == {"b": ("beta", 0), "a": ("alpha", 2)}
    assert len(compiled.params.beta) == 3  # the shared one once


def test_default_outputs_are_what_nothing_reads():
    graph = SynapseGraph()
    graph.input("x", "unread")
    graph.synapse("a", excitatory="x")
    graph.synapse("b", inhibitory="a")
    graph.synapse("c", excitatory="a")
    assert graph.compile().outputs == graph.outputs == ("b", "c")


def test_a_sequence_or_pairs_may_repeat():
    graph = SynapseGraph()
    graph.input("x")
    graph.synapse("z", excitatory=["x", "x"], inhibitory=[("x", 0.5), ("x", 1)])
    assert_close(graph.compile()(np.array([0.4])), [0.16 * 0.8 * 0.6], 1e-15)


def test_duplicates():
    graph = graph_of(z={})
    for declare in (
        lambda: graph.input("x"),
        lambda: graph.input("z"),
        lambda: graph.synapse("x"),
        lambda: graph.synapse("z"),
    ):
        with pytest.raises(ValueError, match=r"must be new. Received: '[xz]' twice"):
            declare()
    graph.output("z")
    with pytest.raises(ValueError, match=r"new outputs. Received: 'z' twice"):
        graph.output("z")
    graph.parameter("b", 0.5)
    with pytest.raises(ValueError, match=r"new parameter. Received: 'b' twice"):
        graph.parameter("b", 0.5)


def test_names_that_are_refused_declare_nothing():
    graph = SynapseGraph()
    for names in (("q", "q"), ("q", 1.5)):
        with pytest.raises((TypeError, ValueError), match="`names` must be"):
            graph.input(*names)
    with pytest.raises(TypeError, match=r"names are arguments of their own. Received: \['q'\]"):
        graph.input(["q"])
    graph.input("q")
    with pytest.raises(TypeError, match="`excitatory` of neuron 'z' must be names"):
        graph.synapse("z", excitatory={"q": 0.5})  # the 0.5 would be lost
    with pytest.raises(ValueError, match="new outputs"):
        graph.output("q", "q")
    graph.output("q")
    assert graph.compile().outputs == ("q",)


def test_a_graph_from_arrays_is_complete():
    graph = SynapseGraph.from_arrays(1, 1)
    for add in (graph.input, graph.synapse, graph.output):
        with pytest.raises(ValueError, match="complete"):
            add("more")
    with pytest.raises(ValueError, match="complete"):
        graph.parameter("b", 0.5)
