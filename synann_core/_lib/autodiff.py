"""What the core needs of a library's automatic differentiation, where there is one.

The hand-written vjp and jvp are the gradients of this library; these two functions make the
libraries' own autodiff, run through the same formulas, agree with them at the boundaries and stay
within the memory promise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import array_api_compat
from array_api_compat import is_jax_namespace

Array = Any
Namespace = Any

# Without its cache, of which torch's compiler warns whoever compiles a layer.
is_torch_namespace: Callable[[Namespace], bool] = array_api_compat.is_torch_namespace.__wrapped__

# The contraction as an operator of torch, which `synann_torch` registers: at most one.
TORCH_OPERATORS: list[Any] = []


def attach(value: Array, carrier: Callable[[], Array], xp: Namespace) -> Array:
    """Return `value`, exactly, with the derivatives of `carrier()`, which must be finite.

    Without autodiff the carrier is never evaluated.
    """
    if is_jax_namespace(xp):
        return _jax_attach()(value, carrier())
    if is_torch_namespace(xp) and _torch_records():
        smooth = carrier()
        if not (smooth.requires_grad or _torch_transform_active()):
            return value
        return stop_gradient(value, xp) + (smooth - stop_gradient(smooth, xp))
    return xp.attach(value, carrier) if builds_graphs(xp) else value


@functools.cache
def _jax_attach() -> Any:
    # As a sum of differences the carrier would be computed also where nothing is differentiated.
    import jax
    from jax import lax

    @jax.custom_jvp  # type: ignore[untyped-decorator]
    def attached(value: Array, smooth: Array) -> Array:
        return value

    @attached.defjvp  # type: ignore[untyped-decorator]
    def _rule(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
        value, smooth = primals
        # Not `attached` again: inside a scan JAX drops its rule when it separates what is known
        # from what is linear, and second derivatives would be those of `value`.
        return lax.stop_gradient(value) + (smooth - lax.stop_gradient(smooth)), tangents[1]

    return attached


def stop_gradient(value: Array, xp: Namespace) -> Array:
    """`value` as a constant to autodiff."""
    if is_torch_namespace(xp):
        return value.detach()
    if is_jax_namespace(xp):
        from jax import lax

        return lax.stop_gradient(value)
    return xp.stop_gradient(value) if builds_graphs(xp) else value


def builds_graphs(xp: Namespace) -> bool:
    """Whether the namespace makes graphs that serve any number of rows, with loops and gradients.

    There the size of the batch axis is None. `synann_keras` has one for tensorflow.
    """
    return hasattr(xp, "scan_blocks")


def rematerialise(function: Callable[..., Any], xp: Namespace) -> Callable[..., Any]:
    """`function`, recomputed in JAX's backward pass instead of keeping its intermediate arrays."""
    if is_jax_namespace(xp):
        import jax

        recomputed: Callable[..., Any] = jax.checkpoint(function)
        return recomputed
    return function


def torch_wants_gradients(xp: Namespace, *arrays: Array) -> bool:
    """Whether torch's plain autograd (no transform of torch.func or the compiler) records these."""
    if not is_torch_namespace(xp):
        return False
    import torch

    recorded = torch.is_grad_enabled() and any(a.requires_grad for a in arrays)
    return recorded and not _torch_transform_active()


def torch_observes(*arrays: Array) -> bool:
    """Whether torch must see the operations on these arrays, rather than NumPy or a kernel.

    It must where they are recorded or transformed, and for tensors that are not plain memory
    (fake and distributed ones, and other subclasses).
    """
    import torch

    kinds = (torch.Tensor, torch.nn.Parameter)
    plain = all(type(a) in kinds for a in arrays)
    recorded = torch.is_grad_enabled() and any(a.requires_grad for a in arrays)
    if not plain or recorded or _torch_transform_active():
        return True
    # A mode that watches the operations, to trace them, say. (The compiler cannot trace this.)
    return bool(torch._C._len_torch_dispatch_stack() > 0)


def torch_operator(xp: Namespace, *arrays: Array) -> Any:
    """The contraction as an operator, where torch traces rather than computes; else None."""
    if not (TORCH_OPERATORS and is_torch_namespace(xp)):
        return None
    import torch

    traced = torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0
    if not traced and type(arrays[0]) is not torch.Tensor:
        traced = any(_is_fake(a) for a in arrays)
    if traced and not _torch_differentiates_functions() and not exports_to_onnx(xp):
        return TORCH_OPERATORS[0]
    return None


def exports_to_onnx(xp: Namespace) -> bool:
    """Whether torch writes these operations into an ONNX file."""
    if not is_torch_namespace(xp):
        return False
    import torch

    return bool(torch.onnx.is_in_onnx_export())


def torch_values_known(a: Array) -> bool:
    """Whether a tensor has values now, rather than standing for them."""
    import torch

    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    return not (a.is_meta or _is_fake(a) or torch._C._get_tracing_state() is not None)


def _is_fake(a: Array) -> bool:
    from torch._subclasses import FakeTensor

    return isinstance(a, FakeTensor)


def with_torch_gradient(
    function: Callable[..., Any], vjp: Callable[..., Any], *arrays: Array
) -> Any:
    """``function(*arrays)`` whose gradients for upstream ones are ``vjp(*arrays, *upstream)``.

    Nothing but the arrays is kept for the backward pass. (torch's checkpoint was tried: its cycles
    of references kept up to 1.7 GB alive where 40 MB are in use.) The vjp is itself made of
    operations that torch records, so that second derivatives follow from it.
    """
    return _torch_function().apply(function, vjp, *arrays)


@functools.cache
def _torch_function() -> Any:
    import torch

    class WithGradient(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, function: Any, vjp: Any, *arrays: Array) -> Any:
            ctx.vjp = vjp
            ctx.save_for_backward(*arrays)
            return function(*arrays)

        @staticmethod
        def backward(ctx: Any, *upstream: Array) -> Any:
            return None, None, *ctx.vjp(*ctx.saved_tensors, *upstream)

    return WithGradient


def _torch_records() -> bool:
    """Whether torch may differentiate what runs now, in any of its modes."""
    import torch

    return torch.is_grad_enabled() or _torch_transform_active()


def _torch_transform_active() -> bool:
    """Whether torch.compile, jit.trace, torch.func or forward-mode AD is at work."""
    import torch

    return bool(
        torch.compiler.is_compiling()
        or _torch_differentiates_functions()
        or torch._C._get_tracing_state() is not None
    )


def _torch_differentiates_functions() -> bool:
    """Whether a transform of torch.func (grad, vmap, jvp, ...) or forward-mode AD is at work."""
    import torch

    return bool(
        torch._C._are_functorch_transforms_active() or torch.autograd.forward_ad._current_level >= 0
    )
