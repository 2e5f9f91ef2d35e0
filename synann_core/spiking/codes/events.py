"""Event cameras: frames to events and back.

Each pixel of an event camera works by itself and reports only changes: an event says that the
logarithm of its intensity has risen or fallen by one threshold.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and options that are unknown or out of range.
"""

from __future__ import annotations

import math
from typing import Any, Generic, NamedTuple

from array_api_compat import device

from synann_core._lib.arguments import Arguments, namespace_of
from synann_core._lib.autodiff import stop_gradient
from synann_core._lib.checks import check_int, check_number
from synann_core._lib.loops import runner, scan
from synann_core._lib.typing import Array, ArrayT, Namespace, Shape
from synann_core.spiking.codes.contrast import decode
from synann_core.spiking.codes.time_axis import check_fits, check_time_axis


class Events(NamedTuple, Generic[ArrayT]):
    """Events in the order of time, one entry each, as integer arrays of shape (events,).

    Attributes
    ----------
    t : array
        Time, in steps (of `counts_to_events`) or any other unit.
    x, y : array
        Column and row of the pixel.
    p : array
        Polarity: 1 brighter, −1 darker.
    """

    t: ArrayT
    x: ArrayT
    y: ArrayT
    p: ArrayT


def event_camera(
    frames: ArrayT, /, threshold: ArrayT | float = 0.2, *, epsilon: float = 1e-3
) -> ArrayT:
    """Count the events, with their sign, of each pixel in each frame.

    ``L = log(I + epsilon)``; a reference per pixel, at first L[0]; ``n = ⌊|L − ref| / threshold⌋``
    events of the sign p of L − ref; ``ref += p · n · threshold``.

    Parameters
    ----------
    frames : array, shape (T, ...)
        Intensities I ≥ 0, usually (T, height, width).
    threshold : number or array that broadcasts to (...)
        Contrast of one event, > 0.
    epsilon : float
        Intensity below which a pixel counts as dark, > 0.

    Returns
    -------
    array, shape (T, ...), promoted dtype
        Whole numbers p·n: events between a frame and the one before, none in the first. No
        gradient passes through them.

    Notes
    -----
    Sequential: on JAX a scan, elsewhere a Python loop over T. Without the noise, refractory time
    and latency of real cameras.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import event_camera
    >>> event_camera(np.array([[[0.1]], [[0.2]], [[0.2]], [[0.05]]]), 0.5)[:, 0, 0]
    array([ 0.,  1.,  0., -2.])
    """
    epsilon = check_number("epsilon", epsilon, 0.0, ends="()")
    with Arguments(frames=frames, threshold=threshold) as given:
        check_fits(given, "threshold", check_time_axis(given, "frames")[1:])
        count = runner(_event_counts, given.xp)
        return given.result(count(*given.arrays, epsilon=epsilon, xp=given.xp))


def event_camera_decode(
    counts: ArrayT,
    first: ArrayT | float,
    /,
    threshold: ArrayT | float = 0.2,
    *,
    epsilon: float = 1e-3,
) -> ArrayT:
    """Return the frames that the events describe.

    ``exp(log(first + epsilon) + threshold · cumsum(counts)) − epsilon``.

    Parameters
    ----------
    counts : array, shape (T, ...)
        Of `event_camera`, or of `events_to_counts`.
    first : array that broadcasts to (...), or number
        The first frame, which no event tells.
    threshold, epsilon
        As for `event_camera`.

    Returns
    -------
    array, shape (T, ...), promoted dtype
        log(I + epsilon) is accurate to less than one threshold, up to rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import event_camera, event_camera_decode
    >>> frames = np.array([[[0.1]], [[0.2]], [[0.2]], [[0.05]]])
    >>> event_camera_decode(event_camera(frames, 0.1), frames[0], 0.1)[:, 0, 0].round(3)
    array([0.1  , 0.183, 0.183, 0.054])
    """
    epsilon = check_number("epsilon", epsilon, 0.0, ends="()")
    with Arguments(counts=counts, threshold=threshold, first=first) as given:
        shape = check_time_axis(given, "counts")[1:]
        check_fits(given, "threshold", shape)
        check_fits(given, "first", shape)
        return given.result(_frames(*given.arrays, epsilon=epsilon, xp=given.xp))


