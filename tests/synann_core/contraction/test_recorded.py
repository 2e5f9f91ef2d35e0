"""The contraction as one operation that is recorded, with the written gradients."""

import weakref

import numpy as np
import pytest
import torch
from array_api_compat import torch as xp

from synann_core.contraction import array_api, native, recorded
from synann_core.contraction.factors import probability_factors, surprisal_factors
from tests.helpers import EPS, assert_close


@pytest.fixture(autouse=True)
def kernels_on(monkeypatch):
    monkeypatch.delenv("SYNANN_KERNELS", raising=False)


def leaves():
    generator = torch.Generator().manual_seed(0)
    shapes = (3, 7), (4, 7)
    return [torch.rand(s, generator=generator).double().requires_grad_() for s in shapes]


@pytest.mark.parametrize("make", [probability_factors, surprisal_factors])
@pytest.mark.parametrize("which", [0, 1])
def test_gradients_are_the_written_ones(make, which):
    """Of both results, and with the 1 − y and 1 − β that factors of surprisals bring along."""
    given = leaves()
    factors = make(*given, xp=xp)
    value = recorded.forward(factors, xp=xp)[which]
    plain = make(*(a.detach() for a in given), xp=xp)
    assert torch.equal(value, native.forward(plain, xp=xp)[which])
    grad = torch.randn(3, 4, generator=torch.Generator().manual_seed(1)).double()
    got = torch.autograd.grad(value, (factors.y, factors.beta), grad)
    for gradient, want in zip(got, native.vjp(plain, grad, xp=xp), strict=True):
        assert_close(gradient, want, 4 * EPS["float64"])


def test_nothing_is_recorded_inside(monkeypatch):
    """Neither in the forward pass nor in the backward pass: the compiled loops serve both."""
    for name in ("forward", "vjp"):
        monkeypatch.setattr(array_api, name, lambda *_, **__: pytest.fail("operations"))
    value = recorded.forward(probability_factors(*leaves(), xp=xp), xp=xp)[0]
    assert value.grad_fn.name().startswith("WithGradient")
    value.sum().backward()


@pytest.mark.parametrize("make", [probability_factors, surprisal_factors])
def test_only_autograd_keeps_the_arrays(make):
    """A hook that stores them elsewhere, or a checkpoint that drops them, frees their memory."""
    factors = make(*(leaf * 1.0 for leaf in leaves()), xp=xp)
    left = [weakref.ref(array) for array in factors[:4] if array is not None]
    with torch.autograd.graph.saved_tensors_hooks(lambda _: None, lambda _: None):
        value = recorded.forward(factors, xp=xp)[0]
    assert value.requires_grad
    del factors
    assert [reference() for reference in left] == [None] * len(left)


def test_second_derivatives_record_the_first():
    y, beta = leaves()
    value = recorded.forward(probability_factors(y, beta, xp=xp), xp=xp)[0]
    (gy,) = torch.autograd.grad(value.sum(), y, create_graph=True)
    (mixed,) = torch.autograd.grad(gy.sum(), beta)
    f = (1 - y[:, None, :] * beta).detach()
    assert_close(mixed, (-1 / f**2).sum(0), 64 * EPS["float64"])


class Graphs:
    """A namespace that builds graphs, as far as it is used here: NumPy, and a note of records."""

    __name__ = "graphs"

    def __init__(self):
        self.noted = []

    def __getattr__(self, name):
        return getattr(np, name)

    def scan_blocks(self, step, carry, parts):
        outputs = []
        for k in range(parts[0].shape[0]):
            carry, output = step(carry, tuple(part[k] for part in parts))
            outputs.append(output)
        if outputs[0] is None:
            return carry, None
        return carry, tuple(np.stack(group) for group in zip(*outputs, strict=True))

    def attach(self, value, carrier):
        return value

    def stop_gradient(self, value):
        return value

    def with_gradient(self, function, vjp, *arrays):
        self.noted.append((vjp, arrays))
        return function(*arrays)


def test_a_namespace_that_builds_graphs():
    names = Graphs()
    y, beta = (a.detach().numpy() for a in leaves())
    exact = recorded.forward(probability_factors(y, beta, xp=names), xp=names)[0]
    f = 1 - y[:, None, :] * beta
    assert_close(exact, np.log(f).sum(-1), 32 * EPS["float64"])
    ((vjp, arrays),) = names.noted
    assert [a is None for a in arrays] == [False, True, False, True]
    # Both results hand on to the same gradients, and 1 − y and 1 − β have none of their own.
    gy, of_y_bar, gbeta, of_beta_bar = vjp(*arrays, np.ones((3, 4)), np.ones((3, 4)))
    assert of_y_bar is None
    assert of_beta_bar is None
    assert_close(gy, (-2 * beta / f).sum(1), 32 * EPS["float64"])
    assert_close(gbeta, (-2 * y[:, None, :] / f).sum(0), 32 * EPS["float64"])
