"""Give ndonnx, which traces the array API, what the core asks of a library that builds graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ndonnx as ndx
import numpy as np
import spox.opset.ai.onnx.v21 as opset
from ndonnx import Array

Sizes = Sequence[Any]  # ints; None for the size of the batch, or the rows of an array

# Inputs handled together, a power of two: temporaries hold so many numbers for each output.
_BLOCK = 32


class Rows:
    """The size of an array's axis that is not known, as a size: `zeros` has as many."""

    def __init__(self, array: Array) -> None:
        place = tuple(slice(None) if size is None else 0 for size in array.shape)
        self.zeros = ndx.zeros_like(array[place])


class OnnxNamespace:
    """A namespace for one graph, in whose shapes the size of the batch axis is None.

    The core's formulas run on it as they are. The loop over blocks is unrolled: there are few of
    them, and ONNX's own loops are slow. A loop in time is ONNX's, and with `in_time` an array may
    have a row for each step and sample.
    """

    def __init__(self, argument: Array, *, in_time: bool = False) -> None:
        self._in_time = in_time
        # Of the batch's size, which a broadcast takes from it: (batch,).
        axes = (*range(argument.ndim - 2), -1)
        self._nothing = ndx.zeros_like(ndx.sum(argument, axis=axes))

    def __getattr__(self, name: str) -> Any:
        return getattr(ndx, name)

    def shape(self, a: Array) -> tuple[Any, ...]:
        """Return the sizes of all axes."""
        return tuple(Rows(a) if size is None and self._in_time else size for size in a.shape)

    def reshape(self, a: Array, sizes: Sizes) -> Array:
        """Reshape; one size may be None."""
        if None in sizes and 0 in sizes:  # ONNX could not tell what is left
            return self.full(sizes, 0.0, dtype=a.dtype)
        return ndx.reshape(a, tuple(size if isinstance(size, int) else -1 for size in sizes))

    def full(self, sizes: Sizes, value: float, *, dtype: Any, device: object = None) -> Array:
        """Make a constant array; one size may be None, or rows."""
        known = [isinstance(size, int) for size in sizes]
        constant = ndx.full(
            tuple(size if k else 1 for size, k in zip(sizes, known, strict=True)),
            value,
            dtype=dtype,
        )
        if all(known):
            return constant
        own = sizes[known.index(False)]
        nothing = self._nothing if own is None else own.zeros
        one_axis = tuple(1 if k else -1 for k in known)
        return constant + ndx.astype(ndx.reshape(nothing, one_axis), dtype)

    def matmul(self, a: Array, b: Array) -> Array:
        """Multiply by a matrix: ndonnx would forget the sizes that are known."""
        return self.reshape(ndx.matmul(a, b), (*a.shape[:-1], b.shape[-1]))

    def take(self, a: Array, indices: Array, *, axis: int) -> Array:
        """Take entries by their indices."""
        return ndx.take(a, ndx.astype(indices, ndx.int64), axis=axis)

    def broadcast_to(self, a: Array, sizes: Sizes) -> Array:
        """Repeat an array along new leading axes."""
        return self.zeros((*sizes[: len(sizes) - a.ndim], *(1,) * a.ndim), dtype=a.dtype) + a

    def zeros(self, sizes: Sizes, *, dtype: Any, device: object = None) -> Array:
        """Make zeros; sizes as in `full`."""
        return self.full(sizes, 0.0, dtype=dtype)

    def ones(self, sizes: Sizes, *, dtype: Any, device: object = None) -> Array:
        """Make ones; sizes as in `full`."""
        return self.full(sizes, 1.0, dtype=dtype)

    def zeros_like(self, a: Array) -> Array:
        """Make zeros of the shape of `a`, of which ndonnx would forget the sizes that are known."""
        return self.full(self.shape(a), 0.0, dtype=a.dtype)

    def ones_like(self, a: Array) -> Array:
        """Make ones of the shape of `a`, likewise."""
        return self.full(self.shape(a), 1.0, dtype=a.dtype)

    def stop_gradient(self, a: Array) -> Array:
        """Return the same: nothing is differentiated."""
        return a

    def attach(self, value: Array, carrier: Callable[[], Array]) -> Array:
        """Return `value`: nothing is differentiated."""
        return value

    def with_gradient(
        self, function: Callable[..., Any], vjp: Callable[..., Any], *arrays: Array | None
    ) -> Any:
        """Return ``function(*arrays)``: nothing is differentiated."""
        return function(*arrays)

    def scan_blocks(
        self,
        step: Callable[[Any, Any], tuple[Any, Any]],
        carry: Any,
        parts: tuple[Array, ...],
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
                block = ndx.squeeze(block, axis=1 if of_weights else 2)
                merged.append(block if of_weights else ndx.permute_dims(block, (1, 0)))
            carry, _ = step(carry, tuple(merged))
            start += size
        return carry, None

    def scan_steps(
        self,
        step: Callable[[Any, Any], tuple[Any, Any]],
        carry: Any,
        parts: tuple[Array, ...],
    ) -> tuple[Any, Any]:
        """Run the loop in time: ONNX's Loop, since the Scan of spox mixes up states and inputs.

        The carry is a named tuple, with None where it has no such part; the number of steps is
        known.
        """
        count = parts[0].shape[0]
        # What is used outside of the loop is computed there, not once more at every step.
        outside = [opset.shape(part.unwrap_spox()) for part in parts]
        shapes: list[Sizes] = []  # that ONNX forgets

        def body(i: Any, go_on: Any, *variables: Any) -> list[Any]:
            place, states = ndx.asarray(i), map(ndx.asarray, variables[len(parts) :])
            now = (self.reshape(ndx.take(a, place, axis=0), a.shape[1:]) for a in parts)
            after, outputs = step(_like(carry, states), tuple(now))
            found = [*_present(after), *outputs]
            shapes[:] = [array.shape for array in found]
            return [go_on, *variables[: len(parts)], *(array.unwrap_spox() for array in found)]

        start = [value.unwrap_spox() for value in _present(carry)]
        steps = opset.constant(value=np.array(count))
        results = opset.loop(steps, None, [*outside, *start], body=body)[len(parts) :]
        arrays = [
            self.reshape(ndx.asarray(value), shape if k < len(start) else (count, *shape))
            for k, (value, shape) in enumerate(zip(results, shapes, strict=True))
        ]
        return _like(carry, iter(arrays)), tuple(arrays[len(start) :])


def _present(record: Any) -> list[Array]:
    return [value for value in record if value is not None]


def _like(record: Any, values: Any) -> Any:
    """A record with other values, and None where it has None."""
    return type(record)(*(None if value is None else next(values) for value in record))
