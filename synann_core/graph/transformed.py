"""Evaluate graphs as one operation to the transforms of torch.func, with hand-written gradients.

Recorded one by one, the array operations of a deep graph take a hundred times as long. Inside the
operation nobody watches, so that the kernels may serve, except where vmap hides a batch axis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from synann_core._lib.autodiff import with_torch_transforms
from synann_core._lib.typing import Array
from synann_core.graph import array_api, native
from synann_core.graph.array_api import jvp
from synann_core.graph.parameters import Gradients, GraphParameters, Parameters
from synann_core.graph.structure import Task
from synann_core.native.host import serves_unwatched

__all__ = ["forward", "jvp", "vjp"]


def forward(task: Task, x: Array, params: Parameters) -> Array:
    """Values of the outputs, (rows, outputs)."""

    def run(module: Any, x: Array, alpha: Array, beta: Array) -> Array:
        out: Array = module.forward(task, x, GraphParameters(alpha, beta))
        return out

    def gradients(x: Array, alpha: Array, beta: Array, grad: Array) -> tuple[Array, ...]:
        gx, gparams = vjp(task, x, GraphParameters(alpha, beta), grad)
        return gx, *gparams

    out: Array = _operation(task, run, gradients, x, *params)
    return out


def vjp(task: Task, x: Array, params: Parameters, grad: Array) -> Gradients:
    """Gradients of x and of the parameters for those of the outputs."""

    def run(
        module: Any, x: Array, alpha: Array, beta: Array, grad: Array
    ) -> tuple[Array, Array, Array]:
        gx, gparams = module.vjp(task, x, GraphParameters(alpha, beta), grad)
        return gx, *gparams

    gx, galpha, gbeta = _operation(task, run, None, x, *params, grad)
    return gx, GraphParameters(galpha, gbeta)


def _operation(
    task: Task, run: Callable[..., Any], gradients: Callable[..., Any] | None, *arrays: Array
) -> Any:
    """Results of ``run(module, *arrays)`` for the module that may serve."""

    def value(*arrays: Array) -> Any:
        return run(native if serves_unwatched(task.xp, *arrays) else array_api, *arrays)

    def formula(*arrays: Array) -> Any:
        return run(array_api, *arrays)

    return with_torch_transforms(value, formula, gradients, *arrays)
