"""The compiled loops over a graph's neurons, on one neuron with two kinds of inputs."""

import numpy as np

from synann_core.native import graph_loops

# Nodes 0 and 1 are inputs; node 2 is excited by 0 and inhibited by 1.
GRAPH = tuple(np.array(a, np.uint32) for a in ([0, 1], [0], [0, 1], [1]))
ROWS = np.uint64(2)
ALPHA, BETA = np.array([2.0]), np.array([0.5])


def values():
    s = np.array([0.9, 0.5, 0.2, 1.0, np.nan, np.nan])  # two rows side by side
    graph_loops.forward(s, ROWS, ALPHA, BETA, GRAPH)
    return s


def test_a_neuron_is_its_gain_times_its_factors():
    assert np.allclose(values()[4:], 2 * np.array([0.9, 0.5]) * (1 - 0.5 * np.array([0.2, 1.0])))


def test_gradients_go_to_inputs_and_parameters():
    g = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 10.0])
    galpha, gbeta = np.zeros(1), np.zeros(1)
    graph_loops.backward(values(), g, ROWS, ALPHA, BETA, GRAPH, galpha, gbeta)
    x, y, t = np.array([0.9, 0.5]), np.array([0.2, 1.0]), np.array([1.0, 10.0])
    assert np.allclose(g[:2], t * 2 * (1 - 0.5 * y))
    assert np.allclose(g[2:4], -t * 2 * x * 0.5)
    assert np.allclose(galpha, (t * x * (1 - 0.5 * y)).sum())
    assert np.allclose(gbeta, -(t * 2 * x * y).sum())


def test_the_tangent_is_the_adjoint_of_the_gradients():
    ds = np.array([1.0, 0.0, 0.0, 1.0, np.nan, np.nan])
    zero = np.zeros(1)
    graph_loops.tangents(values(), ds, ROWS, ALPHA, zero, BETA, zero, GRAPH)
    assert np.allclose(ds[4:], [2 * (1 - 0.5 * 0.2), -2 * 0.5 * 0.5])


def test_parameters_that_are_moved_land_in_their_places():
    out, index = np.zeros(4), np.array([2, 0, 3, 1], np.uint32)
    graph_loops.move(np.arange(4.0), index, out, np.uint64(0), np.uint64(4))
    assert np.array_equal(out[index], np.arange(4.0))
