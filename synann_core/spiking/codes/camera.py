"""Event cameras: the events that frames would make a camera write, and the frames they describe.

Each pixel of an event camera works by itself and reports only changes: an event says that the
logarithm of its intensity has risen or fallen by one threshold. A change that reaches a threshold
but for rounding has reached it. NaN is a gap in the film of a pixel: it makes no event there, the
reference stays, and the first number is the first reference.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and for options and thresholds that are unknown
or out of range, NaN among them (but for thresholds that ``jax.jit`` traces).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from array_api_compat import device

from synann_core._lib.arguments import Arguments
from synann_core._lib.autodiff import stop_gradient
from synann_core._lib.checks import check_known, check_number
from synann_core._lib.loops import runner, scan
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.spiking.codes.contrast import decode
from synann_core.spiking.codes.events import Events
from synann_core.spiking.codes.time_axis import check_fits, check_time_axis

_MET = 1e-9  # of a threshold: nearer than this it is reached


def event_camera(
    frames: ArrayT, /, threshold: ArrayT | float = 0.2, *, epsilon: float = 1e-3
) -> ArrayT:
    """Count the events, with their sign, of each pixel in each frame.

    ``L = log(I + epsilon)``; a reference per pixel, at first L[0]; ``n = ⌊|L − ref| / threshold⌋``
    events of the sign p of L − ref; ``ref += p · n · threshold``. `frames_to_events` also says when
    in the step between two frames they come.

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
    with _film(frames, threshold) as given:
        count = runner(_event_counts, given.xp)
        return given.result(count(*given.arrays, epsilon=epsilon, xp=given.xp))


def frames_to_events(
    frames: ArrayT,
    /,
    threshold: ArrayT | float = 0.2,
    *,
    times: ArrayT | None = None,
    epsilon: float = 1e-3,
) -> Events[ArrayT]:
    """List the events of a film, each at the time at which the pixel reaches its threshold.

    Between two frames L is taken to change linearly: event k of a step from t₀ to t₁ comes at
    ``t₀ + (t₁ − t₀)(ref + p·k·threshold − L₀)/(L₁ − L₀)``.

    Parameters
    ----------
    frames : array, shape (T, height, width)
    threshold, epsilon
        As for `event_camera`.
    times : array, shape (T,), optional
        When the frames were taken, in any unit, each later than the one before; 0, 1, 2, … if not
        given.

    Returns
    -------
    Events
        The events that `event_camera` counts, ordered by time, then row, then column. t has the
        dtype in which the promoted dtype is computed (float32 for 16 bits); the others are int32. A
        step across a gap begins at the last frame that is not NaN.

    Notes
    -----
    How many there are depends on the data: for eager libraries only (not under ``jax.jit``). As in
    H. Rebecq, D. Gehrig and D. Scaramuzza, "ESIM: an open event camera simulator", CoRL 2018, and
    Y. Hu, S.-C. Liu and T. Delbruck, "v2e: from video frames to realistic DVS events", CVPRW 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import frames_to_events
    >>> frames = np.array([[[1.0]], [[4.0]], [[2.0]]])
    >>> events = frames_to_events(frames, np.log(2.0), epsilon=1e-12)
    >>> events.t.round(6), events.p  # twice as bright halfway, and again; then half as bright
    (array([0.5, 1. , 2. ]), array([ 1,  1, -1], dtype=int32))
    """
    epsilon = check_number("epsilon", epsilon, 0.0, ends="()")
    with _film(frames, threshold, times) as given:
        check_time_axis(given, "frames", "height", "width")
        film, level, *when = given.arrays
        xp, steps = given.xp, film.shape[0]
        if times is None:
            moments = xp.arange(steps, dtype=given.work_dtype, device=device(film))
        else:
            moments = when[0]
            given.check_shapes(times=(steps,))
            if not (xp.all(xp.isfinite(moments)) and xp.all(moments[1:] > moments[:-1])):
                raise ValueError("`times` must be finite and increase. Received: other values")
        log = _log(film, epsilon, xp)
        columns = _timed(log, level, moments, xp)
        order = xp.argsort(columns[0], stable=True)
        events: Events[Any] = Events(*(xp.take(column, order) for column in columns))
        return events


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
    check_known("threshold", threshold, 0.0, ends="()")
    with Arguments(counts=counts, threshold=threshold, first=first) as given:
        shape = check_time_axis(given, "counts")[1:]
        check_fits(given, "threshold", shape)
        check_fits(given, "first", shape)
        return given.result(_frames(*given.arrays, epsilon=epsilon, xp=given.xp))


