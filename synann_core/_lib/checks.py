"""Checks of values, for where people hand data over: models, graphs, loaders."""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Sized
from typing import Any, TypeVar

import numpy as np
from array_api_compat import (
    is_array_api_obj,
    is_cupy_array,
    is_jax_array,
    is_numpy_array,
    is_torch_array,
)

from synann_core._lib.arguments import (
    as_float,
    check_plain,
    check_shape,
    is_number,
    namespace_of,
)
from synann_core._lib.namespaces import array_namespace, numpy_namespace
from synann_core._lib.torch_modes import torch_values_known
from synann_core._lib.typing import Array, Namespace, NumpyArray

OptionT = TypeVar("OptionT", bound=str)
ULPS = 4.0  # in units of eps: how far outside its range a value is clipped, not refused


def to_numpy(value: Any) -> NumpyArray:
    """`value`, an array of any library on any device, as a NumPy array."""
    if is_torch_array(value):
        value = detached(value).cpu()
    elif is_cupy_array(value):
        value = value.get()
    elif not (is_numpy_array(value) or is_jax_array(value)):
        return np.from_dlpack(value)
    return np.asarray(value)


def any_numbers(name: str, value: Any) -> NumpyArray:
    """`value`, an array of any library or a Python number, as a NumPy array."""
    namespace_of(**{name: value})
    array = np.asarray(value) if is_number(value) else to_numpy(value)
    if array.dtype.kind in "cOSUMm":  # a cast would take the real part, or read texts
        raise TypeError(f"`{name}` must hold real numbers. Received: {array.dtype}")
    return array


def detached(value: Any) -> Any:
    """`value` without its history in torch's autograd."""
    return value.detach() if is_torch_array(value) else value


def check_pair(name: str, value: Any, members: str = "(X, y)") -> tuple[Any, Any]:
    """`value`, a pair of these members."""
    if not (isinstance(value, tuple | list) and len(value) == 2):
        kind = type(value).__qualname__
        sized = isinstance(value, Sized) and getattr(value, "shape", None) != ()
        size = f" of length {len(value)}" if sized else ""
        raise TypeError(f"`{name}` must be a pair {members}. Received: {kind}{size}")
    return value[0], value[1]


def check_int(name: str, value: Any, least: int) -> int:
    """`value` as an int of at least `least`."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be an int. Received: {value!r}")
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}. Received: {value}")
    if value >= 2**64:  # nobody would want to read its digits
        raise ValueError(f"`{name}` must be below 2**64. Received: a larger int")
    return int(value)


def check_bool(name: str, value: Any) -> bool:
    """`value` as a bool: a text such as "no" would be true."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"`{name}` must be a bool. Received: {value!r}")
    return bool(value)


