"""The array API standard, as far as the core's formulas use it, on tensorflow.

keras.ops under the standard's names, and the loop over blocks as one loop in the graph. Sizes that
the graph does not know, of the batch, are None in a shape.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from synann_core.extending import Array

# Whether tensorflow may differentiate what runs now.
_RECORDS = contextvars.ContextVar("_RECORDS", default=True)

float32, float64 = tf.float32, tf.float64
permute_dims = ops.transpose
concat = ops.concatenate
astype = ops.cast


def __getattr__(name: str) -> Any:
    return getattr(ops, name)


def asarray(value: Any, *, dtype: Any = None, device: object = None) -> Array:
    """Tensor of a number."""
    return ops.convert_to_tensor(value, dtype=dtype)


def zeros(shape: Any, *, dtype: Any, device: object = None) -> Array:
    """Zeros; sizes may be tensors."""
    return tf.zeros(shape, dtype=dtype)


def reshape(a: Array, shape: Any) -> Array:
    """Reshape; one size may be None, for what is left."""
    return ops.reshape(a, tuple(-1 if size is None else size for size in shape))


def clip(a: Array, low: float | None, high: float | None) -> Array:
    """Clip; None stands for no limit."""
    a = a if low is None else ops.maximum(a, low)
    return a if high is None else ops.minimum(a, high)


def matrix_transpose(a: Array) -> Array:
    """Exchange the last two axes."""
    return ops.swapaxes(a, -1, -2)


def finfo(dtype: Any) -> Any:
    """Limits of a dtype."""
    return np.finfo(tf.as_dtype(dtype).as_numpy_dtype)


def attach(value: Array, carrier: Callable[[], Array]) -> Array:
    """`value` with the derivatives of `carrier()`, where tensorflow may differentiate."""
    return _attached(value, carrier()) if _RECORDS.get() else value


@tf.custom_gradient
def _attached(value: Array, smooth: Array) -> tuple[Array, Callable[..., Any]]:
    # XLA computes the second argument only where its derivatives are wanted.
    return tf.identity(value), lambda upstream: (None, upstream)


def with_gradient(
    function: Callable[..., Any], vjp: Callable[..., Any], *arrays: Array | None
) -> Any:
    """``function(*arrays)`` whose gradients for upstream ones are ``vjp(*arrays, *upstream)``.

    Nothing but the arrays is kept for the backward pass. The vjp is made of operations that
    tensorflow can differentiate, so that second derivatives follow from it.
    """
    there = [k for k, a in enumerate(arrays) if a is not None]
    count = len(arrays)

    def filled(tensors: tuple[Array, ...]) -> list[Array | None]:
        given = dict(zip(there, tensors, strict=True))
        return [given.get(k) for k in range(count)]

    @tf.custom_gradient
    def run(*tensors: Array) -> tuple[Any, Callable[..., Any]]:
        def grad(*upstream: Array) -> list[Array | None]:
            gradients = vjp(*filled(tensors), *upstream)
            return [gradients[k] for k in there]

        token = _RECORDS.set(False)
        try:
            return function(*filled(tensors)), grad
        finally:
            _RECORDS.reset(token)

    return run(*(arrays[k] for k in there))


def scan_blocks(
    step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, parts: tuple[Array, ...]
) -> tuple[Any, Any]:
    """`jax.lax.scan` over the leading axis of `parts`, whose size the graph knows.

    keras.ops.scan would want outputs of the carry's shape.
    """
    count = parts[0].shape[0]

    def at(i: Any) -> tuple[Array, ...]:
        return tuple(part[i] for part in parts)

    # The first block, outside the loop, shows what a step gives.
    carry, outputs = step(carry, at(0))
    stacks = tuple(
        tf.TensorArray(output.dtype, size=count, element_shape=output.shape).write(0, output)
        for output in outputs or ()
    )

    def body(i: Any, carry: Any, stacks: Any) -> Any:
        carry, outputs = step(carry or None, at(i))
        stacks = tuple(s.write(i, o) for s, o in zip(stacks, outputs or (), strict=True))
        return i + 1, carry or (), stacks

    _, carry, stacks = tf.while_loop(
        lambda i, *_: i < count,
        body,
        (1, carry or (), stacks),
        parallel_iterations=1,
        maximum_iterations=count - 1,
    )
    return carry or None, tuple(s.stack() for s in stacks) or None
