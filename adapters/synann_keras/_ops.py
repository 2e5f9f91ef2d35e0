"""The core's formulas on tensors of whatever backend Keras runs on, differentiable.

On jax and torch these tensors are arrays that `synann_core` knows. On tensorflow its formulas run
on `_tensorflow`, a namespace over keras.ops, with its hand-written gradients.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

import synann_core as syn
from synann_core import tensor, transmission
from synann_core.surprisal import _complement

if keras.config.backend() == "tensorflow":
    import tensorflow as tf

    from . import _tensorflow as xp
elif keras.config.backend() == "torch":
    # Registers the operators that keep the compiled kernels under torch.compile.
    import synann_torch as _  # noqa: F401

Tensor = Any


def log_transmission(y: Tensor, beta: Tensor) -> Tensor:
    """`synann_core.log_transmission`: y (..., n), beta (m, n) to (..., m)."""
    if keras.config.backend() != "tensorflow":
        return syn.log_transmission(y, beta)
    return _in_batch(_run("log_transmission", _rows(y), beta), y)


def synapse_tensor(x: Tensor | float, y: Tensor, alpha: Tensor | float, beta: Tensor) -> Tensor:
    """`synann_core.synapse_tensor`; x (..., m) has the batch axes of y, or is a number."""
    if keras.config.backend() != "tensorflow":
        return syn.synapse_tensor(x, y, alpha, beta)
    return _tensor("synapse_tensor", x, y, alpha, beta)


def surprisal_synapse_tensor(
    u: Tensor | float, v: Tensor, theta: Tensor | float, gamma: Tensor
) -> Tensor:
    """`synann_core.surprisal_synapse_tensor`; u (..., m) as x in `synapse_tensor`."""
    if keras.config.backend() != "tensorflow":
        return syn.surprisal_synapse_tensor(u, v, theta, gamma)
    return _tensor("surprisal_synapse_tensor", u, v, theta, gamma)


def contributions(y: Tensor, beta: Tensor) -> Tensor:
    """`synann_core.contributions`: (..., m, n)."""
    if keras.config.backend() != "tensorflow":
        return syn.contributions(y, beta)
    return transmission._contributions(y, beta, xp=xp)


def complement(w: Tensor) -> Tensor:
    """`synann_core.complement`."""
    if keras.config.backend() != "tensorflow":
        return syn.complement(w)
    return _complement(w, xp=xp)


def _tensor(
    name: str, first: Tensor | float, second: Tensor, third: Tensor | float, fourth: Tensor
) -> Tensor:
    m = fourth.shape[0]
    rows = _rows(second)
    # The broadcasts are Keras': the gradients come in the shapes that the formulas see.
    first = ops.broadcast_to(
        ops.cast(first, rows.dtype) if isinstance(first, float) else _rows(first),
        (ops.shape(rows)[0], m),
    )
    third = ops.broadcast_to(ops.cast(third, rows.dtype), (m,))
    return _in_batch(_run(name, first, rows, third, fourth), second)


def _rows(a: Tensor) -> Tensor:
    return ops.reshape(a, (-1, a.shape[-1]))


def _in_batch(value: Tensor, y: Tensor) -> Tensor:
    return ops.reshape(value, (*ops.shape(y)[:-1], value.shape[-1]))


def _run(name: str, *arrays: Tensor) -> Tensor:
    # Of all sizes, graphs leave that of the batch open.
    weights = arrays[-1]
    return _graph(name, tuple(weights.shape), weights.dtype)(*arrays)


@functools.cache
def _graph(name: str, shape: tuple[int, int], dtype: Any) -> Callable[..., Tensor]:
    """A formula of the core as a graph, whoever calls it, with the core's gradient.

    Without a graph the loop over blocks would be hundreds of calls.
    """
    module = transmission if name == "log_transmission" else tensor
    formula, vjp = getattr(module, f"_{name}"), getattr(module, f"_{name}_vjp")

    @ops.custom_gradient
    def run(*arrays: Tensor) -> tuple[Tensor, Callable[..., Any]]:
        def grad(*args: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, ...]:
            gradients = vjp(*arrays, args[0] if upstream is None else upstream, xp=xp)
            # α and θ, (m,), have a gradient for every row.
            return tuple(
                ops.sum(g, axis=0) if len(g.shape) > len(a.shape) else g
                for g, a in zip(gradients, arrays, strict=True)
            )

        return formula(*arrays, xp=xp), grad

    graph: Callable[..., Tensor] = tf.function(run, autograph=False, reduce_retracing=True)
    return graph


def readable(value: Tensor) -> bool:
    """Whether a tensor has values now, rather than standing for them in a graph or transform."""
    if keras.config.backend() == "tensorflow":
        return isinstance(value, tf.__internal__.EagerTensor)
    if keras.config.backend() == "jax":
        import jax

        return not isinstance(value, jax.core.Tracer)
    import torch

    traced = torch.compiler.is_compiling() or value.is_meta
    return not (traced or torch._C._functorch.is_functorch_wrapped_tensor(value))
