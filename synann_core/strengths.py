"""Strengths of a layer's synapses, β and γ = −log β, from the logits that are trained."""

from __future__ import annotations

import math
from typing import Any

from synann_core._lib.numerics import softplus
from synann_core._lib.torch_modes import is_torch_namespace
from synann_core._lib.typing import Array, Namespace
from synann_core.log_odds import _expit

__all__ = ["beta_of", "gamma_of", "logit_gradient"]

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


def _sigmoid(z: Array, xp: Namespace) -> Array:
    """Sigmoid by the library's own operation, if it has one: a pass over memory, not five."""
    return xp.sigmoid(z) if hasattr(xp, "sigmoid") else _expit(z, xp=xp)
