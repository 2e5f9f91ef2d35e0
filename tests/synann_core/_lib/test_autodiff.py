"""The libraries' own automatic differentiation, run through the same formulas."""

import functools
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import synann_core as syn
from synann_core._lib import loops
from tests.helpers import EPS, assert_close, make_backend

pytestmark = pytest.mark.jax_alternates

ROOT = Path(__file__).resolve().parents[3]

FUNCTIONS = {
    "synapse_tensor": (syn.synapse_tensor, syn.synapse_tensor_vjp),
    "surprisal_synapse_tensor": (syn.surprisal_synapse_tensor, syn.surprisal_synapse_tensor_vjp),
    "log_transmission": (syn.log_transmission, syn.log_transmission_vjp),
}


def arguments(name, batch, m, n, seed=0):
    """Points inside the domain, and an upstream gradient."""
    rng = np.random.default_rng(seed)
    draw = rng.exponential if name.startswith("surprisal") else rng.random
    x, alpha = draw(size=(*batch, m)), draw(size=m)
    y, beta = draw(size=(*batch, n)), draw(size=(m, n))
    grad = rng.normal(size=(*batch, m))
    return ([y, beta] if name == "log_transmission" else [x, y, alpha, beta]), grad


@pytest.mark.parametrize("name", FUNCTIONS)
def test_autodiff_agrees_with_the_written_gradients(ad, dtype, name):
    function, vjp = FUNCTIONS[name]
    values, grad = arguments(name, (4,), 3, 70)
    arrays, grad = [ad.asarray(v, dtype) for v in values], ad.asarray(grad, dtype)
    wants = ad.to_numpy(ad.call(vjp, *arrays, grad))
    for got, want in zip(ad.gradients(function, grad, *arrays), wants, strict=True):
        assert_close(ad.to_numpy(got), want, 100 * EPS[dtype])


def test_autodiff_at_closed_factors(ad, dtype):
    """Every 0/1 corner of y, for a β with 0, ½ and 1 in it: one, two and no closed factors."""
    y = np.array(list(itertools.product([0.0, 1.0], repeat=4)))
    rng = np.random.default_rng(0)
    beta = np.array([[1.0, 1.0, 0.5, 0.0], [1.0, 0.5, 0.25, 1.0], [0.0, 0.0, 1.0, 0.5]])
    values = [rng.random((16, 3)), y, rng.random(3), beta]
    values[0][::3] = 0
    arrays, grad = (
        [ad.asarray(v, dtype) for v in values],
        ad.asarray(rng.normal(size=(16, 3)), dtype),
    )
    wants = ad.to_numpy(ad.call(syn.synapse_tensor_vjp, *arrays, grad))
    for got, want in zip(ad.gradients(syn.synapse_tensor, grad, *arrays), wants, strict=True):
        assert_close(ad.to_numpy(got), want, 32 * EPS[dtype])

    transmission, grad = arrays[1::2], ad.asarray(np.ones((16, 3)), dtype)
    wants = ad.to_numpy(ad.call(syn.log_transmission_vjp, *transmission, grad))
    for got, want in zip(
        ad.gradients(syn.log_transmission, grad, *transmission), wants, strict=True
    ):
        assert_close(ad.to_numpy(got), want, 32 * EPS[dtype])


def test_autodiff_of_contributions_is_finite(ad):
    y, beta = ad.asarray([[0.0, 1.0, 0.5]]), ad.asarray([[1.0, 1.0, 0.5]])
    gy, gbeta = ad.gradients(syn.contributions, 1.0, y, beta)
    # ∂(−log(1 − βy))/∂y = β/(1 − βy), which is 1/δ at the closed factor.
    closed = 2 / EPS["float64"]
    assert_close(ad.to_numpy(gy), [[1.0, closed, 2 / 3]], 1e-14, scale=[[1.0, closed, 2 / 3]])
    assert_close(ad.to_numpy(gbeta), [[0.0, closed, 2 / 3]], 1e-14, scale=[[1.0, closed, 2 / 3]])


def test_surprisal_autodiff_where_energies_are_zero(ad, dtype):
    v = np.array([[0.0, 1.0], [0.5, 0.0]])
    gamma = np.array([[0.0, 0.5], [0.25, 0.0]])
    values = [np.zeros((2, 2)), v, np.zeros(2), gamma]
    arrays, grad = [ad.asarray(a, dtype) for a in values], ad.asarray(np.ones((2, 2)), dtype)
    wants = ad.to_numpy(ad.call(syn.surprisal_synapse_tensor_vjp, *arrays, grad))
    gradients = ad.gradients(syn.surprisal_synapse_tensor, grad, *arrays)
    for got, want in zip(gradients, wants, strict=True):
        assert_close(ad.to_numpy(got), want, 64 * EPS[dtype], scale=np.abs(want))


@pytest.fixture
def torch_arguments():
    import torch

    def make(name, *shape):
        values, grad = arguments(name, *shape)
        return [torch.tensor(v, requires_grad=True) for v in values], torch.tensor(grad)

    return make


