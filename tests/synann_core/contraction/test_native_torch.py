"""The compiled kernels and torch: strides of its tensors, its autograd, its modes."""

import pytest

import synann_core as syn
from synann_core.contraction import array_api, native
from tests.helpers import EPS, assert_close
from tests.synann_core.contraction.test_native import (
    arguments,
    assert_same_bits,
    every_second,
    kernels_on,
    outputs,
    without_kernels,
)

__all__ = ["kernels_on"]  # a fixture, for every test here too


@pytest.mark.parametrize("form", ["transposed", "every second", "expanded", "negated view"])
def test_strides_of_torch(form):
    import torch

    def make(a):
        if form == "transposed":
            return torch.tensor(a.T.copy()).T
        if form == "every second":
            return torch.from_numpy(every_second(a))
        if form == "expanded":
            return torch.tensor(a[:1]).expand(*a.shape)
        return torch.complex(torch.tensor(a), torch.tensor(-a)).conj().imag

    given = [make(a) for a in arguments(9, 70, 40)]
    copies = [a.clone(memory_format=torch.contiguous_format).resolve_neg() for a in given]
    got = outputs(*given)
    assert_same_bits(got, outputs(*copies))
    in_numpy = outputs(*(a.numpy() for a in copies))
    # Both libraries' e^x differ: the surprisals' bits are not the same.
    assert_same_bits(got, {name: in_numpy[name] for name in ("T", "gy", "gbeta", "dT")})


def not_called(*_, **__):
    pytest.fail("this branch must not be called")


@pytest.fixture
def no_kernel(monkeypatch):
    for name in ("forward", "vjp", "jvp"):
        monkeypatch.setattr(native, name, not_called)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_autograd_of_torch(dtype, monkeypatch):
    import torch

    for name in ("forward", "vjp"):
        monkeypatch.setattr(array_api, name, not_called)
    y, beta, _, _, grad, *_ = map(torch.from_numpy, arguments(9, 70, 40, dtype))
    want = syn.log_transmission_vjp(y, beta, grad)
    leaves = [a.clone().requires_grad_() for a in (y, beta)]
    value = syn.log_transmission(*leaves)
    assert torch.equal(value, syn.log_transmission(y, beta))
    for got, gradient in zip(torch.autograd.grad(value, leaves, grad), want, strict=True):
        assert_close(got, gradient, 4 * EPS[dtype])


def test_second_derivatives_of_torch():
    import torch

    y, beta = (torch.from_numpy(a).requires_grad_() for a in arguments(3, 35, 4, "float64")[:2])
    gy, gbeta = torch.autograd.grad(
        syn.log_transmission(y, beta).sum(), (y, beta), create_graph=True
    )
    (curvature,) = torch.autograd.grad(gy.sum(), y, retain_graph=True)
    f = (1 - y[:, None, :] * beta).detach()
    assert_close(curvature, (-((beta.detach() / f) ** 2)).sum(1), 64 * EPS["float64"])
    (mixed,) = torch.autograd.grad(gbeta.sum(), y)
    assert_close(mixed, (-1 / f**2).sum(1), 64 * EPS["float64"])


# torch compiles formulas of its forward mode by torch.jit, which it calls deprecated.
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
def test_transforms_of_torch_do_not_reach_a_kernel(no_kernel, monkeypatch):
    # Some see the kernel as an operator of torch.
    from synann_core.contraction import torch_operators

    for name in ("forward", "vjp", "jvp"):
        monkeypatch.setattr(torch_operators, name, getattr(array_api, name))
    import torch
    from torch._subclasses import FakeTensorMode

    y, beta = (torch.from_numpy(a) for a in arguments(3, 35, 4, "float64")[:2])
    want = without_kernels(syn.log_transmission, y, beta)
    compiled = torch.compile(syn.log_transmission, backend="eager", fullgraph=True)
    assert_close(compiled(y, beta), want, 8 * EPS["float64"])
    torch.func.grad(lambda y: syn.log_transmission(y, beta).sum())(y)
    torch.func.vmap(lambda y: syn.log_transmission(y, beta))(y)
    torch.func.jvp(lambda y: syn.log_transmission(y, beta), (y,), (y,))
    with FakeTensorMode() as mode:
        fake = [mode.from_tensor(a) for a in (y, beta)]
        assert syn.log_transmission(*fake).shape == (3, 4)
        assert syn.log_transmission_variant(*fake) == "array-api"
        assert syn.log_transmission_vjp(*fake, 1.0)[1].shape == (4, 35)


@pytest.mark.parametrize("mode", ["real", "fake"])
def test_traces_of_torch_depend_on_the_inputs(mode):
    """A kernel inside a trace would leave its result there as a constant."""
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    y, beta = (torch.from_numpy(a) for a in arguments(3, 35, 4, "float64")[:2])
    traced = make_fx(lambda *a: syn.log_transmission(*a), tracing_mode=mode)(y, beta)
    want = syn.log_transmission(0.5 * y, beta)
    assert_close(traced(0.5 * y, beta), want, 32 * EPS["float64"])
