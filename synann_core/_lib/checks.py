"""Checks of values, for where people hand data over: models, graphs, loaders."""

from __future__ import annotations

import math
import numbers
from typing import Any, TypeVar

import numpy as np
from array_api_compat import (
    array_namespace,
    is_cupy_array,
    is_jax_array,
    is_numpy_array,
    is_torch_array,
)

from synann_core._lib.arguments import namespace_of
from synann_core._lib.typing import Array

OptionT = TypeVar("OptionT", bound=str)
Samples = tuple[Array, np.ndarray[Any, Any]]  # features, and labels as a NumPy array


def to_numpy(value: Any) -> np.ndarray[Any, Any]:
    """`value`, an array of any library on any device, as a NumPy array."""
    if is_torch_array(value):
        value = detached(value).cpu()
    elif is_cupy_array(value):
        value = value.get()
    elif not (is_numpy_array(value) or is_jax_array(value)):
        return np.from_dlpack(value)
    return np.asarray(value)


def detached(value: Any) -> Any:
    """`value` without its history in torch's autograd."""
    return value.detach() if is_torch_array(value) else value


def check_pair(name: str, value: Any) -> tuple[Any, Any]:
    """`value`, features and labels."""
    if not (isinstance(value, tuple | list) and len(value) == 2):
        kind = type(value).__qualname__
        size = f" of length {len(value)}" if hasattr(value, "__len__") else ""
        raise TypeError(f"`{name}` must be a pair (X, y). Received: {kind}{size}")
    return value[0], value[1]


def check_int(name: str, value: Any, least: int) -> int:
    """`value` as an int of at least `least`."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be an int. Received: {value!r}")
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}. Received: {value}")
    return int(value)


def check_number(
    name: str, value: Any, low: float = -math.inf, high: float = math.inf, ends: str = "[]"
) -> float:
    """`value` as a finite float between `low` and `high`; `ends` says whether they belong to it.

    A plain float takes the dtype of the arrays beside it; a NumPy number would impose its own.
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be a number. Received: {value!r}")
    number = float(value)
    above = low <= number if ends[0] == "[" else low < number
    below = number <= high if ends[1] == "]" else number < high
    if not (above and below and math.isfinite(number)):
        left = ends[0] if math.isfinite(low) else "("
        right = ends[1] if math.isfinite(high) else ")"
        raise ValueError(f"`{name}` must be in {left}{low:g}, {high:g}{right}. Received: {value}")
    return number


def check_range(
    name: str, values: np.ndarray[Any, Any], low: float, high: float, ends: str = "[]"
) -> None:
    """Refuse an array with a number that is not between `low` and `high`, as `check_number`."""
    above = low <= values if ends[0] == "[" else low < values
    below = values <= high if ends[1] == "]" else values < high
    if not np.all(above & below):
        raise ValueError(
            f"`{name}` must be in {ends[0]}{low:g}, {high:g}{ends[1]}. "
            f"Received: values from {values.min():g} to {values.max():g}"
        )


def check_binary(name: str, values: np.ndarray[Any, Any]) -> None:
    """Refuse an array with a number that is neither 0 nor 1."""
    other = values[(values != 0) & (values != 1)]
    if other.size:
        raise ValueError(f"`{name}` must be 0 or 1. Received: {other[0]}")


def check_event(name: str, value: Any, samples: int) -> np.ndarray[Any, Any]:
    """`value`, 0 or 1 for each sample and both of them, as a float64 NumPy array."""
    event = np.asarray(value, dtype=np.float64)
    if event.shape != (samples,):
        raise ValueError(f"`{name}` must have shape ({samples},). Received: shape {event.shape}")
    check_binary(name, event)
    if not 0.0 < event.sum() < samples:
        raise ValueError(f"`{name}` must hold both 0 and 1. Received: {samples} samples of one")
    return event


def check_fields(rule: Any, **ranges: tuple[float, float]) -> None:
    """Make the named fields of a frozen dataclass floats in [low, high)."""
    for name, (low, high) in ranges.items():
        value = check_number(name, getattr(rule, name), low, high, ends="[)")
        object.__setattr__(rule, name, value)


def check_option(name: str, value: OptionT, options: tuple[str, ...]) -> OptionT:
    """`value`, one of the options."""
    if not (isinstance(value, str) and value in options):
        raise ValueError(f"`{name}` must be one of {options}. Received: {value!r}")
    return value


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
    if value.ndim != 2 or value.shape[1] != columns:
        raise ValueError(
            f"`{name}` must have shape (samples, {columns}). Received: shape {tuple(value.shape)}"
        )
    if value.shape[0]:
        numbers = detached(value)
        if bool(xp.any(xp.isnan(numbers))):
            count = int(xp.count_nonzero(xp.isnan(numbers)))
            raise ValueError(f"`{name}` must not hold NaN. Received: {count} NaN values")
        low, high = float(xp.min(numbers)), float(xp.max(numbers))
        if low < 0.0 or high > 1.0:
            raise ValueError(
                f"`{name}` must hold values in [0, 1]. Received: values from {low:g} to {high:g}"
            )
    return value


def check_labels(name: str, value: Any, X: Array, classes: int) -> np.ndarray[Any, Any]:
    """`value`, one label 0 … classes − 1 for each row of X, as a NumPy array."""
    samples = X.shape[0]
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
    if tuple(value.shape) != (samples,):
        raise ValueError(
            f"`{name}` must have shape ({samples},). Received: shape {tuple(value.shape)}"
        )
    labels = to_numpy(value)
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(
            f"`{name}` must hold labels 0 to {classes - 1}. "
            f"Received: labels from {labels.min()} to {labels.max()}"
        )
    return labels


def check_samples(
    X: Array, y: Any, features: int, classes: int, prefix: str = "", least: int = 1
) -> Samples:
    """Features and labels of at least `least` samples."""
    X = check_unit_matrix(f"{prefix}X", X, features)
    labels = check_labels(f"{prefix}y", y, X, classes)
    if X.shape[0] < least:
        raise ValueError(
            f"`{prefix}X` must hold {least} or more samples. Received: shape {tuple(X.shape)}"
        )
    return X, labels
