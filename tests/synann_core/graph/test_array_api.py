"""Array operations: no digits are lost above 1, and a wrong gradient is caught."""

import numpy as np
import pytest

import reference.graph as slow
import synann_core.graph.array_api as formulas
from synann_core.graph import SynapseGraph
from tests.helpers import EPS, assert_close, assert_relative

pytestmark = pytest.mark.jax_alternates


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


def test_parameters_that_nothing_reads(xp, dtype):
    """Shared strengths of a graph without inhibition, as `from_arrays` takes them."""
    none = (np.zeros(0, int), np.zeros(0, int))
    graph = SynapseGraph.from_arrays(
        1,
        1,
        excitatory=(np.array([1]), np.array([0])),
        inhibitory=none,
        alpha=np.array([0.5]),
        beta=np.array([0.1, 0.9]),
        beta_index=none[0],
    ).compile()
    x, grad = xp.asarray([[0.25]], dtype), xp.asarray([[1.0]], dtype)
    np.testing.assert_array_equal(xp.to_numpy(xp.call(graph, x)), [[0.125]])
    gx, params = graph.vjp(x, grad=grad)
    np.testing.assert_array_equal(xp.to_numpy(gx), [[0.5]])
    np.testing.assert_array_equal(xp.to_numpy(params.beta), [0.0, 0.0])


def test_a_gradient_wrong_by_a_little_is_caught(monkeypatch):
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    others = formulas._others
    monkeypatch.setattr(formulas, "_others", lambda *given: 1.0005 * others(*given))
    graph = SynapseGraph.from_arrays(
        2, 1, excitatory=([2], [0]), inhibitory=([2, 2], [0, 1]), beta=[0.5, 0.25]
    ).compile()
    neurons = [([0], [(0, 0), (1, 1)], 0)]
    x, grad = np.array([0.5, 0.75]), np.array([0.0, 0.0, 1.0])
    want, _, _ = slow.vjp(neurons, x, *graph.params, grad)
    with pytest.raises(AssertionError, match="entry"):
        assert_close(graph.vjp(x, grad=1.0)[0], want, 1e-10)
    monkeypatch.undo()
    assert_close(graph.vjp(x, grad=1.0)[0], want, 1e-10)
