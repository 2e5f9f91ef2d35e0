"""Check the values of a JSON document.

The functions take a value and its place, such as ``neurons[3].alpha``, and return the value. Their
ValueError names the place, what was expected there, and what stands there.
"""

from __future__ import annotations

import collections
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from synann_core._lib.typing import NumpyArray
from synann_core.graph.wiring import Name

_LARGEST = 1 << 63

Object = dict[str, Any]


def parse(path: Path) -> Any:
    """Read a file of JSON that has no key twice and no number that is not one of JSON."""

    def once(pairs: list[tuple[str, Any]]) -> Object:
        result = dict(pairs)
        if len(result) < len(pairs):
            key, _ = collections.Counter(key for key, _ in pairs).most_common(1)[0]
            raise ValueError(f"the key {key[:60]!r} twice in one object")
        return result

    def refuse(word: str) -> Any:
        raise ValueError(f"{word}, which is not a number of JSON")

    text = path.read_bytes().decode("utf-8")
    return json.loads(text, object_pairs_hook=once, parse_constant=refuse)


def expect(fits: bool, place: str, wanted: str, value: Any) -> None:
    """Refuse a value that does not fit."""
    if not fits:
        raise ValueError(f"{place[:120]}: expected {wanted}, got {_short(value)}")


def _short(value: Any) -> str:
    if isinstance(value, dict | list):  # not all of it: it may be very large
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]} ..."


def mapping(value: Any, place: str) -> Object:
    """Check an object."""
    expect(isinstance(value, dict), place, "an object", value)
    result: Object = value
    return result


def keys(value: Any, place: str, *wanted: str) -> Object:
    """Check an object that has these keys and no others."""
    given = mapping(value, place)
    for key in wanted:
        expect(key in given, place, f"the key {key!r}", value)
    for key in given:
        expect(key in wanted, place, f"only the keys {wanted}", key)
    return given


def kind(document: Object, *kinds: str) -> str:
    """Check what kind of model an object says it is."""
    given = document.get("kind")
    expect(isinstance(given, str) and given in kinds, "kind", f"one of {kinds}", given)
    return str(given)


def sequence(value: Any, place: str) -> list[Any]:
    """Check a list."""
    expect(isinstance(value, list), place, "a list", value)
    result: list[Any] = value
    return result


def names(value: Any, place: str) -> list[Name]:
    """Check a list of strings and 64-bit integers; larger ones could share their hash."""
    given = sequence(value, place)
    for i, name in enumerate(given):
        fits = isinstance(name, str) or (type(name) is int and -_LARGEST <= name < _LARGEST)
        if not fits:  # else the place need not be written
            expect(fits, f"{place}[{i}]", "a name", name)
    return given


def integer(value: Any, place: str) -> int:
    """Check an integer of at least 0."""
    expect(type(value) is int and value >= 0, place, "an integer >= 0", value)
    return int(value)


def number(value: Any, place: str) -> float:
    """Make a finite number a float."""
    expect(type(value) in (int, float) and abs(value) < math.inf, place, "a finite number", value)
    return float(value)


def numbers(value: Any, place: str) -> NumpyArray:
    """Make a list of numbers an array of float64."""
    return np.asarray(_each(value, place, number, {int, float}), dtype=np.float64)


def indices(value: Any, place: str) -> NumpyArray:
    """Make a list of integers an array of int64."""
    return np.asarray(_each(value, place, integer, {int}), dtype=np.int64)


def _each(
    value: Any, place: str, check: Callable[[Any, str], float], kinds: set[type]
) -> list[Any]:
    """A list of numbers; they are looked at one by one only where some are of another kind."""
    values = sequence(value, place)
    if not {*map(type, values)} <= kinds:
        for i, entry in enumerate(values):
            check(entry, f"{place}[{i}]")
    return values
