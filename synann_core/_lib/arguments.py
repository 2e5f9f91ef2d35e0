"""What every public function does with its arguments, in one place.

A public function states its arguments by name to `Call`; `Call` finds the one array namespace they
share, checks kinds and shapes (never values), converts Python numbers, picks the dtype to compute
in, and gives results and gradients back in the caller's types.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_torch_namespace

Array = Any
Namespace = Any
Shape = tuple[int, ...]

# Axis of an expected shape: a name ("m") stands for one size, `...` for any leading axes.
Pattern = tuple[Any, ...]


def is_number(value: object) -> bool:
    """Whether `value` is a plain Python number, which takes the dtype of the arrays beside it."""
    return isinstance(value, int | float) and not isinstance(value, np.generic)


def namespace_of(**arguments: object) -> Namespace | None:
    """Return the one array namespace of the named arguments, or None if all are Python numbers."""
    found: dict[str, Namespace] = {}
    for name, value in arguments.items():
        if is_number(value):
            continue
        try:
            found[name] = array_namespace(value)
        except TypeError:
            raise TypeError(
                f"`{name}` must be an array (NumPy, CuPy, torch, JAX, ...) or a Python number. "
                f"Received: {type(value).__module__}.{type(value).__qualname__}"
            ) from None
    if not found:
        return None
    first, *others = found
    for name in others:
        if found[name] is not found[first]:
            raise TypeError(
                f"`{first}` and `{name}` must come from one array library. Received: "
                f"{type(arguments[first]).__module__}.{type(arguments[first]).__qualname__} and "
                f"{type(arguments[name]).__module__}.{type(arguments[name]).__qualname__}"
            )
    return found[first]


def broadcast_shape(own_axes: int = 0, /, **shapes: Shape) -> Shape:
    """Shape that the named shapes broadcast to; ValueError names them if there is none.

    With `own_axes`, each shape keeps that many last axes to itself and the leading ones count.
    """
    result: list[int] = []
    leading = [tuple(s[: len(s) - own_axes]) for s in shapes.values()]
    for axis in range(1, max([0, *[len(s) for s in leading]]) + 1):
        sizes = [s[-axis] for s in leading if len(s) >= axis]
        size = next((size for size in sizes if size != 1), 1)
        if any(other not in (1, size) for other in sizes):
            names = ", ".join(f"`{name}`" for name in shapes)
            received = ", ".join(f"{name} {tuple(s)}" for name, s in shapes.items())
            what = "leading axes" if own_axes else "shapes"
            raise ValueError(
                f"{names} must have {what} that broadcast together. Received: {received}"
            )
        result.append(size)
    return tuple(reversed(result))


def sum_to_shape(value: Array, shape: Shape, xp: Namespace) -> Array:
    """Undo broadcasting: sum `value` over the axes along which `shape` was repeated."""
    extra = value.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        extra + i for i, size in enumerate(shape) if size == 1 and value.shape[extra + i] != 1
    )
    return xp.reshape(xp.sum(value, axis=axes), shape) if axes else value


def constant(value: float, like: Array, xp: Namespace) -> Array:
    """0-d array with the dtype and device of `like`."""
    return xp.asarray(value, dtype=like.dtype, device=device(like))


def accumulation_dtype(dtype: Any, xp: Namespace) -> Any:
    """Dtype to compute in: 16-bit floats are computed in float32."""
    return xp.float32 if xp.finfo(dtype).bits < 32 else dtype


class Call:
    """The checked arguments of one call of a public function.

    Attributes
    ----------
    xp : the array namespace (NumPy when every argument is a Python number)
    dtype : dtype of the result, the promotion of the arguments' dtypes
    arrays : the arguments by name, as arrays of the dtype to compute in
    """

    def __init__(self, /, **arguments: object) -> None:
        xp = namespace_of(**arguments)
        if xp is None:
            xp = array_namespace(np.empty(0))
            arguments = {name: np.asarray(v, dtype=np.float64) for name, v in arguments.items()}
        given: dict[str, Any] = {n: v for n, v in arguments.items() if not is_number(v)}
        for name, value in given.items():
            if not xp.isdtype(value.dtype, "real floating"):
                raise TypeError(
                    f"`{name}` must have a real floating-point dtype. Received: {value.dtype}"
                )
        self.xp = xp
        # Of dtypes: torch's compiler cannot trace it for tensors.
        self.dtype = xp.result_type(*(value.dtype for value in given.values()))
        self.work_dtype = accumulation_dtype(self.dtype, xp)
        self._dtypes = {name: getattr(v, "dtype", self.dtype) for name, v in arguments.items()}
        self._device = device(next(iter(given.values())))
        self.arrays = {name: self._work_array(value) for name, value in arguments.items()}

    def _work_array(self, value: Any) -> Array:
        if is_number(value):
            return self.xp.asarray(value, dtype=self.work_dtype, device=self._device)
        if value.dtype == self.work_dtype:
            return value
        return self.xp.astype(value, self.work_dtype)

    def shape(self, name: str) -> Shape:
        """Shape of the named argument."""
        return tuple(self.arrays[name].shape)

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def broadcast(self, *names: str) -> Shape:
        """Shape that the named arguments (all, if none is named) broadcast to."""
        return broadcast_shape(**{name: self.shape(name) for name in names or self.arrays})

    def expect(self, **patterns: Pattern) -> None:
        """Check shapes such as ``beta=("m", "n")``; one letter stands for one size throughout.

        The first argument that mentions a letter defines it.
        """
        sizes: dict[str, int] = {}
        for name, pattern in patterns.items():
            shape = self.shape(name)
            axes = pattern[1:] if pattern[:1] == (...,) else pattern
            wanted = tuple(sizes.get(axis, axis) for axis in axes)
            tail = shape[len(shape) - len(axes) :] if len(shape) >= len(axes) else ()
            fits = len(tail) == len(axes) and (len(axes) < len(pattern) or len(shape) == len(axes))
            fits = fits and all(
                isinstance(w, str) or w == size for w, size in zip(wanted, tail, strict=True)
            )
            if not fits:
                text = ", ".join(
                    (["..."] if len(axes) < len(pattern) else []) + [*map(str, wanted)]
                )
                text += "," if len(pattern) == 1 else ""
                raise ValueError(f"`{name}` must have shape ({text}). Received: shape {shape}")
            sizes.update(zip(axes, tail, strict=True))

    def shaped(self, value: Any, shape: Shape, name: str = "grad") -> Array:
        """Check a gradient or tangent; a number stands for a constant array of `shape`."""
        if is_number(value):
            return self.xp.full(shape, value, dtype=self.work_dtype, device=self._device)
        anchor = next(iter(self.arrays))
        namespace_of(**{anchor: self.arrays[anchor], name: value})
        if not self.xp.isdtype(value.dtype, "real floating"):
            raise TypeError(
                f"`{name}` must have a real floating-point dtype. Received: {value.dtype}"
            )
        if tuple(value.shape) != tuple(shape):
            raise ValueError(
                f"`{name}` must have shape {tuple(shape)}. Received: shape {tuple(value.shape)}"
            )
        return self._work_array(value)

    def value(self, formula: Callable[..., Array], *arguments: Array) -> Array:
        """Evaluate ``formula(*arrays, xp=xp)`` and return it in the result dtype."""
        with silence(self.xp):
            result = formula(*(arguments or tuple(self.arrays.values())), xp=self.xp)
        return result if result.dtype == self.dtype else self.xp.astype(result, self.dtype)

    def gradients(self, formula: Callable[..., Sequence[Array]], grad: Array) -> tuple[Array, ...]:
        """Evaluate ``formula(*arrays, grad, xp=xp)``: gradients in each argument's shape, dtype."""
        with silence(self.xp):
            values = formula(*self.arrays.values(), grad, xp=self.xp)
            return tuple(
                self.xp.astype(sum_to_shape(g, self.shape(name), self.xp), self._dtypes[name])
                for name, g in zip(self.arrays, values, strict=True)
            )


def silence(xp: Namespace) -> contextlib.AbstractContextManager[Any]:
    """Keep NumPy quiet where a boundary value (log 0, 1/0) is the stated answer, as scipy.special.

    torch never warns, and its compiler cannot trace `numpy.errstate`.
    """
    return contextlib.nullcontext() if is_torch_namespace(xp) else np.errstate(all="ignore")
