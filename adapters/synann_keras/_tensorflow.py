"""The array API standard, as far as the core's formulas use it, on tensorflow.

keras.ops under the standard's names, the loop over blocks as one loop in the graph, and calls of
the core's kernels out of the graph. Sizes that the graph does not know, of the batch, are None in a
shape.
"""

from __future__ import annotations

import contextvars
import functools
import uuid
from collections.abc import Callable, Sequence
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
    there = _there(arrays)

    @tf.custom_gradient
    def run(*tensors: Array) -> tuple[Any, Callable[..., Any]]:
        def grad(*upstream: Array) -> list[Array | None]:
            gradients = vjp(*_filled(tensors, there), *upstream)
            return [gradients[k] for k, is_there in enumerate(there) if is_there]

        token = _RECORDS.set(False)
        try:
            return function(*_filled(tensors, there)), grad
        finally:
            _RECORDS.reset(token)

    # In the graph that is built now: the gradient of a gradient finds no tensors but that graph's.
    return run(*(tf.identity(a) for a in arrays if a is not None))


def pull_back(
    function: Callable[..., Any], arrays: Sequence[Array | None], upstream: Sequence[Array]
) -> list[Array | None]:
    """Gradients of ``function(*arrays)`` for upstream ones, as tensorflow itself takes them."""
    there = _there(arrays)
    tensors = [a for a in arrays if a is not None]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        results = function(*_filled(tensors, there))
    return _filled(tape.gradient(results, tensors, output_gradients=upstream), there)


def call_host(
    function: Callable[..., Any], otherwise: Callable[..., Any], *arrays: Array | None
) -> tuple[Array, Array]:
    """``otherwise(*arrays)``, or ``function(*arrays)`` of NumPy arrays where that can be called.

    Either gives two matrices with equally many columns, the first with the rows of the first array;
    `function` must live as long as the process. An eager call has the tensors' numbers. In a graph,
    which one is called is chosen when the graph runs: `function` on a CPU, and `otherwise`, made of
    operations, on GPUs, where XLA compiles, and where another process runs the graph (a SavedModel
    of it, say).
    """
    there = _there(arrays)
    tensors = [a for a in arrays if a is not None]
    if tf.executing_eagerly():  # nothing to trace, which takes half a second
        eager: Any = tensors
        if not all(tensor.device.endswith("CPU:0") for tensor in eager):
            first, second = otherwise(*arrays)
        else:
            first, second = function(*_filled([tensor.numpy() for tensor in eager], there))
        return tf.convert_to_tensor(first), tf.convert_to_tensor(second)

    # One output, of a function that is traced once for both places: pfor, by which tensorflow
    # vectorises Jacobians, does not convert a choice with two.
    @tf.function(autograph=False)
    def operations(*tensors: Array) -> Array:
        return tf.concat(otherwise(*_filled(tensors, there)), 0)

    spec = operations.get_concrete_function(*tensors).structured_outputs

    def called() -> Array:
        result = tf.numpy_function(_joined(function, there), tensors, spec.dtype, stateful=False)
        result.set_shape(spec.shape)
        return result

    def in_this_process() -> Array:
        return tf.cond(_in_this_process(), called, lambda: operations(*tensors))

    # 0 on a CPU and else 1; so it is to XLA, as a constant, which compiles only what that leaves.
    # (tf.__internal__.execute_fn_for_device leaves out the branch where XLA is the first to ask,
    # and callers without XLA get the same graph.)
    index = tf.raw_ops.DeviceIndex(device_names=["CPU"])
    both = tf.switch_case(index, [in_this_process, lambda: operations(*tensors)])
    rows = tensors[0].shape[0]
    rows = tf.shape(tensors[0])[0] if rows is None else rows
    return both[:rows], both[rows:]


@functools.cache  # tensorflow keeps functions by weak references, and graphs outlive their makers
def _joined(function: Callable[..., Any], there: tuple[bool, ...]) -> Callable[..., Any]:
    return lambda *arrays: np.concatenate(function(*_filled(arrays, there)))


def _in_this_process() -> Array:
    """Whether the graph runs in the process that built it: by a variable that only this one has."""
    variable = {"dtype": tf.bool, "shape": [], "shared_name": _process_mark()}
    with tf.device("CPU:0"):
        return tf.raw_ops.VarIsInitializedOp(resource=tf.raw_ops.VarHandleOp(**variable))


@functools.cache
def _process_mark() -> str:
    name = f"synann_{uuid.uuid4().hex}"
    with tf.init_scope(), tf.device("CPU:0"):
        resource = tf.raw_ops.VarHandleOp(dtype=tf.bool, shape=[], shared_name=name)
        tf.raw_ops.AssignVariableOp(resource=resource, value=tf.constant(True))
    return name


def _there(arrays: Sequence[Array | None]) -> tuple[bool, ...]:
    return tuple(a is not None for a in arrays)


def _filled(tensors: Sequence[Any], there: tuple[bool, ...]) -> list[Any]:
    """Give arrays their places again, between those that are None."""
    rest = iter(tensors)
    return [next(rest) if is_there else None for is_there in there]


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
