"""Read tables column by column: arrays, lists, and the frames of pandas and polars.

A column becomes numbers (NaN where missing), truth values (the same, 0 and 1), or the texts of
categories (None where missing). Frames are known by their methods: neither library is imported.

What a column's dtype says counts: a frame's categories are categories even if these are numbers,
and strings are. A column of objects is what its values are: truth values or numbers (decimals and
fractions among them) if all are, and otherwise categories.
"""

from __future__ import annotations

import datetime
import math
import numbers
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.arguments import check_plain

Kind = Literal["number", "boolean", "category"]

# Objects of no use, and a date of pandas' which is of no class of Python's.
_OF_NO_USE = (
    *(datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64),
    *(complex, Mapping, list, tuple, set, frozenset, np.ndarray),
)
_DATES_OF_PANDAS = ("Period",)


class Column(NamedTuple):
    """One feature's values: float64 with NaN, or for categories texts with None."""

    name: str
    kind: Kind
    values: NDArray[Any]


def is_frame(X: object) -> bool:
    """Whether a table is a frame of pandas or polars."""
    return hasattr(X, "columns") and (hasattr(X, "iloc") or hasattr(X, "to_series"))


def check_collected(parameter: str, table: object) -> None:
    """Refuse a lazy frame of polars, which does not have its rows yet."""
    if type(table).__name__ == "LazyFrame":
        raise TypeError(
            f"`{parameter}` must have its rows: collect() it first. Received: a LazyFrame"
        )


def as_table(X: Any) -> Any:
    """Frames as they are, anything else as an array that mixes texts and numbers if it does."""
    check_collected("X", X)
    if is_frame(X):
        return X
    check_plain("X", X)
    if hasattr(X, "shape") or hasattr(X, "__array__"):
        return X
    try:
        table = np.asarray(X)
    except ValueError:
        raise ValueError("`X` must have rows of one length. Received: several lengths") from None
    return np.asarray(X, dtype=object) if table.dtype.kind in "US" else table


def read_columns(
    X: Any, names: Sequence[str], kinds: Sequence[Kind | None], parameter: str = "X"
) -> list[Column]:
    """Return the columns of a table that has two axes, each of a given kind or, if None, its own.

    Raises
    ------
    TypeError
        If a column is of no use, for it holds dates, times, complex numbers or containers.
    ValueError
        If a number is infinite or too large for float64, or a text where numbers are due.
    """
    return [
        _column(raw, name, kind, f"the column {name!r} of `{parameter}`")
        for raw, name, kind in zip(_raw_columns(X), names, kinds, strict=True)
    ]


def _raw_columns(X: Any) -> list[Any]:
    if hasattr(X, "iloc"):
        return [X.iloc[:, j] for j in range(X.shape[1])]
    if is_frame(X):
        return [X.to_series(j) for j in range(X.shape[1])]
    return list(np.asarray(X).T)


def _column(raw: Any, name: str, kind: Kind | None, where: str) -> Column:
    values, missing = _plain(raw, where)
    if values.dtype.kind == "O":
        _check_use(values[~missing], where)
    if kind is None:
        kind = "category" if _says_categories(raw.dtype) else _kind(values, missing)
    if kind == "category":
        texts = np.full(len(values), None, dtype=object)
        try:
            texts[~missing] = [text_of(value) for value in values[~missing]]
        except OverflowError:
            raise _too_large(where) from None
        return Column(name, kind, texts)
    if values.dtype.kind in "fiub":
        with np.errstate(over="ignore"):
            floats = values.astype(np.float64)
    else:
        floats = np.full(len(values), np.nan)
        try:
            floats[~missing] = [float(value) for value in values[~missing]]
        except OverflowError:
            raise _too_large(where) from None
        except (TypeError, ValueError):
            odd = next(value for value in values[~missing] if not is_real(value))
            raise ValueError(
                f"{where} must hold numbers, as it did in `fit`. Received: {plain(odd)!r}"
            ) from None
    infinite = floats[np.isinf(floats)]
    if len(infinite):
        raise ValueError(
            f"{where} must hold finite numbers, or NaN where missing. Received: {infinite[0]}"
        )
    if kind == "boolean" and not np.isin(floats[~np.isnan(floats)], (0.0, 1.0)).all():
        raise ValueError(f"{where} must be true or false, as in `fit`. Received: other numbers")
    return Column(name, kind, floats)


