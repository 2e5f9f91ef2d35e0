"""Make features and labels of what people have: arrays of any dtype, lists, frames, words.

Errors are TypeError and ValueError in the parameter's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from array_api_compat import is_array_api_obj

from synann_core._lib.arguments import check_plain, check_shape, is_number, namespace_of
from synann_core._lib.checks import as_numbers, check_range, check_unit_matrix, to_numpy
from synann_core._lib.namespaces import array_namespace
from synann_core._lib.typing import Array, ArrayT, NumpyArray, Table

MOST_WEIGHT = 1e100  # of a sample, so that no sum or product of weights overflows


def as_features(name: str, value: Any, columns: int) -> Array:
    """Features in [0, 1] as float32 or float64, shape (samples, columns).

    Arrays stay in their library: 16-bit floats become float32, integers and bools the library's
    default float. Lists and frames become float64 of NumPy.
    """
    if value is None or is_number(value) or isinstance(value, str):
        raise TypeError(f"`{name}` must be an array, a list or a frame. Received: {value!r}")
    if not _is_array(value):
        return check_unit_matrix(name, _floats(name, value), columns)
    xp = namespace_of(**{name: value})
    dtype = value.dtype
    if xp is not None and dtype not in (xp.float32, xp.float64):
        if xp.isdtype(dtype, ("integral", "bool")):
            value = xp.astype(value, xp.asarray(0.5).dtype)
        elif xp.isdtype(dtype, "real floating"):
            value = xp.astype(value, xp.float32)
    return check_unit_matrix(name, value, columns)


def as_given(result: Any, X: ArrayT | Table) -> ArrayT:
    """A result in the dtype of the features that it is for, where that has 16 bits."""
    given: Any = X
    if _is_array(given):
        xp, dtype = array_namespace(result), given.dtype
        if xp.isdtype(dtype, "real floating") and dtype not in (xp.float32, xp.float64):
            result = xp.astype(result, dtype)
    returned: ArrayT = result
    return returned


def _is_array(value: Any) -> bool:
    """Whether `value` is an array with a dtype of its own, rather than of objects."""
    objects = isinstance(value, np.ndarray) and value.dtype.kind == "O"
    return is_array_api_obj(value) and not objects


def _floats(name: str, value: Any) -> NumpyArray:
    """A list or frame of numbers as float64; its columns may have several dtypes."""
    check_plain(name, value)
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}` must hold numbers. Received: {error}") from None


def as_labels(name: str, value: Any, X: Array) -> NumpyArray:
    """One label of any kind for each row of X, as a NumPy array."""
    if value is None or is_number(value) or isinstance(value, str):
        raise TypeError(f"`{name}` must hold one label a sample. Received: {value!r}")
    check_plain(name, value)
    if is_array_api_obj(value) and not isinstance(value, np.ndarray):
        if namespace_of(**{name: value}) is not array_namespace(X):
            raise TypeError(
                f"`{name}` must come from the library of the features or NumPy. "
                f"Received: {type(value).__module__}.{type(value).__qualname__}"
            )
        value = to_numpy(value)
    try:
        labels = np.asarray(value)
    except ValueError:  # of several lengths
        raise ValueError(f"`{name}` must hold one label a sample. Received: {value!r}") from None
    check_shape(name, labels, X.shape[0])
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError(f"`{name}` must not be missing. Received: NaN or infinity")
    return labels


def checked_classes(name: str, labels: Any, classes: int) -> NumpyArray:
    """The labels of all classes, each once, in the order in which they were given."""
    known = _distinct(name, np.asarray(labels, dtype=_kind(labels)))
    if len(known) != classes or len(known) != len(labels):
        raise ValueError(
            f"`{name}` must be {classes} different labels. Received: {_few(np.asarray(labels))}"
        )
    return np.asarray(labels, dtype=_kind(labels))


def classes_of(name: str, labels: NumpyArray, classes: int) -> NumpyArray | None:
    """The labels that these samples are of; None if they are 0 … classes − 1 themselves."""
    integers = labels.dtype.kind in "iu"
    if integers and (not labels.size or (labels.min() >= 0 and labels.max() < classes)):
        return None
    known = _distinct(name, labels)
    if len(known) != classes:
        raise ValueError(
            f"`{name}` must hold {classes} different labels, or integers 0 to {classes - 1}. "
            f"Received: {len(known)}, {_few(known)}"
        )
    return known


def numbers_of(name: str, labels: NumpyArray, known: NumpyArray | None) -> NumpyArray:
    """The number of each sample's class; `known` as `classes_of` gives it."""
    if known is None:
        return labels
    numbers = {label: k for k, label in enumerate(known.tolist())}
    found = np.array([numbers.get(label, -1) for label in labels.tolist()], dtype=np.int64)
    if (found < 0).any():
        odd = labels.tolist()[int(np.flatnonzero(found < 0)[0])]
        raise ValueError(f"`{name}` must hold labels {_few(known)}. Received: {odd!r}")
    return found


def as_weights(name: str, value: Any, samples: int) -> NumpyArray:
    """How often each sample counts, from 0 to 1e100 and not all 0, as float64."""
    weight = check_range(name, as_numbers(name, value), 0.0).astype(np.float64)
    check_shape(name, weight, samples)
    check_most(name, weight)
    if not weight.any():
        raise ValueError(f"`{name}` must hold a number above 0. Received: zeros")
    return weight


def check_weights(sample_weight: Any, samples: int) -> NumpyArray:
    """How often each sample counts, as `as_weights` checks it, shape (samples,); 1 if None."""
    if sample_weight is None:
        return np.ones(samples)
    return as_weights("sample_weight", sample_weight, samples)


def check_most(name: str, weight: NumpyArray) -> None:
    """Refuse weights whose sums or products could overflow."""
    most = float(weight.max(initial=0.0))
    if most > MOST_WEIGHT:
        raise ValueError(f"`{name}` must be at most {MOST_WEIGHT:g}. Received: {most}")


def _kind(labels: Sequence[Any]) -> Any:
    """Dtype for labels: NumPy's own, if that does not make strings of numbers."""
    made = np.asarray(labels)
    mixed = made.dtype.kind in "US" and not all(isinstance(one, str) for one in labels)
    return object if mixed else made.dtype


def _distinct(name: str, labels: NumpyArray) -> NumpyArray:
    """The labels in their order, each once; strings as NumPy's."""
    values = labels.tolist()
    try:
        known = sorted(set(values))
    except TypeError:  # no order, or no labels at all
        shown = repr(values[:3])
        raise TypeError(f"`{name}` must hold labels of one kind. Received: {shown}, ...") from None
    return np.asarray(known, dtype=_kind(known))


def _few(labels: NumpyArray) -> str:
    shown = labels.tolist()
    return repr(shown) if len(shown) <= 10 else f"{shown[:10]!r} and others"
