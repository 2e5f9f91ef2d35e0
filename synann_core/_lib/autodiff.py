"""Make a library's automatic differentiation, where there is one, agree with the core's gradients.

The hand-written vjp and jvp are the gradients of this library. With these functions the libraries'
own autodiff, run through the same formulas, agrees with them at the boundaries and stays within the
memory promise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from array_api_compat import is_jax_namespace

from synann_core._lib.torch_modes import (
    for_each_gradient,
    forward_ad_active,
    holds_gradients,
    is_torch_namespace,
    torch_records,
    torch_traces,
    torch_transforms,
)
from synann_core._lib.typing import Array, ArrayT, Namespace


def attach(value: Array, carrier: Callable[[], Array], xp: Namespace) -> Array:
    """Return `value`, exactly, with the derivatives of `carrier()`, which must be finite.

    Without autodiff the carrier is never evaluated.
    """
    if is_jax_namespace(xp):
        attached: Array = _jax_attach()(value, carrier())
        return attached
    if is_torch_namespace(xp) and torch_records():
        smooth: Any = carrier()
        if not (smooth.requires_grad or torch_transforms()):
            return value
        recorded: Array = stop_gradient(value, xp) + (smooth - stop_gradient(smooth, xp))
        return recorded
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


def stop_gradient(value: ArrayT, xp: Namespace) -> ArrayT:
    """Return `value` as a constant to autodiff."""
    constant: Any = value
    if hasattr(constant, "detach"):  # torch's
        constant = constant.detach()
    elif is_jax_namespace(xp):
        from jax import lax

        constant = lax.stop_gradient(constant)
    elif builds_graphs(xp):
        constant = xp.stop_gradient(constant)
    result: ArrayT = constant
    return result


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


def with_torch_gradient(
    function: Callable[..., Any], vjp: Callable[..., Any], *arrays: Array
) -> Any:
    """``function(*arrays)`` whose gradients for upstream ones are ``vjp(*arrays, *upstream)``.

    Nothing but the arrays is kept for the backward pass. (torch's checkpoint was tried: its cycles
    of references kept up to 1.7 GB alive where 40 MB are in use.) The vjp is itself made of
    operations that torch records, so that second derivatives follow from it.
    """
    return with_kept(lambda *a: (function(*a), ()), lambda _, *a: vjp(*a), *arrays)


def with_kept(function: Callable[..., Any], vjp: Callable[..., Any], *arrays: Array | None) -> Any:
    """As `with_torch_gradient`, with tensors beside the arrays for the backward pass.

    The function returns its value and these, and the vjp is given them first. Where second
    derivatives are asked for they are None: it then has to compute them, for torch to record.
    """
    return _torch_function().apply(function, vjp, *arrays)


@functools.cache
def _torch_function() -> Any:
    import torch

    class WithGradient(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, function: Any, vjp: Any, *arrays: Array) -> Any:
            value, kept = function(*arrays)
            ctx.vjp, ctx.count = vjp, len(arrays)
            ctx.save_for_backward(*arrays, *kept)
            return value

        @staticmethod
        def backward(ctx: Any, *upstream: Array) -> Any:
            saved, count = ctx.saved_tensors, ctx.count
            kept = None if torch.is_grad_enabled() else saved[count:]
            vjp = functools.partial(ctx.vjp, kept, *saved[:count])
            several = any(map(holds_gradients, upstream))
            gradients = for_each_gradient(vjp, upstream) if several else vjp(*upstream)
            return None, None, *gradients

    return WithGradient


def narrowed(value: Array, dtype: Any, xp: Namespace) -> Array:
    """`value` in a narrower dtype, whose largest number stands for finite ones beyond it."""
    if value.dtype == dtype:
        return value
    most = float(xp.finfo(dtype).max)
    value = xp.where(xp.isfinite(value), xp.clip(value, -most, most), value)
    return xp.astype(value, dtype)


def widened(value: Array, dtype: Any, xp: Namespace) -> Array:
    """`value` in a wider dtype, with gradients that come back `narrowed`, and so finite.

    Not in what torch's compiler, export or jit makes: there the cast is torch's own.
    """
    own: Any = value
    narrow = own.dtype
    if is_jax_namespace(xp):
        wide: Array = _jax_widen().bind(own, dtype=dtype)
        return wide
    if builds_graphs(xp):

        def back(_: Array, grad: Array) -> tuple[Array]:
            return (narrowed(grad, narrow, xp),)

        recorded: Array = xp.with_gradient(lambda a: xp.astype(a, dtype), back, value)
        return recorded
    if is_torch_namespace(xp) and torch_records() and not torch_traces():
        namespace: Any = xp
        kept: Array = _torch_widen(namespace).apply(own, dtype)
        return kept
    return xp.astype(value, dtype)


@functools.cache
def _torch_widen(xp: Any) -> Any:
    import torch

    class Widen(torch.autograd.Function):  # type: ignore[misc]
        generate_vmap_rule = True

        @staticmethod
        def forward(value: Any, dtype: Any) -> Any:
            return value.to(dtype)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, Any], output: Any) -> None:
            ctx.narrow, ctx.wide = inputs[0].dtype, inputs[1]

        @staticmethod
        def backward(ctx: Any, grad: Array) -> Any:
            return narrowed(grad, ctx.narrow, xp), None

        @staticmethod
        def jvp(ctx: Any, tangent: Any, _: None) -> Any:
            return tangent.to(ctx.wide)

    return Widen


@functools.cache
def _jax_widen() -> Any:
    # A primitive, for a function with a gradient of its own would have no forward mode.
    import jax.numpy as jnp
    from jax import lax
    from jax.extend.core import Primitive
    from jax.interpreters import ad, batching, mlir

    widen = Primitive("synann_widen")

    def convert(a: Any, *, dtype: Any) -> Any:
        return lax.convert_element_type(a, dtype)

    def back(upstream: Any, a: Any, *, dtype: Any) -> list[Any]:
        return [narrowed(upstream, a.aval.dtype, jnp)]

    widen.def_impl(convert)
    widen.def_abstract_eval(lambda a, *, dtype: a.update(dtype=dtype, weak_type=False))
    ad.deflinear2(widen, back)
    batching.defvectorized(widen)
    mlir.register_lowering(widen, mlir.lower_fun(convert, multiple_results=False))
    return widen


def with_torch_transforms(
    value: Callable[..., Any],
    formula: Callable[..., Any],
    vjp: Callable[..., Any] | None,
    *arrays: Array,
) -> Any:
    """``value(*arrays)`` as one operation to torch.func, however its transforms are nested.

    `formula` computes the same, a tuple of tensors or one, by operations that torch can transform:
    it replaces the operation in forward mode, and where `vjp` is None its gradients are those of
    the operation. Else they are ``vjp(*arrays, *upstream)``, for upstream ones, as in
    `with_torch_gradient`.
    """
    if forward_ad_active():  # torch loses second tangents of operations with a `jvp`
        return formula(*arrays)
    return _transformed_function().apply(value, formula, vjp, *arrays)


@functools.cache
def _transformed_function() -> Any:
    import torch

    class WithTransforms(torch.autograd.Function):  # type: ignore[misc]
        generate_vmap_rule = True

        @staticmethod
        def forward(value: Any, formula: Any, vjp: Any, *arrays: Array) -> Any:
            return value(*arrays)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
            _, ctx.formula, ctx.vjp, *arrays = inputs
            ctx.save_for_backward(*arrays)

        @staticmethod
        def backward(ctx: Any, *upstream: Array) -> Any:
            if ctx.vjp is not None:
                return None, None, None, *ctx.vjp(*ctx.saved_tensors, *upstream)
            _, pull = torch.func.vjp(ctx.formula, *ctx.saved_tensors)
            return None, None, None, *pull(upstream if len(upstream) > 1 else upstream[0])

    return WithTransforms
