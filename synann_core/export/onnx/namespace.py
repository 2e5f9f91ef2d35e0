"""Run the core's formulas so that they are written into an ONNX graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from synann_core.export.onnx.array import (
    Dtype,
    TracedArray,
    all_are,
    binary,
    broadcast,
    elementwise,
    known,
    node,
    repeated,
)
from synann_core.export.onnx.graph import Tensor

# Inputs handled together, a power of two: temporaries hold so many numbers for each output.
_BLOCK = 32
_BOOL, _INT, _COUNT = np.dtype(bool), np.dtype(np.int64), np.dtype(np.int32)


class Rows:
    """The unknown size of an array, as a size: `full` takes it."""

    def __init__(self, array: TracedArray) -> None:
        self.array = array


class OnnxNamespace:
    """The functions of the array API standard that the core's formulas use.

    In shapes the size of the batch axis, which the first argument has, is None. The loop over
    blocks is unrolled: there are few of them, and ONNX's own loops are slow. A loop in time is
    ONNX's.
    """

    __name__ = "onnx"  # libraries are told apart by the names of their modules
    writes_onnx = True  # which has no log1p, expm1 and logaddexp: see `_lib.numerics`
    float32, float64, int64 = np.dtype(np.float32), np.dtype(np.float64), _INT
    finfo = staticmethod(np.finfo)

    def __init__(self, argument: TracedArray) -> None:
        self._argument, self._graph = argument, argument.graph

    def asarray(
        self, value: Any, *, dtype: Dtype | None = None, device: object = None
    ) -> TracedArray:
        """Return an array of the graph."""
        if isinstance(value, TracedArray):
            return self.astype(value, dtype or value.dtype)
        return known(self._graph, value, dtype)

    def astype(self, a: TracedArray, dtype: Dtype) -> TracedArray:
        """Return the numbers in another dtype."""
        if a.dtype == dtype:
            return a
        if a.numbers is not None:
            return TracedArray(a.graph, a.shape, dtype, a.numbers.astype(dtype), a.rows_of)
        kind = self._graph.code(dtype)
        return node("Cast", a, shape=a.shape, dtype=dtype, to=kind)

    def full(
        self, shape: Sequence[Any], value: float, *, dtype: Dtype, device: object = None
    ) -> TracedArray:
        """Return one number in all places; one size may be None, that of the batch, or Rows."""
        rows_of = next((size.array for size in shape if isinstance(size, Rows)), self._argument)
        own = tuple(size if isinstance(size, int) else None for size in shape)
        return repeated(own, value, dtype, rows_of)

    def zeros(self, shape: Sequence[Any], *, dtype: Dtype, device: object = None) -> TracedArray:
        """Return zeros; sizes as in `full`."""
        return self.full(shape, 0.0, dtype=dtype)

    def ones(self, shape: Sequence[Any], *, dtype: Dtype, device: object = None) -> TracedArray:
        """Return ones; sizes as in `full`."""
        return self.full(shape, 1.0, dtype=dtype)

    def full_like(self, a: TracedArray, value: float) -> TracedArray:
        """Return one number in all places of an array's shape."""
        return repeated(a.shape, value, a.dtype, a)

    def zeros_like(self, a: TracedArray) -> TracedArray:
        """Return zeros in an array's shape."""
        return self.full_like(a, 0.0)

    def ones_like(self, a: TracedArray) -> TracedArray:
        """Return ones in an array's shape."""
        return self.full_like(a, 1.0)

    def shape(self, a: TracedArray) -> tuple[Any, ...]:
        """Return the sizes of all axes."""
        return tuple(Rows(a) if size is None else size for size in a.shape)

    def reshape(self, a: TracedArray, shape: Sequence[Any]) -> TracedArray:
        """Return the numbers in another shape, of which one size may be unknown."""
        wanted = tuple(size if isinstance(size, int) and size >= 0 else None for size in shape)
        if None not in a.shape and None in wanted:
            others = math.prod(size for size in wanted if size is not None)
            left = math.prod(size or 0 for size in a.shape) // max(others, 1)
            wanted = tuple(left if size is None else size for size in wanted)
        if wanted == a.shape:
            return a
        if 0 in wanted:  # ONNX could not tell what is left
            return repeated(wanted, 0.0, a.dtype, a)
        a = a.whole()
        if a.numbers is not None:
            return known(a.graph, a.numbers.reshape([s for s in wanted if s is not None]))
        target = known(a.graph, [-1 if size is None else size for size in wanted], _INT)
        return node("Reshape", a, target, shape=wanted, dtype=a.dtype)

    def permute_dims(self, a: TracedArray, axes: tuple[int, ...]) -> TracedArray:
        """Return the axes in another order."""
        shape = tuple(a.shape[axis] for axis in axes)
        if a.numbers is not None:
            value = np.transpose(a.numbers, axes)
            return TracedArray(a.graph, shape, a.dtype, value, a.rows_of)
        return node("Transpose", a, shape=shape, dtype=a.dtype, perm=axes)

    def matrix_transpose(self, a: TracedArray) -> TracedArray:
        """Exchange the last two axes."""
        *batch, rows, columns = range(a.ndim)
        return self.permute_dims(a, (*batch, columns, rows))

    def broadcast_to(self, a: TracedArray, shape: Sequence[Any]) -> TracedArray:
        """Repeat an array along axes of length 1 and new ones in front."""
        return self.full(shape, 0.0, dtype=a.dtype) + a

    def concat(self, arrays: Sequence[TracedArray], *, axis: int = 0) -> TracedArray:
        """Join arrays along an axis whose sizes are known."""
        parts = [a.whole() for a in arrays if a.shape[axis] != 0] or [arrays[0]]
        if len(parts) == 1:
            return parts[0]
        content = [a.content for a in parts]
        if not any(isinstance(one, str) for one in content):
            return known(self._graph, np.concatenate(content, axis))
        first, length = parts[0], sum(a.shape[axis] or 0 for a in parts)
        shape = (*first.shape[:axis], length, *first.shape[axis + 1 :])
        return node("Concat", *parts, shape=shape, dtype=first.dtype, axis=axis)

    def take(self, a: TracedArray, indices: TracedArray, *, axis: int) -> TracedArray:
        """Take entries of an axis, whose size is known, by their indices."""
        shape = (*a.shape[:axis], *indices.shape, *a.shape[axis + 1 :])
        if isinstance(a.content, str) or isinstance(indices.content, str):
            indices = self.astype(indices, _INT)
            return node("Gather", a.whole(), indices, shape=shape, dtype=a.dtype, axis=axis)
        value = np.take(a.content, indices.content, axis)
        return TracedArray(a.graph, shape, a.dtype, value, a.rows_of)

    def matmul(self, a: TracedArray, b: TracedArray) -> TracedArray:
        """Multiply an array of matrices by a matrix."""
        a, b = a.whole(), b.whole()
        if a.numbers is not None and b.numbers is not None:
            return known(a.graph, a.numbers @ b.numbers)
        return node("MatMul", a, b, shape=(*a.shape[:-1], b.shape[-1]), dtype=a.dtype)

    def where(self, condition: TracedArray, a: Any, b: Any) -> TracedArray:
        """Choose between two arrays, or an array and a number."""
        like = a if isinstance(a, TracedArray) else b
        a, b = self.asarray(a, dtype=like.dtype), self.asarray(b, dtype=like.dtype)
        shape = broadcast(condition, a, b)
        if all_are(condition, True) and a.shape == shape:
            return self.asarray(a)
        if all_are(condition, False) and b.shape == shape:
            return self.asarray(b)
        return elementwise("Where", np.where, condition, a, b)

    def add(self, a: TracedArray, b: TracedArray) -> TracedArray:
        """Return a + b."""
        return a + b

    def multiply(self, a: TracedArray, b: TracedArray) -> TracedArray:
        """Return a · b."""
        return a * b

    def maximum(self, a: Any, b: Any) -> TracedArray:
        """Return the larger one, or NaN."""
        return binary("Max", np.maximum, a, b)

    def minimum(self, a: Any, b: Any) -> TracedArray:
        """Return the smaller one, or NaN."""
        return binary("Min", np.minimum, a, b)

    def clip(self, a: TracedArray, least: float | None, most: float | None) -> TracedArray:
        """Return what is inside of bounds."""
        a = a if least is None else self.maximum(a, least)
        return a if most is None else self.minimum(a, most)

    def abs(self, a: TracedArray) -> TracedArray:
        """Return the absolute value."""
        return elementwise("Abs", np.abs, a)

    def exp(self, a: TracedArray) -> TracedArray:
        """Return the exponential."""
        return elementwise("Exp", np.exp, a)

    def log(self, a: TracedArray) -> TracedArray:
        """Return the logarithm."""
        return elementwise("Log", np.log, a)

    def sqrt(self, a: TracedArray) -> TracedArray:
        """Return the square root."""
        return elementwise("Sqrt", np.sqrt, a)

    def isfinite(self, a: TracedArray) -> TracedArray:
        """Say where numbers are neither infinite nor NaN."""
        return self.abs(a) <= float(np.finfo(a.dtype).max)

    def isinf(self, a: TracedArray) -> TracedArray:
        """Say where numbers are infinite."""
        return self.abs(a) > float(np.finfo(a.dtype).max)

    def any(self, a: TracedArray, *, axis: int) -> TracedArray:
        """Say where one along an axis is true."""
        return self.sum(self.astype(a, _COUNT), axis=axis) > 0

    def sum(self, a: TracedArray, *, axis: int, keepdims: bool = False) -> TracedArray:
        """Sum along an axis."""
        return self._reduced("ReduceSum", np.sum, a, axis, keepdims)

    def max(self, a: TracedArray, *, axis: int, keepdims: bool = False) -> TracedArray:
        """Return the largest along an axis that is not empty."""
        return self._reduced("ReduceMax", np.max, a, axis, keepdims)

    def _reduced(
        self,
        operator: str,
        function: Callable[..., Any],
        a: TracedArray,
        axis: int,
        keepdims: bool,
    ) -> TracedArray:
        axis %= a.ndim
        shape = (*a.shape[:axis], *((1,) if keepdims else ()), *a.shape[axis + 1 :])
        if a.numbers is not None and a.stored[axis] == a.shape[axis]:
            value = np.asarray(function(a.numbers, axis=axis, keepdims=keepdims), a.dtype)
            return TracedArray(a.graph, shape, a.dtype, value, a.rows_of)
        axes = known(a.graph, [axis], _INT)
        return node(operator, a.whole(), axes, shape=shape, dtype=a.dtype, keepdims=int(keepdims))

    def stop_gradient(self, a: TracedArray) -> TracedArray:
        """Return the same: nothing is differentiated."""
        return a

    def attach(self, value: TracedArray, carrier: Callable[[], TracedArray]) -> TracedArray:
        """Return `value`: nothing is differentiated."""
        return value

    def with_gradient(
        self, function: Callable[..., Any], vjp: Callable[..., Any], *arrays: TracedArray | None
    ) -> Any:
        """Return ``function(*arrays)``: nothing is differentiated."""
        return function(*arrays)

    def scan_blocks(
        self,
        step: Callable[[Any, Any], tuple[Any, Any]],
        carry: Any,
        parts: tuple[TracedArray, ...],
    ) -> tuple[Any, Any]:
        """Run the loop over blocks of one input by larger blocks.

        A block is (rows, 1), of weights (1, m); larger ones, (rows, k) and (k, m) with a power of
        two k, are what a step takes on other libraries.
        """
        count, start = int(parts[0].shape[0] or 0), 0
        while start < count:
            size = min(_BLOCK, 1 << ((count - start).bit_length() - 1))
            merged = []
            for part in parts:
                block = part[start : start + size, ...]
                of_weights = block.shape[1] == 1
                merged.append(
                    block[:, 0, :] if of_weights else self.permute_dims(block[..., 0], (1, 0))
                )
            carry, _ = step(carry, tuple(merged))
            start += size
        return carry, None

    def scan_steps(
        self,
        step: Callable[[Any, Any], tuple[Any, Any]],
        carry: Any,
        parts: tuple[TracedArray, ...],
    ) -> tuple[Any, Any]:
        """Run the loop in time: ONNX's Loop.

        The carry is a named tuple, with None where it has no such part; the number of steps is
        known.
        """
        graph, count = self._graph, int(parts[0].shape[0] or 0)
        start = [value.whole() for value in carry if value is not None]
        graph.open_loop()
        place, go_on = (TracedArray(graph, (), kind, graph.fresh(1)) for kind in (_INT, _BOOL))
        states = [TracedArray(graph, a.shape, a.dtype, graph.fresh(1)) for a in start]
        now = tuple(self.take(part, place, axis=0) for part in parts)
        after, outputs = step(_like(carry, iter(states)), now)
        results = [value.whole() for value in (*after, *outputs) if value is not None]
        names = graph.close_loop(
            count,
            [a.name for a in start],
            [_tensor(a) for a in (place, go_on, *states)],
            [_tensor(a) for a in results],
        )
        stacked = (() if k < len(start) else (count,) for k in range(len(results)))
        arrays = [
            TracedArray(graph, (*front, *a.shape), a.dtype, name)
            for front, a, name in zip(stacked, results, names, strict=True)
        ]
        return _like(carry, iter(arrays)), tuple(arrays[len(start) :])


def _tensor(a: TracedArray) -> Tensor:
    return Tensor(a.name, a.dtype, a.shape)


def _like(record: Any, values: Any) -> Any:
    """A record with other values, and None where it has None."""
    return type(record)(*(None if value is None else next(values) for value in record))
