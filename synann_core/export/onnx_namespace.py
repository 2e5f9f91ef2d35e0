"""Give ndonnx, which traces the array API, what the core asks of a library that builds graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ndonnx as ndx
from ndonnx import Array

Sizes = Sequence[int | None]

# Inputs handled together, a power of two: temporaries hold so many numbers for each output.
_BLOCK = 32


class OnnxNamespace:
    """A namespace for one graph, in whose shapes the size of the batch axis is None.

    The core's formulas run on it as they are. The loop over blocks is unrolled: there are few of
    them, and ONNX's own loops are slow.
    """

    def __init__(self, argument: Array) -> None:
        # Of the batch's size, which a broadcast takes from it: (batch,).
        self._nothing = ndx.zeros_like(ndx.sum(argument, axis=-1))

    def __getattr__(self, name: str) -> Any:
        return getattr(ndx, name)

    def shape(self, a: Array) -> tuple[int | None, ...]:
        """Return the sizes of all axes."""
        return tuple(a.shape)

    def reshape(self, a: Array, sizes: Sizes) -> Array:
        """Reshape; one size may be None."""
        if None in sizes and 0 in sizes:  # ONNX could not tell what is left
            return self.full(sizes, 0.0, dtype=a.dtype)
        return ndx.reshape(a, tuple(-1 if size is None else size for size in sizes))

    def full(self, sizes: Sizes, value: float, *, dtype: Any, device: object = None) -> Array:
        """Make a constant array; one size may be None."""
        constant = ndx.full(tuple(1 if s is None else s for s in sizes), value, dtype=dtype)
        if None not in sizes:
            return constant
        one_axis = tuple(-1 if size is None else 1 for size in sizes)
        return constant + ndx.astype(ndx.reshape(self._nothing, one_axis), dtype)

    def take(self, a: Array, indices: Array, *, axis: int) -> Array:
        """Take entries by their indices."""
        return ndx.take(a, ndx.astype(indices, ndx.int64), axis=axis)

    def zeros(self, sizes: Sizes, *, dtype: Any, device: object = None) -> Array:
        """Make zeros; sizes as in `full`."""
        return self.full(sizes, 0.0, dtype=dtype)

    def ones(self, sizes: Sizes, *, dtype: Any, device: object = None) -> Array:
        """Make ones; sizes as in `full`."""
        return self.full(sizes, 1.0, dtype=dtype)

    def zeros_like(self, a: Array) -> Array:
        """Make zeros of the shape of `a`, of which ndonnx would forget the sizes that are known."""
        return self.full(a.shape, 0.0, dtype=a.dtype)

    def ones_like(self, a: Array) -> Array:
        """Make ones of the shape of `a`, likewise."""
        return self.full(a.shape, 1.0, dtype=a.dtype)

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
