"""Graphs to networkx and back, and what cannot be read."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

from synann_core.graph import SynapseGraph
from tests.graphs import cases, small_graph
from tests.helpers import assert_close


@settings(max_examples=25)
@given(cases())
def test_networkx_and_back(case):
    compiled = case.compile()
    graph = SynapseGraph.from_networkx(_graph(case).to_networkx())
    again = graph.compile()
    assert again.nodes == tuple(compiled.nodes)
    assert again.outputs == compiled.outputs
    assert_close(again(case.x), compiled(case.x), 1e-13)
    used = sum(p.size for p in again.params)
    assert used <= sum(p.size for p in compiled.params)  # those shared are still shared
    twice = SynapseGraph.from_networkx(graph.to_networkx()).compile()
    for a, b in zip(twice.params, again.params, strict=True):
        np.testing.assert_array_equal(a, b)


def _graph(case):
    nodes = case.nodes
    strong = [(nodes[case.inputs + i], nodes[s]) for i, n in enumerate(case.neurons) for s in n[0]]
    weak = [(i, s, b) for i, n in enumerate(case.neurons) for s, b in n[1]]
    alphas = np.empty(len(case.neurons), int)
    alphas[case.place] = [own for _, _, own in case.neurons]
    return SynapseGraph.from_arrays(
        case.inputs,
        len(case.neurons),
        excitatory=([t for t, _ in strong], [s for _, s in strong]),
        inhibitory=([nodes[case.inputs + i] for i, _, _ in weak], [nodes[s] for _, s, _ in weak]),
        alpha=case.alpha,
        beta=case.beta,
        alpha_index=alphas,
        beta_index=np.asarray([b for _, _, b in weak], int),
        outputs=nodes,
    )


def test_networkx_attributes():
    g = small_graph().to_networkx()
    assert isinstance(g, nx.MultiDiGraph)  # x excites twice
    assert g.nodes["bare"] == {"kind": "neuron", "alpha": 2.0, "parameter": "a", "output": 2}
    weak = [d for s, t, d in g.edges(data=True) if (s, t) == ("y", "late")]
    assert weak == [{"kind": "inhibitory", "beta": 0.3, "parameter": "b"}]
    again = SynapseGraph.from_networkx(g).compile()
    assert again.parameters.keys() == {"a", "b"}
    x = np.array([0.3, 0.6])
    assert_close(again(x), small_graph().compile()(x), 1e-15)


def test_parameters_that_nothing_uses_are_kept():
    graph = small_graph()
    graph.parameter("unused", 0.25)
    g = graph.to_networkx()
    assert g.graph == {"parameters": {"unused": 0.25}}
    assert small_graph().to_networkx().graph == {}
    again = SynapseGraph.from_networkx(g)
    with pytest.raises(ValueError, match="'unused' twice"):
        again.parameter("unused", 1.0)
    assert again.to_networkx().graph == g.graph
    for value, error in ((3, TypeError), ({3: 0.5}, TypeError), ({"c": -1.0}, ValueError)):
        g.graph["parameters"] = value
        with pytest.raises(error, match="Received"):
            SynapseGraph.from_networkx(g)
    assert again.compile().parameters.keys() == {"a", "b"}


def networkx_graph(**attributes):
    g = nx.DiGraph()
    g.add_node("x", kind="input")
    g.add_node("z", **{"kind": "neuron", **attributes})
    g.add_edge("x", "z", kind="inhibitory", beta=0.5)
    return g


def test_networkx():
    with pytest.raises(TypeError, match=r"`g` must be a networkx.DiGraph"):
        SynapseGraph.from_networkx(nx.Graph())
    with pytest.raises(TypeError, match=r"`g` must be a networkx.DiGraph"):
        SynapseGraph.from_networkx({})
    with pytest.raises(ValueError, match=r"kind of node 'z'.*'axon'"):
        SynapseGraph.from_networkx(networkx_graph(kind="axon"))
    with pytest.raises(ValueError, match=r"`alpha` of neuron 'z'.*-1\.0"):
        SynapseGraph.from_networkx(networkx_graph(alpha=-1.0))
    g = networkx_graph()
    g.edges["x", "z"]["kind"] = "axon"
    with pytest.raises(ValueError, match=r"kind of edge 'x' -> 'z'.*'axon'"):
        SynapseGraph.from_networkx(g)
    g = networkx_graph()
    g.add_edge("z", "x", kind="inhibitory")
    with pytest.raises(ValueError, match=r"input 'x' must not read.*'z'"):
        SynapseGraph.from_networkx(g)
    g = networkx_graph(parameter="p", alpha=1.0)
    g.edges["x", "z"]["parameter"] = "p"
    with pytest.raises(ValueError, match="parameter 'p' must have one value"):
        SynapseGraph.from_networkx(g)


def test_attributes_of_another_kind():
    g = nx.DiGraph()
    g.add_node("x", kind="input", output="first")
    with pytest.raises(TypeError, match="`output of node 'x'` must be an int"):
        SynapseGraph.from_networkx(g)
    g = nx.DiGraph()
    g.add_node("z", kind="neuron", alpha=1.0, parameter=["a"])
    with pytest.raises(TypeError, match=r"`parameter` must be a string\. Received: \['a'\]"):
        SynapseGraph.from_networkx(g)
