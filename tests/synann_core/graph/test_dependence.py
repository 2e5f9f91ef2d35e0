"""Inputs of one neuron that share an uncertain cause, and what that means for probabilities."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings

from synann_core.graph import GraphParameters, SynapseGraph
from synann_core.graph import dependence as module
from tests.graphs import cases, graph_of


def common_cause(alpha=1.0, strength=0.5):
    """s causes a and b, each of them c."""
    graph = SynapseGraph()
    graph.input("s")
    for name in "ab":
        graph.synapse(f"not {name}", inhibitory={"s": strength}, alpha=alpha)
        graph.synapse(name, inhibitory=f"not {name}")
    graph.synapse("not c", inhibitory={"a": 1.0, "b": 1.0})
    graph.synapse("c", inhibitory="not c")
    graph.output("c")
    return graph.compile()


def test_a_shared_cause_is_told():
    compiled = common_cause()
    assert compiled.dependent_pairs() == [("not c", "a", "b", "s")]
    (value,) = compiled(np.array([0.5]))
    marginal = 0.5 * sum(compiled(np.array([s]))[0] for s in (0.0, 1.0))
    assert (value, marginal) == (0.4375, 0.375)
    # What is certain makes nothing depend on anything.
    assert compiled.dependent_pairs([1.0]) == compiled.dependent_pairs(np.zeros(1)) == []


def test_a_neuron_that_is_uncertain_by_itself_is_a_cause():
    graph = SynapseGraph()
    graph.input("x")
    noisy = graph.synapse("noisy", excitatory="x", alpha=graph.parameter("gain", 0.5))
    graph.synapse("left", excitatory=noisy)
    graph.synapse("right", inhibitory=noisy)
    graph.synapse("both", excitatory=("left", "right"))
    compiled = graph.compile()
    assert compiled.dependent_pairs([1.0]) == [("both", "left", "right", "noisy")]
    certain = GraphParameters(np.ones_like(compiled.params.alpha), compiled.params.beta)
    assert compiled.dependent_pairs([1.0], certain) == []
    assert compiled.dependent_pairs(None, certain) == [("both", "left", "right", "noisy")]
    assert compiled.dependent_pairs([0.0]) == []


@pytest.mark.parametrize(
    ("options", "pairs"),
    [
        ({"excitatory": ("x", "x")}, [("z", "x", "x", "x")]),
        ({"excitatory": "x", "inhibitory": "x"}, [("z", "x", "x", "x")]),
        ({"excitatory": "x", "inhibitory": {"x": 0.0}}, []),
        ({"excitatory": "x", "inhibitory": "y"}, []),
        ({"excitatory": ("x", "y", "x", "y")}, [("z", "x", "x", "x"), ("z", "y", "y", "y")]),
        ({"excitatory": ("x", "x"), "alpha": 0.0}, []),
    ],
)
def test_what_a_single_neuron_reads(options, pairs):
    assert graph_of(z=options).compile().dependent_pairs() == pairs


def test_an_input_that_is_the_cause_of_another_one():
    graph = graph_of(
        a={"inhibitory": "x"}, z={"excitatory": "a", "inhibitory": {"x": 1.0, "y": 1.0}}
    ).compile()
    assert graph.dependent_pairs() == [("z", "a", "x", "x")]
    assert graph.dependent_pairs([1.0, 0.5]) == []  # a is surely 0, and so is z


def by_definition(case, compiled, x):
    """Pairs of inputs with a common uncertain ancestor, from sets of ancestors."""
    state, ancestors, pairs = dict(enumerate(x)), {}, set()
    for k in range(case.inputs):
        ancestors[k] = {k} if 0.0 < x[k] < 1.0 else set()
    alpha, beta = compiled.params
    for i in compiled.order.tolist():
        node, gain = case.inputs + i, alpha[compiled.alpha_index[i]]
        strong = compiled.excitatory.row(i).tolist()
        weak = [(n, beta[p]) for n, p in zip(*map(np.ndarray.tolist, compiled.inhibitory.row(i)),
                                             strict=True)]  # fmt: skip
        weak = [(n, b) for n, b in weak if b > 0 and state[n] > 0]
        closed = gain == 0 or any(state[n] == 0 for n in strong)
        closed = closed or any(state[n] == b == 1 for n, b in weak)
        read = [n for n in (*strong, *(n for n, _ in weak)) if 0 < state[n] < 1]
        noisy = gain != 1 or any(b < 1 for _, b in weak)
        state[node] = 0.0 if closed else 0.5 if read or noisy else 1.0
        ancestors[node] = (
            set() if state[node] != 0.5 else {node}.union(*(ancestors[n] for n in read))
        )
        if closed:
            continue
        for a, b in itertools.combinations(read, 2):
            if ancestors[a] & ancestors[b]:
                pairs.add((node, *sorted((a, b))))
    return pairs, ancestors


@settings(max_examples=60)
@given(cases(most=20))
@pytest.mark.parametrize("block", [module._BITS, 0])
def test_pairs_are_those_of_the_definition(block, case):
    compiled = case.compile()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BITS", block)
        patch.setattr(module, "_LEAST", 3 if block == 0 else 256)
        got = compiled.dependent_pairs(case.x)
    wanted, ancestors = by_definition(case, compiled, case.x.tolist())
    assert {(n, *sorted((a, b))) for n, a, b, _ in got} == wanted
    assert len(got) == len(wanted)
    for _, a, b, cause in got:
        assert cause in ancestors[a] & ancestors[b]


def test_large_graphs_take_little_memory():
    """A ladder: each neuron reads the two before it, so that all causes are shared by all."""
    n = 20_000
    nodes = np.arange(2, n + 2)
    graph = SynapseGraph.from_arrays(
        2, n, excitatory=(nodes, nodes - 1), inhibitory=(nodes, nodes - 2), beta=0.5
    ).compile()
    tracemalloc.start()
    pairs = graph.dependent_pairs()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(pairs) == n - 1  # of the first neuron the two inputs are independent
    assert peak < 150e6  # sets of 20,000 bits for each node would be 50 MB; the pairs are the rest
    # Independent inputs, however many: a tensor of a million synapses.
    m = 1000
    targets = np.repeat(np.arange(m, 2 * m), m)
    tensor = SynapseGraph.from_arrays(m, m, inhibitory=(targets, np.tile(np.arange(m), m)))
    assert tensor.compile().dependent_pairs() == []


def test_calls():
    compiled = common_cause()
    with pytest.raises(ValueError, match=r"`x` must have shape \(1,\). Received: shape \(2,\)"):
        compiled.dependent_pairs([0.5, 0.5])
    with pytest.raises(ValueError, match=r"`x` must be in \[0, 1\]. Received: 1.5"):
        compiled.dependent_pairs([1.5])
    with pytest.raises(TypeError, match=r"`params` must be a pair \(alpha, beta\)"):
        compiled.dependent_pairs([0.5], 3)
    with pytest.raises(ValueError, match="`alpha` must have shape"):
        compiled.dependent_pairs([0.5], (np.ones(1), np.ones(6)))
