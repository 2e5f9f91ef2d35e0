"""Synapse graphs: builders, names, structure, networkx, and the tensor as one of them."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

import reference.graph as slow
import synann_core as syn
from synann_core.graph import GraphParameters, SynapseGraph
from tests.graphs import cases
from tests.helpers import EPS, assert_close


def small_graph():
    graph = SynapseGraph()
    graph.input("x", "y")
    shared = graph.parameter("b", 0.3)
    graph.synapse("late", excitatory=("early", "x", "x"), inhibitory={"y": shared, "x": 0.2})
    graph.synapse("early", inhibitory={"x": 0.5, "y": shared}, alpha=0.9)
    graph.synapse("bare", alpha=graph.parameter("a", 2.0))
    graph.output("late", "y", "bare")
    return graph


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
    assert compiled.order.tolist() == [1, 2, 0]
    assert compiled.levels.tolist() == [2, 1, 1]
    assert [a.tolist() for a in compiled.excitatory] == [[0, 3, 3, 3], [3, 0, 0]]
    indptr, indices, beta_index = compiled.inhibitory
    assert [indptr.tolist(), indices.tolist()] == [[0, 2, 4, 4], [1, 0, 0, 1]]
    assert compiled.params.beta[beta_index].tolist() == [0.3, 0.2, 0.5, 0.3]
    assert compiled.params.alpha[compiled.alpha_index].tolist() == [1.0, 0.9, 2.0]
    assert compiled.parameters == {"b": ("beta", 0), "a": ("alpha", 2)}
    assert len(compiled.params.beta) == 3  # the shared one once


def test_values_by_hand():
    x, y = 0.8, 0.4
    early = 0.9 * (1 - 0.5 * x) * (1 - 0.3 * y)
    late = early * x * x * (1 - 0.3 * y) * (1 - 0.2 * x)
    compiled = small_graph().compile()
    assert_close(compiled(np.array([x, y])), [late, y, 2.0], 1e-15)
    assert_close(compiled.values(np.array([x, y])), [x, y, late, early, 2.0], 1e-15)


def test_compiled_is_frozen():
    graph = small_graph()
    compiled = graph.compile()
    before = compiled(np.ones(2))
    graph.synapse("more", excitatory="late")
    assert compiled.neurons == ("late", "early", "bare")
    np.testing.assert_array_equal(compiled(np.ones(2)), before)
    with pytest.raises(ValueError, match="read-only"):
        compiled.params.beta[0] = 1.0


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


@pytest.mark.parametrize("inputs", [0, 1])
def test_sizes_of_zero(inputs):
    graph = SynapseGraph.from_arrays(inputs, 0).compile()
    assert graph(np.ones((3, inputs))).shape == (3, 0)
    gx, gparams = graph.vjp(np.ones((3, inputs)), grad=1.0)
    assert gx.shape == (3, inputs)
    assert [p.shape for p in gparams] == [(0,), (0,)]
    leak = SynapseGraph.from_arrays(inputs, 2, alpha=[0.5, 0.25]).compile()
    np.testing.assert_array_equal(leak(np.ones((2, inputs))), [[0.5, 0.25]] * 2)
    assert leak(np.ones((0, inputs))).shape == (0, 2)
    gx, gparams = leak.vjp(np.ones((0, inputs)), grad=1.0)
    assert gparams.alpha.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("off", [False, True])
def test_sizes_of_zero_on_both_branches(off, monkeypatch):
    if off:
        monkeypatch.setenv("SYNANN_KERNELS", "off")
    test_sizes_of_zero(0)
    test_sizes_of_zero(1)


@settings(max_examples=25)
@given(cases())
def test_structure_says_what_is_computed(case):
    """Evaluated by its public arrays alone, as an exporter does."""
    compiled = case.compile()
    alpha, beta = compiled.params
    strong, weak = compiled.excitatory, compiled.inhibitory
    values = dict(enumerate(case.x))
    for i in compiled.order.tolist():
        value = alpha[compiled.alpha_index[i]]
        for node in strong.indices[strong.indptr[i] : strong.indptr[i + 1]].tolist():
            value *= values[node]
        for k in range(weak.indptr[i], weak.indptr[i + 1]):
            value *= 1.0 - beta[weak.beta_index[k]] * values[int(weak.indices[k])]
        values[case.inputs + i] = value
    got = compiled.values(case.x)
    assert_close(got, [values[k] for k in range(len(got))], 1e-13)
    for i, level in enumerate(compiled.levels.tolist()):
        read = [*strong.indices[strong.indptr[i] : strong.indptr[i + 1]].tolist()]
        read += weak.indices[weak.indptr[i] : weak.indptr[i + 1]].tolist()
        levels = [0 if n < case.inputs else compiled.levels[n - case.inputs] for n in read]
        assert level == 1 + max(levels, default=0)


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


def tensor_graph(m, n):
    """Inputs x (m,), then y (n,), every one of which inhibits every neuron."""
    neurons = m + n + np.arange(m)
    return SynapseGraph.from_arrays(
        m + n,
        m,
        excitatory=(neurons, np.arange(m)),
        inhibitory=(np.repeat(neurons, n), np.tile(m + np.arange(n), m)),
    ).compile()


@pytest.mark.parametrize("off", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["training", "uniform", "repeated", "weak"])
def test_fully_connected_is_the_synapse_tensor(kind, dtype, off, monkeypatch):
    """Within 4·(10 + √n)·eps, values entry by entry and gradients of the largest one."""
    if off:
        monkeypatch.setenv("SYNANN_KERNELS", "off")
    for n in (1, 7, 100, 800):
        m, rng = 4, np.random.default_rng(n)
        x, y, alpha, beta = (rng.random(size) for size in ((3, m), (3, n), m, (m, n)))
        if kind == "training":
            beta = syn.initial_beta(m, n, rng=rng)
        elif kind == "repeated":
            y[:], beta[:] = 0.3, 1.7 / n
        elif kind == "weak":
            beta *= 1e-3 / n
        elif n == 800 and dtype == "float32":
            beta *= 0.1  # or the product underflows
        grad = rng.normal(size=(3, m))
        x, y, alpha, beta, grad = (np.asarray(a, dtype) for a in (x, y, alpha, beta, grad))
        graph, limit = tensor_graph(m, n), 4 * (10 + np.sqrt(n)) * EPS[dtype]
        for space, (first, second, third, fourth) in {
            "probability": (x, y, alpha, beta),
            "surprisal": tuple(-np.log(a) for a in (x, y, alpha, beta)),
        }.items():
            name = "synapse_tensor" if space == "probability" else "surprisal_synapse_tensor"
            given_ = (first, second, third, fourth)
            want = getattr(syn, name)(*given_)
            both = np.concatenate([first, second], axis=1)
            params = GraphParameters(third, fourth.ravel())
            got = graph(both, params, space=space)
            assert got.dtype == dtype
            assert_close(got, want, limit, scale=np.abs(want))
            gx, (galpha, gbeta) = graph.vjp(both, params, space=space, grad=grad)
            grads = (gx[:, :m], gx[:, m:], galpha, gbeta.reshape(m, n))
            for a, b in zip(grads, getattr(syn, name + "_vjp")(*given_, grad), strict=True):
                assert_close(a, b, limit)


def test_closed_factors_among_many():
    """One closed of 800: the product of the others, to the same promise; with two, 0."""
    n, rng = 800, np.random.default_rng(0)
    graph, y, beta = tensor_graph(1, n), rng.random(n), syn.initial_beta(1, n, rng=rng)
    for closed in ([3], [3, 500]):
        y[closed], beta[0, closed] = 1.0, 1.0
        x = np.concatenate([[0.7], y])
        params = GraphParameters(np.ones(1), beta[0])
        neurons = [([0], [(1 + j, j) for j in range(n)], 0)]
        grad = np.concatenate([np.zeros(n + 1), [1.0]])
        want = slow.vjp(neurons, x, params.alpha, params.beta, grad)
        gx, gparams = graph.vjp(x, params, grad=np.ones(1))
        limit = 4 * (10 + np.sqrt(n)) * EPS["float64"]
        for a, b in zip((gx, *gparams), want, strict=True):
            assert_close(a, b, limit, scale=np.abs(b).max() + 1e-300)
