"""What a decision is made of: parts add up, and are Shapley values against 0 or a background."""

import itertools
import math
import tracemalloc

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


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_against_a_background_they_are_interventional(seed):
    """Of the game in which those who are left out have the values of a sample of the background."""
    n = 6
    rng = np.random.default_rng(seed)
    y, beta, background = rng.random(n), rng.random((1, n)), rng.random((4, n))

    @lambda f: {k: f(k) for k in range(2**n)}
    def surprisal(k):
        present = np.array([k >> j & 1 for j in range(n)], dtype=bool)
        return -syn.log_transmission(np.where(present, y, background), beta).mean()

    want = shapley(lambda chosen: surprisal[sum(1 << j for j in chosen)], n)
    got = syn.contributions(y, beta, background=background)[0]
    assert_close(got, want, 40 * EPS["float64"], scale=surprisal[2**n - 1])
    assert_close(got.sum(), surprisal[2**n - 1] - surprisal[0], 1e-14, scale=5.0)


@pytest.mark.jax_alternates
def test_a_background_on_every_library(xp, dtype):
    rng = np.random.default_rng(0)
    y, beta, background = rng.random((2, 3, 5)), rng.random((4, 5)), rng.random((700, 5))
    arrays = [xp.asarray(a, dtype) for a in (y, beta, background)]

    def parts(y, beta, background):
        return syn.contributions(y, beta, background=background)

    got = xp.call(parts, *arrays)
    xp.check(got, dtype, (2, 3, 4, 5))
    want = -np.log1p(-y[..., None, :] * beta) + np.log1p(-background[:, None] * beta).mean(0)
    assert_close(xp.to_numpy(got), want, 40 * EPS[dtype])


def test_what_cannot_be_a_background():
    y, beta = np.ones(3), np.ones((2, 3))
    with pytest.raises(ValueError, match=r"`background` must have shape \(samples, 3\)"):
        syn.contributions(y, beta, background=np.ones((4, 2)))
    with pytest.raises(ValueError, match="`background` must hold one or more samples"):
        syn.contributions(y, beta, background=np.ones((0, 3)))
    with pytest.raises(TypeError, match="`background`"):
        syn.contributions(y, beta, background=[[1.0] * 3])


def test_a_background_takes_bounded_memory():
    rng = np.random.default_rng(0)
    y, beta, background = rng.random(100), rng.random((100, 100)), rng.random((5000, 100))
    tracemalloc.start()
    syn.contributions(y, beta, background=background)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5000 * 100 * 100 * 8 / 5  # a fifth of the contributions of all samples


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


def flu():
    graph = SynapseGraph()
    graph.input("fever", "cough", "vaccine")
    graph.synapse("ill", inhibitory={"fever": 0.9, "cough": 0.5}, alpha=0.8)
    graph.synapse("flu", excitatory=("fever", "cough"), inhibitory={"ill": 0.5, "vaccine": 0.6})
    return graph.compile()


def test_a_neuron_against_a_background():
    """Each part is the synapse's own less its mean; the sum is the neuron's surprisal."""
    compiled, rng = flu(), np.random.default_rng(0)
    x, background = rng.uniform(0.1, 1, 3), rng.uniform(0.1, 1, (40, 3))
    parts = explain(compiled, x, "flu", background=background)
    assert [part.kind for part in parts] == ["gain", "background"] + ["excitatory"] * 2 + [
        "inhibitory"
    ] * 2
    alone = [[part.surprisal for part in explain(compiled, row, "flu")] for row in background]
    mean, own = np.mean(alone, axis=0)[1:], explain(compiled, x, "flu")[1:]
    got = [part.surprisal for part in parts]
    assert_close(got[2:], [part.surprisal for part in own] - mean, 1e-14, scale=5.0)
    assert [part.source for part in parts[2:]] == [part.source for part in own]
    assert_close(got[1], mean.sum(), 1e-14)
    assert_close(sum(got), -np.log(compiled(x)[0]), 1e-14)


def test_a_background_in_which_a_synapse_is_closed_is_refused():
    background = np.array([[0.5, 0.5, 0.5], [0.0, 0.5, 0.5]])
    with pytest.raises(
        ValueError, match=r"`background` must leave every synapse.*inf from 'fever'"
    ):
        explain(flu(), np.full(3, 0.5), "flu", background=background)
    with pytest.raises(ValueError, match="`background` must hold one or more samples"):
        explain(flu(), np.full(3, 0.5), "flu", background=background[:0])
    with pytest.raises(ValueError, match=r"`background` must have shape \(samples, 3\)"):
        explain(flu(), np.full(3, 0.5), "flu", background=background[0])