@pytest.mark.parametrize("name", FUNCTIONS)
def test_torch_gradcheck(torch_arguments, name):
    from torch.autograd import gradcheck, gradgradcheck

    function = FUNCTIONS[name][0]
    leaves, _ = torch_arguments(name, (2,), 2, 5)
    assert gradcheck(function, leaves)
    leaves, _ = torch_arguments(name, (1,), 2, 3)
    assert gradgradcheck(function, leaves)


def test_what_is_kept_serves_first_derivatives_alone():
    import torch

    from synann_core._lib.autodiff import with_kept

    seen = []

    def value(a, none):
        assert none is None
        square = a * a
        return square * a, (square, None)

    def vjp(kept, a, none, grad):
        seen.append(kept)
        square = a * a if kept is None else kept[0]
        return 3.0 * square * grad, None

    a = torch.tensor(2.0, requires_grad=True)
    (first,) = torch.autograd.grad(with_kept(value, vjp, a, None), a)
    assert [k if k is None else float(k) for k in seen.pop()] == [4.0, None]
    assert float(first) == 12.0
    (first,) = torch.autograd.grad(with_kept(value, vjp, a, None), a, create_graph=True)
    assert seen.pop() is None
    assert float(torch.autograd.grad(first, a)[0]) == 12.0


# torch compiles formulas of its forward mode by torch.jit, which it calls deprecated.
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_torch_func(torch_arguments, name):
    import torch

    function, vjp = FUNCTIONS[name]
    leaves, grad = torch_arguments(name, (3,), 2, 35)
    leaves = [leaf.detach() for leaf in leaves]
    wants = vjp(*leaves, grad)
    argnums = tuple(range(len(leaves)))
    got = torch.func.grad(lambda *a: (function(*a) * grad).sum(), argnums=argnums)(*leaves)
    jacobians = torch.func.jacfwd(function, argnums=argnums)(*leaves)
    for gradient, jacobian, want in zip(got, jacobians, wants, strict=True):
        assert_close(gradient, want, 1e-13)
        assert_close(torch.tensordot(grad, jacobian, dims=2), want, 1e-13)
    # Each sample on its own, as one call per row.
    batched = tuple(0 if leaf.ndim == 2 and leaf.shape[0] == 3 else None for leaf in leaves)
    rows = torch.func.vmap(function, in_dims=batched)(*leaves)
    assert_close(rows, function(*leaves), 1e-14)


@pytest.mark.parametrize(
    ("name", "kernels"),
    [
        ("log_transmission", ""),
        ("log_transmission", "off"),
        ("synapse_tensor", ""),
        ("surprisal_synapse_tensor", "off"),
    ],
)
def test_jax_transforms(name, kernels, monkeypatch):
    import jax

    monkeypatch.setenv("SYNANN_KERNELS", kernels)
    function, vjp = FUNCTIONS[name]
    values, grad = arguments(name, (3,), 2, 11)
    with make_backend("jax") as xp:
        leaves, grad = [xp.asarray(v) for v in values], xp.asarray(grad)
    wants = vjp(*leaves, grad)
    argnums = tuple(range(len(leaves)))
    loss = lambda *a: (function(*a) * grad).sum()  # noqa: E731
    for transform in (lambda f: f, jax.jit):
        for got, want in zip(
            transform(jax.grad(loss, argnums=argnums))(*leaves), wants, strict=True
        ):
            assert_close(got, want, 1e-13)

    tangents = [
        xp.asarray(np.random.default_rng(k).normal(size=a.shape)) for k, a in enumerate(leaves)
    ]
    _, tangent = jax.jvp(function, leaves, tangents)
    paired = sum(
        (np.asarray(t) * np.asarray(w)).sum() for t, w in zip(tangents, wants, strict=True)
    )
    assert abs((tangent * grad).sum() - paired) <= 1e-12 * np.abs(tangent * grad).sum()

    batched = tuple(0 if a.ndim == 2 and a.shape[0] == 3 else None for a in leaves)
    assert_close(jax.vmap(function, in_axes=batched)(*leaves), function(*leaves), 1e-14)


