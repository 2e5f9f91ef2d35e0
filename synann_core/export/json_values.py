"""Check the values of a JSON document.

The functions take a value and its place, such as ``neurons[3].alpha``. A ValueError names the
place, what was expected there, and what stands there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from synann_core._lib.typing import NumpyArray
from synann_core.graph.wiring import Name

_LARGEST = 1 << 63

Object = dict[str, Any]


def expect(fits: bool, place: str, wanted: str, value: Any) -> None:
    """Refuse a value that does not fit."""
    if not fits:
        raise ValueError(f"{place[:120]}: expected {wanted}, got {_short(value)}")


def _short(value: Any) -> str:
    if isinstance(value, dict | list):  # not all of it: it may be very large
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]} ..."


def read_object(value: Any, place: str) -> Object:
    """Return a copy of an object."""
    expect(isinstance(value, dict), place, "an object", value)
    return dict(value)


def read_keys(value: Any, place: str, *keys: str) -> Object:
    """Return a copy of an object that has these keys and no others."""
    given = read_object(value, place)
    for key in keys:
        expect(key in given, place, f"the key {key!r}", value)
    for key in given:
        expect(key in keys, place, f"only the keys {keys}", key)
    return given


def read_list(value: Any, place: str) -> list[Any]:
    """Return a copy of a list."""
    expect(isinstance(value, list), place, "a list", value)
    return list(value)


def read_names(value: Any, place: str) -> list[Name]:
    """Return a list of strings and 64-bit integers; larger ones could be made to share a hash."""
    names = read_list(value, place)
    for i, name in enumerate(names):
        fits = isinstance(name, str) or (type(name) is int and -_LARGEST <= name < _LARGEST)
        expect(fits, f"{place}[{i}]", "a name", name)
    return names


def read_integer(value: Any, place: str) -> int:
    """Return an integer of at least 0."""
    expect(type(value) is int and value >= 0, place, "an integer >= 0", value)
    return int(value)


def read_number(value: Any, place: str) -> float:
    """Return a finite number as a float."""
    expect(type(value) in (int, float) and abs(value) < math.inf, place, "a finite number", value)
    return float(value)


def read_numbers(value: Any, place: str) -> NumpyArray:
    """Return a list of numbers as float64."""
    return np.asarray(_each(value, place, read_number, {int, float}), dtype=np.float64)


def read_indices(value: Any, place: str) -> NumpyArray:
    """Return a list of integers as int64."""
    return np.asarray(_each(value, place, read_integer, {int}), dtype=np.int64)


def _each(
    value: Any, place: str, check: Callable[[Any, str], float], kinds: set[type]
) -> list[Any]:
    """A list of numbers; they are looked at one by one only where some are of another kind."""
    values = read_list(value, place)
    if not {*map(type, values)} <= kinds:
        for i, entry in enumerate(values):
            check(entry, f"{place}[{i}]")
    return values