def check_number(
    name: str, value: Any, low: float = -math.inf, high: float = math.inf, ends: str = "[]"
) -> float:
    """`value` as a finite float between `low` and `high`; `ends` says whether they belong to it.

    A plain float takes the dtype of the arrays beside it; a NumPy number would impose its own. A
    number a few ulp outside is clipped.
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be a number. Received: {value!r}")
    number: Any = value
    if type(number) is not float:
        number = as_float(name, number)
    if low < number < high or (number == low and ends[0] == "[" and math.isfinite(low)):
        return number  # type: ignore[no-any-return]
    return float(check_range(name, number, low, high, ends))


def check_range(
    name: str, value: Any, low: float = -math.inf, high: float = math.inf, ends: str = "[]"
) -> NumpyArray:
    """`value`, array_like, as a new array of finite floats in a range, as `check_number`."""
    values = as_numbers(name, value)
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    if _all_inside(values, low, high, ends):
        return values.copy()
    clipped, eps = np.clip(values, low, high), np.finfo(values.dtype).eps
    below, above = (ULPS * eps * _scale(bound, high - low) for bound in (low, high))
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        lifted = clipped - values
    inside = (lifted <= below) & (-lifted <= above)
    inside &= np.isfinite(values)
    inside &= (values > low) | (ends[0] == "[")
    inside &= (values < high) | (ends[1] == "]")
    if not inside.all():
        place = tuple(map(int, np.argwhere(~inside)[0]))
        where = f" at {place[0] if len(place) == 1 else place}" if place else ""
        raise ValueError(
            f"`{name}` must be in {_interval(low, high, ends)}. Received: {values[place]}{where}"
        )
    return clipped


def check_known(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    ends: str = "[]",
    *,
    infinite: bool = False,
) -> None:
    """Refuse a number, or an array of any library, that is not finite and in a range.

    With `infinite` an array may hold ∞. Where a trace stands for it there are no values to look at,
    and it passes.
    """
    if is_number(value):
        check_number(name, value, low, high, ends)
        return
    xp = namespace_of(**{name: value})
    if xp is None or 0 in value.shape or not values_known(value):
        return
    if not xp.isdtype(value.dtype, "real floating"):
        raise TypeError(f"`{name}` must have a real floating-point dtype. Received: {value.dtype}")
    numbers, xp = looked_at(value, xp)
    least, most = float(xp.min(numbers)), float(xp.max(numbers))
    top = min(most, sys.float_info.max) if infinite else most
    if not _between(min(least, top), top, low, high, ends):
        raise ValueError(
            f"`{name}` must be in {_interval(low, high, ends)}. "
            f"Received: values from {least!r} to {most!r}"
        )


def values_known(value: Any) -> bool:
    """Whether an array has values now, rather than standing for them in a trace."""
    if is_torch_array(value):
        return torch_values_known(value)
    if is_jax_array(value):
        import jax

        return not isinstance(value, jax.core.Tracer)
    return True


def looked_at(value: Any, xp: Namespace) -> tuple[Array, Namespace]:
    """A known value to compute with, and by what: JAX would trace it where it traces around."""
    return (np.asarray(value), numpy_namespace) if is_jax_array(value) else (detached(value), xp)


def _all_inside(values: NumpyArray, low: float, high: float, ends: str) -> bool:
    """Whether there is nothing to clip or to refuse, in two passes."""
    if not values.size:
        return True
    return _between(float(values.min()), float(values.max()), low, high, ends)


def _scale(bound: float, width: float) -> float:
    """How large numbers at an end of a range are that rounding takes beyond it.

    At 0 that is the range's width, but at most 1: rates up to 1e100 are not −1e84 by rounding.
    """
    return min(width, max(abs(bound), 1.0)) if math.isfinite(width) else 0.0


def _between(least: float, most: float, low: float, high: float, ends: str) -> bool:
    """Whether the least and the largest number are finite and in a range; NaN is not."""
    above = low <= least if ends[0] == "[" else low < least
    below = most <= high if ends[1] == "]" else most < high
    return above and below and math.isfinite(least) and math.isfinite(most)


def _interval(low: float, high: float, ends: str) -> str:
    left = ends[0] if math.isfinite(low) else "("
    right = ends[1] if math.isfinite(high) else ")"
    return f"{left}{low:g}, {high:g}{right}"


def as_numbers(name: str, value: Any) -> NumpyArray:
    """`value`, array_like, as a NumPy array of real numbers."""
    check_plain(name, value)
    try:
        array = to_numpy(value) if is_array_api_obj(value) else np.asarray(value)
    except ValueError:  # rows of several lengths
        raise ValueError(f"`{name}` must have rows of one length. Received: {value!r}") from None
    if array.dtype.kind not in "fiub":
        what = "strings" if array.dtype.kind in "SU" else str(array.dtype)
        raise TypeError(f"`{name}` must hold real numbers. Received: {what}")
    return array


def check_binary(name: str, value: Any) -> NumpyArray:
    """`value`, array_like of numbers that are 0 or 1, as float64."""
    values = as_numbers(name, value).astype(np.float64)
    other = values[(values != 0) & (values != 1)]
    if other.size:
        raise ValueError(f"`{name}` must be 0 or 1. Received: {other[0]}")
    return values


def check_event(name: str, value: Any, samples: int) -> NumpyArray:
    """`value`, 0 or 1 for each sample and both of them, as a float64 NumPy array."""
    event = check_binary(name, value)
    check_shape(name, event, samples)
    if not 0.0 < event.sum() < samples:
        raise ValueError(f"`{name}` must hold both 0 and 1. Received: {samples} samples of one")
    return event


def check_fields(rule: Any, ends: str = "[)", /, **ranges: tuple[float, float]) -> None:
    """Make the named fields of a frozen dataclass floats in a range, as `check_number` does."""
    for name, (low, high) in ranges.items():
        value = check_number(name, getattr(rule, name), low, high, ends)
        object.__setattr__(rule, name, value)


def check_option(name: str, value: OptionT, options: tuple[str, ...]) -> OptionT:
    """`value`, one of the options."""
    if not (isinstance(value, str) and value in options):
        raise ValueError(f"`{name}` must be one of {options}. Received: {value!r}")
    return value


def as_tuple(name: str, value: Any, what: str) -> tuple[Any, ...]:
    """The members of `value`, which is iterable but not a string."""
    try:
        members = None if isinstance(value, str) else iter(value)
    except TypeError:  # also of an array without axes, which has the method
        members = None
    if members is None:
        raise TypeError(f"`{name}` must be {what}. Received: {value!r}")
    return tuple(members)


def check_callable(name: str, value: Any) -> None:
    """Refuse what cannot be called; None stands for nothing to call."""
    if not (value is None or callable(value)):
        raise TypeError(f"`{name}` must be callable. Received: {value!r}")


def check_unit_matrix(name: str, value: Array, columns: int) -> Array:
    """`value`, a float32 or float64 matrix with entries in [0, 1]."""
    xp = namespace_of(**{name: value})
    if xp is None:
        raise TypeError(f"`{name}` must be an array. Received: {value!r}")
    if value.dtype not in (xp.float32, xp.float64):
        raise TypeError(f"`{name}` must be float32 or float64. Received: {value.dtype}")
    check_shape(name, value, "samples", columns)
    return check_inside(name, value, 0.0, 1.0, "values in [0, 1]", xp=xp)


def check_inside(
    name: str, value: Array, low: float, high: float, what: str, *, xp: Namespace
) -> Array:
    """`value`, an array of any library, clipped where it is a few ulp outside.

    Its derivatives stay those of `value`.
    """
    if 0 in value.shape:
        return value
    numbers, slack = detached(value), ULPS * float(xp.finfo(value.dtype).eps)
    least, most = float(xp.min(numbers)), float(xp.max(numbers))
    if not (least >= low - slack and most <= high + slack):  # nor where one is NaN
        host = to_numpy(numbers)
        wrong = host[~((host >= low - slack) & (host <= high + slack))]
        raise ValueError(
            f"`{name}` must hold {what}. Received: {wrong.size} outside, the first {wrong[0]}"
        )
    if least < low or most > high:
        over = xp.where(numbers > high, high - numbers, 0.0)
        value = value + xp.where(numbers < low, low - numbers, over)
    return value


def as_generator(rng: object) -> np.random.Generator:
    """Generator from a seed; never from global state."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool):
        if rng < 0:
            raise ValueError(f"`rng` must not be negative. Received: {rng}")
        return np.random.default_rng(int(rng))
    raise TypeError(f"`rng` must be an int or a numpy.random.Generator. Received: {rng!r}")


