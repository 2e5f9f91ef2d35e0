"""Evaluate the contraction as operators of torch, opaque to compile, export and fake tensors.

Imported only when torch traces. Eager tensors reach the kernels without these operators, and
transforms of torch.func and forward-mode differentiation, which operators like these do not
support, take the formula apart.
"""

from __future__ import annotations

from typing import Any

import torch
from array_api_compat import torch as xp
from torch import Tensor

from synann_core._lib.typing import Array, Namespace
from synann_core.contraction import flops
from synann_core.contraction.array_api import jvp, vjp
from synann_core.contraction.factors import Factors
from synann_core.contraction.unwatched import choose_inside

__all__ = ["forward", "jvp", "vjp"]


def forward(factors: Factors, *, xp: Namespace) -> tuple[Array, Array]:
    """Sum of log f over j, exact and with every f kept from 0; both (rows, m)."""
    exact, guarded = log_product(*factors)
    return exact, guarded


@torch.library.custom_op("synann::log_product", mutates_args=())  # type: ignore[untyped-decorator]
def log_product(
    y: Tensor, y_bar: Tensor | None, beta: Tensor, beta_bar: Tensor | None, floor: float, group: int
) -> tuple[Tensor, Tensor]:
    """Sum of log f over j, exact and with every f kept from 0."""
    factors = Factors(y, y_bar, beta, beta_bar, floor, group)
    values: Any = choose_inside(xp, *factors[:4]).forward(factors, xp=xp)
    exact, guarded = values
    # Results of an operator are as its fake ones: contiguous; and they must not share memory.
    shared = guarded.data_ptr() == exact.data_ptr()
    return exact.contiguous(), guarded.clone() if shared else guarded.contiguous()


@torch.library.custom_op("synann::log_product_vjp", mutates_args=())  # type: ignore[untyped-decorator]
def log_product_vjp(
    y: Tensor,
    y_bar: Tensor | None,
    beta: Tensor,
    beta_bar: Tensor | None,
    grad: Tensor,
    floor: float,
    group: int,
) -> tuple[Tensor, Tensor]:
    """Gradients −Σ_i t β/f and −Σ_b t y/f."""
    factors = Factors(y, y_bar, beta, beta_bar, floor, group)
    gradients: Any = choose_inside(xp, *factors[:4], grad).vjp(factors, grad, xp=xp)
    gy, gbeta = gradients
    return gy.contiguous(), gbeta.contiguous()


@log_product.register_fake
def _(y, y_bar, beta, beta_bar, floor, group):  # type: ignore[no-untyped-def]
    shape = (y.shape[0], beta.shape[0])
    return y.new_empty(shape), y.new_empty(shape)


@log_product_vjp.register_fake
def _(y, y_bar, beta, beta_bar, grad, floor, group):  # type: ignore[no-untyped-def]
    return y.new_empty(y.shape), beta.new_empty(beta.shape)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *arrays, ctx.floor, ctx.group = inputs
    ctx.save_for_backward(*arrays)


def _backward(ctx: Any, of_exact: Tensor, of_guarded: Tensor) -> tuple[Any, ...]:
    # Both have the derivatives of the guarded one.
    (y, y_bar, beta, beta_bar), grad = ctx.saved_tensors, of_exact + of_guarded
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():  # for second derivatives
        factors = Factors(y, y_bar, beta, beta_bar, ctx.floor, ctx.group)
        gy, gbeta = choose_inside(xp, *factors[:4], grad).vjp(factors, grad, xp=xp)
    else:
        gy, gbeta = log_product_vjp(y, y_bar, beta, beta_bar, grad, ctx.floor, ctx.group)
    return gy, None, gbeta, None, None, None


log_product.register_autograd(_backward, setup_context=_setup_context)
flops.count(torch.ops.synann.log_product, torch.ops.synann.log_product_vjp)
