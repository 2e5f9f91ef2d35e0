"""Arrays whose operations become nodes of an ONNX graph, or numbers at once where they are known.

Numbers that are the same for every row are kept as one row: they are repeated where an operation
needs all of them, and elsewhere the file's operations broadcast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import Any

import numpy as np

from synann_core._lib.typing import NumpyArray
from synann_core.export.onnx.graph import Graph, Sizes

Key = int | slice | EllipsisType | None
Dtype = np.dtype[Any]
Function = Callable[..., Any]  # of NumPy

# Numbers of an array that operations leave as it is: onnxruntime computes with it when it starts.
_LARGE = 4096
_BOOL, _INT = np.dtype(bool), np.dtype(np.int64)


class TracedArray:
    """An array of a graph: its numbers, or the name of what a node computes.

    Of numbers an axis whose size is None has length 1, and `rows_of` is an array that has the size.
    """

    __array_ufunc__ = None  # the operators of NumPy's arrays give way to these
    device = None

    def __init__(
        self,
        graph: Graph,
        shape: Sizes,
        dtype: Dtype,
        content: NumpyArray | str,
        rows_of: TracedArray | None = None,
    ) -> None:
        self.graph, self.shape, self.dtype, self.content = graph, shape, dtype, content
        self.rows_of = None if None not in shape else self if rows_of is None else rows_of

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def name(self) -> str:
        """The name in the graph."""
        content = self.content
        return content if isinstance(content, str) else self.graph.constant(content)

    @property
    def numbers(self) -> NumpyArray | None:
        """What is known and computed with now; not large ones, which a file holds once."""
        content = self.content
        if isinstance(content, str) or (content.size > _LARGE and content.shape == self.shape):
            return None
        return content

    @property
    def stored(self) -> Sizes:
        """The shape, of repeated numbers that of one row."""
        return self.shape if isinstance(self.content, str) else self.content.shape

    def whole(self) -> TracedArray:
        """Return the array with its numbers repeated for all rows."""
        if self.stored == self.shape:
            return self
        (name,) = self.graph.node("Expand", [self.name, sizes(self.shape, self).name])
        return TracedArray(self.graph, self.shape, self.dtype, name)

    def __getitem__(self, key: Key | tuple[Key, ...]) -> TracedArray:
        keys = key if isinstance(key, tuple) else (key,)
        at = next((k for k, one in enumerate(keys) if one is ...), len(keys))
        given = sum(one is not None and one is not ... for one in keys)
        return _selected(self, (*keys[:at], *(slice(None),) * (self.ndim - given), *keys[at + 1 :]))

    def __bool__(self) -> bool:
        raise TypeError("An array of an ONNX graph has no truth value: only a run knows it.")

    def __neg__(self) -> TracedArray:
        return elementwise("Neg", np.negative, self)

    def __invert__(self) -> TracedArray:
        return elementwise("Not", np.logical_not, self)

    def __add__(self, other: Any) -> TracedArray:
        return binary("Add", np.add, self, other)

    def __radd__(self, other: Any) -> TracedArray:
        return binary("Add", np.add, other, self)

    def __sub__(self, other: Any) -> TracedArray:
        return binary("Sub", np.subtract, self, other)

    def __rsub__(self, other: Any) -> TracedArray:
        return binary("Sub", np.subtract, other, self)

    def __mul__(self, other: Any) -> TracedArray:
        return binary("Mul", np.multiply, self, other)

    def __rmul__(self, other: Any) -> TracedArray:
        return binary("Mul", np.multiply, other, self)

    def __truediv__(self, other: Any) -> TracedArray:
        return binary("Div", np.divide, self, other)

    def __rtruediv__(self, other: Any) -> TracedArray:
        return binary("Div", np.divide, other, self)

    def __and__(self, other: Any) -> TracedArray:
        if all_are(other, True) and broadcast(self, other) == self.shape:
            return self
        return binary("And", np.logical_and, self, other)

    def __or__(self, other: Any) -> TracedArray:
        return binary("Or", np.logical_or, self, other)

    def __lt__(self, other: Any) -> TracedArray:
        return binary("Less", np.less, self, other, _BOOL)

    def __le__(self, other: Any) -> TracedArray:
        return binary("LessOrEqual", np.less_equal, self, other, _BOOL)

    def __gt__(self, other: Any) -> TracedArray:
        return binary("Greater", np.greater, self, other, _BOOL)

    def __ge__(self, other: Any) -> TracedArray:
        return binary("GreaterOrEqual", np.greater_equal, self, other, _BOOL)

    def __eq__(self, other: object) -> TracedArray:  # type: ignore[override]
        return binary("Equal", np.equal, self, other, _BOOL)

    def __ne__(self, other: object) -> TracedArray:  # type: ignore[override]
        return ~(self == other)


def known(graph: Graph, value: Any, dtype: Dtype | None = None) -> TracedArray:
    """Return numbers as an array of a graph."""
    value = np.asarray(value, dtype)
    return TracedArray(graph, value.shape, value.dtype, value)


def repeated(shape: Sizes, value: Any, dtype: Dtype, rows_of: TracedArray) -> TracedArray:
    """Return one number in all places; an unknown size is that of another array."""
    one_row = np.full([1 if size is None else size for size in shape], value, dtype)
    rows = rows_of.rows_of if None in shape else None
    return TracedArray(rows_of.graph, shape, dtype, one_row, rows)


def node(
    operator: str, *inputs: TracedArray, shape: Sizes, dtype: Dtype, **attributes: Any
) -> TracedArray:
    """Return a node's result. An array without elements needs none."""
    if 0 in shape:
        rows_of = next((a for a in inputs if a.rows_of is not None), inputs[0])
        return repeated(shape, 0, dtype, rows_of)
    graph = inputs[0].graph
    (name,) = graph.node(operator, [a.name for a in inputs], **attributes)
    return TracedArray(graph, shape, dtype, name)


