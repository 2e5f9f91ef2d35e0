"""What the core needs of a library's automatic differentiation, where there is one.

The hand-written vjp and jvp are the gradients of this library; these two functions make the
libraries' own autodiff, run through the same formulas, agree with them at the boundaries and stay
within the memory promise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from array_api_compat import is_jax_namespace, is_torch_namespace

Array = Any
Namespace = Any


def attach(value: Array, carrier: Callable[[], Array], xp: Namespace) -> Array:
    """Return `value`, exactly, with the derivatives of `carrier()`, which must be finite.

    Without autodiff the carrier is never evaluated.
    """
    if not (is_jax_namespace(xp) or (is_torch_namespace(xp) and _torch_records())):
        return value
    smooth = carrier()
    return stop_gradient(value, xp) + (smooth - stop_gradient(smooth, xp))


def stop_gradient(value: Array, xp: Namespace) -> Array:
    """`value` as a constant to autodiff."""
    if is_torch_namespace(xp):
        return value.detach()
    if is_jax_namespace(xp):
        from jax import lax

        return lax.stop_gradient(value)
    return value


def rematerialise(
    function: Callable[..., Any], xp: Namespace, *probes: Array
) -> Callable[..., Any]:
    """`function`, recomputed in the backward pass instead of keeping its intermediate arrays.

    torch.func transforms do not support the saved-tensor hooks that torch's checkpoint needs: under
    them, and under torch.compile (which plans memory itself), the function runs as it is.
    """
    if is_jax_namespace(xp):
        import jax

        recomputed: Callable[..., Any] = jax.checkpoint(function)
        return recomputed
    if is_torch_namespace(xp):
        import torch
        from torch.utils.checkpoint import checkpoint

        wanted = torch.is_grad_enabled() and any(p.requires_grad for p in probes)
        if wanted and not _torch_transform_active():
            return functools.partial(
                checkpoint, function, use_reentrant=False, preserve_rng_state=False
            )
    return function


def _torch_records() -> bool:
    """Whether torch may differentiate what runs now, in any of its modes."""
    import torch

    return torch.is_grad_enabled() or _torch_transform_active()


def _torch_transform_active() -> bool:
    """Whether torch.compile, torch.func (grad, vmap, jvp, ...) or forward-mode AD is at work."""
    import torch

    return bool(
        torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()
        or torch.autograd.forward_ad._current_level >= 0
    )
