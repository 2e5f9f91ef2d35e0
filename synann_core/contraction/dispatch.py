"""Choose who evaluates the contraction: the one place where that is decided."""

from __future__ import annotations

from array_api_compat import is_jax_namespace

from synann_core._lib.autodiff import builds_graphs, stop_gradient
from synann_core._lib.torch_modes import is_torch_namespace, torch_watcher
from synann_core._lib.typing import Array, Namespace
from synann_core.contraction import (
    array_api,
    host_calls,
    jax_primitives,
    native,
    recorded,
    triton,
    unwatched,
)
from synann_core.contraction.factors import Factors
from synann_core.contraction.unwatched import Implementation


def choose(xp: Namespace, *arrays: Array | None) -> Implementation:
    """Return the module that runs for these arrays; all offer the same three functions."""
    if is_torch_namespace(xp):
        watcher = torch_watcher(*arrays)
        if watcher == "trace":
            from synann_core.contraction import torch_operators

            return torch_operators
        if watcher != "nobody":
            return recorded if watcher == "autograd" else array_api
        return unwatched.choose_eager(xp, *arrays)
    if builds_graphs(xp):
        return recorded
    return unwatched.choose(xp, *arrays)


def log_product(factors: Factors, *, plain: bool = False, xp: Namespace) -> tuple[Array, Array]:
    """Sum of log f over j, (rows, m): exact, and with every f kept from 0.

    The first is −inf where a factor is 0 and NaN where one is negative or NaN; its derivatives, as
    autodiff sees them, are those of the second, which is finite. `plain`: these are torch's
    tensors, and it is known that nobody watches what is done with them.
    """
    run = (unwatched.choose_eager if plain else choose)(xp, *factors[:4])
    return run.forward(factors, xp=xp)


def log_product_vjp(factors: Factors, grad: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Gradients −Σ_i t β/f and −Σ_b t y/f for the upstream t = `grad` (rows, m)."""
    return choose(xp, *factors[:4], grad).vjp(factors, grad, xp=xp)


def log_product_jvp(factors: Factors, dy: Array, dbeta: Array, *, xp: Namespace) -> Array:
    """Tangent −Σ_j (β dy + y dβ)/f, (rows, m)."""
    return choose(xp, *factors[:4], dy, dbeta).jvp(factors, dy, dbeta, xp=xp)


def variant(xp: Namespace, y: Array, beta: Array) -> str:
    """Name the implementation that computes the numbers, also where autograd records them."""
    module = choose(xp, y, None, beta, None)
    if is_jax_namespace(xp):
        native_too = module is jax_primitives and jax_primitives.computes(y, beta)
        return "native" if native_too else "jax-scan"
    if module is recorded:
        module = unwatched.choose_inside(xp, stop_gradient(y, xp), stop_gradient(beta, xp))
    if module in (native, host_calls):
        return "native"
    return "triton" if module is triton else "array-api"
