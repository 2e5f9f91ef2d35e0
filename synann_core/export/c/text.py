"""Write the text of C files: numbers, arrays, and the pieces in `templates` that make them up."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from importlib import resources
from string import Template
from typing import Any

import numpy as np

from synann_core._lib.checks import check_option
from synann_core._lib.typing import NumpyArray
from synann_core.export.checks import Precision

# The suffix of numbers and of the functions of math.h, and the name of the type.
_TYPES = {"float32": ("f", "float"), "float64": ("", "double")}
# Types of arrays of whole numbers: those of stdint.h.
_WHOLE = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}\Z")


def check_name(name: Any) -> str:
    """Return `name`, with which names in C can start."""
    if not (isinstance(name, str) and _NAME.match(name)):
        raise ValueError(
            "`name` must be a letter and at most 40 more letters, digits and underscores. "
            f"Received: {name!r}"
        )
    return name


def check_dtype(dtype: Any, whole: tuple[str, ...] = ()) -> None:
    """Refuse the name of a dtype that C, or this model, lacks; `whole` are those of integers."""
    check_option("dtype", dtype, (*_TYPES, *whole))


def literal(value: float, dtype: Precision) -> str:
    """Write one number in hexadecimal, which is exact."""
    f, _ = _TYPES[dtype]
    value = float(np.dtype(dtype).type(value))
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    mantissa, exponent = value.hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}p{exponent}{f}"


def source(
    title: str,
    name: str,
    dtype: Precision | None,
    *,
    declarations: list[str],
    constants: Mapping[str, NumpyArray],
    variables: Mapping[str, NumpyArray] | None = None,
    pieces: list[str],
    header: str | None = "math.h",
    **values: object,
) -> str:
    """Write a whole file: declarations, constants, variables and the named pieces of `templates`.

    Arrays have the types of their dtypes. In all texts $name, the `values` and, unless `dtype` is
    None in a file of whole numbers, $real and ${f} are filled in.
    """
    f, real = _TYPES[dtype] if dtype else ("", "")
    variables = variables or {}
    definitions = [
        _array(kind, f"{name}_{key}", numbers)
        for kind, arrays in (("static const ", constants), ("", variables))
        for key, numbers in arrays.items()
    ]
    declarations = [f"extern {_c_type(a)} {name}_{k}[{a.size}];" for k, a in variables.items()] + [
        Template(line).substitute(real=real, name=name) for line in declarations
    ]
    values = {"input": real, "score": real} | values
    values |= {
        "f": f,
        "real": real,
        "name": name,
        "title": title,
        "needs": f"nothing but {header}" if header else "no library",
        "includes": f"#include <{header}>\n\n" if header else "",
        "guard": name.upper(),
        "bytes": sum(numbers.nbytes for numbers in constants.values()),
        "declarations": "\n".join(declarations),
        "constants": "\n".join(definitions),
    }
    folder = resources.files(__package__).joinpath("templates")
    texts = [folder.joinpath(f"{p}.c").read_text("ascii") for p in ("head", *pieces, "tail")]
    return "".join(Template(text).substitute(values) for text in texts)


def _array(kind: str, name: str, values: NumpyArray) -> str:
    dtype: Any = values.dtype.name
    whole = dtype in _WHOLE
    numbers = [str(v) if whole else literal(v, dtype) for v in values.ravel().tolist()]
    each = 12 if whole else 6
    lines = [", ".join(numbers[i : i + each]) for i in range(0, len(numbers), each)]
    body = ",\n    ".join(lines)
    return f"{kind}{_c_type(values)} {name}[{values.size}] = {{\n    {body}\n}};\n"


def _c_type(values: NumpyArray) -> str:
    dtype = values.dtype.name
    return f"{dtype}_t" if dtype in _WHOLE else _TYPES[dtype][1]
