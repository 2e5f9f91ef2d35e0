"""Event cameras against a slow loop; frames to events and back."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import encoders as slow
from synann_core.spiking import (
    Events,
    counts_to_events,
    event_camera,
    event_camera_decode,
    events_to_counts,
)
from tests.helpers import EPS, assert_close, make_backend

SHAPE = (9, 4, 5)
THRESHOLDS = np.linspace(0.1, 0.4, 20).reshape(4, 5)


def frames(seed=0, shape=SHAPE):
    """Intensities from dark to 1, the same for some steps."""
    values = np.random.default_rng(seed).random(shape) ** 3
    values[2:4] = values[1]
    values[5, 0, 0] = 0.0
    return values


def random_counts(seed, shape=SHAPE):
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(float)


def as_events(xp, rows):
    return Events(*(xp.asarray(column, "int32") for column in np.transpose(rows)))


@pytest.mark.jax_alternates(4)
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


@pytest.mark.jax_alternates(4)
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


def test_counts_to_events(xp):
    if xp.name in ("strict-minimal", "jax-jit"):  # arrays whose size the data says
        with pytest.raises((RuntimeError, TypeError), match=r"data|concrete"):
            xp.call(counts_to_events, xp.asarray(random_counts(0)))
        return
    counts = random_counts(0)
    events = counts_to_events(xp.asarray(counts))
    want = slow.events(counts)
    for column, name in zip(events, "txyp", strict=True):
        xp.check(column, "int32", (len(want),))
        np.testing.assert_array_equal(xp.to_numpy(column), want[:, "txyp".index(name)])
    if not xp.is_jax:  # which compiles every operation for every number of events
        none = counts_to_events(xp.asarray(np.zeros(SHAPE)))
        assert tuple(none.t.shape) == (0,)


@pytest.mark.jax_alternates(4)
@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("duration", [1, 3])
def test_events_to_counts(xp, dtype, separate, duration):
    rng = np.random.default_rng(1)
    rows = np.stack(
        [
            rng.integers(-2, 12, 200),
            rng.integers(-1, 6, 200),
            rng.integers(-1, 5, 200),
            rng.integers(-1, 2, 200),
        ],
        axis=1,
    )
    rows[:20] = rows[20:40]  # several at one place
    shape = (3, 4, 5)

    def function(t, x, y, p):
        return events_to_counts(
            Events(t, x, y, p), shape, duration=duration, separate=separate, dtype=xp.dtype(dtype)
        )

    got = xp.call(function, *as_events(xp, rows))
    want = slow.histogram(rows.tolist(), *shape, duration)
    want = want if separate else want[:, 1] - want[:, 0]
    xp.check(got, dtype, want.shape)
    np.testing.assert_array_equal(xp.to_numpy(got), want)
    assert np.abs(want).max() > 1


@pytest.mark.jax_alternates
def test_no_events(xp):
    events = as_events(xp, np.zeros((0, 4)))
    got = xp.to_numpy(events_to_counts(events, (2, 3, 4)))
    np.testing.assert_array_equal(got, np.zeros((2, 3, 4)))


@given(st.integers(0, 2**32))
def test_there_and_back(seed):
    counts = random_counts(seed)
    events = counts_to_events(counts)
    assert len(events.t) == np.abs(counts).sum()
    order = np.random.default_rng(seed).permutation(len(events.t))
    shuffled = Events(*(column[order] for column in events))
    np.testing.assert_array_equal(events_to_counts(shuffled, SHAPE), counts)
    both = events_to_counts(shuffled, SHAPE, separate=True)
    np.testing.assert_array_equal(both[:, 1] + both[:, 0], np.abs(counts))


def test_times_of_microseconds_do_not_overflow():
    t = np.array([0, 2**62, -(2**62), 1_999_999])
    zeros, ones = np.zeros(4, int), np.ones(4, int)
    counts = events_to_counts((t, zeros, zeros, ones), (2, 1, 1), duration=10**6)
    np.testing.assert_array_equal(counts[:, 0, 0], [1, 1])


def test_pixels_do_not_mix():
    values = frames(7)
    whole = event_camera(values, 0.2)
    np.testing.assert_array_equal(event_camera(values[:, 1:2, 2:3], 0.2), whole[:, 1:2, 2:3])


@pytest.mark.parametrize("library", ["numpy", "strict", "torch"])
def test_columns_as_short_as_files_have_them(library):
    """A size and a duration that the columns' own dtypes cannot hold."""
    with make_backend(library) as xp:
        t, x, y = (
            xp.asarray([k], name) for k, name in ((120, "int8"), (200, "uint8"), (9, "int16"))
        )
        p = xp.asarray([1], "int8")
        counts = events_to_counts((t, x, y, p), (2, 10, 300), duration=1000)
        assert float(counts[0, 9, 200]) == float(counts.sum() if library != "strict" else 1) == 1.0
        row = xp.asarray([40_000], "uint16")
        counts = events_to_counts(
            (t, xp.asarray([0], "uint16"), row, p), (2, 40_001, 1), duration=120
        )
        assert float(counts[1, 40_000, 0]) == 1.0


one = np.ones(1, dtype=int)
BAD = [
    (lambda: event_camera(np.ones(SHAPE, int)), TypeError, "`frames` must have a real floating"),
    (lambda: event_camera(np.ones(SHAPE), np.ones(4)), ValueError, "`threshold` must be a number"),
    (lambda: event_camera(np.ones(SHAPE), epsilon=0), ValueError, "`epsilon` must be in"),
    (lambda: event_camera_decode(np.ones(SHAPE), np.ones(3)), ValueError, "`first` must be a num"),
    (lambda: counts_to_events(np.ones((2, 3))), ValueError, r"\(time, height, width\)"),
    (lambda: counts_to_events(np.full(SHAPE, np.nan)), ValueError, "`counts` .* Received: nan"),
    (lambda: counts_to_events(np.full(SHAPE, -np.inf)), ValueError, "whole numbers. .*: -inf"),
    (lambda: counts_to_events(np.full(SHAPE, 1.5)), ValueError, "whole numbers. Received: 1.5"),
    (lambda: events_to_counts(one, SHAPE), TypeError, "`events` must be four arrays"),
    (lambda: events_to_counts((one, one, one, 1), SHAPE), TypeError, "`p` must be an integer arr"),
    (lambda: events_to_counts((one, one, one * 1.0, one), SHAPE), TypeError, "`y` .*: float64"),
    (lambda: events_to_counts((1, 1, 1, 1), SHAPE), TypeError, "`t` must be an integer array"),
    (lambda: events_to_counts((one, one[:0], one, one), SHAPE), ValueError, "`x` must have shape"),
    (lambda: events_to_counts((one,) * 4, (2, 3)), ValueError, "`shape` must be "),
    (lambda: events_to_counts((one,) * 4, (2, 3, 0.5)), TypeError, "`shape` must be an int"),
    (lambda: events_to_counts((one,) * 4, (2**10,) * 3), ValueError, "fewer than"),
    (lambda: events_to_counts((one,) * 4, SHAPE, duration=0), ValueError, "`duration` must be at"),
    (lambda: events_to_counts((one,) * 4, SHAPE, duration=2**63), ValueError, "must be at most"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
