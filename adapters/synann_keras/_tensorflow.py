"""The array API standard, as far as the core's formulas use it, on tensorflow.

keras.ops under the standard's names, and the loop over blocks as one loop in the graph. Sizes that
the graph does not know, of the batch, are None in a shape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

Array = Any

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


def matrix_transpose(a: Array) -> Array:
    """Exchange the last two axes."""
    return ops.swapaxes(a, -1, -2)


def finfo(dtype: Any) -> Any:
    """Limits of a dtype."""
    return np.finfo(tf.as_dtype(dtype).as_numpy_dtype)


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
        lambda i, *_: i < count, body, (1, carry or (), stacks), parallel_iterations=1
    )
    return carry or None, tuple(s.stack() for s in stacks) or None
