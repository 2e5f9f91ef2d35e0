"""What a decision is made of: parts add up, and are the Shapley values against baseline 0."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import synann_core as syn
from synann_core.graph import GraphParameters, SynapseGraph, explain
from tests.helpers import EPS, assert_close, assert_relative


def shapley(value, n):
    """Shapley values of the set function by its definition, over all subsets of n players."""
    phi = np.zeros(n)
    for j in range(n):
        others = [k for k in range(n) if k != j]
        for size in range(n):
            weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            for chosen in itertools.combinations(others, size):
                phi[j] += weight * (value({*chosen, j}) - value(set(chosen)))
    return phi


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_contributions_are_shapley_values_against_baseline_zero(seed):
    n = 8
    rng = np.random.default_rng(seed)
    y, beta = rng.random(n), rng.random((1, n))

    @lambda f: {k: f(k) for k in range(2**n)}
    def surprisal(k):
        present = np.array([k >> j & 1 for j in range(n)], dtype=bool)
        return -syn.log_transmission(np.where(present, y, 0.0), beta)[0]

    want = shapley(lambda chosen: surprisal[sum(1 << j for j in chosen)], n)
    whole = surprisal[2**n - 1]
    # Differences of wholes: their rounding errors, 128 times with weights that add up to 1.
    assert_close(syn.contributions(y, beta)[0], want, 40 * EPS["float64"], scale=whole)


def test_shapley_values_of_what_is_not_additive_differ():
    # The oracle itself: for the probability, a product, the values are not the factors' own.
    y, beta = np.array([0.5, 0.9]), np.array([[0.8, 0.9]])

    def probability(chosen):
        present = np.isin(np.arange(2), list(chosen))
        return float(np.exp(syn.log_transmission(np.where(present, y, 0.0), beta))[0])

    assert_relative(shapley(probability, 2), [-0.238, -0.648], 1e-12)  # (1, .6, .19, .114)


def test_parts_add_up_in_stacked_layers():
    # Each layer of a stack in surprisal space is a sum of its own, over the last one's output.
    rng = np.random.default_rng(0)
    v = -np.log(rng.random(12))
    for m in (9, 7, 5):
        gamma, theta = -np.log(rng.random((m, v.size))), rng.random(m)
        z = syn.surprisal_synapse_tensor(0.0, v, theta, gamma)
        parts = syn.complement(gamma + v)
        assert_relative(theta + parts.sum(axis=1), z, (10 + math.sqrt(v.size)) * EPS["float64"])
        v = z


@given(st.integers(0, 2**32 - 1))
def test_parts_of_a_graphs_neurons_add_up(seed):
    rng = np.random.default_rng(seed)
    graph = SynapseGraph()
    graph.input(*range(4))
    shared = graph.parameter("shared", float(rng.random()))
    for k in range(4, 12):
        inhibitory = [(j, shared if rng.random() < 0.3 else rng.random()) for j in range(k)]
        chosen = [pair for pair in inhibitory if rng.random() < 0.4]
        excitatory = [j for j in range(k) if rng.random() < 0.2]
        graph.synapse(k, excitatory=excitatory, inhibitory=chosen, alpha=rng.random())
    compiled, x = graph.compile(), rng.random(4)
    values = compiled.values(x)
    for k in range(4, 12):
        whole = -math.log(values[k])
        parts = explain(compiled, x, k)
        assert abs(sum(part.surprisal for part in parts) - whole) <= 60 * EPS["float64"] * (
            1 + whole
        )
        assert [part.kind for part in parts] == sorted(
            (part.kind for part in parts), key=["gain", "excitatory", "inhibitory"].index
        )


def test_parts_name_their_sources():
    graph = SynapseGraph()
    graph.input("a", "b", "c")
    graph.synapse("n", inhibitory={"c": 0.5})
    graph.synapse("z", excitatory=("b", "n"), inhibitory={"c": 0.25, "a": 0.5}, alpha=0.5)
    parts = explain(graph.compile(), np.array([0.5, 0.25, 1.0]), "z")
    assert [(part.kind[0], part.source) for part in parts] == [
        ("g", None),
        ("e", "b"),
        ("e", "n"),
        ("i", "c"),
        ("i", "a"),
    ]
    got = [part.surprisal for part in parts]
    np.testing.assert_allclose(got, -np.log([0.5, 0.25, 0.5, 0.75, 0.75]), rtol=1e-15)


def test_other_parameters_and_other_libraries():
    import torch

    graph = SynapseGraph()
    graph.input("x", "y")
    graph.synapse("z", excitatory="x", inhibitory="y", alpha=0.5)
    x = torch.tensor([0.5, 0.5], dtype=torch.float64)
    params = GraphParameters(torch.tensor([0.25]).double(), torch.tensor([0.5]).double())
    got = [part.surprisal for part in explain(graph.compile(), x, "z", params)]
    np.testing.assert_allclose(got, -np.log([0.25, 0.5, 0.75]), rtol=1e-15)


def test_what_cannot_be_explained():
    graph = SynapseGraph()
    graph.input("x", "y")
    graph.synapse("z", excitatory="x", inhibitory="y")
    compiled = graph.compile()
    with pytest.raises(ValueError, match=r"`neuron` must be a neuron of the graph. Received: 'x'"):
        explain(compiled, np.ones(2), "x")
    with pytest.raises(ValueError, match=r"`x` must have shape \(inputs,\)"):
        explain(compiled, np.ones((3, 2)), "z")
    with pytest.raises(TypeError, match="`x` must be an array"):
        explain(compiled, [1.0, 1.0], "z")
    with pytest.raises(TypeError, match="`compiled` must be a CompiledGraph"):
        explain(graph, np.ones(2), "z")
    with pytest.raises(TypeError, match=r"`params` must be a pair \(alpha, beta\)"):
        explain(compiled, np.ones(2), "z", (1, 2, 3))
