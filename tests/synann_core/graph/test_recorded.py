"""Graphs under torch's autograd and transforms."""

import numpy as np
import pytest
import torch

from synann_core.graph import GraphParameters
from tests.graphs import ALPHA, BETA, X, mixed_graph, occupied
from tests.helpers import EPS, assert_relative


def test_second_derivatives_on_torch_in_surprisal_space():
    compiled, want = occupied()
    params = GraphParameters(torch.zeros(1).double(), torch.tensor([0.7]).double())
    u = torch.tensor([0.3]).double().requires_grad_()
    out = compiled(u, params, space="surprisal").sum()
    (first,) = torch.autograd.grad(out, u, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), u)
    assert_relative(second.numpy(), [want], 8 * EPS["float64"])


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torch_functions_and_second_derivatives():
    x, alpha, beta = (torch.asarray(a) for a in (X.reshape(6, 2), ALPHA, BETA))

    def total(x):
        return (mixed_graph()(x, GraphParameters(alpha, beta)) ** 2).sum()

    leaf = x.clone().requires_grad_(True)
    (first,) = torch.autograd.grad(total(leaf), leaf, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), leaf)
    torch.testing.assert_close(torch.func.grad(total)(x), first.detach())
    want = torch.func.jvp(torch.func.grad(total), (x,), (torch.ones_like(x),))[1]
    torch.testing.assert_close(second, want)  # Hessians are symmetric
    rows = torch.func.vmap(lambda row: mixed_graph()(row, GraphParameters(alpha, beta)))(x)
    torch.testing.assert_close(rows, mixed_graph()(x))


def test_kernels_serve_inside_the_recorded_operation(monkeypatch):
    """Forward and backward pass have the bits of the compiled loops, which never see autograd."""
    monkeypatch.delenv("SYNANN_KERNELS", raising=False)
    x = torch.asarray(X).requires_grad_(True)
    out = mixed_graph()(x)
    np.testing.assert_array_equal(out.detach().numpy(), mixed_graph()(X))
    (gx,) = torch.autograd.grad(out.sum(), x)
    np.testing.assert_array_equal(gx.numpy(), mixed_graph().vjp(X, grad=1.0)[0])


def test_batched_gradients_are_those_one_by_one():
    x, alpha, beta = (torch.asarray(a) for a in (X.reshape(6, 2), ALPHA, BETA))

    def outputs(x, alpha, beta):
        return mixed_graph()(x, GraphParameters(alpha, beta))

    jacobian = torch.autograd.functional.jacobian
    found = (jacobian(outputs, (x, alpha, beta), vectorize=choice) for choice in (True, False))
    for got, want in zip(*found, strict=True):
        assert torch.equal(got, want)
