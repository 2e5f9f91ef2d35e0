"""The core's formulas on tensors of whatever backend Keras runs on, differentiable.

On jax and torch these tensors are arrays that `synann_core` knows. On tensorflow its formulas run
on `_tensorflow`, a namespace over keras.ops, with the core's hand-written gradients, and as graphs:
without one the loop over blocks would be hundreds of calls.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any, cast

import keras
from keras import ops

from synann_core import extending
from synann_core.extending import Array, Namespace, register_torch_operators, torch_values_known

BACKEND = keras.config.backend()
_NAMESPACES = {"jax": "jax.numpy", "torch": "array_api_compat.torch"}
xp = cast(Namespace, importlib.import_module(_NAMESPACES.get(BACKEND, "synann_keras._tensorflow")))

_ODD: tuple[type, ...] = ()

if BACKEND == "tensorflow":
    import tensorflow as tf

    _ODD = (tf.SparseTensor, tf.RaggedTensor, tf.IndexedSlices)
elif BACKEND == "torch":
    import torch

    register_torch_operators()


def evaluate(
    formula: Callable[..., Array],
    rows: tuple[Array | float | None, ...],
    weights: tuple[Any, ...],
    **options: str,
) -> Array:
    """Evaluate ``formula(*rows, *weights, **options, xp=xp)``.

    Arrays in `rows` are (..., features) with the same batch axes, which the result gets, too.
    """
    if BACKEND != "tensorflow":
        return formula(*rows, *weights, **options, xp=xp)
    first: Any = rows[0]
    shapes = tuple(tuple(getattr(a, "shape", ())) for a in tf.nest.flatten(weights))
    graph = _graph(formula, shapes, first.dtype, **options)
    # Of all sizes, graphs leave that of the batch open.
    flat = (a if _single(a) else ops.reshape(a, (-1, cast(Array, a).shape[-1])) for a in rows)
    value = graph(*flat, *weights)
    result: Array = ops.reshape(value, (*ops.shape(first)[:-1], value.shape[-1]))
    return result


def work_dtype(dtype: str) -> str:
    """Dtype to compute in where results are to be of this one: 16 bits are too few."""
    return "float32" if dtype in ("float16", "bfloat16") else dtype


def wide(value: Any, dtype: str) -> Array:
    """`value` in the `work_dtype` of a dtype; gradients that 16 bits cannot hold stay finite."""
    work = work_dtype(dtype)
    if keras.backend.standardize_dtype(value.dtype) in ("float16", "bfloat16"):
        return extending.widened(ops.convert_to_tensor(value), getattr(xp, work), xp)
    result: Array = ops.cast(value, work)
    return result


def _single(a: Array | float | None) -> bool:
    return a is None or isinstance(a, float)


@functools.cache
def _graph(
    formula: Callable[..., Array], shapes: tuple[Any, ...], dtype: object, **options: str
) -> Callable[..., Any]:
    """A formula of the core as a graph for weights of these shapes, whoever calls it."""
    graph: Callable[..., Any] = tf.function(
        functools.partial(formula, xp=xp, **options), autograph=False, reduce_retracing=True
    )
    return graph


def check_plain(names: tuple[str, ...], arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Refuse what the core's `check_plain` refuses, and sparse and ragged tensors of Keras.

    `names` are those of the first arguments; of lists and tuples all members are looked at.
    """
    for name, value in [*zip(names, arguments, strict=False), *named.items()]:
        extending.check_plain(name, value)
        for member in value if isinstance(value, list | tuple) else (value,):
            # Symbolic tensors say so; those of tensorflow are of other types.
            odd = (
                getattr(member, "sparse", False) is True or getattr(member, "ragged", False) is True
            )
            if odd or isinstance(member, _ODD):
                raise TypeError(
                    f"`{name}` must be a plain dense array. "
                    f"Received: {type(member).__qualname__}, sparse or ragged"
                )


def readable(value: Array) -> bool:
    """Whether a tensor has values now, rather than standing for them in a graph or transform."""
    if BACKEND == "tensorflow":
        return isinstance(value, tf.__internal__.EagerTensor)
    if BACKEND == "jax":
        import jax

        return not isinstance(value, jax.core.Tracer)
    return torch_values_known(value)


def _never() -> bool:
    return False


# Whether torch's compiler reads this: it would compile anew for each number of calls.
compiling: Callable[[], bool] = torch.compiler.is_compiling if BACKEND == "torch" else _never
