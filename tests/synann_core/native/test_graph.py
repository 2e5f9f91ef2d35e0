"""The kernels of graphs in probability space, called as their host calls them."""

import numpy as np
import pytest

from synann_core.native.host import kernels

# Nodes 0 and 1 are inputs; node 2 is excited by 0 and inhibited by 1.
INPUTS, ROWS = 2, 2
GRAPH = (
    *(np.array([0, 1]), np.array([0], np.uint32)),
    *(np.array([0, 1]), np.array([1], np.uint32)),
)
ALPHA, BETA = np.array([2.0]), np.array([0.5])
KINDS = [np.float32, np.float64]


def values():
    s = np.array([0.9, 0.5, 0.2, 1.0, np.nan, np.nan])  # two rows side by side
    kernels.graph_forward(s, ALPHA, BETA, *GRAPH, ROWS, INPUTS, False)
    return s


def with_gradients(s, g, rows):
    """Values and gradients, or tangents, of a node side by side."""
    return np.stack([s.reshape(-1, rows), g.reshape(-1, rows)], axis=1).ravel()


def test_a_neuron_is_its_gain_times_its_factors():
    assert np.allclose(values()[4:], 2 * np.array([0.9, 0.5]) * (1 - 0.5 * np.array([0.2, 1.0])))


def test_gradients_go_to_inputs_and_parameters():
    upstream = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 10.0])
    pairs = with_gradients(values(), upstream, ROWS)
    galpha, gbeta = np.full(1, np.nan), np.full(1, np.nan)
    kernels.graph_backward(pairs, ALPHA, BETA, *GRAPH, galpha, gbeta, ROWS, INPUTS, True)
    g = pairs.reshape(-1, 2, ROWS)[:, 1].ravel()
    x, y, t = np.array([0.9, 0.5]), np.array([0.2, 1.0]), np.array([1.0, 10.0])
    assert np.allclose(g[:2], t * 2 * (1 - 0.5 * y))
    assert np.allclose(g[2:4], -t * 2 * x * 0.5)
    assert np.allclose(galpha, (t * x * (1 - 0.5 * y)).sum())
    assert np.allclose(gbeta, -(t * 2 * x * y).sum())
    pairs, once = with_gradients(values(), upstream, ROWS), np.concatenate([galpha, gbeta])
    kernels.graph_backward(pairs, ALPHA, BETA, *GRAPH, galpha, gbeta, ROWS, INPUTS, False)
    assert np.allclose(np.concatenate([galpha, gbeta]), 2 * once)


def test_the_tangent_is_the_adjoint_of_the_gradients():
    pairs = with_gradients(values(), np.array([1.0, 0.0, 0.0, 1.0, np.nan, np.nan]), ROWS)
    zero = np.zeros(1)
    kernels.graph_tangents(pairs, ALPHA, zero, BETA, zero, *GRAPH, ROWS, INPUTS)
    assert np.allclose(pairs[-2:], [2 * (1 - 0.5 * 0.2), -2 * 0.5 * 0.5])


def wired(inputs, neurons, most, kind):
    """A random graph, α, β and values of 19 rows, of which some are 0."""
    rng = np.random.default_rng(most)
    edges = []
    for _ in range(2):
        lists = [rng.integers(0, inputs + i, rng.integers(0, most + 1)) for i in range(neurons)]
        edges.append(np.cumsum([0, *map(len, lists)]).astype(np.int64))
        edges.append(np.concatenate(lists).astype(np.uint32))
    alpha = rng.uniform(0.5, 1.5, neurons).astype(kind)
    beta = rng.random(edges[3].size).astype(kind)
    x = rng.uniform(0.8, 1.0, (inputs, 19)).astype(kind)
    x[rng.random(x.shape) < 0.05] = 0.0
    return edges, alpha, beta, x


