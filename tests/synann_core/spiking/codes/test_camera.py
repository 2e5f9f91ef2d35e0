"""Event cameras against a slow loop: how many events, when, and what frames they describe."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import encoders as slow
from synann_core.spiking import (
    counts_to_events,
    event_camera,
    event_camera_decode,
    events_to_counts,
    frames_to_events,
)
from tests.helpers import EPS, assert_close
from tests.synann_core.spiking.codes.test_events import SHAPE

THRESHOLDS = np.linspace(0.1, 0.4, 20).reshape(4, 5)


def frames(seed=0, shape=SHAPE):
    """Intensities from dark to 1, the same for some steps."""
    values = np.random.default_rng(seed).random(shape) ** 3
    values[2:4] = values[1]
    values[5, 0, 0] = 0.0
    return values


@pytest.mark.jax_alternates
@pytest.mark.parametrize("threshold", [0.25, THRESHOLDS], ids=["number", "array"])
def test_event_camera(xp, dtype, threshold):
    values = frames().astype(dtype).astype(float)
    slowly = partial(slow.event_camera, epsilon=0.01)
    want = slow.each_signal(slowly, values, np.asarray(threshold))
    own = threshold if isinstance(threshold, float) else xp.asarray(threshold, dtype)
    got = xp.call(partial(event_camera, epsilon=0.01), xp.asarray(values, dtype), own)
    xp.check(got, dtype, SHAPE)
    np.testing.assert_array_equal(xp.to_numpy(got), want)
    assert want.min() < -1
    assert want.max() > 1
    assert not want[0].any()
    assert not want[2:4].any()


@pytest.mark.jax_alternates
@pytest.mark.parametrize("start", [0.1, 1.0, 3.7])
def test_an_edge_that_is_met_but_for_rounding_is_met(xp, dtype, start):
    """Twice as bright is one event of the contrast log 2, in every frame; half as bright, too."""
    doubling = start * 2.0 ** np.arange(12)
    film = np.stack([doubling, doubling[::-1]], axis=1)
    encode = partial(event_camera, epsilon=1e-30)
    got = xp.to_numpy(xp.call(encode, xp.asarray(film, dtype), float(np.log(2.0))))
    want = np.ones((12, 2)) * [1.0, -1.0]
    want[0] = 0.0
    np.testing.assert_array_equal(got, want)


@pytest.mark.jax_alternates
def test_event_camera_decode(xp, dtype):
    values = frames()
    counts = slow.each_signal(partial(slow.event_camera, epsilon=0.01), values, THRESHOLDS)
    got = xp.call(
        partial(event_camera_decode, epsilon=0.01),
        *(xp.asarray(a, dtype) for a in (counts, values[0], THRESHOLDS)),
    )
    xp.check(got, dtype, SHAPE)
    log = np.log(values[0] + 0.01) + THRESHOLDS * np.cumsum(counts, axis=0)
    # The logarithm, at most 5 here, is rounded, and the exponential makes that relative.
    assert_close(xp.to_numpy(got) + 0.01, np.exp(log), 32 * EPS[dtype], scale=np.exp(log))


@given(st.integers(0, 2**32), st.floats(0.01, 3))
def test_the_logarithm_is_met_to_a_threshold(seed, threshold):
    values = frames(seed)
    decoded = event_camera_decode(event_camera(values, threshold), values[0], threshold)
    error = np.abs(np.log(decoded + 1e-3) - np.log(values + 1e-3))
    # Frames far below epsilon are rounded as epsilon is.
    assert error.max() <= threshold * (1 + 1e-9)


def test_reference_does_not_drift():
    """As many steps up as down, for long: the last frame is the first."""
    values = np.where(np.arange(20_001) % 2, 0.3, 0.1)
    counts = event_camera(values, 0.01)
    assert abs(counts.sum()) <= 1
    decoded = event_camera_decode(counts, values[0], 0.01)
    assert abs(np.log((decoded[-1] + 1e-3) / 0.101)) <= 0.01


def test_pixels_do_not_mix():
    values = frames(7)
    whole = event_camera(values, 0.2)
    np.testing.assert_array_equal(event_camera(values[:, 1:2, 2:3], 0.2), whole[:, 1:2, 2:3])


def slow_events(values, threshold, epsilon, times):
    """Rows (t, x, y, p) by the slow loop, in order."""
    rows = []
    for y, x in np.ndindex(values.shape[1:]):
        own = float(np.broadcast_to(threshold, values.shape[1:])[y, x])
        found = slow.event_times(values[:, y, x].tolist(), own, epsilon, times)
        rows += [(t, x, y, p) for t, p in found]
    return np.array(sorted(rows, key=lambda row: (row[0], row[2], row[1]))).reshape(-1, 4)


@pytest.mark.jax_alternates
@pytest.mark.parametrize("given_times", [False, True])
def test_frames_to_events(xp, dtype, given_times):
    """Each event at the time at which the line between two frames meets its threshold."""
    if xp.name in ("strict-minimal", "jax-jit"):  # arrays whose size the data says
        with pytest.raises((RuntimeError, TypeError), match=r"data|concrete|Abstract"):
            xp.call(frames_to_events, xp.asarray(frames()))
        return
    values = frames().astype(dtype).astype(float)
    values[3:5, 2, 2] = np.nan
    values[:2, 1, 1] = np.nan
    values[:, 3, 4] = np.nan
    times = np.array([-1.0, 0.5, 0.75, 2.0, 4.0, 5.0, 5.25, 8.0, 9.0])
    moments = times if given_times else np.arange(len(values)) * 1.0
    events = frames_to_events(
        xp.asarray(values, dtype),
        xp.asarray(THRESHOLDS, dtype),
        times=xp.asarray(times, dtype) if given_times else None,
        epsilon=0.01,
    )
    want = slow_events(values, THRESHOLDS.astype(dtype), 0.01, moments.tolist())
    xp.check(events.t, dtype, (len(want),))
    xp.check(events.p, "int32", (len(want),))
    got = np.stack([xp.to_numpy(column).astype(float) for column in events], axis=1)
    assert (np.diff(got[:, 0]) >= 0).all()
    # Rounded, two pixels' events may change places.
    order = (np.lexsort((a[:, 0], a[:, 2], a[:, 1])) for a in (got, want))
    got, want = (a[rows] for a, rows in zip((got, want), order, strict=True))
    np.testing.assert_array_equal(got[:, 1:], want[:, 1:])
    # A logarithm of at most 5 has 5 eps, over changes of a threshold or more in a step of time.
    assert_close(got[:, 0], want[:, 0], 400 * EPS[dtype])
    assert len(want) > 50


def test_twice_as_bright_is_one_event_at_the_time_of_the_frame():
    film = 0.1 * 2.0 ** np.arange(6)[:, None, None]
    events = frames_to_events(film, np.log(2.0), epsilon=1e-30)
    np.testing.assert_allclose(events.t, np.arange(1, 6), rtol=1e-12)
    assert events.p.tolist() == [1] * 5
    slowly = frames_to_events(film[::5], np.log(2.0), epsilon=1e-30, times=np.array([0.0, 5.0]))
    np.testing.assert_allclose(slowly.t, np.arange(1, 6), rtol=1e-12)


@given(st.integers(0, 2**32), st.floats(0.05, 2))
def test_times_are_those_of_the_counts(seed, threshold):
    """In the step that ends with frame k there are as many events as `event_camera` counts."""
    values = frames(seed)
    counts, events = event_camera(values, threshold), frames_to_events(values, threshold)
    ends = events._replace(t=np.ceil(events.t - 1e-9))
    np.testing.assert_array_equal(events_to_counts(ends, SHAPE), counts)
    assert len(events.t) == len(counts_to_events(counts).t)


def test_a_film_without_change_has_no_events():
    events = frames_to_events(np.ones((3, 2, 2)))
    assert [column.shape for column in events] == [(0,)] * 4


flat = np.ones(SHAPE)
BAD = [
    (lambda: event_camera(np.ones(SHAPE, int)), TypeError, "`frames` must have a real floating"),
    (lambda: event_camera(flat, np.ones(4)), ValueError, "`threshold` must be a number"),
    (lambda: event_camera(flat, epsilon=0), ValueError, "`epsilon` must be in"),
    (lambda: event_camera(flat, 0.0), ValueError, "`threshold` must be in"),
    (lambda: event_camera_decode(flat, np.ones(3)), ValueError, "`first` must be a num"),
    (lambda: frames_to_events(flat[0]), ValueError, r"`frames` .* \(time, height, width\)"),
    (lambda: frames_to_events(flat, times=np.ones(9)), ValueError, "`times` must be finite and"),
    (lambda: frames_to_events(flat, times=np.arange(8.0)), ValueError, "`times` must have shape"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
