"""Evaluate graphs as one operation that torch's autograd records, with the hand-written gradients.

Nothing is recorded inside, so that the kernels may serve.
"""

from __future__ import annotations

from synann_core._lib.autodiff import with_torch_gradient
from synann_core._lib.typing import Array
from synann_core.graph import array_api, native
from synann_core.graph.array_api import jvp, vjp
from synann_core.graph.parameters import GraphParameters, Parameters
from synann_core.graph.structure import Task
from synann_core.native.host import serves_unwatched

__all__ = ["forward", "jvp", "vjp"]  # second derivatives record the operations of the first


def forward(task: Task, x: Array, params: Parameters) -> Array:
    """Values of the outputs, (rows, outputs)."""

    def value(*arrays: Array) -> Array:
        x, *params = arrays
        run = native.forward if serves_unwatched(task.xp, *arrays) else array_api.forward
        return run(task, x, GraphParameters(*params))

    def gradients(*arrays: Array) -> tuple[Array, ...]:
        x, *params, grad = arrays
        run = native.vjp if serves_unwatched(task.xp, *arrays) else array_api.vjp
        gx, gparams = run(task, x, GraphParameters(*params), grad)
        return gx, *gparams

    out: Array = with_torch_gradient(value, gradients, x, *params)
    return out
