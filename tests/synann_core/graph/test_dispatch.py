"""Graphs on every array library: values, derivatives, dtypes, and their own autodiff."""

import inspect

import numpy as np
import pytest

import reference.graph as slow
from synann_core.graph import (
    GraphParameters,
    array_api,
    dispatch,
    jitted,
    native,
    recorded,
    transformed,
)
from tests.graphs import ALPHA, BETA, NEURONS, OUTPUTS, X, mixed_graph
from tests.helpers import EPS, assert_close

pytestmark = pytest.mark.jax_alternates


def problem(space):
    """Arguments in a space, the reference's values and gradients, and the upstream gradient."""
    given = (X, ALPHA, BETA)
    values, vjp = slow.values, slow.vjp
    if space == "surprisal":
        given = tuple(-np.log(a) for a in given)
        values, vjp = slow.surprisal_values, slow.surprisal_vjp
    grad = np.random.default_rng(0).normal(size=(*X.shape[:-1], 4)).astype(np.float32)
    every = np.zeros((*X.shape[:-1], 6))
    every[..., OUTPUTS] = grad
    return given, values(NEURONS, *given)[..., OUTPUTS], vjp(NEURONS, *given, every), grad


@pytest.mark.parametrize("space", ["probability", "surprisal"])
def test_values_gradients_and_tangents(xp, dtype, space):
    given, want, gradients, grad = problem(space)
    x, alpha, beta = (xp.asarray(a, dtype) for a in given)
    limit = 50 * EPS[dtype]

    def everything(x, alpha, beta, grad):
        params = GraphParameters(alpha, beta)
        gx, gparams = mixed_graph().vjp(x, params, space=space, grad=grad)
        tangent = mixed_graph().jvp(x, params, space=space, dx=x, dparams=params)
        return mixed_graph()(x, params, space=space), gx, *gparams, tangent

    results = xp.call(everything, x, alpha, beta, xp.asarray(grad, dtype))
    for got in results:
        xp.check(got, dtype)
    out, gx, galpha, gbeta, tangent = map(xp.to_numpy, results)
    assert_close(out, want, limit)
    for got, wanted in zip((gx, galpha, gbeta), gradients, strict=True):
        assert_close(got, wanted, limit)
    total = sum(np.sum(g * a) for g, a in zip(gradients, given, strict=True))
    assert_close(np.sum(grad * tangent), total, limit, scale=10.0)


def test_own_parameters_take_the_dtype(xp, dtype):
    x = xp.asarray(X, dtype)
    out = xp.call(mixed_graph(), x)
    xp.check(out, dtype, (3, 2, 4))
    assert_close(xp.to_numpy(out), problem("probability")[1], 20 * EPS[dtype])
    if not xp.is_jax:  # which would compile for half a second each
        gx, gparams = mixed_graph().vjp(x, grad=1.0)
        for got in (gx, *gparams):
            xp.check(got, dtype)
        xp.check(mixed_graph().values(x[0, 0, :]), dtype, (6,))


@pytest.mark.parametrize("space", ["probability", "surprisal"])
def test_autodiff_agrees(ad, space):
    (x, alpha, beta), _, gradients, grad = problem(space)

    def function(x, alpha, beta):
        return mixed_graph()(x, GraphParameters(alpha, beta), space=space)

    arrays = [ad.asarray(a) for a in (x, alpha, beta)]
    got = ad.gradients(function, ad.asarray(grad), *arrays)
    for a, b in zip(got, gradients, strict=True):
        assert_close(ad.to_numpy(a), b, 1e-13)


def test_autodiff_at_closed_factors(ad):
    """Products of the other factors, as the library's own gradients."""
    x = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    params = [ad.asarray(a) for a in (ALPHA, np.ones(5))]
    grad = np.ones((3, 6))

    def function(x, alpha, beta):
        return mixed_graph().values(x, GraphParameters(alpha, beta))

    got = ad.gradients(function, ad.asarray(grad), ad.asarray(x), *params)
    for a, b in zip(got, slow.vjp(NEURONS, x, ALPHA, np.ones(5), grad), strict=True):
        assert_close(ad.to_numpy(a), b, 1e-14)


def test_half_precision(xp):
    if xp.name.startswith("strict"):
        pytest.skip("array-api-strict has no 16-bit floats")
    x = xp.asarray(X, "float16")
    out = xp.call(mixed_graph(), x)
    xp.check(out, "float16", (3, 2, 4))
    rounded = xp.to_numpy(x).astype(np.float64)
    assert_close(xp.to_numpy(out), mixed_graph()(rounded), EPS["float16"])  # rounded once
    if not xp.is_jax:
        gx, _ = mixed_graph().vjp(x, grad=1.0)
        xp.check(gx, "float16", X.shape)


def test_the_module_that_runs(monkeypatch):
    import array_api_compat.numpy as np_compat
    import array_api_compat.torch as torch_compat
    import jax
    import torch

    monkeypatch.delenv("SYNANN_KERNELS", raising=False)
    tensor = torch.ones(2)
    assert dispatch.choose(np_compat, X) is native
    assert dispatch.choose(jax.numpy, jax.numpy.ones(2)) is jitted
    assert dispatch.choose(torch_compat, tensor) is native
    assert dispatch.choose(torch_compat, tensor, torch.ones(2).requires_grad_()) is recorded
    with torch.no_grad():
        assert dispatch.choose(torch_compat, torch.ones(2).requires_grad_()) is native
    seen = []
    torch.func.vmap(lambda row: (seen.append(dispatch.choose(torch_compat, row)), row)[1])(tensor)
    assert seen == [transformed]
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    assert dispatch.choose(np_compat, X) is dispatch.choose(torch_compat, tensor) is array_api


@pytest.mark.parametrize("module", [array_api, jitted, native, recorded, transformed])
def test_all_modules_offer_the_same_functions(module):
    for name in ("forward", "vjp", "jvp"):
        wanted = inspect.signature(getattr(dispatch.Implementation, name))
        got = inspect.signature(getattr(module, name))
        assert list(got.parameters) == list(wanted.parameters)[1:]
