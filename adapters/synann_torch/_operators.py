"""The contraction as operators of torch, opaque to whoever traces: compile, export, fake tensors.

Eager tensors never come here: they reach the kernels through an autograd.Function
(`synann_core._lib.autodiff`). Transforms of torch.func and forward-mode AD, which operators like
these do not support, take the formula apart instead.
"""

from __future__ import annotations

from typing import Any

import torch
from array_api_compat import torch as xp
from torch import Tensor

from synann_core._lib import autodiff
from synann_core.contraction import array_api
from synann_core.contraction.array_api import Factors


@torch.library.custom_op("synann::log_product", mutates_args=())
def log_product(
    y: Tensor, y_bar: Tensor | None, beta: Tensor, beta_bar: Tensor | None, floor: float, group: int
) -> tuple[Tensor, Tensor]:
    """Sum of log f over j, exact and with every f kept from 0; see `array_api.log_product`."""
    factors = Factors(y, y_bar, beta, beta_bar, floor, group)
    exact, guarded = array_api.run_log_product(factors, xp)
    # Results of an operator are as its fake ones: contiguous; and they must not share memory.
    shared = guarded.data_ptr() == exact.data_ptr()
    return exact.contiguous(), guarded.clone() if shared else guarded.contiguous()


@torch.library.custom_op("synann::log_product_vjp", mutates_args=())
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
    gy, gbeta = array_api.log_product_vjp(factors, grad, xp=xp)
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
        gy, gbeta = array_api.log_product_vjp(factors, grad, xp=xp)
    else:
        gy, gbeta = log_product_vjp(y, y_bar, beta, beta_bar, grad, ctx.floor, ctx.group)
    return gy, None, gbeta, None, None, None


log_product.register_autograd(_backward, setup_context=_setup_context)
autodiff.TORCH_OPERATORS.append(log_product)
