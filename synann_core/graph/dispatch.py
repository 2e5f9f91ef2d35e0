"""Choose who evaluates a graph: the one place where that is decided."""

from __future__ import annotations

from typing import Protocol

from array_api_compat import is_jax_namespace

from synann_core._lib.log import logger
from synann_core._lib.numerics import row_count
from synann_core._lib.torch_modes import is_torch_namespace, torch_func_runs, torch_watcher
from synann_core._lib.typing import Array, Namespace
from synann_core.graph import array_api, jitted, native, recorded, transformed
from synann_core.graph.parameters import Gradients, Parameters
from synann_core.graph.structure import Task
from synann_core.native import host

_log = logger("kernels")


class Implementation(Protocol):
    """What every module that evaluates graphs offers; x, dx and grad are (rows, ...)."""

    def forward(self, task: Task, x: Array, params: Parameters) -> Array:
        """Values of the outputs, (rows, outputs)."""

    def vjp(self, task: Task, x: Array, params: Parameters, grad: Array) -> Gradients:
        """Gradients of x and of the parameters for those of the outputs."""

    def jvp(
        self, task: Task, x: Array, params: Parameters, dx: Array, dparams: Parameters
    ) -> Array:
        """Tangents of the outputs, (rows, outputs)."""


def choose(xp: Namespace, *arrays: Array) -> Implementation:
    """Return the module that runs for these arrays; all offer the same three functions."""
    if is_jax_namespace(xp):
        return jitted
    if is_torch_namespace(xp):
        watcher = torch_watcher(*arrays)
        if watcher == "transform" and torch_func_runs():
            return transformed
        if watcher != "nobody":
            return recorded if watcher == "autograd" else array_api
    module = native if host.serves(xp, *arrays) else array_api
    _log.debug("graph by %s", module.__name__)
    return module


def forward(task: Task, x: Array, params: Parameters) -> Array:
    """Values (..., outputs) from checked arrays, x (..., inputs)."""
    out = choose(task.xp, x, *params).forward(task, _rows(x, task.xp), params)
    return task.xp.reshape(out, (*x.shape[:-1], out.shape[-1]))


def vjp(task: Task, x: Array, params: Parameters, grad: Array) -> Gradients:
    """Gradients of x and of the parameters from checked arrays, grad (..., outputs)."""
    run, xp = choose(task.xp, x, *params, grad), task.xp
    gx, gparams = run.vjp(task, _rows(x, xp), params, _rows(grad, xp))
    return xp.reshape(gx, x.shape), gparams


def jvp(task: Task, x: Array, params: Parameters, dx: Array, dparams: Parameters) -> Array:
    """Tangents (..., outputs) from checked arrays."""
    run, xp = choose(task.xp, x, *params, dx, *dparams), task.xp
    out = run.jvp(task, _rows(x, xp), params, _rows(dx, xp), dparams)
    return xp.reshape(out, (*x.shape[:-1], out.shape[-1]))


def _rows(a: Array, xp: Namespace) -> Array:
    return xp.reshape(a, (row_count(a), a.shape[-1]))