def check_labels(name: str, value: Any, X: Array, classes: int) -> NumpyArray:
    """`value`, one label 0 … classes − 1 for each row of X, as a NumPy array."""
    xp = namespace_of(**{name: value})
    if xp is None:
        raise TypeError(f"`{name}` must be an array of integer labels. Received: {value!r}")
    if not (is_numpy_array(value) or xp is array_namespace(X)):
        raise TypeError(
            f"`{name}` must come from the library of the features or NumPy. "
            f"Received: {type(value).__module__}.{type(value).__qualname__}"
        )
    if not xp.isdtype(value.dtype, "integral"):
        raise TypeError(f"`{name}` must hold integer labels. Received: {value.dtype}")
    check_shape(name, value, X.shape[0])
    labels = to_numpy(value)
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(
            f"`{name}` must hold labels 0 to {classes - 1}. "
            f"Received: labels from {labels.min()} to {labels.max()}"
        )
    return labels


def check_augmented(x: Array, batch: Array) -> Array:
    """`x`, what `augment` made of a batch: as many samples, and values that `fit` accepts."""
    x = check_unit_matrix("augment(batch, rng)", x, batch.shape[1])
    if x.shape[0] != batch.shape[0]:
        raise ValueError(
            f"`augment(batch, rng)` must keep the {batch.shape[0]} samples of its batch. "
            f"Received: {x.shape[0]}"
        )
    return x
