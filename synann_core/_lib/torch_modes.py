"""Tell who watches operations on torch tensors: autograd, a tracer, or a transform.

Compiled kernels and NumPy may take a tensor only where nobody does. Some of these questions have no
public answer: each such call into torch stands in a function of its own here, and
tests/synann_core/_lib/test_torch_modes.py says what breaks if torch changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from synann_core._lib.typing import Array, Namespace

_NAMES = ("torch", "array_api_compat.torch")
Watcher = Literal["nobody", "autograd", "trace", "transform"]


def is_torch_namespace(xp: Namespace) -> bool:
    """Whether `xp` is torch's namespace."""
    # Asked several times a call. array_api_compat answers slower, and from a cache of which torch's
    # compiler warns whoever compiles a layer.
    return getattr(xp, "__name__", None) in _NAMES


def torch_watcher(*tensors: Any) -> Watcher:
    """Say who watches operations on these tensors (None stands for none).

    ``"nobody"``: they are plain memory, and kernels may serve. ``"autograd"``: plain autograd
    records them. ``"trace"``: the compiler, `torch.export` or a dispatch mode records the
    operations, or a tensor is fake. ``"transform"``: torch.func, forward-mode differentiation, jit
    or the ONNX exporter needs the formula's own operations, and so does a subclass of Tensor that
    autograd does not record.
    """
    import torch

    if functorch_active() or forward_ad_active():
        return "transform"
    if torch.compiler.is_compiling():
        return "transform" if torch.onnx.is_in_onnx_export() else "trace"
    if jit_tracing():
        return "transform"
    plain, recorded = plain_tensors(*tensors), False
    for tensor in tensors:
        recorded = recorded or (tensor is not None and tensor.requires_grad)
    # (The compiler cannot trace the question for dispatch modes: it comes after that for it.)
    if dispatch_mode_active() or (not plain and any(map(is_fake, tensors))):
        return "transform" if torch.onnx.is_in_onnx_export() else "trace"
    if recorded and torch.is_grad_enabled():
        return "autograd"
    return "nobody" if plain else "transform"


def plain_tensors(*tensors: Any) -> bool:
    """Whether these are torch's own tensors or parameters (None stands for none), no subclasses.

    Nobody watches what is done with them inside an operation that plain autograd records.
    """
    import torch

    return {type(a) for a in tensors} <= {torch.Tensor, torch.nn.Parameter, type(None)}


def torch_values_known(tensor: Any) -> bool:
    """Whether a tensor has values now, rather than standing for them."""
    import torch

    if torch.compiler.is_compiling() or functorch_active():
        return False
    return not (tensor.is_meta or is_fake(tensor) or jit_tracing())


def torch_records() -> bool:
    """Whether torch may differentiate what runs now, in any of its modes."""
    import torch

    return torch.is_grad_enabled() or torch_transforms()


def torch_transforms() -> bool:
    """Whether the compiler, jit's tracer, torch.func or forward-mode AD is at work."""
    return torch_traces() or functorch_active() or forward_ad_active()


def torch_traces() -> bool:
    """Whether the compiler, export or jit's tracer is at work."""
    import torch

    return bool(torch.compiler.is_compiling()) or jit_tracing()


def torch_func_runs() -> bool:
    """Whether transforms of torch.func are at work, eagerly: operations of our own may take part.

    The compiler, exporters and jit's tracer need the operations that one is made of.
    """
    return functorch_active() and not torch_traces()


def exports_to_onnx(xp: Namespace) -> bool:
    """Whether torch, or `save_onnx`, writes these operations into an ONNX file."""
    if not is_torch_namespace(xp):
        return getattr(type(xp), "writes_onnx", False)
    import torch

    return bool(torch.onnx.is_in_onnx_export())


def functorch_active() -> bool:
    """Whether a transform of torch.func (grad, vmap, jvp, ...) is at work."""
    import torch

    return bool(torch._C._are_functorch_transforms_active())


def forward_ad_active() -> bool:
    """Whether a level of forward-mode differentiation is open."""
    import torch

    return bool(torch.autograd.forward_ad._current_level >= 0)


def jit_tracing() -> bool:
    """Whether torch.jit.trace, or the old ONNX exporter, is at work."""
    import torch

    return torch._C._get_tracing_state() is not None


def dispatch_mode_active() -> bool:
    """Whether a TorchDispatchMode watches: make_fx, FLOP counters, FakeTensorMode, ..."""
    import torch

    return bool(torch._C._len_torch_dispatch_stack() > 0)


def is_fake(tensor: Array) -> bool:
    """Whether a tensor has a shape and a dtype but no memory."""
    from torch._subclasses import FakeTensor

    return isinstance(tensor, FakeTensor)


def holds_gradients(tensor: Any) -> bool:
    """Whether a tensor stands for several gradients: those that `is_grads_batched` asks for."""
    import torch

    return tensor is not None and bool(torch._C._functorch.is_legacy_batchedtensor(tensor))


def for_each_gradient(function: Callable[..., Any], upstream: Sequence[Any]) -> list[Any]:
    """``function(*upstream)``, called once for each of the gradients that `upstream` stands for.

    So kernels may serve: autograd's own vmap, unlike torch.func's, has no rule for a custom
    function.
    """
    import torch

    level = torch._C._vmapmode_increment_nesting() - 1
    torch._C._vmapmode_decrement_nesting()
    first = next(filter(holds_gradients, upstream))
    count = torch._remove_batch_dim(first, level, 1, 0).shape[0]
    whole = [u if u is None else torch._remove_batch_dim(u, level, count, 0) for u in upstream]
    each = (function(*(u if u is None else u[k] for u in whole)) for k in range(count))
    results = list(zip(*each, strict=True))
    return [
        None if parts[0] is None else torch._add_batch_dim(torch.stack(parts), 0, level)
        for parts in results
    ]
