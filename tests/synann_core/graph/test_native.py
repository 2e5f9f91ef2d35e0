"""Compiled loops: which arrays they serve."""

import numpy as np
import pytest

from synann_core.graph import GraphParameters, array_api, native
from synann_core.graph.structure import Task
from tests.graphs import X, mixed_graph

ROWS = X.reshape(-1, 2)


def test_kernels_serve_torch_and_numpy_of_any_layout(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.delenv("SYNANN_KERNELS", raising=False)
    assert mixed_graph().variant(X) == mixed_graph().variant(torch.asarray(X)) == "native"
    assert mixed_graph().variant(torch.asarray(X).requires_grad_(True)) == "native"
    monkeypatch.setattr(array_api, "forward", None)  # the kernels do compute it
    np.testing.assert_array_equal(
        mixed_graph()(torch.asarray(X).requires_grad_(True)).detach().numpy(), mixed_graph()(X)
    )
    monkeypatch.undo()
    want = mixed_graph()(X)
    for layout in (np.asfortranarray(X), X[::-1][::-1], X.astype(">f8")):
        np.testing.assert_array_equal(mixed_graph()(layout), want)
    np.testing.assert_array_equal(mixed_graph()(torch.asarray(X)).numpy(), want)
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    assert mixed_graph().variant(X) == "array-api"


def test_own_parameters_are_put_in_order_once(monkeypatch):
    monkeypatch.delenv("SYNANN_KERNELS", raising=False)
    structure = mixed_graph()._structure
    task = Task(structure, np, "surprisal")
    own = structure.own("surprisal", X.dtype)
    assert native._strengths(task, own) is native._strengths(task, own)
    other = GraphParameters(*own)
    assert native._strengths(task, other) is not native._strengths(task, other)


@pytest.mark.parametrize("space", ["probability", "surprisal"])
def test_gradients_of_no_rows_are_zero(space):
    graph = mixed_graph()
    for _ in range(3):
        graph.vjp(X, space=space, grad=1.0)  # memory to be used again holds these
        gx, gparams = graph.vjp(X[:0], space=space, grad=1.0)
        assert gx.shape == X[:0].shape
        assert not any(np.any(a) for a in gparams)


@pytest.mark.needs_kernels
@pytest.mark.parametrize("x", [ROWS, ROWS[0], ROWS[:0], 3 * ROWS, -ROWS, ROWS.T.copy().T])
def test_the_short_way_has_the_bits_of_the_long_one(x, dtype):
    """The graph's own parameters and a NumPy array: no argument is checked in Python."""
    graph = mixed_graph()
    x = x.astype(dtype)
    short = native.own_values(graph._structure, x)
    own = GraphParameters(*(a.astype(dtype) for a in graph.params))
    assert short.dtype == dtype
    np.testing.assert_array_equal(short, graph(x, own))
    np.testing.assert_array_equal(short, graph(x))


@pytest.mark.parametrize(
    "x", [ROWS[:, :1], ROWS[0, 0], ROWS.astype(int), ROWS.tolist(), ROWS.astype("f2"), X]
)
def test_what_the_short_way_does_not_take(x):
    assert native.own_values(mixed_graph()._structure, x) is None
