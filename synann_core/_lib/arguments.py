"""Check the arguments of a public function, once, and give results back in the caller's types.

A public function states its arguments by name to `Arguments`, which finds the one array namespace
they share, checks kinds and shapes (never values), converts Python numbers and picks the dtype to
compute in. Nothing below the public function checks again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, Generic

import numpy as np
from array_api_compat import device, is_torch_array

from synann_core._lib.autodiff import narrowed, widened
from synann_core._lib.namespaces import array_namespace, numpy_namespace
from synann_core._lib.numerics import accumulation_dtype, sum_to_shape
from synann_core._lib.torch_modes import is_torch_namespace
from synann_core._lib.typing import Array, ArrayT, Namespace, Shape

# Axis of an expected shape: a name ("m") stands for one size, `...` for any leading axes.
Pattern = tuple[Any, ...]
_NOT_PLAIN = (np.ma.MaskedArray, np.matrix)  # whose meaning a plain array would lose


def is_number(value: object) -> bool:
    """Whether `value` is a plain Python number, which takes the dtype of the arrays beside it."""
    return isinstance(value, int | float) and not isinstance(value, np.generic)


def namespace_of(**arguments: object) -> Namespace | None:
    """Return the one array namespace of the named arguments, or None if all are Python numbers."""
    first, found = "", None
    for name, value in arguments.items():
        if type(value) is np.ndarray:
            own = numpy_namespace
        elif is_number(value):
            continue
        else:
            try:
                own = array_namespace(value)
            except TypeError:
                check_plain(name, value)  # SciPy's sparse arrays, say
                raise TypeError(
                    f"`{name}` must be an array (NumPy, CuPy, torch, JAX, ...) or a Python number. "
                    f"Received: {_kind(value)}"
                ) from None
            if is_torch_namespace(own):
                check_tensor(name, value)
            elif not _is_plain(value):
                raise _not_plain(name, value)
        if found is None:
            first, found = name, own
        elif own is not found:
            raise TypeError(
                f"`{first}` and `{name}` must come from one array library. "
                f"Received: {_kind(arguments[first])} and {_kind(value)}"
            )
    return found


def check_plain(name: str, value: object) -> None:
    """Refuse arrays some of whose numbers do not count, or not as a plain array's.

    These are masked, sparse, nested and quantised arrays and `numpy.matrix`, of any library, also
    in lists. Anything else passes, whether it is an array or not.
    """
    if isinstance(value, list | tuple):
        for member in value:
            if not isinstance(member, int | float):
                check_plain(name, member)
    elif is_torch_array(value):
        check_tensor(name, value)
    elif not _is_plain(value):
        raise _not_plain(name, value)


def check_tensor(name: str, value: object) -> None:
    """Refuse what is not a tensor of torch, or one as `check_plain` refuses."""
    import torch

    # (Nested and quantised tensors may have the layout of dense ones.)
    given: Any = value
    plain = type(value) is torch.Tensor and given.layout is torch.strided
    if plain and not (given.is_nested or given.is_quantized):
        return  # nearly always
    if isinstance(value, torch.fx.Proxy):  # stands for a tensor while a module is traced
        return
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"`{name}` must be a tensor. Received: {type(value).__qualname__}")
    odd = "nested" if value.is_nested else "quantised" if value.is_quantized else ""
    if odd or value.layout != torch.strided or isinstance(value, torch.masked.MaskedTensor):
        raise _not_plain(name, value, odd or str(value.layout))


def broadcast_shape(own_axes: int = 0, /, **shapes: Shape) -> Shape:
    """Shape that the named shapes broadcast to; ValueError names them if there is none.

    With `own_axes`, each shape keeps that many last axes to itself and the leading ones count.
    """
    result: list[int] = []
    leading = [tuple(s[: len(s) - own_axes]) for s in shapes.values()]
    for axis in range(1, max([0, *map(len, leading)]) + 1):
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


def check_shape(
    name: str, value: Any, /, *pattern: Any, sizes: dict[Any, int] | None = None
) -> None:
    """Check a shape such as ``(..., "samples", 3)``, in which a name stands for one size.

    `sizes` has the names' sizes that are known, and gets those that are found.
    """
    known, shape = {} if sizes is None else sizes, tuple(value.shape)
    any_batch = pattern[:1] == (...,)
    axes = pattern[1:] if any_batch else pattern
    tail = shape[len(shape) - len(axes) :] if any_batch else shape
    fits = len(tail) == len(axes) and len(shape) >= len(axes)
    for axis, size in zip(axes, tail, strict=False):
        wanted = known.get(axis, axis)
        fits = fits and (isinstance(wanted, str) or wanted == size)
    if not fits:
        words = [str(known.get(axis, axis)) for axis in axes]
        text = ", ".join(["..."] * any_batch + words) + "," * (len(pattern) == 1)
        raise ValueError(f"`{name}` must have shape ({text}). Received: shape {shape}")
    known.update(zip(axes, tail, strict=True))


class Arguments(Generic[ArrayT]):
    """The checked arguments of one call of a public function.

    Entered with ``with``, which keeps NumPy quiet where a boundary value (log 0, 1/0) is the stated
    answer, as `scipy.special` does.

    Attributes
    ----------
    xp : the array namespace (NumPy when every argument is a Python number)
    dtype : dtype of the result, the promotion of the arguments' dtypes
    work_dtype : dtype to compute in, float32 for 16-bit floats
    named : the arguments by name, as arrays of the dtype to compute in
    arrays : the same in their order, and behind them those that `array` checks
    """

    def __init__(self, /, **given: ArrayT | float) -> None:
        found = namespace_of(**given)
        self.xp: Namespace = numpy_namespace if found is None else found
        self._dtypes: dict[str, Any] = {}
        self.dtype = like = None
        for name, value in given.items():
            # Of dtypes, for torch's compiler cannot trace `result_type` of tensors.
            own = getattr(value, "dtype", None)
            if own is None:  # a Python number
                continue
            self._dtypes[name] = own
            if like is None or own != self.dtype:
                _check_floating(name, own, self.xp)
                # (of the first one alone as well: a big-endian dtype becomes the native one)
                known = () if like is None else (self.dtype,)
                self.dtype = self.xp.result_type(*known, own)
            like = value if like is None else like
        if like is None:
            self.dtype = np.dtype(np.float64)
        self.work_dtype = accumulation_dtype(self.dtype, self.xp)
        self._device = None if like is None else device(like)
        self.named: dict[str, Array] = {}
        for name, value in given.items():
            self.named[name] = self._converted(name, value, self._dtypes.get(name))
        self.arrays = list(self.named.values())

    def __enter__(self) -> Arguments[ArrayT]:
        # As `silence`, whose context torch's compiler could not enter by hand.
        self._quiet = None if is_torch_namespace(self.xp) else np.errstate(all="ignore")
        if self._quiet is not None:
            self._quiet.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        if self._quiet is not None:
            self._quiet.__exit__(*raised)

    def __getitem__(self, name: str) -> Array:
        return self.named[name]

    def shape(self, name: str) -> Shape:
        """Shape of the named argument."""
        return tuple(self.named[name].shape)

    def broadcast(self, *names: str) -> Shape:
        """Shape that the named arguments (all, if none is named) broadcast to."""
        return broadcast_shape(**{name: self.shape(name) for name in names or self.named})

    def check_shapes(self, **patterns: Pattern) -> None:
        """Check shapes such as ``beta=("m", "n")``; one letter stands for one size throughout.

        The first argument that mentions a letter defines it.
        """
        sizes: dict[Any, int] = {}
        for name, pattern in patterns.items():
            check_shape(name, self.named[name], *pattern, sizes=sizes)

    def array(self, name: str, value: Any, shape: Shape) -> Array:
        """Check one more argument, of a known shape: a gradient, a tangent or a target.

        A number stands for a constant array.
        """
        if is_number(value):
            constant = as_float(name, value)
            number = self.xp.full(shape, constant, dtype=self.work_dtype, device=self._device)
            self.arrays.append(number)
            return number
        anchor = next(iter(self.named))
        namespace_of(**{anchor: self.named[anchor], name: value})
        _check_floating(name, value.dtype, self.xp)
        check_shape(name, value, *shape)
        converted = self._converted(name, value, value.dtype)
        self.arrays.append(converted)
        return converted

    def result(self, value: Array) -> ArrayT:
        """Return a result in the dtype of the arguments."""
        result: Any = value
        if result.dtype != self.dtype:
            result = self.xp.astype(result, self.dtype)
        returned: ArrayT = result
        return returned

    def tangent(self, value: Array) -> ArrayT:
        """Return a tangent in the dtype of the arguments, finite as `gradients` are."""
        tangent: Any = narrowed(value, self.dtype, self.xp)
        returned: ArrayT = tangent
        return returned

    def gradients(self, values: Iterable[Array]) -> tuple[ArrayT, ...]:
        """Return gradients, one an argument, each in its argument's shape and dtype.

        The largest number of a narrower dtype stands for what it cannot hold.
        """
        gradients: list[Any] = []
        for (name, own), gradient in zip(self.named.items(), values, strict=True):
            summed = sum_to_shape(gradient, tuple(own.shape), self.xp)
            gradients.append(narrowed(summed, self._dtypes.get(name, self.dtype), self.xp))
        return tuple(gradients)

    def _converted(self, name: str, value: Any, dtype: Any) -> Array:
        """Return an array of the dtype to compute in; a Python number has no dtype."""
        if dtype is None:
            number = as_float(name, value)
            return self.xp.asarray(number, dtype=self.work_dtype, device=self._device)
        converted: Array = value
        return converted if dtype == self.work_dtype else widened(value, self.work_dtype, self.xp)


def silence(xp: Namespace) -> contextlib.AbstractContextManager[Any]:
    """Keep NumPy quiet where a boundary value (log 0, 1/0) is the stated answer.

    So does `scipy.special`. torch never warns, and its compiler cannot trace `numpy.errstate`.
    """
    return contextlib.nullcontext() if is_torch_namespace(xp) else np.errstate(all="ignore")


def _is_plain(value: Any) -> bool:
    """Whether every number of an array counts, and as an array's; of libraries beside torch."""
    # (What can be made dense is sparse: arrays of SciPy, CuPy, JAX and others.)
    return not (isinstance(value, _NOT_PLAIN) or hasattr(value, "todense"))


def _not_plain(name: str, value: object, more: str = "") -> TypeError:
    kind = f"{type(value).__qualname__} of {type(value).__module__}"
    return TypeError(
        f"`{name}` must be a plain dense array. Received: {kind}{more and f', {more}'}"
    )


def as_float(name: str, value: Any) -> float:
    """`value`, a real number, as a float."""
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"`{name}` must be finite. Received: an int beyond float64") from None


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _check_floating(name: str, dtype: Any, xp: Namespace) -> None:
    if not xp.isdtype(dtype, "real floating"):
        raise TypeError(f"`{name}` must have a real floating-point dtype. Received: {dtype}")
