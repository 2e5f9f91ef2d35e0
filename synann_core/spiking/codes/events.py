"""Events, as event cameras write them, and counts of them by frame and pixel.

Functions raise TypeError for arrays of another kind and for mixed libraries, and ValueError for
shapes that do not fit and options and polarities that are unknown or out of range.
"""

from __future__ import annotations

import math
from typing import Any, Generic, Literal, NamedTuple, get_args

from array_api_compat import device, is_cupy_namespace, is_jax_namespace, is_numpy_namespace

from synann_core._lib.arguments import Arguments, namespace_of, silence
from synann_core._lib.checks import (
    check_int,
    check_number,
    check_option,
    looked_at,
    values_known,
)
from synann_core._lib.torch_modes import is_torch_namespace
from synann_core._lib.typing import Array, ArrayT, Namespace, Shape
from synann_core.spiking.codes.time_axis import check_time_axis

Polarity = Literal["signed", "binary"]
_BLOCK = 1 << 16  # events at a time: what is computed of them is small beside the result


class Events(NamedTuple, Generic[ArrayT]):
    """Events in the order of time, one entry each, as arrays of shape (events,).

    Attributes
    ----------
    t : array
        Time, in steps (of `counts_to_events`) or any other unit; may be of floating-point numbers.
    x, y : integer array
        Column and row of the pixel.
    p : integer array
        Polarity: 1 brighter, −1 darker.
    """

    t: ArrayT
    x: ArrayT
    y: ArrayT
    p: ArrayT


def counts_to_events(counts: ArrayT, /) -> Events[ArrayT]:
    """List the events, ordered by time, then row, then column; ``|n|`` equal ones for n.

    Parameters
    ----------
    counts : array, shape (T, height, width)
        Whole numbers, as `event_camera` gives them.

    Returns
    -------
    Events
        Of int32 arrays; t is the step.

    Notes
    -----
    How many there are depends on the data: for eager libraries only (not under ``jax.jit``).
    `frames_to_events` tells the times within a step.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import counts_to_events
    >>> counts_to_events(np.array([[[0.0, 1.0]], [[-2.0, 0.0]]]))
    Events(t=array([0, 1, 1], dtype=int32), x=array([1, 0, 0], dtype=int32),
           y=array([0, 0, 0], dtype=int32), p=array([ 1, -1, -1], dtype=int32))
    """
    with Arguments(counts=counts) as given:
        check_time_axis(given, "counts", "height", "width")
        xp, numbers = given.xp, given["counts"]
        where: Any = xp.nonzero(numbers)
        values = numbers[where]
        whole = (xp.round(values) == values) & (xp.abs(values) < 2.0**31)
        if not xp.all(whole):
            wrong = float(values[~whole][0])
            raise ValueError(f"`counts` must hold whole numbers. Received: {wrong}")
        signed = xp.astype(values, xp.int32)
        place = xp.repeat(xp.arange(signed.shape[0], device=device(signed)), xp.abs(signed))
        columns = (xp.astype(c, xp.int32) for c in (*where, xp.sign(signed)))
        t, y, x, p = (xp.take(c, place) for c in columns)
        events: Events[Any] = Events(t, x, y, p)
        return events