def run(graph, alpha, beta, x):
    """Values, all gradients for ones, and tangents along ones."""
    (inputs, rows), neurons = x.shape, alpha.size
    s = np.concatenate([x.ravel(), np.full(neurons * rows, np.nan, x.dtype)])
    kernels.graph_forward(s, alpha, beta, *graph, rows, inputs, False)
    pairs, moved = (with_gradients(s, np.ones_like(s), rows) for _ in range(2))
    ga, gb = np.empty_like(alpha), np.empty_like(beta)
    kernels.graph_backward(pairs, alpha, beta, *graph, ga, gb, rows, inputs, True)
    along = (alpha, np.ones_like(alpha), beta, np.ones_like(beta))
    kernels.graph_tangents(moved, *along, *graph, rows, inputs)
    g, ds = (a.reshape(-1, 2, rows)[:, 1] for a in (pairs, moved))
    return [s.reshape(-1, rows), g, ds], (ga, gb)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [2, 40, 100])
def test_a_row_has_the_same_bits_alone_and_among_others(kind, most):
    graph, alpha, beta, x = wired(5, 12, most, kind)
    together, sums = run(graph, alpha, beta, x)
    alone = [run(graph, alpha, beta, x[:, k : k + 1].copy()) for k in range(x.shape[1])]
    for k, a in enumerate(together):
        assert np.array_equal(a, np.concatenate([one[0][k] for one in alone], axis=1))
    for k, total in enumerate(sums):
        assert np.allclose(total, sum(one[1][k] for one in alone), rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("neurons", [60, 4000])
@pytest.mark.parametrize("outside", [False, True])
def test_what_is_known_of_the_values_changes_no_bit(neurons, outside, kind):
    """Few and many nodes, and inputs that belie the parameters."""
    graph, alpha, beta, x = wired(5, neurons, 6, kind)
    alpha = np.minimum(alpha, 1)
    if outside:
        x[3, 7] = 1.5
    found = []
    for inside in (False, True):
        s = np.concatenate([x.ravel(), np.full(neurons * 19, np.nan, kind)])
        kernels.graph_forward(s, alpha, beta, *graph, 19, 5, inside)
        found.append(s)
    assert np.array_equal(*found, equal_nan=True)


def test_parameters_that_are_moved_land_in_their_places():
    out, index = np.zeros(4), np.array([2, 0, 3, 1], np.uint32)
    kernels.graph_move(np.arange(4.0), index, out, 0, 4)
    assert np.array_equal(out[index], np.arange(4.0))


@pytest.mark.parametrize(
    ("places", "start", "stop"), [([4, 0], 0, 2), ([0, 1], -1, 2), ([0, 1], 0, 3)]
)
def test_nothing_is_moved_out_of_an_array(places, start, stop):
    with pytest.raises(ValueError, match="outside its range"):
        kernels.graph_move(np.ones(2), np.array(places, np.uint32), np.zeros(4), start, stop)


@pytest.mark.parametrize(
    ("array", "value"),
    [(0, [0, 2]), (0, [1, 1]), (0, [0, 0]), (0, []), (1, [2]), (1, [1 << 31]), (2, [0, 1, 0])],
)
def test_a_graph_that_reads_elsewhere_is_refused(array, value):
    kernels.graph_check(*GRAPH, INPUTS)
    graph = list(GRAPH)
    graph[array] = np.array(value, graph[array].dtype)
    with pytest.raises(ValueError, match=r"outside its range|must be"):
        kernels.graph_check(*graph, INPUTS)


@pytest.mark.parametrize(("rows", "inputs"), [(0, 2), (-1, 2), (1, 2), (2, 3), (4, -1)])
def test_values_that_are_not_those_of_the_graph_are_refused(rows, inputs):
    s, pairs, one = np.ones(6), np.ones(12), np.ones(1)
    for call in (
        lambda: kernels.graph_forward(s, one, one, *GRAPH, rows, inputs, False),
        lambda: kernels.graph_backward(pairs, one, one, *GRAPH, one, one, rows, inputs, True),
        lambda: kernels.graph_tangents(pairs, one, one, one, one, *GRAPH, rows, inputs),
    ):
        with pytest.raises(ValueError, match="outside its range"):
            call()
