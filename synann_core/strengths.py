"""Strengths of a layer's synapses, β and γ = −log β, from the logits that are trained.

And the synapse tensor with these strengths.
"""

from __future__ import annotations

import math
from typing import Any

from synann_core._lib.autodiff import with_kept
from synann_core._lib.numerics import softplus, sum_to_shape
from synann_core._lib.torch_modes import is_torch_namespace, plain_tensors, torch_watcher
from synann_core._lib.typing import Array, Namespace
from synann_core.contraction import native_layer
from synann_core.log_odds import _expit
from synann_core.tensor import _synapse_tensor_vjp, _with_product

# An array or tensor of any library; nothing of it is checked here, not even by a type checker.
Tensor = Any


def beta_of(logit: Tensor, mask: Tensor | None = None, *, xp: Namespace) -> Tensor:
    """β = min(σ(logit), 1 − eps), and 0 where there is no synapse."""
    beta = _sigmoid(logit, xp)
    beta = xp.clip(beta, None, 1.0 - float(xp.finfo(logit.dtype).eps))
    return beta if mask is None else xp.where(mask, beta, 0.0)


def gamma_of(logit: Tensor, mask: Tensor | None = None, *, xp: Namespace) -> Tensor:
    """γ = −log β = max(log(1 + e^−logit), eps), and inf where there is no synapse."""
    gamma = xp.clip(softplus(-logit, xp), float(xp.finfo(logit.dtype).eps), None)
    return gamma if mask is None else xp.where(mask, gamma, math.inf)


def logit_gradient(beta: Tensor, gbeta: Tensor, *, xp: Namespace | None = None) -> Tensor:
    """Gradient by the logit from that by β; in one pass over memory if `xp` is torch."""
    if xp is not None and is_torch_namespace(xp):
        import torch

        return torch.ops.aten.sigmoid_backward(gbeta, beta)
    return gbeta * beta * (1.0 - beta)


def _logit_tensor(
    x: Tensor | None,
    y: Tensor,
    logit: Tensor,
    theta: Tensor | None,
    mask: Tensor | None,
    *,
    xp: Namespace,
) -> Tensor:
    """α x ∏ (1 − βy); None for x stands for 1.

    To torch's autograd it is one operation, with the written gradients: of the elementary ones that
    it is made of each would take a microsecond or two, and keep an array.
    """
    arrays = (x, y, logit, theta, mask)
    watcher = torch_watcher(*arrays) if is_torch_namespace(xp) else None
    if watcher != "autograd":
        return _with_strengths(*arrays, plain=watcher == "nobody", xp=xp)[0]

    # Autograd keeps the arrays, where its hooks and checkpoints may say otherwise; these do not.
    def value(*arrays: Any) -> Any:
        s, *kept = _with_strengths(*arrays, plain=plain_tensors(*arrays), xp=xp)
        return s, kept

    def gradients(kept: Any, x: Any, y: Any, logit: Any, theta: Any, mask: Any, grad: Any) -> Any:
        beta, *product = kept or (beta_of(logit, mask, xp=xp),)
        usual = bool(product) and native_layer.of_a_layer(x, y, logit, theta, mask)
        few = native_layer.small_layer_gradients(x, y, grad, beta, *product) if usual else None
        if few is not None:
            gx, gy, glogit, gtheta = few
            return None if x is None else gx, gy, glogit, None if theta is None else gtheta, None
        gx, gy, _, gbeta, gtheta = _synapse_tensor_vjp(
            x, y, None, beta, grad, theta, *product, xp=xp
        )
        gx = None if x is None else sum_to_shape(gx, x.shape, xp)
        gtheta = None if theta is None else sum_to_shape(gtheta, theta.shape, xp)
        return gx, gy, logit_gradient(beta, gbeta, xp=xp), gtheta, None

    return with_kept(value, gradients, *arrays)


def _with_strengths(
    x: Tensor | None,
    y: Tensor,
    logit: Tensor,
    theta: Tensor | None,
    mask: Tensor | None,
    *,
    plain: bool,
    xp: Namespace,
) -> tuple[Any, ...]:
    """The synapse tensor, β, and the `Product` in it; `plain`: nobody watches torch's tensors."""
    native = plain and native_layer.serves(x, y, logit, theta, mask)
    native = native and native_layer.of_a_layer(x, y, logit, theta, mask)
    if native and (few := native_layer.small_layer(x, y, logit, theta, mask)) is not None:
        return *few, None, None
    beta = native_layer.strengths(logit, mask) if native else beta_of(logit, mask, xp=xp)
    s, *product = _with_product(x, y, None, beta, theta, plain=plain, xp=xp)
    return s, beta, *product


def _sigmoid(z: Array, xp: Namespace) -> Array:
    """Sigmoid by the library's own operation, if it has one: a pass over memory, not five."""
    return xp.sigmoid(z) if hasattr(xp, "sigmoid") else _expit(z, xp=xp)
