"""The compiled loops over a graph in surprisal space, on one neuron with two kinds of inputs."""

import numpy as np

from synann_core.native import graph_surprisal_loops

GRAPH = tuple(np.array(a, np.uint32) for a in ([0, 1], [0], [0, 1], [1]))
ROWS, FLOOR = np.uint64(1), 1e-290
X, Y, ALPHA, BETA = 0.9, 0.2, 0.5, 0.5


def values():
    z = -np.log(np.array([X, Y, np.nan]))
    y, y_bar = np.exp(-z), -np.expm1(-z)
    beta = np.array([BETA])
    theta = -np.log(np.array([ALPHA]))
    graph_surprisal_loops.forward(z, y, y_bar, ROWS, theta, beta, 1 - beta, GRAPH)
    return z, y, y_bar


def test_a_neuron_adds_up_its_surprisals():
    z, y, y_bar = values()
    assert np.isclose(z[2], -np.log(ALPHA * X * (1 - BETA * Y)), rtol=1e-14)
    assert np.isclose(y[2], ALPHA * X * (1 - BETA * Y), rtol=1e-14)
    assert np.isclose(y_bar[2], 1 - y[2], rtol=1e-14)


def test_gradients_are_occupations():
    _, y, y_bar = values()
    h, gtheta, ggamma = np.array([0.0, 0.0, 1.0]), np.zeros(1), np.zeros(1)
    beta = np.array([BETA])
    graph_surprisal_loops.backward(y, y_bar, h, ROWS, beta, 1 - beta, GRAPH, FLOOR, gtheta, ggamma)
    occupation = BETA * Y / (1 - BETA * Y)
    assert np.allclose(h[:2], [1.0, -occupation])
    assert np.allclose([gtheta[0], ggamma[0]], [1.0, -occupation])


def test_the_tangent_uses_the_same_occupations():
    _, y, y_bar = values()
    dz, beta, zero = np.array([1.0, 1.0, np.nan]), np.array([BETA]), np.zeros(1)
    graph_surprisal_loops.tangents(y, y_bar, dz, ROWS, zero, beta, 1 - beta, zero, GRAPH, FLOOR)
    assert np.isclose(dz[2], 1.0 - BETA * Y / (1 - BETA * Y))
