"""The core's formulas on tensors of whatever backend Keras runs on, differentiable.

On jax and torch these tensors are arrays that `synann_core` knows. On tensorflow its formulas run
on `_tensorflow`, a namespace over keras.ops, with the core's hand-written gradients.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

import synann_core as syn
from synann_core import tensor, transmission
from synann_core._lib.torch_modes import torch_values_known
from synann_core.surprisals import _complement

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
    return _in_batch(_graph(transmission._log_transmission, beta)(_rows(y), beta), y)


def synapse_tensor(x: Tensor | float, y: Tensor, alpha: Tensor | float, beta: Tensor) -> Tensor:
    """`synann_core.synapse_tensor`; x (..., m) has the batch axes of y, or is a number."""
    if keras.config.backend() != "tensorflow":
        return syn.synapse_tensor(x, y, alpha, beta)
    graph = _graph(tensor._synapse_tensor, beta)
    return _in_batch(graph(_rows(x), _rows(y), alpha, beta), y)


def surprisal_synapse_tensor(
    u: Tensor | float, v: Tensor, theta: Tensor | float, gamma: Tensor
) -> Tensor:
    """`synann_core.surprisal_synapse_tensor`; u (..., m) as x in `synapse_tensor`."""
    if keras.config.backend() != "tensorflow":
        return syn.surprisal_synapse_tensor(u, v, theta, gamma)
    graph = _graph(tensor._surprisal_synapse_tensor, gamma)
    return _in_batch(graph(_rows(u), _rows(v), theta, gamma), v)


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


def _graph(formula: Callable[..., Tensor], weights: Tensor) -> Callable[..., Tensor]:
    # Of all sizes, graphs leave that of the batch open.
    return _graph_for(formula, tuple(weights.shape), weights.dtype)


@functools.cache
def _graph_for(
    formula: Callable[..., Tensor], shape: tuple[int, int], dtype: Any
) -> Callable[..., Tensor]:
    """A formula of the core as a graph, whoever calls it.

    Without a graph the loop over blocks would be hundreds of calls.
    """
    graph: Callable[..., Tensor] = tf.function(
        functools.partial(formula, xp=xp), autograph=False, reduce_retracing=True
    )
    return graph


def _rows(a: Tensor | float) -> Tensor | float:
    return a if isinstance(a, float) else ops.reshape(a, (-1, a.shape[-1]))


def _in_batch(value: Tensor, y: Tensor) -> Tensor:
    return ops.reshape(value, (*ops.shape(y)[:-1], value.shape[-1]))


def readable(value: Tensor) -> bool:
    """Whether a tensor has values now, rather than standing for them in a graph or transform."""
    if keras.config.backend() == "tensorflow":
        return isinstance(value, tf.__internal__.EagerTensor)
    if keras.config.backend() == "jax":
        import jax

        return not isinstance(value, jax.core.Tracer)
    return torch_values_known(value)
