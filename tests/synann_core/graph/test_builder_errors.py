"""What graphs refuse, and that the message names it."""

import re

import networkx as nx
import numpy as np
import pytest

from synann_core.graph import GraphParameters, Parameter, SynapseGraph


def graph_of(**synapses):
    graph = SynapseGraph()
    graph.input("x", "y")
    for name, options in synapses.items():
        graph.synapse(name, **options)
    return graph


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


NUMBERS = [
    ({"inhibitory": {"y": 1.5}}, ValueError, r"`beta` of the synapse 'y' -> 'z' .*\[0, 1\].*1\.5"),
    ({"inhibitory": {"y": -0.1}}, ValueError, r"'y' -> 'z'.*-0\.1"),
    ({"inhibitory": {"y": float("nan")}}, ValueError, "'y' -> 'z'.*nan"),
    ({"inhibitory": {"y": "0.5"}}, TypeError, "`beta` of the synapse 'y' -> 'z'.*'0.5'"),
    ({"alpha": -1}, ValueError, r"`alpha` of neuron 'z'.*at least 0.*-1\.0"),
    ({"alpha": float("nan")}, ValueError, "`alpha` of neuron 'z'.*nan"),
    ({"alpha": float("inf")}, ValueError, "`alpha` of neuron 'z'.*finite.*inf"),
    ({"alpha": True}, TypeError, "`alpha` of neuron 'z'.*True"),
    ({"alpha": Parameter("p", 1.0)}, ValueError, "neuron 'z'.*parameter of this graph.*'p'"),
    ({"excitatory": 0.5}, TypeError, "`excitatory` of neuron 'z'.*0.5"),
    ({"excitatory": [0.5]}, TypeError, "a source of neuron 'z'.*0.5"),
    ({"inhibitory": ["y"]}, TypeError, r"`inhibitory` of neuron 'z'.*pairs.*'y'"),
]


@pytest.mark.parametrize(("options", "kind", "message"), NUMBERS)
def test_wrong_numbers_and_names(options, kind, message):
    with pytest.raises(kind, match=message):
        graph_of(z=options)


def test_unknown_names():
    with pytest.raises(ValueError, match=r"neuron 'z' must read declared nodes. Received: 'w'"):
        graph_of(z={"excitatory": "w"}).compile()
    graph = graph_of(z={"excitatory": "x"})
    graph.output("w")
    with pytest.raises(ValueError, match=r"output must be a declared node. Received: 'w'"):
        graph.compile()


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


def test_parameters():
    graph = graph_of()
    b = graph.parameter("b", 0.5)
    graph.synapse("z", inhibitory={"x": b})
    graph.synapse("w", alpha=b)
    with pytest.raises(ValueError, match=r"parameter 'b' must be an alpha or a beta"):
        graph.compile()
    with pytest.raises(ValueError, match=r"'y' -> 'v'.*\[0, 1\].*2\.0"):
        graph.synapse("v", inhibitory={"y": graph.parameter("big", 2.0)})
    with pytest.raises(ValueError, match=r"parameter 'c'.*nan"):
        graph.parameter("c", float("nan"))
    with pytest.raises(TypeError, match="`name` must be a string"):
        graph.parameter(3, 0.5)