def counts_to_events(counts: ArrayT, /) -> Events[ArrayT]:
    """List the events, ordered by time, then row, then column; |n| equal ones where there are n.

    Parameters
    ----------
    counts : array, shape (T, height, width)
        Whole numbers, as `event_camera` gives them.

    Returns
    -------
    Events
        Of int32 arrays.

    Notes
    -----
    How many there are depends on the data: for eager libraries only (not under ``jax.jit``).

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
    duration: int = 1,
    separate: bool = False,
    dtype: object = None,
) -> ArrayT:
    """Sum the polarities of the events at each pixel in each frame.

    Parameters
    ----------
    events : Events, or its four integer arrays t, x, y, p
        In any order. Events outside the frames are left out, and those of polarity 0: files that
        write 0 for darker need 2p − 1.
    shape : tuple of int
        Frames T, height and width.
    duration : int
        Time of one frame, ≥ 1: frame k has the events with t // duration = k.
    separate : bool
        Count events of either polarity by themselves, instead of letting them cancel.
    dtype : floating-point dtype, optional
        The library's default if not given.

    Returns
    -------
    array, shape (T, height, width), or (T, 2, height, width) if `separate`
        Whole numbers: inverse to `counts_to_events`. If `separate`, the darker events are first.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import counts_to_events, events_to_counts
    >>> events = counts_to_events(np.array([[[0.0, 1.0]], [[-2.0, 0.0]]]))
    >>> events_to_counts(events, (2, 1, 2))
    array([[[ 0.,  1.]],
           [[-2.,  0.]]])
    """
    events, xp = _checked_events(events)
    if not (isinstance(shape, tuple | list) and len(shape) == 3):
        raise ValueError(f"`shape` must be (frames, height, width). Received: {shape!r}")
    frames, height, width = (check_int("shape", size, 0) for size in shape)
    if 2 * math.prod(shape) >= 2**31:
        raise ValueError(f"`shape` must hold fewer than 2**30 pixels. Received: {shape}")
    duration = check_int("duration", duration, 1)
    if duration > (most := max(xp.iinfo(events.t.dtype).max, 2**31 - 1)):
        raise ValueError(f"`duration` must be at most {most}. Received: {duration}")
    dtype = xp.empty(0).dtype if dtype is None else dtype
    counts = _histogram(events, (frames, height, width), duration, xp)
    if not separate:
        counts = counts[:, 1, ...] - counts[:, 0, ...]
    result: Any = xp.astype(counts, dtype)
    returned: ArrayT = result
    return returned


def _event_counts(frames: Array, threshold: Array, *, epsilon: float, xp: Namespace) -> Array:
    # Gradients of floor are 0: without this, torch would keep the whole loop for them.
    log = xp.log(stop_gradient(frames, xp) + epsilon)
    threshold = stop_gradient(threshold, xp)
    start = log[0, ...]

    # The reference as the decoder has it, a multiple of the threshold: its error does not add up.
    def step(level: Array, values: tuple[Array, ...]) -> tuple[Array, tuple[Array]]:
        (value,) = values
        change = value - (start + threshold * level)
        count = xp.sign(change) * xp.floor(xp.abs(change) / threshold)
        return level + count, (count,)

    counts: Array = scan(step, xp.zeros_like(start), (log,), xp)[1][0]
    return counts


def _frames(
    counts: Array, threshold: Array, first: Array, *, epsilon: float, xp: Namespace
) -> Array:
    return xp.exp(decode(counts, threshold, xp.log(first + epsilon), xp=xp)) - epsilon


def _checked_events(events: Any) -> tuple[Events[Any], Namespace]:
    if not (isinstance(events, tuple | list) and len(events) == 4):
        raise TypeError(
            f"`events` must be four arrays t, x, y, p. Received: {type(events).__qualname__}"
        )
    columns = Events[Any](*events)
    xp: Any = namespace_of(**columns._asdict())
    for name, column in columns._asdict().items():
        dtype = getattr(column, "dtype", None)
        if dtype is None or not xp.isdtype(dtype, "integral"):
            raise TypeError(
                f"`{name}` must be an integer array. Received: {column if dtype is None else dtype}"
            )
        if column.ndim != 1 or column.shape != columns.t.shape:
            raise ValueError(
                f"`{name}` must have shape (events,), as `t` has, {tuple(columns.t.shape)}. "
                f"Received: shape {tuple(column.shape)}"
            )
    return columns, xp


def _histogram(events: Events[Any], shape: Shape, duration: int, xp: Namespace) -> Array:
    """Count the events per frame, polarity, row and column.

    Sorted, then found by bisection: no library-independent operation adds in place.
    """
    frames, height, width = shape
    # Columns are as short as cameras write them: not every size and frame is a number of theirs.
    t, x, y, p = (xp.astype(a, xp.int32) if xp.iinfo(a.dtype).bits < 32 else a for a in events)
    # int32 would overflow in the cells of events far outside, which the test below leaves out.
    t = t // duration
    inside = (t >= 0) & (t < frames) & (x >= 0) & (x < width) & (y >= 0) & (y < height) & (p != 0)
    t, x, y, p = (xp.astype(xp.where(inside, a, 0), xp.int32) for a in (t, x, y, p))
    size = frames * 2 * height * width
    cell = ((2 * t + xp.astype(p > 0, xp.int32)) * height + y) * width + x
    cell = xp.sort(xp.where(inside, cell, size))
    edges = xp.arange(size + 1, dtype=xp.int32, device=device(cell))
    position = xp.searchsorted(cell, edges)
    return xp.reshape(position[1:] - position[:-1], (frames, 2, height, width))
