"""Read pickles of dicts, lists, numbers, strings and NumPy arrays of bytes, and run nothing.

Python's own reader calls whatever a file names. Here its opcodes are taken one after the other, and
those that a batch of CIFAR-10 does not need are an error. What a file would call is noted as a
`Call`, and only `bytes_array` makes something of one.
"""

from __future__ import annotations

import math
import pickletools
from typing import Any

import numpy as np

_LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "SHORT_BINSTRING", "BINSTRING"}
_LITERALS |= {"BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES", "GLOBAL"}
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, type] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUT, _GET = {"BINPUT", "LONG_BINPUT"}, {"BINGET", "LONG_BINGET"}
_DTYPES = ("u1", "|u1")


class Call:
    """What a pickle would call, and the state that it would set: nothing is called."""

    def __init__(self, function: object, arguments: object) -> None:
        self.function, self.arguments, self.state = function, arguments, None


def load_pickled(content: bytes) -> Any:
    """Return what a pickle holds: `Call` objects in the place of arrays.

    Raises
    ------
    ValueError
        If it is not a pickle, or one of something else.
    """
    values: list[Any] = []
    marks: list[list[Any]] = []
    memo: dict[int, Any] = {}

    def above_mark() -> list[Any]:
        nonlocal values
        found, values = values, marks.pop()
        return found

    try:
        for operation, argument, _ in pickletools.genops(content):
            name = operation.name
            if name in _LITERALS:
                values.append(argument)
            elif name in _CONSTANTS:
                values.append(_CONSTANTS[name])
            elif name in _EMPTY:
                values.append(_EMPTY[name]())
            elif name in _PUT:
                memo[argument] = values[-1]
            elif name in _GET:
                values.append(memo[argument])
            elif name in _TUPLES:
                found = [values.pop() for _ in range(_TUPLES[name])]
                values.append(tuple(found[::-1]))
            elif name == "MARK":
                marks.append(values)
                values = []
            elif name == "TUPLE":
                items = above_mark()
                values.append(tuple(items))
            elif name == "APPEND":
                item = values.pop()
                _of(list, values[-1]).append(item)
            elif name == "APPENDS":
                items = above_mark()
                _of(list, values[-1]).extend(items)
            elif name in ("SETITEM", "SETITEMS"):
                pairs = above_mark() if name == "SETITEMS" else [values.pop(-2), values.pop()]
                _of(dict, values[-1]).update(zip(pairs[::2], pairs[1::2], strict=True))
            elif name == "REDUCE":
                arguments = values.pop()
                values[-1] = Call(values[-1], arguments)
            elif name == "BUILD":
                state = values.pop()
                _of(Call, values[-1]).state = state
            elif name not in ("PROTO", "STOP"):
                raise ValueError(f"opcode {name} at this place")
        (result,) = values
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"not a pickle of arrays: {error}") from None
    return result


def bytes_array(value: object) -> np.ndarray:
    """Return the array of bytes that a `Call` would make.

    Raises
    ------
    ValueError
        If it is something else, or its shape does not fit.
    """
    function, state = getattr(value, "function", None), getattr(value, "state", None)
    if not str(function).endswith("multiarray _reconstruct") or not isinstance(state, tuple):
        raise ValueError("not a pickled array")
    if len(state) != 5:
        raise ValueError("not a pickled array")
    _, shape, dtype, fortran, content = state
    kind = getattr(dtype, "arguments", None)
    if not isinstance(kind, tuple) or kind[:1] not in [(name,) for name in _DTYPES] or fortran:
        raise ValueError("not an array of bytes, row after row")
    content = content.encode("latin-1") if isinstance(content, str) else content
    sizes = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
    if not sizes or not isinstance(content, bytes) or len(content) != math.prod(shape):
        raise ValueError("an array whose shape does not fit its bytes")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{type(value).__name__} in the place of {kind.__name__}")
    return value