ARRAYS = [
    ({"inputs": 1.0}, TypeError, "`inputs` must be an int"),
    ({"neurons": -1}, ValueError, "`neurons` must be at least 0"),
    ({"excitatory": ([2.0], [0])}, TypeError, r"`excitatory\[0\]` must hold integers.*float64"),
    ({"excitatory": ([1], [0])}, ValueError, r"`excitatory\[0\]`.*neurons, 2 to 3. Received: 1"),
    ({"inhibitory": ([2], [9])}, ValueError, r"`inhibitory\[1\]`.*nodes, 0 to 3. Received: 9"),
    ({"inhibitory": ([2], [-1])}, ValueError, r"Received: -1"),
    ({"inhibitory": ([2, 3], [0])}, ValueError, "`inhibitory`.*2 targets and 1 sources"),
    ({"inhibitory": ([[2]], [0])}, ValueError, r"one axis. Received: shape \(1, 1\)"),
    ({"inhibitory": 3}, TypeError, r"`inhibitory` must be a pair \(targets, sources\)"),
    ({"beta": [0.5]}, ValueError, r"`beta` must have shape \(0,\). Received: shape \(1,\)"),
    ({"inhibitory": ([2], [0]), "beta": [1.5]}, ValueError, r"`beta`.*\[0, 1\].*1.5 at 0"),
    ({"inhibitory": ([2], [0]), "beta": ["a"]}, TypeError, "`beta` must hold real numbers"),
    ({"alpha": [1.0, np.nan]}, ValueError, "`alpha`.*nan at 1"),
    ({"alpha": [1.0, -2.0]}, ValueError, r"`alpha`.*-2.0 at 1"),
    ({"alpha": [1.0], "alpha_index": [0, 1]}, ValueError, "`alpha_index`.*parameters, 0 to 0"),
    ({"alpha": [1.0], "alpha_index": [0]}, ValueError, r"`alpha_index` must have shape \(2,\)"),
    ({"outputs": [4]}, ValueError, "`outputs`.*0 to 3. Received: 4"),
    ({"outputs": [3, 2, 3]}, ValueError, "`outputs`.*Received: 3 twice"),
]


@pytest.mark.parametrize(("options", "kind", "message"), ARRAYS)
def test_arrays(options, kind, message):
    with pytest.raises(kind, match=message):
        SynapseGraph.from_arrays(**{"inputs": 2, "neurons": 2, **options})


def test_a_graph_from_arrays_is_complete():
    graph = SynapseGraph.from_arrays(1, 1)
    for add in (graph.input, graph.synapse, graph.output):
        with pytest.raises(ValueError, match="complete"):
            add("more")
    with pytest.raises(ValueError, match="complete"):
        graph.parameter("b", 0.5)


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


CALLS = [
    (lambda c: c(np.ones(3)), ValueError, r"`x` must have shape \(..., 2\). Received: shape \(3,"),
    (lambda c: c(np.ones(2, int)), TypeError, "`x` must have a real floating-point dtype.*int64"),
    (lambda c: c(0.5), ValueError, r"`x` must have shape \(..., 2\). Received: shape \(\)"),
    (lambda c: c([1.0, 1.0]), TypeError, "`x` must be an array"),
    (lambda c: c(np.ones(2), space="log"), ValueError, "`space` must be one of.*'log'"),
    (lambda c: c(np.ones(2), 3), TypeError, "`params` must be a pair"),
    (
        lambda c: c(np.ones(2), GraphParameters(np.ones(2), np.ones(1))),
        ValueError,
        r"`params.alpha` must have shape \(1,\). Received: shape \(2,\)",
    ),
    (
        lambda c: c(np.ones(2), GraphParameters(np.ones(1), np.ones((1, 1)))),
        ValueError,
        r"`params.beta` must have shape \(1,\). Received: shape \(1, 1\)",
    ),
    (
        lambda c: c(np.ones(2), GraphParameters(np.ones(1), np.ones(1, int))),
        TypeError,
        "`params.beta` must have a real floating-point dtype",
    ),
    (lambda c: c.vjp(np.ones(2), grad=np.ones(2)), ValueError, r"`grad` must have shape \(1,\)"),
    (lambda c: c.jvp(np.ones(2), dx=np.ones(3)), ValueError, r"`dx` must have shape \(2,\)"),
    (
        lambda c: c.jvp(np.ones(2), dx=1.0, dparams=(np.ones(1), np.ones(2))),
        ValueError,
        r"`dparams.beta` must have shape \(1,\)",
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), CALLS)
def test_calls(call, kind, message):
    compiled = graph_of(z={"excitatory": "x", "inhibitory": "y"}).compile()
    with pytest.raises(kind, match=message):
        call(compiled)


def test_libraries_do_not_mix():
    torch = pytest.importorskip("torch")
    compiled = graph_of(z={"excitatory": "x", "inhibitory": "y"}).compile()
    with pytest.raises(TypeError, match=r"`x` and `params.alpha` must come from one array library"):
        compiled(torch.ones(2), compiled.params)
