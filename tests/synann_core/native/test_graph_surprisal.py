"""The kernels of graphs in surprisal space, on one neuron with two kinds of inputs."""

import numpy as np
import pytest

from synann_core.native.host import kernels

# Nodes 0 and 1 are inputs; node 2 is excited by 0 and inhibited by 1.
GRAPH = (
    *(np.array([0, 1]), np.array([0], np.uint32)),
    *(np.array([0, 1]), np.array([1], np.uint32)),
)
INPUTS, ROWS, FLOOR = 2, 1, 1e-290
X, Y, ALPHA, BETA = 0.9, 0.2, 0.5, 0.5


def values(x=X, y=Y, beta=BETA):
    """Surprisals, and probabilities with their complements, of rows side by side."""
    z = -np.log(np.concatenate([np.atleast_1d(a) for a in (x, y, np.full_like(y, np.nan))]))
    theta, beta, rows = -np.log(np.array([ALPHA])), np.array([beta]), z.size // 3
    pairs = np.stack([a.reshape(3, rows) for a in (np.exp(-z), -np.expm1(-z))], axis=1).ravel()
    kernels.graph_surprisal_forward(z, pairs, theta, beta, 1 - beta, *GRAPH, rows, INPUTS)
    return z, pairs


def test_a_neuron_adds_up_its_surprisals():
    z, pairs = values()
    y, y_bar = pairs[::2], pairs[1::2]
    assert np.isclose(z[2], -np.log(ALPHA * X * (1 - BETA * Y)), rtol=1e-14)
    assert np.isclose(y[2], ALPHA * X * (1 - BETA * Y), rtol=1e-14)
    assert np.isclose(y_bar[2], 1 - y[2], rtol=1e-14)


def test_a_closed_row_does_not_touch_the_others():
    y = np.linspace(0.0, 1.0, 19)
    with np.errstate(divide="ignore"):
        z, _ = values(np.full(19, X), y, 1.0)
        alone = [values(X, k, 1.0)[0][2] for k in y]
    assert np.isposinf(z[-1])
    assert np.array_equal(z[38:], alone)


def test_gradients_are_occupations():
    _, pairs = values()
    h, gtheta, ggamma = np.array([0.0, 0.0, 1.0]), np.full(1, np.nan), np.full(1, np.nan)
    beta = np.array([BETA])
    arguments = (pairs, h, beta, 1 - beta, *GRAPH, gtheta, ggamma)
    kernels.graph_surprisal_backward(*arguments, ROWS, INPUTS, True, FLOOR)
    occupation = BETA * Y / (1 - BETA * Y)
    assert np.allclose(h[:2], [1.0, -occupation])
    assert np.allclose([gtheta[0], ggamma[0]], [1.0, -occupation])
    h[:] = [0.0, 0.0, 1.0]
    kernels.graph_surprisal_backward(*arguments, ROWS, INPUTS, False, FLOOR)
    assert np.allclose([gtheta[0], ggamma[0]], [2.0, -2 * occupation])


def test_the_tangent_uses_the_same_occupations():
    _, pairs = values()
    dz, beta, zero = np.array([1.0, 1.0, np.nan]), np.array([BETA]), np.zeros(1)
    arguments = (pairs, dz, zero, beta, 1 - beta, zero, *GRAPH)
    kernels.graph_surprisal_tangents(*arguments, ROWS, INPUTS, FLOOR)
    assert np.isclose(dz[2], 1.0 - BETA * Y / (1 - BETA * Y))


@pytest.mark.parametrize(("rows", "inputs"), [(0, 2), (-1, 2), (2, 2), (1, 3)])
def test_values_that_are_not_those_of_the_graph_are_refused(rows, inputs):
    z, pairs, one = np.ones(3), np.ones(6), np.ones(1)
    sizes = (rows, inputs)
    for call in (
        lambda: kernels.graph_surprisal_forward(z, pairs, one, one, one, *GRAPH, *sizes),
        lambda: kernels.graph_surprisal_backward(
            pairs, z, one, one, *GRAPH, one, one, *sizes, True, 0.0
        ),
        lambda: kernels.graph_surprisal_tangents(pairs, z, *(one,) * 4, *GRAPH, *sizes, 0.0),
    ):
        with pytest.raises(ValueError, match="outside its range"):
            call()
