"""The kernels as operators of torch: their rules, their results, and when they are there."""

import pytest
import torch
from array_api_compat import torch as xp

from synann_core.contraction import native, torch_operators
from synann_core.contraction.factors import probability_factors
from tests.helpers import EPS, assert_close
from tests.synann_core.contraction.test_native_processes import python


def arguments(name):
    generator = torch.Generator().manual_seed(0)
    y, beta, grad = (torch.rand(s, generator=generator) for s in ((3, 5), (4, 5), (3, 4)))
    if name == "log_product":
        return [y.requires_grad_(), None, beta.requires_grad_(), None, 2.0**-25, 4]
    return [y, None, beta, None, grad, 2.0**-25, 4]


@pytest.mark.parametrize("name", ["log_product", "log_product_vjp"])
def test_operators_keep_the_rules(name):
    torch.library.opcheck(getattr(torch.ops.synann, name).default, tuple(arguments(name)))


@pytest.mark.parametrize("name", ["log_product", "log_product_vjp"])
@pytest.mark.parametrize("kernels", ["", "off"])
def test_results_are_contiguous_and_share_no_memory(name, kernels, monkeypatch):
    monkeypatch.setenv("SYNANN_KERNELS", kernels)
    with torch.no_grad():
        first, second = getattr(torch_operators, name)(*arguments(name))
    assert first.is_contiguous()
    assert second.is_contiguous()
    assert first.data_ptr() != second.data_ptr()


@pytest.mark.needs_kernels
def test_values_and_gradients_are_the_kernels():
    y, _, beta, *_ = arguments("log_product")
    value = torch_operators.forward(probability_factors(y, beta, xp=xp), xp=xp)[0]
    plain = probability_factors(y.detach(), beta.detach(), xp=xp)
    assert torch.equal(value.detach(), native.forward(plain, xp=xp)[0])
    got = torch.autograd.grad(value.sum(), (y, beta))
    for gradient, want in zip(got, native.vjp(plain, torch.ones(3, 4), xp=xp), strict=True):
        assert_close(gradient, want, 4 * EPS["float32"])


LATE = """
import sys, warnings
warnings.simplefilter("ignore")
import torch
import synann_core as syn
y, beta = torch.rand(3, 5), torch.rand(4, 5)
want = syn.log_transmission(y, beta)
name = "synann_core.contraction.torch_operators"
print(name in sys.modules)
compiled = torch.compile(syn.log_transmission, backend="eager", fullgraph=True)
print(torch.equal(compiled(y, beta), want), name in sys.modules)
"""


def test_the_compiler_imports_them_when_it_traces():
    assert python(LATE) == ["False", "True", "True"]


SAVE = """
import sys
import torch
from synann_torch import Synapse
layer, y = Synapse(5, 5), torch.rand(3, 5)
torch.export.save(torch.export.export(layer, (y,)), sys.argv[1])
torch.save((y, layer(y).detach()), sys.argv[2])
"""
LOAD = """
import sys
import torch
import synann_torch
y, want = torch.load(sys.argv[2])
got = torch.export.load(sys.argv[1]).module()(y)
# Last bits may differ: β is torch's sigmoid in a program, and the kernels' own in a call.
print(torch.allclose(got, want, rtol=1e-6, atol=0.0))
"""


def test_a_saved_program_finds_them(tmp_path):
    """In a fresh process, which has traced nothing: importing synann_torch registers them."""
    paths = tmp_path / "layer.pt2", tmp_path / "values.pt"
    assert python(SAVE, *paths) == []
    assert python(LOAD, *paths) == ["True"]
