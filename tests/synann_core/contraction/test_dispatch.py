"""One visible choice: which module evaluates the contraction, and that all agree."""

import types

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import synann_core as syn
from synann_core.contraction import (
    array_api,
    dispatch,
    host_calls,
    jax_primitives,
    native,
    recorded,
    torch_operators,
    triton,
)
from synann_core.contraction.factors import probability_factors
from tests.helpers import EPS, assert_close

MODULES = (array_api, host_calls, jax_primitives, native, recorded, torch_operators, triton)


@pytest.fixture(autouse=True)
def kernels_on(monkeypatch):
    monkeypatch.delenv("SYNANN_KERNELS", raising=False)


class Watch(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


def choose(*tensors):
    return dispatch.choose(torch, *tensors)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_all_modules_offer_the_same_functions(module):
    for name in ("forward", "vjp", "jvp"):
        assert callable(getattr(module, name))


def test_who_runs_for_torch():
    plain, leaf = torch.rand(2, 3), torch.rand(2, 3, requires_grad=True)
    assert choose(plain, None, plain) is native
    assert choose(plain, None, leaf) is recorded
    with torch.no_grad():
        assert choose(plain, None, leaf) is native
    with Watch():
        assert choose(plain, None, plain) is torch_operators
    found = []
    torch.func.vmap(lambda y: found.append(choose(y, None, plain)) or y)(plain)
    assert found == [array_api]


def test_who_runs_for_other_libraries(xp):
    a = xp.asarray(np.ones((2, 3)))
    compiled = {"numpy": native, "numpy-readonly": native, "torch": native}
    compiled |= {"jax": jax_primitives, "jax-jit": jax_primitives}
    assert dispatch.choose(xp._namespace(), a, None, a) is compiled.get(xp.name, array_api)


def test_who_runs_where_graphs_are_built():
    """As `synann_keras` has one for tensorflow, with loops of its own."""
    names = types.ModuleType("names")
    names.scan_blocks = None
    assert dispatch.choose(names) is recorded


def test_names_of_the_variants(monkeypatch):
    import jax.numpy as jnp

    y, beta = np.ones((2, 3)), np.ones((4, 3))
    assert syn.log_transmission_variant(y, beta) == "native"
    assert syn.log_transmission_variant(jnp.asarray(y), jnp.asarray(beta)) == "native"
    leaf = torch.ones((2, 3), requires_grad=True)
    # What computes the numbers, though autograd records them.
    assert syn.log_transmission_variant(leaf, torch.ones((4, 3))) == "native"
    with Watch():
        assert syn.log_transmission_variant(leaf, torch.ones((4, 3))) == "array-api"
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    assert syn.log_transmission_variant(y, beta) == "array-api"
    assert syn.log_transmission_variant(jnp.asarray(y), jnp.asarray(beta)) == "jax-scan"


def test_functions_of_the_chosen_module(xp, dtype):
    rng = np.random.default_rng(0)
    y, dy = rng.uniform(0.05, 0.9, (2, 3, 70))
    beta, dbeta = rng.uniform(0.05, 0.9, (2, 4, 70))
    grad = rng.normal(size=(3, 4))
    arrays = [xp.asarray(a, dtype) for a in (y, beta)]
    names = xp._namespace()
    factors = probability_factors(*arrays, xp=names)
    f = 1 - y[:, None, :] * beta
    for value in dispatch.log_product(factors, xp=names):
        assert_close(xp.to_numpy(value), np.log(f).sum(-1), 32 * EPS[dtype])
    upstream = xp.asarray(grad, dtype)
    gy, gbeta = dispatch.log_product_vjp(factors, upstream, xp=names)
    t = -grad[:, :, None] / f
    assert_close(xp.to_numpy(gy), (t * beta).sum(1), 64 * EPS[dtype])
    assert_close(xp.to_numpy(gbeta), (t * y[:, None, :]).sum(0), 64 * EPS[dtype])
    tangents = [xp.asarray(a, dtype) for a in (dy, dbeta)]
    got = dispatch.log_product_jvp(factors, *tangents, xp=names)
    want = -((beta * dy[:, None, :] + y[:, None, :] * dbeta) / f).sum(-1)
    assert_close(xp.to_numpy(got), want, 64 * EPS[dtype])
