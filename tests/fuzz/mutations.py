"""Damage bytes and JSON documents at random."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np

MOST_BYTES = 200_000  # of a damaged file, which must stay small

# Bytes and words that mean something to a parser.
BYTES = b'\x00\x01\x7f\x80\xff "[]{}:,.-+eE0129'
WORDS = (
    *(b"NaN", b"Infinity", b"-0", b"1e400", b"1e-400", b"null", b"true", b"{}", b"[]", b'""'),
    *(b"\xff" * 8, b"\x00" * 8, b"\x7f" + b"\xff" * 7, b"9" * 400, b"[" * 3000, b'{"a":' * 500),
)
ODD = (
    *(None, True, False, 0, 1, -1, 2, 3, 0.5, -0.0, 1.0, 1e308, 5e-324, 10**9, 10**30, 2**31),
    *(2**53, 2**63, -(2**63), "", "x0", "gain", "float16", "dense", "\x00", "\ud800", [], {}, [[]]),
    *([0] * 3, [0.5] * 2, {"a": 1}, "a" * 1000),
)


def damaged(rng: np.random.Generator, data: bytes, others: list[bytes]) -> bytes:
    """Change bytes in one to four ways."""
    content = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(0, len(content) + 1))
        end = min(len(content), at + int(rng.integers(0, 2 ** rng.integers(1, 12))))
        kind = rng.integers(0, 9)
        if kind == 0 and content:
            content[at % len(content)] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1 and content:
            content[at % len(content)] = int(rng.choice(list(BYTES)))
        elif kind == 2:
            del content[at:]
        elif kind == 3:
            del content[at:end]
        elif kind == 4:
            content[at:at] = content[at:end] * int(rng.integers(1, 5))
        elif kind == 5:
            word = WORDS[rng.integers(0, len(WORDS))]
            content[at : at + int(rng.integers(0, 2)) * len(word)] = word
        elif kind == 6:
            content[at:end] = rng.bytes(end - at)
        elif kind == 7:
            other = others[rng.integers(0, len(others))]
            content[at:] = other[int(rng.integers(0, len(other) + 1)) :]
        else:
            to = int(rng.integers(0, len(content) + 1))
            content[to:to] = content[at:end]
    return bytes(content[:MOST_BYTES])


def changed(rng: np.random.Generator, document: Any) -> Any:
    """Change a JSON document in one to three places: values away, doubled, exchanged or odd."""
    top = [copy.deepcopy(document)]  # a list, so that the whole is a place as well
    for _ in range(rng.integers(1, 4)):
        every = list(_places(top))
        at, key = every[rng.integers(0, len(every))]
        kind = rng.integers(0, 6)
        if kind == 0 and at is not top:
            del at[key]
        elif kind == 1:
            other, place = every[rng.integers(0, len(every))]
            at[key] = copy.deepcopy(other[place])
        elif kind == 2 and isinstance(at, list) and at is not top:
            most = MOST_BYTES // 2 // len(json.dumps(at[key]))
            at[key:key] = at[key : key + 1] * int(rng.integers(1, 3 + min(most, 2000)))
        elif kind == 3 and isinstance(at, dict):
            at[f"{key}x"] = at.pop(key)
        elif kind == 4 and isinstance(at[key], int | float):
            at[key] = at[key] * (-1, 2, 0.5, 1e300, 10**18)[rng.integers(0, 5)]
        else:
            at[key] = copy.deepcopy(ODD[rng.integers(0, len(ODD))])
    return top[0]


def changed_text(rng: np.random.Generator, text: str) -> str:
    """A JSON text with changed values; sometimes with a key that comes many times."""
    document = changed(rng, json.loads(text))
    text = json.dumps(document)
    if isinstance(document, dict) and rng.random() < 0.05:
        keys = ", ".join(f'"k{i}": 0' for i in range(rng.integers(1, 3000)))
        text = "{" + keys + ', "k0": 1' + (", " + text[1:] if document else "}")
    return text[:MOST_BYTES]


def _places(value: Any) -> Any:
    """The containers in a document with each of their keys."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])
