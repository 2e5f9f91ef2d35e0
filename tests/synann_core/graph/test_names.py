"""Names, numbers and shared parameters that a builder refuses."""

import pytest

from synann_core.graph import Parameter, SynapseGraph
from tests.graphs import graph_of

NUMBERS = [
    ({"inhibitory": {"y": 1.5}}, ValueError, r"`beta` of the synapse 'y' -> 'z' .*\[0, 1\].*1\.5"),
    ({"inhibitory": {"y": -0.1}}, ValueError, r"'y' -> 'z'.*-0\.1"),
    ({"inhibitory": {"y": float("nan")}}, ValueError, "'y' -> 'z'.*nan"),
    ({"inhibitory": {"y": "0.5"}}, TypeError, "`beta` of the synapse 'y' -> 'z'.*'0.5'"),
    ({"alpha": -1}, ValueError, r"`alpha` of neuron 'z'.*\[0, inf\).*-1"),
    ({"alpha": float("nan")}, ValueError, "`alpha` of neuron 'z'.*nan"),
    ({"alpha": float("inf")}, ValueError, "`alpha` of neuron 'z'.*\\[0, inf\\).*inf"),
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


def test_parameters():
    graph = graph_of()
    b = graph.parameter("b", 0.5)
    graph.synapse("z", inhibitory={"x": b})
    graph.synapse("w", alpha=b)
    with pytest.raises(ValueError, match=r"parameter 'b' must be an alpha or a beta"):
        graph.compile()
    with pytest.raises(ValueError, match=r"'y' -> 'v'.*\[0, 1\].*2\.0"):
        graph.synapse("v", inhibitory={"y": graph.parameter("big", 2.0)})
    with pytest.raises(ValueError, match=r"`value` must be in \[0, inf\)\. Received: nan"):
        graph.parameter("c", float("nan"))
    with pytest.raises(ValueError, match=r"`value` must be in \[0, inf\)\. Received: -1"):
        graph.parameter("c", -1)
    with pytest.raises(TypeError, match="`name` must be a string"):
        graph.parameter(3, 0.5)


def test_an_int_beyond_float64():
    with pytest.raises(ValueError, match="Received: an int beyond float64"):
        SynapseGraph().synapse("h", alpha=10**400)