def _plain(raw: Any, where: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """A column as an array of NumPy's, numbers if it can be, and where it is missing."""
    dtype = raw.dtype
    if hasattr(dtype, "is_numeric"):  # of polars
        if dtype.is_temporal() or dtype.is_nested():
            raise _of_no_use(where, dtype)
        missing = raw.is_null().to_numpy()
        values = np.array(raw.to_list(), dtype=None if dtype.is_numeric() else object)
        if values.dtype.kind in "fiub":
            return values, missing
        if dtype.is_numeric():
            values = np.array([math.nan if v is None else float(v) for v in raw.to_list()])
        return values, missing
    kind = getattr(dtype, "kind", "O")
    if kind in "mM":
        raise _of_no_use(where, dtype)
    if kind == "c":
        raise ValueError(f"Complex data not supported: {where}. Received: {dtype}")
    if hasattr(raw, "isna"):  # of pandas, whose own types have a missing value of their own
        missing = raw.isna().to_numpy(dtype=bool)
        if kind in "iu" and not missing.any():  # (float64 would round large ones)
            return raw.to_numpy(dtype=f"{kind}8"), missing
        if kind in "fiu":
            with np.errstate(over="ignore"):  # long doubles: infinite ones are refused
                return raw.to_numpy(dtype=np.float64, na_value=np.nan), missing
        return (
            raw.to_numpy(dtype=object) if missing.any() or kind != "b" else raw.to_numpy(dtype=bool)
        ), missing
    values = np.asarray(raw)
    if kind == "O":
        return values, np.array([is_missing(value) for value in values], dtype=bool)
    return values, np.isnan(values) if kind == "f" else np.zeros(len(values), bool)


def _check_use(known: NDArray[Any], where: str) -> None:
    """Refuse objects that are neither numbers nor categories."""
    for kind in set(map(type, known)):
        if issubclass(kind, _OF_NO_USE) or kind.__name__ in _DATES_OF_PANDAS:
            odd = next(value for value in known if type(value) is kind)
            raise _of_no_use(where, repr(odd))


def _of_no_use(where: str, received: Any) -> TypeError:
    return TypeError(
        f"{where} must hold numbers or categories (dates as days since one of them, say). "
        f"Received: {received}"
    )


def _too_large(where: str) -> ValueError:
    return ValueError(f"{where} must hold numbers of float64. Received: a larger int")


def _says_categories(dtype: Any) -> bool:
    """Whether a dtype, NumPy's or a frame's, is that of categories or strings."""
    text = str(dtype).lower()
    return getattr(dtype, "kind", "") in ("U", "S") or (
        text in ("category", "str", "string") or text.startswith(("categorical", "enum"))
    )


def _kind(values: NDArray[Any], missing: NDArray[np.bool_]) -> Kind:
    if values.dtype.kind == "b":
        return "boolean"
    if values.dtype.kind in "fiu":
        return "number"
    known = values[~missing]
    if known.size and all(isinstance(value, bool | np.bool_) for value in known):
        return "boolean"
    return "number" if all(is_real(value) for value in known) else "category"


def is_real(value: object) -> bool:
    """Whether a value is a real number, of Python or NumPy, or a truth value."""
    return isinstance(value, numbers.Real | Decimal | np.bool_)


def plain(value: Any) -> Any:
    """A value for a message: NumPy's scalars as Python's."""
    return value.item() if isinstance(value, np.generic) else value


def is_missing(value: Any) -> bool:
    """Whether a value of a column of objects stands for none: None, NaN, or a frame's own."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return isinstance(value, float | np.floating) and bool(value != value)


def text_of(value: Any) -> str:
    """A category's text: 1, 1.0 and True of one column's are not told apart from "1"."""
    if is_real(value):
        number = float(value)
        if isinstance(value, numbers.Integral):
            return str(int(value))  # also where float64 would round it
        return str(int(number)) if number.is_integer() else repr(number)
    return str(value)
