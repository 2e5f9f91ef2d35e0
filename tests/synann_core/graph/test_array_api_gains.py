"""Graphs with gains that make values leave [0, 1], second derivatives, and copies."""

import copy
import pickle

import numpy as np
import pytest

from synann_core.graph import GraphParameters, SynapseGraph
from tests.helpers import EPS, assert_relative


def amplified(gain):
    """z = (gain x) b (1 − gain x)(1 − ½ b)."""
    graph = SynapseGraph()
    graph.input("x", "b")
    graph.synapse("a", excitatory="x", alpha=gain)
    graph.synapse("z", excitatory=("a", "b"), inhibitory={"a": 1.0, "b": 0.5})
    graph.synapse("w", excitatory=("a", "b"))
    graph.output("z", "w")
    return graph.compile()


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("gain", [1.5, 3e4, 1e6])
def test_values_above_one_lose_no_digits(xp, dtype, gain, sign):
    x, b = sign * np.float32(1.25), np.float32(1.0 / gain)
    a = np.float32(gain) * x if dtype == "float32" else gain * np.float64(x)
    a, b = np.float64(a), np.float64(b)
    graph = amplified(float(np.float32(gain)) if dtype == "float32" else gain)
    point = xp.asarray(np.array([[x, b]]), dtype)
    limit = 8 * EPS[dtype]
    got = xp.to_numpy(xp.call(graph, point))
    assert_relative(got[0], [a * b * (1 - a) * (1 - 0.5 * b), a * b], limit)
    gx, _ = graph.vjp(point, grad=xp.asarray([[0.0, 1.0]], dtype))
    assert_relative(xp.to_numpy(gx)[0], [a / x * b, a], limit)
    moved = graph.jvp(point, dx=xp.asarray([[0.0, 1.0]], dtype))
    assert_relative(xp.to_numpy(moved)[0, 1], a, limit)


def occupied():
    """In surprisal space z = G(γ + u), whose second derivative is n(1 + n)."""
    graph = SynapseGraph()
    graph.input("x")
    graph.synapse("z", inhibitory={"x": 0.5})
    n = 1.0 / np.expm1(0.7 + 0.3)
    return graph.compile(), n * (1.0 + n)


def test_second_derivatives_on_torch_in_surprisal_space():
    import torch

    compiled, want = occupied()
    params = GraphParameters(torch.zeros(1).double(), torch.tensor([0.7]).double())
    u = torch.tensor([0.3]).double().requires_grad_()
    out = compiled(u, params, space="surprisal").sum()
    (first,) = torch.autograd.grad(out, u, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), u)
    assert_relative(second.numpy(), [want], 8 * EPS["float64"])


def test_second_derivatives_on_jax_in_surprisal_space():
    import jax
    import jax.numpy as jnp

    compiled, want = occupied()
    params = GraphParameters(jnp.zeros(1), jnp.asarray([0.7]))

    def slope(u):
        return compiled.vjp(u, params, space="surprisal", grad=jnp.ones(1))[0][0]

    assert_relative(jax.grad(slope)(jnp.asarray([0.3])), [want], 8 * EPS["float64"])


def test_a_graph_that_ran_on_jax_can_be_copied_and_pickled():
    import jax.numpy as jnp

    compiled, _ = occupied()
    x = np.array([0.25])
    compiled(jnp.asarray(x))
    for twin in (copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled))):  # noqa: S301
        np.testing.assert_array_equal(twin(x), compiled(x))
        np.testing.assert_array_equal(twin(jnp.asarray(x)), compiled(x))


def test_clear_errors_for_what_numpy_or_networkx_would_trip_over():
    import networkx as nx

    with pytest.raises(ValueError, match=r"`inhibitory\[0\]` must have one axis"):
        SynapseGraph.from_arrays(1, 1, inhibitory=([1, [1]], [0, 0]))
    with pytest.raises(ValueError, match="Received: an int beyond float64"):
        SynapseGraph().synapse("h", alpha=10**400)
    g = nx.DiGraph()
    g.add_node("x", kind="input", output="first")
    with pytest.raises(TypeError, match="`output of node 'x'` must be an int"):
        SynapseGraph.from_networkx(g)
    g = nx.DiGraph()
    g.add_node("z", kind="neuron", alpha=1.0, parameter=["a"])
    with pytest.raises(TypeError, match=r"`parameter` must be a string\. Received: \['a'\]"):
        SynapseGraph.from_networkx(g)