def test_jax_gradients_by_chunks_of_rows(monkeypatch):
    import jax

    monkeypatch.setenv("SYNANN_KERNELS", "off")
    monkeypatch.setattr(loops, "_JAX_CHUNK", 3 * 2)
    (y, beta), grad = arguments("log_transmission", (7,), 3, 13)  # no other test has this shape
    with make_backend("jax") as xp:
        leaves, upstream = [xp.asarray(y), xp.asarray(beta)], xp.asarray(grad)
    text = str(jax.make_jaxpr(syn.log_transmission)(*leaves))
    assert "4,2,3" in text  # T as four chunks of two rows
    ratio = -grad[:, :, None] / (1 - y[:, None, :] * beta)
    wants = (ratio * beta).sum(1), (ratio * y[:, None, :]).sum(0)
    loss = lambda *a: (syn.log_transmission(*a) * upstream).sum()  # noqa: E731
    for got, vjp, want in zip(
        jax.grad(loss, argnums=(0, 1))(*leaves),
        syn.log_transmission_vjp(*leaves, upstream),
        wants,
        strict=True,
    ):
        assert_close(got, want, 1e-13)
        assert_close(vjp, want, 1e-13)
    tangents = [leaf * 0.5 for leaf in leaves]
    want = (-(y[:, None, :] * beta) / (1 - y[:, None, :] * beta)).sum(-1)
    assert_close(jax.jvp(syn.log_transmission, leaves, tangents)[1], want, 1e-13)
    assert_close(syn.log_transmission_jvp(*leaves, *tangents), want, 1e-13)


def test_jax_hessian_of_log_transmission():
    """∂²T/∂y_j² = −Σ_i (β_ij/(1 − β_ij y_j))², and nothing off the diagonal."""
    import jax

    (y, beta), _ = arguments("log_transmission", (), 3, 9)
    with make_backend("jax") as xp:
        hessian = jax.hessian(lambda y: syn.log_transmission(y, xp.asarray(beta)).sum())(
            xp.asarray(y)
        )
    want = -np.diag(((beta / (1 - y * beta)) ** 2).sum(0))
    assert_close(hessian, want, 1e-12)


@pytest.mark.parametrize("modes", ["reverse, reverse", "forward, reverse", "reverse, forward"])
def test_jax_second_derivatives_of_a_product(modes):
    """Of s = ∏_j f_j, f_j = 1 − β_j y_j: s β_jβ_k/(f_j f_k), 0 for j = k; two blocks of j."""
    import jax

    (y, beta), _ = arguments("log_transmission", (), 1, 35)
    kinds = {"forward": jax.jacfwd, "reverse": jax.jacrev}
    outer, inner = (kinds[mode] for mode in modes.split(", "))
    with make_backend("jax") as xp:
        weights = xp.asarray(beta)
        for product in (
            lambda y: syn.synapse_tensor(1.0, y, 1.0, weights)[0],
            lambda y: jax.numpy.exp(syn.log_transmission(y, weights)[0]),
        ):
            hessian = outer(inner(product))(xp.asarray(y))
            ratio = beta[0] / (1 - y * beta[0])
            want = np.exp(np.log1p(-y * beta[0]).sum()) * np.outer(ratio, ratio)
            assert_close(hessian, want - np.diag(np.diag(want)), 1e-12)


MEMORY = """
import sys
import numpy as np
import synann_core as syn
from synann_core._lib import loops
from tests.helpers import peak_memory

kind = sys.argv[1]
rng = np.random.default_rng(0)
y = rng.random((512, 768), dtype=np.float32)
beta = rng.random((768, 768), dtype=np.float32)

if kind == "jax":
    import jax, jax.numpy as jnp

    run = jax.jit(jax.grad(lambda y, b: syn.log_transmission(y, b).sum(), argnums=(0, 1)))
    small = [jnp.asarray(y[:2, :64]), jnp.asarray(beta[:3, :64])]
    full = [jnp.asarray(y), jnp.asarray(beta)]
    work = lambda y, b: jax.block_until_ready(run(y, b))
elif kind == "torch":
    import torch

    def work(y, b):
        y, b = y.clone().requires_grad_(), b.clone().requires_grad_()
        syn.log_transmission(y, b).sum().backward()
        assert y.grad is not None and b.grad is not None

    small = [torch.tensor(y[:2, :64]), torch.tensor(beta[:3, :64])]
    full = [torch.tensor(y), torch.tensor(beta)]
else:
    def work(y, b):
        t = syn.log_transmission(y, b)
        syn.log_transmission_vjp(y, b, np.ones_like(t))

    small, full = [y[:2, :64], beta[:3, :64]], [y, beta]

work(*small)  # what the library itself needs is not counted
before = peak_memory()
work(*full)
print((peak_memory() - before) / 2**20)
"""


@functools.cache
def growth(kind):
    """MB that value and gradient at 512 × 768 → 768, float32, add to a fresh process."""
    library, _, scan = kind.partition("-")
    variables = os.environ | {"SYNANN_KERNELS": "off" if scan else ""}
    command = [sys.executable, "-c", MEMORY, library]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=300, cwd=ROOT, env=variables
    )
    assert result.returncode == 0, result.stderr
    return float(result.stdout)


@pytest.mark.parametrize(
    ("kind", "limit"), [("numpy", 80), ("jax", 40), ("jax-scan", 170), ("torch", 170)]
)
def test_memory_is_bounded(kind, limit):
    # Measured 34, 8, 84 and 40 to 86 MB, of which inputs, results and gradients are 8; twice that
    # is allowed for other allocators. One (batch, m, n) array alone would be 1,208 MB.
    assert growth(kind) < limit
