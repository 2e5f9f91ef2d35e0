"""Graphs under torch.func, its transforms nested in any way: one operation, its own gradients."""

import itertools

import numpy as np
import pytest
import torch

from synann_core.graph import GraphParameters, SynapseGraph, array_api, dispatch, transformed
from tests.graphs import ALPHA, BETA, X, mixed_graph
from tests.helpers import EPS, assert_close

pytestmark = [
    pytest.mark.kernel_branches,
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
]
ROWS = torch.asarray(X.reshape(6, 2))
PARAMS = tuple(map(torch.asarray, (ALPHA, BETA)))


def total(x, alpha, beta, space="probability"):
    return (mixed_graph()(x, GraphParameters(alpha, beta), space=space) ** 2).sum()


def arguments(space):
    given = (ROWS, *PARAMS)
    return given if space == "probability" else tuple(-torch.log(a) for a in given)


def plain(monkeypatch):
    """From here on the array operations alone, which torch transforms one by one."""
    for name in ("forward", "vjp"):
        monkeypatch.setattr(transformed, name, getattr(array_api, name))


func = torch.func
TRANSFORMS = {
    "grad": lambda f, x, a, b: func.grad(f, (0, 1, 2))(x, a, b),
    "jvp": lambda f, x, a, b: func.jvp(f, (x, a, b), (x, a, b))[1],
    "vmap": lambda f, x, a, b: func.vmap(f, (0, None, None))(x, a, b),
    "vmap of grad": lambda f, x, a, b: func.vmap(func.grad(f, (0, 1, 2)), (0, None, None))(x, a, b),
    "vmap by parameters": lambda f, x, a, b: func.vmap(func.grad(f, 1), (None, 0, None))(
        x, torch.stack([a, a / 2]), b
    ),
    "grad of vmap": lambda f, x, a, b: func.grad(
        lambda *g: func.vmap(f, (0, None, None))(*g).sum(), (0, 1, 2)
    )(x, a, b),
    "jvp of grad": lambda f, x, a, b: func.jvp(func.grad(f), (x, a, b), (x, a, b))[1],
    "grad of grad": lambda f, x, a, b: func.grad(
        lambda *g: sum(part.pow(2).sum() for part in func.grad(f, (0, 1, 2))(*g)), (0, 1, 2)
    )(x, a, b),
    "hessian": lambda f, x, a, b: func.hessian(f, 2)(x, a, b),
    "jacrev": lambda f, x, a, b: func.jacrev(f, (0, 1, 2))(x, a, b),
    "jacfwd of jacfwd": lambda f, x, a, b: func.jacfwd(func.jacfwd(f, 2), 1)(x, a, b),
}


@pytest.mark.parametrize("space", ["probability", "surprisal"])
@pytest.mark.parametrize("way", TRANSFORMS)
def test_transforms_are_those_of_the_operations(way, space, monkeypatch):
    def function(x, alpha, beta):
        return total(x, alpha, beta, space)

    given = arguments(space)
    got = TRANSFORMS[way](function, *given)
    plain(monkeypatch)
    want = TRANSFORMS[way](function, *given)
    got, want = ((a,) if isinstance(a, torch.Tensor) else a for a in (got, want))
    for a, b in zip(got, want, strict=True):
        assert_close(a, b, 100 * EPS["float64"])


def test_a_module_that_serves_torch_func(monkeypatch):
    seen = []

    def look(x):
        seen.append(dispatch.choose(torch_namespace(), x))
        return x.sum()

    func.grad(look)(ROWS)
    func.vmap(look)(ROWS)
    assert seen == [transformed, transformed]


def torch_namespace():
    import array_api_compat.torch

    return array_api_compat.torch


def test_gradients_by_hand_under_a_transform():
    """`vjp` and `jvp` of a compiled graph, inside a function that is differentiated."""

    def slope(x):
        gx, _ = mixed_graph().vjp(x, GraphParameters(*PARAMS), grad=torch.ones(6, 4).double())
        return (gx**2).sum()

    got = func.grad(slope)(ROWS)
    leaf = ROWS.clone().requires_grad_()
    (want,) = torch.autograd.grad(slope(leaf), leaf)
    assert_close(got, want, 100 * EPS["float64"])


def test_plain_autograd_around_a_transform():
    """A leaf that plain autograd records, and torch.func inside."""
    leaf = ROWS.clone().requires_grad_()
    inner = func.grad(lambda alpha: total(leaf, alpha, PARAMS[1]))(PARAMS[0])
    (got,) = torch.autograd.grad(inner.pow(2).sum(), leaf)
    alpha = PARAMS[0].clone().requires_grad_()
    (first,) = torch.autograd.grad(total(leaf, alpha, PARAMS[1]), alpha, create_graph=True)
    (want,) = torch.autograd.grad(first.pow(2).sum(), leaf)
    assert_close(got, want, 100 * EPS["float64"])


def test_a_long_chain_has_the_written_gradients():
    n = 2000
    nodes = np.arange(1, n + 1)
    compiled = SynapseGraph.from_arrays(
        1, n, inhibitory=(nodes, nodes - 1), beta=np.linspace(0.2, 0.9, n)
    ).compile()
    x = torch.full((1,), 0.25).double()

    def value(x, alpha, beta):
        return compiled(x, GraphParameters(alpha, beta)).sum()

    given = (x, *(torch.asarray(p.copy()) for p in compiled.params))
    got = func.grad(value, (0, 1, 2))(*given)
    want = compiled.vjp(x, grad=1.0)
    for a, b in zip(got, itertools.chain([want[0]], want[1]), strict=True):
        assert_close(a, b, 1e-12)