def sizes(shape: Sizes, rows_of: TracedArray) -> TracedArray:
    """Return a shape as an array of ints; an unknown size is that of another array."""
    graph, rows = rows_of.graph, rows_of.rows_of
    if rows is None or None not in shape:
        return known(graph, shape, _INT)
    axis = rows.shape.index(None)
    count = node("Shape", rows, shape=(1,), dtype=_INT, start=axis, end=axis + 1)
    at = shape.index(None)
    before, after = (known(graph, part, _INT) for part in (shape[:at], shape[at + 1 :]))
    parts = [part for part in (before, count, after) if part.shape != (0,)]
    if len(parts) == 1:
        return count
    return node("Concat", *parts, shape=(len(shape),), dtype=_INT, axis=0)


def all_are(a: TracedArray, value: bool) -> bool:
    """Whether all numbers are seen to be the same truth value."""
    return a.numbers is not None and bool(np.all(a.numbers == value))


def binary(
    operator: str, function: Function, a: Any, b: Any, dtype: Dtype | None = None
) -> TracedArray:
    """Return an operation on two arrays of one dtype, or on an array and a number."""
    like = a if isinstance(a, TracedArray) else b
    a, b = (x if isinstance(x, TracedArray) else known(like.graph, x, like.dtype) for x in (a, b))
    if a.dtype != b.dtype:
        raise TypeError(f"Arrays must have one dtype. Received: {a.dtype} and {b.dtype}")
    return elementwise(operator, function, a, b, dtype=dtype)


def elementwise(
    operator: str, function: Function, *arrays: TracedArray, dtype: Dtype | None = None
) -> TracedArray:
    """Return an operation on each element: `function` of numbers, else a node."""
    dtype, shape = dtype or arrays[-1].dtype, broadcast(*arrays)
    numbers = [a.numbers for a in arrays]
    if not any(one is None for one in numbers):
        with np.errstate(all="ignore"):
            value = np.asarray(function(*numbers), dtype)
        rows_of = next((a.rows_of for a in arrays if a.rows_of is not None), None)
        return TracedArray(arrays[0].graph, shape, dtype, value, rows_of)
    if _common([a.stored for a in arrays]) != shape:
        arrays = tuple(a.whole() for a in arrays)
    return node(operator, *arrays, shape=shape, dtype=dtype)


def broadcast(*arrays: TracedArray) -> Sizes:
    """Return the shape of all together; an unknown size goes with 1 and itself."""
    return _common([a.shape for a in arrays])


def _common(shapes: Sequence[Sizes]) -> Sizes:
    ndim = max(map(len, shapes))
    every: list[int | None] = []
    for axis in zip(*((1,) * (ndim - len(shape)) + shape for shape in shapes), strict=True):
        large = set(axis) - {1}
        if len(large) > 1:
            raise ValueError(f"Arrays must have shapes that go together. Received: {shapes}")
        every.append(large.pop() if large else 1)
    return tuple(every)


def _selected(a: TracedArray, keys: tuple[Any, ...]) -> TracedArray:
    """Cut axes, pick entries of axes, and put axes of length 1 in."""
    axes = iter(range(a.ndim))
    cuts: dict[int, tuple[int, int]] = {}
    picks: dict[int, int] = {}
    shape: list[int | None] = []
    new: list[int] = []
    for key in keys:
        if key is None:
            new.append(len(shape))
            shape.append(1)
            continue
        axis = next(axes)
        size = a.shape[axis]
        if key == slice(None):
            shape.append(size)
        elif size is None:
            raise IndexError(f"An axis of unknown size must be taken whole. Received: {key}")
        elif isinstance(key, slice):
            start, stop, step = key.indices(size)
            if step != 1:
                raise IndexError(f"Slices must have step 1. Received: {key}")
            if (start, stop) != (0, size):
                cuts[axis] = start, stop
            shape.append(max(stop - start, 0))
        else:
            picks[axis] = range(size)[key]
    if a.numbers is not None:
        return TracedArray(a.graph, tuple(shape), a.dtype, np.asarray(a.numbers[keys]), a.rows_of)
    if 0 in shape:
        return repeated(tuple(shape), 0, a.dtype, a)
    if len(cuts) == 1:
        ((axis, bounds),) = cuts.items()
        half, odd = divmod(a.shape[axis] or 0, 2)
        if not odd and bounds in ((0, half), (half, 2 * half)):  # one node for both halves
            names = a.graph.node("Split", [a.name], outputs=2, axis=axis, num_outputs=2)
            now = (*a.shape[:axis], half, *a.shape[axis + 1 :])
            a, cuts = TracedArray(a.graph, now, a.dtype, names[bounds[0] > 0]), {}
    if cuts:
        starts, stops = zip(*cuts.values(), strict=True)
        where = (known(a.graph, part, _INT) for part in (starts, stops, tuple(cuts)))
        left = {axis: stop - start for axis, (start, stop) in cuts.items()}
        now = tuple(left.get(axis, size) for axis, size in enumerate(a.shape))
        a = node("Slice", a, *where, shape=now, dtype=a.dtype)
    for axis, place in sorted(picks.items(), reverse=True):
        now = (*a.shape[:axis], *a.shape[axis + 1 :])
        a = node("Gather", a, known(a.graph, place, _INT), shape=now, dtype=a.dtype, axis=axis)
    if new:
        places = known(a.graph, new, _INT)
        a = node("Unsqueeze", a, places, shape=tuple(shape), dtype=a.dtype)
    return a
