"""Evaluate graphs with array operations that JAX compiles, once for each graph."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from synann_core._lib.typing import Array
from synann_core.graph import array_api
from synann_core.graph.parameters import Gradients, Parameters
from synann_core.graph.structure import Task


def forward(task: Task, x: Array, params: Parameters) -> Array:
    """Values of the outputs, (rows, outputs)."""
    out: Array = _jitted(array_api.forward, task)(x, params)
    return out


def vjp(task: Task, x: Array, params: Parameters, grad: Array) -> Gradients:
    """Gradients of x and of the parameters for those of the outputs."""
    gx, gparams = _jitted(array_api.vjp, task)(x, params, grad)
    return gx, gparams


def jvp(task: Task, x: Array, params: Parameters, dx: Array, dparams: Parameters) -> Array:
    """Tangents of the outputs, (rows, outputs)."""
    out: Array = _jitted(array_api.jvp, task)(x, params, dx, dparams)
    return out


def _jitted(formula: Callable[..., Any], task: Task) -> Callable[..., Any]:
    """The formula for this task, which is a constant to JAX."""

    def make() -> Callable[..., Any]:
        import jax

        compiled: Callable[..., Any] = jax.jit(functools.partial(formula, task))
        return compiled

    return task.structure.once((formula.__name__, task.space, task.every), make)
