"""Events of structured arrays, as readers of event files return them, and back.

tonic's data sets (N-MNIST, DVS128 Gesture, SHD and others), and its readers of AEDAT and other
files, return NumPy arrays with the fields x, y, t and p. So `tonic.datasets.NMNIST(...)[0][0]` is
an argument of `events_from_structured`, and what `events_to_structured` returns is one of tonic's
transforms.

Functions raise TypeError for what is not a structured array or not events, and ValueError for
fields, polarities and numbers that do not fit.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from synann_core._lib.arguments import check_plain
from synann_core._lib.checks import check_number, check_option, to_numpy
from synann_core._lib.namespaces import array_namespace
from synann_core._lib.typing import Array, Namespace, NumpyArray
from synann_core.spiking.codes.events import Events, Polarity, checked_events

_TONIC = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.bool_)])


def events_from_structured(
    records: NumpyArray,
    /,
    *,
    fields: tuple[str, str, str, str] = ("t", "x", "y", "p"),
    origin: float | Literal["first"] = 0,
    ticks: float | None = None,
    xp: Namespace = np,
    device: Any = None,
) -> Events[Any]:
    """Read events from a structured array, such as tonic's.

    Parameters
    ----------
    records : structured array of NumPy, shape (events,)
        Polarities are bool, or 0 and 1, or −1 and 1.
    fields : tuple of str
        What the fields for t, x, y and p are called; others are left out. Without a field for y,
        as in recordings of a cochlea, y is 0.
    origin : number, or "first"
        Taken off the times; "first" is the earliest of them, so that they begin at 0.
    ticks : float, optional
        Make times integers, so many to one unit of theirs, rounded: 1e6 makes microseconds of
        seconds. Else times stay as they are, integers or floats.
    xp : namespace, optional
        The library of the result.
    device : device, optional
        Of that library.

    Returns
    -------
    Events
        In the order of the array. Integers are int64 where the library has it and int32 otherwise
        (JAX by default), x and y are int32 and p is int8, −1 or 1. Float times have the library's
        default dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import events_from_structured, events_to_counts
    >>> dtype = [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")]
    >>> records = np.array([(1, 0, 70_000, True), (0, 0, 71_500, False)], dtype=dtype)
    >>> events = events_from_structured(records, origin="first")
    >>> events.t, events.p
    (array([   0, 1500]), array([ 1, -1], dtype=int8))
    >>> events_to_counts(events, (2, 1, 2), duration=1000)
    array([[[ 0.,  1.]],
           [[-1.,  0.]]])
    """
    columns = _columns(records, fields)
    t = _times(columns["t"], origin, ticks)
    x, y = (_pixels(name, columns[name]) for name in ("x", "y"))
    p = _polarities(columns["p"])
    namespace: Any = array_namespace(xp.empty(0))  # users pass numpy or torch themselves
    return Events(*(_moved(column, namespace, device) for column in (t, x, y, p)))


def events_to_structured(
    events: Events[Array], /, *, dtype: Any = None, polarity: Polarity = "binary"
) -> NumpyArray:
    """Write events as a structured array, such as tonic's.

    Parameters
    ----------
    events : Events
        Of any library; polarities −1 and 1.
    dtype : dtype of NumPy with fields t, x, y, p, optional
        One of tonic's if not given: x and y of int16, t of int64 (float64 where times are floats),
        p of bool.
    polarity : {"binary", "signed"}
        What p is to be: 0 darker and 1 brighter, as tonic's transforms need it, or −1 and 1.

    Returns
    -------
    structured array of NumPy, shape (events,)

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import counts_to_events, events_to_structured
    >>> events_to_structured(counts_to_events(np.array([[[0.0, 1.0]], [[-1.0, 0.0]]])))
    array([(1, 0, 0,  True), (0, 0, 1, False)],
          dtype=[('x', '<i2'), ('y', '<i2'), ('t', '<i8'), ('p', '?')])
    """
    check_option("polarity", polarity, get_args(Polarity))
    checked, _ = checked_events(events, "signed")
    columns = {name: to_numpy(column) for name, column in checked._asdict().items()}
    if dtype is None:
        floats = np.issubdtype(columns["t"].dtype, np.floating)
        dtype = [(n, np.float64 if n == "t" and floats else _TONIC[n]) for n in _TONIC.names or ()]
    kind = np.dtype(dtype)
    if kind.names is None or not {"t", "x", "y", "p"} <= set(kind.names):
        raise ValueError(f"`dtype` must have the fields t, x, y and p. Received: {dtype!r}")
    records = np.zeros(columns["t"].shape, dtype=kind)
    if polarity == "binary":
        columns["p"] = columns["p"] > 0
    for name, column in columns.items():
        with np.errstate(invalid="ignore"):
            records[name] = column
        if not np.array_equal(records[name], column, equal_nan=True):
            raise ValueError(
                f"`dtype` must hold the events' `{name}`. Received: {kind[name]} for "
                f"{column.min()} to {column.max()}"
            )
    return records


def _columns(records: Any, fields: Any) -> dict[str, NumpyArray]:
    check_plain("records", records)
    names = getattr(getattr(records, "dtype", None), "names", None)
    if not isinstance(records, np.ndarray) or names is None:
        raise TypeError(
            f"`records` must be a structured array of NumPy. Received: {type(records).__qualname__}"
        )
    if records.ndim != 1:
        raise ValueError(f"`records` must have shape (events,). Received: shape {records.shape}")
    if not (isinstance(fields, tuple | list) and len(fields) == 4):
        raise ValueError(f"`fields` must be the names of t, x, y and p. Received: {fields!r}")
    columns = {}
    for role, name in zip(("t", "x", "y", "p"), fields, strict=True):
        if name in names:
            columns[role] = np.asarray(records[name])
        elif role == "y":
            columns[role] = np.zeros(records.shape, np.int32)
        else:
            raise ValueError(f"`records` must have the field {name!r}. Received: {names}")
        if columns[role].ndim != 1:
            raise ValueError(
                f"`{role}` must be one number an event. Received: shape {columns[role].shape}"
            )
    return columns


def _times(t: NumpyArray, origin: Any, ticks: Any) -> NumpyArray:
    """Times from the origin on, as int64 or floats."""
    if t.dtype.kind not in "iuf":
        raise TypeError(f"`t` must hold integers or floats. Received: {t.dtype}")
    if not np.all(np.isfinite(t)):
        raise ValueError("`t` must hold finite times. Received: others")
    if t.dtype.kind == "u":
        if t.size and int(t.max()) >= 2**63:
            raise ValueError(f"`t` must be below 2**63. Received: {t.max()}")
        t = t.astype(np.int64)
    if isinstance(origin, str) and origin == "first":
        origin = t.min().item() if t.size else 0
    elif isinstance(origin, bool) or not isinstance(origin, int | np.integer):
        origin = check_number("origin", origin)
    if t.dtype.kind == "i":
        if origin != round(origin):
            raise ValueError(f"`origin` must be whole, as the times are. Received: {origin!r}")
        origin, t = int(origin), t.astype(np.int64)  # not by way of a float: it has 53 bits
        ends = [origin, *(time - origin for time in _extremes(t))]
        if not all(-(2**63) <= end < 2**63 for end in ends):
            raise ValueError(f"`origin` must leave times of 64 bits. Received: {origin}")
        t = t - origin
    else:
        t = t.astype(np.float64) - float(origin)
    if ticks is None:
        return t
    ticks = check_number("ticks", ticks, 0.0, ends="()")
    if t.dtype.kind == "i" and ticks.is_integer() and ticks < 2.0**63:  # without rounding
        if any(abs(time) * int(ticks) >= 2**63 for time in _extremes(t)):
            raise ValueError(f"`ticks` must leave times below 2**63. Received: {ticks!r}")
        whole: NumpyArray = t * int(ticks)
        return whole
    scaled: NumpyArray = np.rint(t * ticks)
    if scaled.size and np.abs(scaled).max() >= 2.0**63:
        raise ValueError(f"`ticks` must leave times below 2**63. Received: {ticks!r}")
    return scaled.astype(np.int64)


def _extremes(t: NumpyArray) -> list[int]:
    """The first and the last of integer times, if there are any, as Python's integers."""
    return [int(t.min()), int(t.max())] if t.size else []


def _pixels(name: str, column: NumpyArray) -> NumpyArray:
    """Columns or rows, as int32."""
    if column.dtype.kind not in "iu":
        raise TypeError(f"`{name}` must hold integers. Received: {column.dtype}")
    if column.size and (int(column.max()) >= 2**31 or int(column.min()) < -(2**31)):
        raise ValueError(f"`{name}` must hold numbers of 32 bits. Received: {column.max()}")
    return column.astype(np.int32)


def _polarities(p: NumpyArray) -> NumpyArray:
    """−1 and 1, from these or from 0 and 1: 1 is brighter in both."""
    if p.dtype.kind not in "iub":
        raise TypeError(f"`p` must hold integers or bool. Received: {p.dtype}")
    found = set(np.unique(p).tolist())
    if not (found <= {0, 1} or found <= {-1, 1}):
        raise ValueError(f"`p` must hold 0 and 1, or -1 and 1. Received: {sorted(found)[:5]}")
    return np.where(p == 1, 1, -1).astype(np.int8)


def _moved(column: NumpyArray, xp: Any, device: Any) -> Array:
    """The column in another library, in a dtype that it has."""
    if column.dtype.kind == "f":
        moved: Array = xp.asarray(column, dtype=xp.empty(0).dtype, device=device)
        return moved
    if column.dtype == np.int64 and xp.asarray(column[:0]).dtype != xp.int64:
        if column.size and max(int(column.max()), -int(column.min())) >= 2**31:
            raise ValueError(
                "`records` must hold times of 32 bits for this library. "
                f"Received: {column.min()} to {column.max()}"
            )
        column = column.astype(np.int32)
    moved = xp.asarray(column, device=device)
    return moved
