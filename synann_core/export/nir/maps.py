"""Write the linear nodes of a NIR graph as one matrix and a bias."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from synann_core._lib.patches import PatchAxis
from synann_core._lib.typing import NumpyArray
from synann_core.export.nir.nodes import Node

LINEAR = ("Linear", "Affine", "Scale", "Conv1d", "Conv2d", "SumPool2d", "AvgPool2d")
_MOST_WORK = 1 << 31  # multiplications of matrices that follow each other

Shape = tuple[int, ...]


class Map:
    """The linear nodes so far: ``matrix @ x + bias``; the identity at first.

    Parameters
    ----------
    shape : tuple of int
        Of the input.
    most : int
        Numbers that a matrix may have which is not in the graph itself.
    """

    def __init__(self, shape: Shape, most: int, work: int = 0) -> None:
        self.shape, self.most, self.work = shape, most, work
        self.inputs = math.prod(shape)
        self._matrix: NumpyArray | None = None
        self._bias: NumpyArray | None = None

    def add(self, node: Node) -> None:
        """Let a node follow; ValueError if it does not fit."""
        fields = node.fields
        shape: Shape
        bias: NumpyArray | None
        if node.kind in ("Linear", "Affine"):
            matrix = floats(fields, "weight")
            if matrix.ndim != 2 or matrix.shape[1] != math.prod(self.shape):
                raise ValueError(f"its weight has shape {matrix.shape} after {self.shape}")
            shape, bias = (matrix.shape[0],), None
            if node.kind == "Affine":
                bias = floats(fields, "bias")
        elif node.kind == "Scale":
            scale = floats(fields, "scale").ravel()
            self._check(scale.size, scale.size)
            matrix, shape, bias = np.diag(scale), self.shape, None
            if matrix.shape[1] != math.prod(shape):
                raise ValueError(f"its scale has {scale.size} numbers after {shape}")
        else:
            matrix, bias, shape = self._convolution(node)
        if bias is not None and bias.size != matrix.shape[0]:
            raise ValueError(f"its bias has shape {bias.shape}")
        if self._bias is not None:
            own = matrix @ self._bias
            bias = own if bias is None else own + bias.ravel()
        if self._matrix is not None:
            self._check(matrix.shape[0], self.inputs)
            self.work += matrix.size * self.inputs
            if self.work > _MOST_WORK:
                raise ValueError("it has too many large linear nodes without neurons in between")
            matrix = matrix @ self._matrix
        self._matrix, self._bias, self.shape = matrix, bias, shape

    @property
    def is_identity(self) -> bool:
        """Whether there was no linear node."""
        return self._matrix is None

    def after_neurons(self) -> Map:
        """Return the identity on what neurons put out, in the shape of their inputs."""
        return Map(self.shape, self.most, self.work)

    def flatten(self) -> None:
        """Forget the axes."""
        self.shape = (math.prod(self.shape),)

    def arrays(self) -> tuple[NumpyArray, NumpyArray]:
        """Return the matrix (outputs, inputs) and the bias."""
        n = math.prod(self.shape)
        matrix = self._matrix
        if matrix is None:
            self._check(n, n)
            matrix = np.eye(n)
        bias = np.zeros(n, matrix.dtype) if self._bias is None else self._bias
        return matrix, bias.ravel()

    def _check(self, rows: int, columns: int) -> None:
        if rows * columns > self.most:
            raise ValueError(
                f"it stands for a matrix of {rows} x {columns}, more than `most_weights` = "
                f"{self.most} numbers"
            )

    def _convolution(self, node: Node) -> tuple[NumpyArray, NumpyArray | None, Shape]:
        """A convolution as a matrix; pooling is one, of each channel for itself."""
        fields, axes = node.fields, 1 if node.kind == "Conv1d" else 2
        if len(self.shape) != axes + 1:
            raise ValueError(f"it comes after shape {self.shape}, not channels and {axes} axes")
        channels, *sizes = self.shape
        bias = None
        if node.kind in ("SumPool2d", "AvgPool2d"):
            window, dilation, groups = _sizes(fields, "kernel_size", axes, 1), [1] * axes, channels
            self._check(channels, math.prod(window))
            share = 1.0 if node.kind == "SumPool2d" else 1.0 / math.prod(window)
            weight = np.full((channels, 1, *window), share)
        else:
            weight, bias = floats(fields, "weight"), floats(fields, "bias")
            (groups,) = _sizes(fields, "groups", 1, 1)
            dilation = _sizes(fields, "dilation", axes, 1)
            if weight.ndim != axes + 2:
                raise ValueError(f"its weight has shape {weight.shape}")
        stride = _sizes(fields, "stride", axes, 1)
        outputs, each, *window = weight.shape
        if each * groups != channels or outputs % groups:
            raise ValueError(f"its weight has shape {weight.shape} after {channels} channels")
        patches = list(map(PatchAxis, window, stride, dilation))
        padding = _padding(fields, patches)
        made = [
            patch.count(size + sum(pad))
            for patch, size, pad in zip(patches, sizes, padding, strict=True)
        ]
        if min(made) < 1 or min(weight.shape) < 1:
            reach = [patch.length for patch in patches]
            raise ValueError(f"its window {reach} does not fit into {sizes}")
        self._check(outputs * math.prod(made), channels * math.prod(sizes))
        matrix = np.zeros((outputs, math.prod(made), channels, math.prod(sizes)), weight.dtype)
        # Where a place of the window reads an input: no more pairs than the matrix has entries.
        to, place, at = (np.zeros(1, np.int64) for _ in range(3))
        for axis, (size, (first, _)) in enumerate(zip(sizes, padding, strict=True)):
            own = _reads(made[axis], size, patches[axis], first)
            to, place, at = (
                (before[:, None] * many + one).ravel()
                for before, many, one in zip(
                    (to, place, at), (made[axis], window[axis], size), own, strict=True
                )
            )
        flat = weight.reshape(outputs, each, -1)
        for g in range(groups):
            made_of = slice(g * each, (g + 1) * each)
            made_by = slice(g * outputs // groups, (g + 1) * outputs // groups)
            matrix[made_by, to, made_of, at] = np.moveaxis(flat[made_by][:, :, place], 2, 0)
        if bias is not None:
            if bias.size != outputs:
                raise ValueError(f"its bias has shape {bias.shape}")
            bias = np.repeat(bias.ravel(), math.prod(made))
        rows, columns = outputs * math.prod(made), channels * math.prod(sizes)
        return matrix.reshape(rows, columns), bias, (outputs, *made)


def floats(fields: dict[str, Any], name: str) -> NumpyArray:
    """Return a field, finite numbers, as floats; float32 stays."""
    if fields.get(name) is None:
        raise ValueError(f"it has no `{name}`")
    values = np.asarray(fields[name])
    if values.dtype.kind not in "fiu":
        raise ValueError(f"its `{name}` are not numbers")
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    finite = np.isfinite(values) | (name == "v_threshold") & (values == np.inf)
    if not finite.all() or not values.size:
        raise ValueError(f"its `{name}` are not finite numbers")
    return values


def _sizes(fields: dict[str, Any], name: str, axes: int, least: int) -> list[int]:
    """Return a field, one size or one an axis."""
    values = np.asarray(fields.get(name))
    if values.dtype.kind not in "iu" or values.size not in (1, axes) or values.max() > 1 << 30:
        raise ValueError(f"its `{name}` must be {axes} whole numbers")
    if values.min() < least:
        raise ValueError(f"its `{name}` must be {least} or more")
    found: list[int] = np.broadcast_to(values.ravel(), axes).tolist()
    return found


def _reads(
    made: int, size: int, patch: PatchAxis, first: int
) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
    """Along one axis: outputs, places of the window, and the inputs that they read.

    Places that read zeros, `first` of which are before the inputs, are left out.
    """
    window, stride, dilation = patch
    start = np.arange(made) * stride - first
    least = np.clip(-(start // dilation), 0, window)  # the first place with an input, rounded up
    end = np.clip((size - 1 - start) // dilation + 1, 0, window)
    count = np.maximum(end - least, 0)
    to = np.repeat(np.arange(made), count)
    place = np.arange(to.size) - np.repeat(np.cumsum(count) - count - least, count)
    return to, place, start[to] + place * dilation


def _padding(fields: dict[str, Any], patches: list[PatchAxis]) -> list[tuple[int, int]]:
    """Zeros before and after each axis."""
    value = fields.get("padding")
    value = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    if isinstance(value, str):
        if value == "valid":
            return [(0, 0) for _ in patches]
        if value != "same" or max(patch.stride for patch in patches) > 1:
            raise ValueError(
                "its `padding` must be 'valid', whole numbers, or with stride 1 'same'"
            )
        return [patch.same_border(1) for patch in patches]  # the same for any size
    return [(size, size) for size in _sizes(fields, "padding", len(patches), 0)]
