"""Synapse graphs on every array library: values, derivatives, dtypes, and their own autodiff."""

import functools

import numpy as np
import pytest

import reference.graph as slow
from synann_core.graph import GraphParameters, SynapseGraph
from tests.helpers import EPS, assert_close

pytestmark = pytest.mark.jax_alternates

# Two inputs; the neurons: x²(1 − βy)(1 − βx); a leak, no excitation; a shared β; a branch and hub.
NEURONS = [
    ([0, 0], [(1, 0), (0, 1)], 0),
    ([], [(2, 0), (1, 2), (2, 3)], 1),
    ([2, 3], [(1, 0)], 0),
    ([2], [(3, 4), (4, 0), (0, 1), (1, 2), (2, 3)], 2),
]
OUTPUTS = [5, 0, 3, 4]
ALPHA, BETA = np.array([1.0, 0.9, 0.5]), np.array([0.3, 0.2, 0.5, 0.25, 1.0])
X = np.array([[[0.5, 0.25], [0.9, 0.3]], [[0.2, 0.7], [0.6, 0.8]], [[0.3, 0.1], [0.75, 0.5]]])


@functools.cache
def compiled():
    edges = [(2 + i, s) for i, (strong, _, _) in enumerate(NEURONS) for s in strong]
    weak = [(2 + i, s, b) for i, (_, weak, _) in enumerate(NEURONS) for s, b in weak]
    return SynapseGraph.from_arrays(
        2,
        len(NEURONS),
        excitatory=tuple(zip(*edges, strict=True)),
        inhibitory=([t for t, _, _ in weak], [s for _, s, _ in weak]),
        alpha=ALPHA,
        beta=BETA,
        alpha_index=[own for _, _, own in NEURONS],
        beta_index=[b for _, _, b in weak],
        outputs=OUTPUTS,
    ).compile()


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
        gx, gparams = compiled().vjp(x, params, space=space, grad=grad)
        tangent = compiled().jvp(x, params, space=space, dx=x, dparams=params)
        return compiled()(x, params, space=space), gx, *gparams, tangent

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
    out = xp.call(compiled(), x)
    xp.check(out, dtype, (3, 2, 4))
    assert_close(xp.to_numpy(out), problem("probability")[1], 20 * EPS[dtype])
    if not xp.is_jax:  # which would compile for half a second each
        gx, gparams = compiled().vjp(x, grad=1.0)
        for got in (gx, *gparams):
            xp.check(got, dtype)
        xp.check(compiled().values(x[0, 0, :]), dtype, (6,))


@pytest.mark.parametrize("space", ["probability", "surprisal"])
def test_autodiff_agrees(ad, space):
    (x, alpha, beta), _, gradients, grad = problem(space)

    def function(x, alpha, beta):
        return compiled()(x, GraphParameters(alpha, beta), space=space)

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
        return compiled().values(x, GraphParameters(alpha, beta))

    got = ad.gradients(function, ad.asarray(grad), ad.asarray(x), *params)
    for a, b in zip(got, slow.vjp(NEURONS, x, ALPHA, np.ones(5), grad), strict=True):
        assert_close(ad.to_numpy(a), b, 1e-14)


def test_half_precision(xp):
    if xp.name.startswith("strict"):
        pytest.skip("array-api-strict has no 16-bit floats")
    x = xp.asarray(X, "float16")
    out = xp.call(compiled(), x)
    xp.check(out, "float16", (3, 2, 4))
    rounded = xp.to_numpy(x).astype(np.float64)
    assert_close(xp.to_numpy(out), compiled()(rounded), EPS["float16"])  # rounded once
    if not xp.is_jax:
        gx, _ = compiled().vjp(x, grad=1.0)
        xp.check(gx, "float16", X.shape)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torch_functions_and_second_derivatives():
    torch = pytest.importorskip("torch")
    x, alpha, beta = (torch.asarray(a) for a in (X.reshape(6, 2), ALPHA, BETA))

    def total(x):
        return (compiled()(x, GraphParameters(alpha, beta)) ** 2).sum()

    leaf = x.clone().requires_grad_(True)
    (first,) = torch.autograd.grad(total(leaf), leaf, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), leaf)
    torch.testing.assert_close(torch.func.grad(total)(x), first.detach())
    want = torch.func.jvp(torch.func.grad(total), (x,), (torch.ones_like(x),))[1]
    torch.testing.assert_close(second, want)  # Hessians are symmetric
    rows = torch.func.vmap(lambda row: compiled()(row, GraphParameters(alpha, beta)))(x)
    torch.testing.assert_close(rows, compiled()(x))


def test_kernels_serve_torch_and_numpy_of_any_layout(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.delenv("SYNANN_KERNELS", raising=False)
    assert compiled().variant(X) == compiled().variant(torch.asarray(X)) == "native"
    assert compiled().variant(torch.asarray(X).requires_grad_(True)) == "array-api"
    want = compiled()(X)
    for layout in (np.asfortranarray(X), X[::-1][::-1], X.astype(">f8")):
        np.testing.assert_array_equal(compiled()(layout), want)
    np.testing.assert_array_equal(compiled()(torch.asarray(X)).numpy(), want)
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    assert compiled().variant(X) == "array-api"
