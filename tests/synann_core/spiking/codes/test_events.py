"""Events against a slow loop: from counts and back."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import encoders as slow
from synann_core.spiking import Events, counts_to_events, events_to_counts
from tests.helpers import make_backend

SHAPE = (9, 4, 5)


def random_counts(seed, shape=SHAPE):
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(float)


def as_events(xp, rows):
    return Events(*(xp.asarray(column, "int32") for column in np.transpose(rows)))


def random_rows(count=200, seed=1):
    """Rows (t, x, y, p) within (9, 4, 5), three steps to a frame, and around it."""
    rng = np.random.default_rng(seed)
    limits = ((-2, 12), (-1, 6), (-1, 5), (0, 2))
    rows = np.stack([rng.integers(*limit, count) for limit in limits], axis=1)
    rows[:, 3] = 2 * rows[:, 3] - 1
    rows[:20] = rows[20:40]  # several at one place
    return rows


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


@pytest.mark.jax_alternates
@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("duration", [1, 3])
def test_events_to_counts(xp, dtype, separate, duration):
    rows, shape = random_rows(), (3, 4, 5)

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
@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("kind", ["uint8", "int32", "bool"])
def test_darker_events_may_be_zeros(xp, kind, separate):
    """0 and 1, or bool, as files have them: the counts of −1 and 1."""
    rows = random_rows()
    signed = as_events(xp, rows)
    binary = signed._replace(p=xp.asarray(rows[:, 3] > 0, kind))

    def count(*columns, polarity):
        return events_to_counts(columns, (3, 4, 5), polarity=polarity, separate=separate)

    def of_binary(*columns):
        return count(*columns, polarity="binary")

    want = xp.to_numpy(count(*signed, polarity="signed"))
    np.testing.assert_array_equal(xp.to_numpy(xp.call(of_binary, *binary)), want)
    assert want.any()


@pytest.mark.parametrize("library", ["numpy", "strict", "torch", "jax"])
@pytest.mark.parametrize(
    ("polarity", "p", "kind", "received"),
    [
        ("signed", [1, 255], "uint8", "-1 and 1 .*Received: 255"),  # 2p − 1 of an unsigned 0
        ("signed", [1, 0], "int8", "-1 and 1 .*Received: 0"),
        ("signed", [1, 2], "int32", "-1 and 1 .*Received: 2"),
        ("binary", [1, -1], "int8", "0 and 1 .*Received: -1"),
        ("binary", [0, 2], "uint8", "0 and 1 .*Received: 2"),
    ],
)
def test_other_polarities_are_refused(library, polarity, p, kind, received):
    with make_backend(library) as xp:
        columns = (xp.asarray([0, 0], "int32"),) * 3
        with pytest.raises(ValueError, match="`p` must hold " + received):
            events_to_counts((*columns, xp.asarray(p, kind)), (1, 1, 1), polarity=polarity)


@pytest.mark.jax_alternates
@pytest.mark.parametrize("kind", ["int32", "uint8", "float32"])
def test_frames_that_begin_later(xp, kind):
    """Events before are left out, also where a difference of theirs would wrap around."""
    rows, shape, start = random_rows(), (3, 4, 5), 4
    rows[:, 0] = np.abs(rows[:, 0])
    columns = as_events(xp, rows)._replace(t=xp.asarray(rows[:, 0], kind))

    def count(*columns):
        return events_to_counts(Events(*columns), shape, duration=2, start=start)

    moved = rows - np.array([start, 0, 0, 0])
    want = slow.histogram(moved.tolist(), *shape, 2)
    np.testing.assert_array_equal(xp.to_numpy(xp.call(count, *columns)), want[:, 1] - want[:, 0])
    assert want.any()
    assert (moved[:, 0] < 0).any()


def test_frames_of_floats_may_begin_before_0():
    t, zeros = np.array([-1.0, -0.75, -0.25, 0.25]), np.zeros(4, int)
    counts = events_to_counts((t, zeros, zeros, zeros + 1), (3, 1, 1), duration=0.5, start=-1.0)
    assert counts[:, 0, 0].tolist() == [2, 1, 1]


def test_times_of_floating_point_numbers():
    t = np.array([0.0, 0.24, 0.25, 0.3, 0.5, np.nan, np.inf, -0.1])
    zeros, ones = np.zeros(8, int), np.ones(8, int)
    counts = events_to_counts((t, zeros, zeros, ones), (2, 1, 1), duration=0.25)
    np.testing.assert_array_equal(counts[:, 0, 0], [2, 2])


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_more_events_than_a_block_holds(library):
    rows = random_rows(150_000)
    with make_backend(library) as xp:
        got = xp.to_numpy(events_to_counts(as_events(xp, rows), (9, 4, 5)))
    want = np.zeros((9, 4, 5))
    inside = ((rows[:, :3] >= 0) & (rows[:, :3] < (9, 5, 4))).all(axis=1)
    t, x, y, p = rows[inside].T
    np.add.at(want, (t, y, x), p)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_sixteen_bits_count_beyond_2048(library):
    with make_backend(library) as xp:
        columns = [xp.asarray(np.full(5000, k), "int32") for k in (3, 0, 0, 1)]
        counts = events_to_counts(tuple(columns), (6, 1, 1), dtype=xp.dtype("float16"))
        xp.check(counts, "float16", (6, 1, 1))
        np.testing.assert_array_equal(xp.to_numpy(counts)[:, 0, 0], [0, 0, 0, 5000, 0, 0])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_memory_is_at_most_twice_the_results(dtype):
    one, shape = np.ones(1, dtype=np.int32), (50, 480, 640)
    tracemalloc.start()
    try:
        counts = events_to_counts((one,) * 4, shape, dtype=dtype)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert counts.sum() == 1
    assert peak <= 2 * counts.nbytes + 1e6


def test_a_million_events_are_those_of_adding_them():
    rng = np.random.default_rng(0)
    t, x, y = (rng.integers(0, size, 10**6, dtype=np.int32) for size in (50, 64, 48))
    p = rng.integers(0, 2, 10**6, dtype=np.int32) * 2 - 1
    want = np.zeros((50, 48, 64))
    np.add.at(want, (t, y, x), p)
    np.testing.assert_array_equal(events_to_counts((t, x, y, p), want.shape), want)


@pytest.mark.jax_alternates
def test_no_events(xp):
    events = as_events(xp, np.zeros((0, 4)))
    got = xp.to_numpy(events_to_counts(events, (2, 3, 4)))
    np.testing.assert_array_equal(got, np.zeros((2, 3, 4)))


def test_no_frames(xp):
    events = as_events(xp, random_rows(40))
    assert tuple(events_to_counts(events, (0, 3, 4)).shape) == (0, 3, 4)


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
    (lambda: counts_to_events(np.ones((2, 3))), ValueError, r"\(time, height, width\)"),
    (lambda: counts_to_events(np.full(SHAPE, np.nan)), ValueError, "`counts` .* Received: nan"),
    (lambda: counts_to_events(np.full(SHAPE, -np.inf)), ValueError, "whole numbers. .*: -inf"),
    (lambda: counts_to_events(np.full(SHAPE, 1.5)), ValueError, "whole numbers. Received: 1.5"),
    (lambda: events_to_counts(one, SHAPE), TypeError, "`events` must be four arrays"),
    (lambda: events_to_counts((one, one, one, 1), SHAPE), TypeError, "`p` must be an integer arr"),
    (lambda: events_to_counts((one, one, one * 1.0, one), SHAPE), TypeError, "`y` .*: float64"),
    (lambda: events_to_counts((one, one, one, one > 0), SHAPE), TypeError, "`p` .*: bool"),
    (lambda: events_to_counts((1, 1, 1, 1), SHAPE), TypeError, "`t` must be an integer array"),
    (lambda: events_to_counts((one, one[:0], one, one), SHAPE), ValueError, "`x` must have shape"),
    (lambda: events_to_counts((one,) * 4, (2, 3)), ValueError, "`shape` must be "),
    (lambda: events_to_counts((one,) * 4, (2, 3, 0.5)), TypeError, "`shape` must be an int"),
    (lambda: events_to_counts((one,) * 4, (2**10,) * 3), ValueError, "fewer than"),
    (lambda: events_to_counts((one,) * 4, SHAPE, duration=0), ValueError, "`duration` must be at"),
    (lambda: events_to_counts((one,) * 4, SHAPE, duration=0.5), TypeError, "`duration` must be an"),
    (lambda: events_to_counts((one,) * 4, SHAPE, duration=2**63), ValueError, "must be at most"),
    (lambda: events_to_counts((one,) * 4, SHAPE, start=-1), ValueError, "`start` must be at least"),
    (lambda: events_to_counts((one,) * 4, SHAPE, start=0.5), TypeError, "`start` must be an int"),
    (lambda: events_to_counts((one,) * 4, SHAPE, start=2**63), ValueError, "`start` must be at m"),
    (lambda: events_to_counts((one,) * 4, SHAPE, polarity="01"), ValueError, "`polarity` must be"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