def _film(
    frames: ArrayT, threshold: ArrayT | float, times: ArrayT | None = None
) -> Arguments[ArrayT]:
    more = {} if times is None else {"times": times}
    given = Arguments[ArrayT](frames=frames, threshold=threshold, **more)
    check_fits(given, "threshold", check_time_axis(given, "frames")[1:])
    check_known("threshold", threshold, 0.0, ends="()")
    return given


def _log(frames: Array, epsilon: float, xp: Namespace) -> Array:
    """Logarithms of the intensities, NaN where they are not finite: no reference could follow."""
    log = xp.log(stop_gradient(frames, xp) + epsilon)
    return xp.where(xp.isfinite(log), log, float("nan"))


def _event_counts(frames: Array, threshold: Array, *, epsilon: float, xp: Namespace) -> Array:
    # Gradients of floor are 0: without this, torch would keep the whole loop for them.
    log = _log(frames, epsilon, xp)
    threshold = stop_gradient(threshold, xp)
    first = log[0, ...]

    def step(carry: tuple[Array, Array], values: tuple[Array, ...]) -> tuple[Any, tuple[Array]]:
        (level, start), (value,) = carry, values
        start = xp.where(xp.isnan(start), value, start)
        count = _count(value, start, level, threshold, xp)
        return (level + count, start), (count,)

    counts: Array = scan(step, (xp.zeros_like(first), first), (log,), xp)[1][0]
    return counts


def _count(value: Array, start: Array, level: Array, threshold: Array, xp: Namespace) -> Array:
    """Return the signed number of events that take a pixel from its reference to a value.

    The reference is as the decoder has it, `start` and a multiple of the threshold: its error does
    not add up.
    """
    moved = threshold * level
    change = value - (start + moved)
    # How far all that was rounded may be off: the sum with epsilon, the logarithms, the reference.
    ulps = 4.0 * float(xp.finfo(value.dtype).eps)
    error = ulps * (1.0 + xp.abs(value) + xp.abs(start) + xp.abs(moved))
    number = xp.floor((xp.abs(change) + error) / threshold + _MET)
    return xp.where(xp.isnan(change), 0.0, xp.sign(change) * number)


class _Pixels(NamedTuple):
    """What each pixel knows before a frame, and the frame, arrays of its shape."""

    value: Array  # logarithm of the intensity
    now: Array  # its time
    last: Array  # logarithm before
    since: Array  # its time
    start: Array  # first reference
    level: Array  # thresholds from there to the present reference
    threshold: Array


def _timed(log: Array, threshold: Array, times: Array, xp: Namespace) -> list[Array]:
    """Return t, x, y and p of all events, step by step."""
    zeros = xp.zeros_like(log[0, ...])
    start, last, level, since = log[0, ...], log[0, ...], zeros, zeros + times[0]
    steps: list[list[Array]] = []
    for k in range(log.shape[0]):
        value, now = log[k, ...], zeros + times[k]
        start = xp.where(xp.isnan(start), value, start)
        count = _count(value, start, level, threshold, xp)
        pixels = _Pixels(value, now, last, since, start, level, zeros + threshold)
        steps.append(_of_step(count, pixels, xp))
        gap, level = xp.isnan(value), level + count
        last, since = xp.where(gap, last, value), xp.where(gap, since, now)
    return [xp.concat(list(columns)) for columns in zip(*steps, strict=True)]


def _of_step(count: Array, pixels: _Pixels, xp: Namespace) -> list[Array]:
    """Return t, x, y and p of the events between two frames."""
    where: Any = xp.nonzero(count)
    signed = count[where]
    number = xp.astype(xp.abs(signed), xp.int32)
    place = xp.repeat(xp.arange(number.shape[0], device=device(number)), number)
    before = xp.take(xp.cumulative_sum(number) - number, place)
    k = xp.arange(place.shape[0], device=device(place)) - before + 1  # 1, 2, … of each pixel
    at = _Pixels(*(xp.take(a[where], place) for a in pixels))
    sign = xp.take(xp.sign(signed), place)
    reached = at.start + at.threshold * (at.level + sign * xp.astype(k, sign.dtype))
    share = xp.clip((reached - at.last) / (at.value - at.last), 0.0, 1.0)
    rows, columns = (xp.astype(xp.take(axis, place), xp.int32) for axis in where)
    times = at.since + (at.now - at.since) * share
    return [times, columns, rows, xp.astype(sign, xp.int32)]


def _frames(
    counts: Array, threshold: Array, first: Array, *, epsilon: float, xp: Namespace
) -> Array:
    return xp.exp(decode(counts, threshold, xp.log(first + epsilon), xp=xp)) - epsilon