def events_to_counts(
    events: Events[ArrayT],
    shape: tuple[int, int, int],
    /,
    *,
    duration: float = 1,
    start: float = 0,
    polarity: Polarity = "signed",
    separate: bool = False,
    dtype: object = None,
) -> ArrayT:
    """Sum the polarities of the events at each pixel in each frame.

    Parameters
    ----------
    events : Events, or its four arrays t, x, y, p
        In any order. Events outside the frames are left out.
    shape : tuple of int
        Frames T, height and width.
    duration : int
        Time of one frame, ≥ 1: frame k has the events with (t − start) // duration = k. Where t is
        of floating-point numbers (seconds, say), any number > 0.
    start : int
        When frame 0 begins, ≥ 0. Where t is of floating-point numbers, any finite number.
    polarity : {"signed", "binary"}
        What p holds: −1 darker and 1 brighter; or 0 and 1, or bool, as many files have it. Another
        number is an error (inside ``jax.jit``, where it cannot be seen, 0 counts as no event if
        signed, and only the sign of the others counts).
    separate : bool
        Count events of either polarity by themselves, instead of letting them cancel.
    dtype : floating-point dtype, optional
        The library's default if not given.

    Returns
    -------
    array, shape (T, height, width), or (T, 2, height, width) if `separate`
        Whole numbers: inverse to `counts_to_events`. If `separate`, the darker events are first.

    Notes
    -----
    Beside the result, memory for 65,536 events (on JAX for all), and for one more result if it is
    of 16 bits. Libraries other than NumPy, CuPy, torch and JAX sort the events.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import counts_to_events, events_to_counts
    >>> events = counts_to_events(np.array([[[0.0, 1.0]], [[-2.0, 0.0]]]))
    >>> events_to_counts(events, (2, 1, 2))
    array([[[ 0.,  1.]],
           [[-2.,  0.]]])
    """
    check_option("polarity", polarity, get_args(Polarity))
    events, xp = checked_events(events, polarity)
    if not (isinstance(shape, tuple | list) and len(shape) == 3):
        raise ValueError(f"`shape` must be (frames, height, width). Received: {shape!r}")
    frames, height, width = (check_int("shape", size, 0) for size in shape)
    if 2 * math.prod(shape) >= 2**31:
        raise ValueError(f"`shape` must hold fewer than 2**30 pixels. Received: {shape}")
    if xp.isdtype(events.t.dtype, "real floating"):
        duration = check_number("duration", duration, 0.0, ends="()")
        start = check_number("start", start, -math.inf, ends="()")
    else:
        duration, start = check_int("duration", duration, 1), check_int("start", start, 0)
        most = max(xp.iinfo(events.t.dtype).max, 2**31 - 1)
        for name, value in (("duration", duration), ("start", start)):
            if value > most:
                raise ValueError(f"`{name}` must be at most {most}. Received: {value}")
    dtype = xp.empty(0).dtype if dtype is None else dtype
    # 16 bits could not count beyond 2048: a quarter of the frames at a time, in 32.
    wide = xp.finfo(dtype).bits >= 32
    step = max(frames if wide else -(-frames // 4), 1)
    kinds = 2 if separate else 1
    work, parts = (dtype if wide else xp.float32), []
    with silence(xp):  # of infinite times
        for first in range(0, max(frames, 1), step):
            part = (min(step, frames - first), kinds, height, width)
            total = _histogram(events, first, part, (start, duration), polarity, work, xp)
            parts.append(xp.astype(total, dtype, copy=False))
            del total
    counts: Any = parts[0] if len(parts) == 1 else xp.concat(parts)
    returned: ArrayT = counts if separate else counts[:, 0, ...]
    return returned


def checked_events(events: Any, polarity: Polarity) -> tuple[Events[Any], Namespace]:
    """Check the columns and, where it can be seen, what p holds; return them and the library."""
    if not (isinstance(events, tuple | list) and len(events) == 4):
        raise TypeError(
            f"`events` must be four arrays t, x, y, p. Received: {type(events).__qualname__}"
        )
    columns = Events[Any](*events)
    xp: Any = namespace_of(**columns._asdict())
    others = {"t": "real floating", "p": "bool" if polarity == "binary" else ()}
    for name, column in columns._asdict().items():
        dtype, other = getattr(column, "dtype", None), others.get(name, ())
        if dtype is None or not (xp.isdtype(dtype, "integral") or xp.isdtype(dtype, other)):
            more = f", or a {other} one" if other else ""
            raise TypeError(
                f"`{name}` must be an integer array{more}. "
                f"Received: {column if dtype is None else dtype}"
            )
        if column.ndim != 1 or column.shape != columns.t.shape:
            raise ValueError(
                f"`{name}` must have shape (events,), as `t` has, {tuple(columns.t.shape)}. "
                f"Received: shape {tuple(column.shape)}"
            )
    if values_known(columns.p):
        p, own = looked_at(columns.p, xp)
        _check_polarity(p, polarity, own)
    return columns, xp


def _check_polarity(p: Array, polarity: Polarity, xp: Namespace) -> None:
    if xp.isdtype(p.dtype, "bool"):
        return
    other = -1 if polarity == "signed" else 0
    right = p == 1
    if other == 0 or xp.isdtype(p.dtype, "signed integer"):
        right = right | (p == other)
    if not xp.all(right):
        wrong = int(p[xp.argmax(xp.astype(~right, xp.int32))])
        raise ValueError(
            f"`p` must hold {other} and 1 (`polarity` {polarity!r}). Received: {wrong}"
        )


def _histogram(
    events: Events[Any],
    first: int,
    shape: Shape,
    when: tuple[float, float],
    polarity: Polarity,
    dtype: Any,
    xp: Namespace,
) -> Array:
    """Sum the events in frames from `first` on, (frames, kinds, height, width)."""
    total = xp.zeros((math.prod(shape),), dtype=dtype, device=device(events.t))
    count = events.t.shape[0]
    size = _BLOCK if _adds_in_place(xp) else max(count, 1)  # elsewhere each sum is a copy
    for start in range(0, count, size):
        block = Events(*(a[start : start + size] for a in events))
        cell, value = _cells(block, first, shape, when, polarity, xp)
        total = _added(total, cell, xp.astype(value, dtype), xp)
    return xp.reshape(total, shape)


def _cells(
    events: Events[Any],
    first: int,
    shape: Shape,
    when: tuple[float, float],
    polarity: Polarity,
    xp: Namespace,
) -> tuple[Array, Array]:
    """Return where in frames from `first` on, (frames, kinds, height, width), which value is added.

    Of an event outside it is 0, in the first cell.
    """
    frames, kinds, height, width = shape
    # Columns are as short as cameras write them: not every size and frame is a number of theirs.
    t, x, y, p = (a if _wide(a, xp) else xp.astype(a, xp.int32) for a in events)
    start, duration = when
    begun = t >= start
    if start:  # before it, a difference of unsigned numbers would be large
        t = xp.where(begun, t, start) - start
    t = t // duration
    if first:
        t = t - first
    # int32 would overflow in the cells of events far outside, which are left out here.
    inside = begun & (t >= 0) & (t < frames) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    bright = p > 0
    if polarity == "signed":
        inside = inside & (p != 0)
    t, x, y = (xp.astype(xp.where(inside, a, 0), xp.int32) for a in (t, x, y))
    if kinds == 2:
        t = 2 * t + xp.astype(inside & bright, xp.int32)
    one = xp.astype(inside, xp.int32)
    value = one if kinds == 2 else xp.where(bright, one, -one)
    return (t * height + y) * width + x, value


def _wide(a: Array, xp: Namespace) -> bool:
    """Whether sizes and frames are numbers of an array's dtype."""
    if xp.isdtype(a.dtype, "integral"):
        return bool(xp.iinfo(a.dtype).bits >= 32)
    return not xp.isdtype(a.dtype, "bool")


def _adds_in_place(xp: Namespace) -> bool:
    return is_numpy_namespace(xp) or is_cupy_namespace(xp) or is_torch_namespace(xp)


def _added(total: Array, cell: Array, value: Array, xp: Any) -> Array:
    """Return a new array with values added to it; to a cell as often as it is named."""
    target: Any = total
    if not total.shape[0]:
        return total
    if is_jax_namespace(xp):
        target = target.at[cell].add(value)
    elif is_torch_namespace(xp):
        target.index_add_(0, cell, value)
    elif _adds_in_place(xp):
        xp.add.at(target, xp.astype(cell, xp.int64), value)
    else:
        target = _added_sorted(total, cell, value, xp)
    summed: Array = target
    return summed


def _added_sorted(total: Array, cell: Array, value: Array, xp: Namespace) -> Array:
    """Return the same by sorting and bisection: no library-independent operation adds in place."""
    order = xp.argsort(cell)
    sums = xp.cumulative_sum(xp.take(value, order), include_initial=True)
    edges = xp.arange(total.shape[0] + 1, dtype=cell.dtype, device=device(cell))
    until = xp.take(sums, xp.searchsorted(xp.take(cell, order), edges))
    return total + until[1:] - until[:-1]
