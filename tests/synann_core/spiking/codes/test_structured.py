"""Events of structured arrays: tonic's, other fields, polarities, times, libraries, and back."""

import numpy as np
import pytest

from synann_core.spiking import (
    Events,
    counts_to_events,
    events_from_structured,
    events_to_counts,
    events_to_structured,
)
from tests.helpers import make_backend

# The dtypes that tonic 1 has for N-MNIST, DVS128 Gesture and SHD.
NMNIST = np.dtype([("x", "<i8"), ("y", "<i8"), ("t", "<i8"), ("p", "<i8")])
GESTURE = np.dtype([("x", np.int16), ("y", np.int16), ("p", bool), ("t", np.int64)])
SHD = np.dtype([("t", int), ("x", int), ("p", int)])
ROWS = [(1, 0, 70_000, 1), (3, 2, 70_000, 0), (0, 1, 71_500, 1), (3, 2, 74_999, 0)]


def records(dtype=NMNIST, rows=ROWS, **changed):
    columns = dict(zip("xytp", np.transpose(rows), strict=True)) | changed
    result = np.zeros(len(rows), dtype)
    for name in result.dtype.names:
        result[name] = columns[name]
    return result


LIBRARIES = ["numpy", "strict", "torch", "jax"]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", [NMNIST, GESTURE], ids=["nmnist", "gesture"])
def test_arrays_of_tonic(library, dtype):
    with make_backend(library) as xp:
        events = events_from_structured(records(dtype), origin="first", xp=xp.library)
        assert [xp.to_numpy(column).tolist() for column in events] == [
            [0, 0, 1500, 4999],
            [1, 3, 0, 3],
            [0, 2, 1, 2],
            [1, -1, 1, -1],
        ]
        counts = xp.to_numpy(events_to_counts(events, (5, 3, 4), duration=1000))
        want = np.zeros((5, 3, 4))
        want[0, 0, 1], want[0, 2, 3], want[1, 1, 0], want[4, 2, 3] = 1, -1, 1, -1
        np.testing.assert_array_equal(counts, want)
        # And back to what tonic's transforms take.
        written = events_to_structured(events, dtype=dtype)
        np.testing.assert_array_equal(written, records(dtype, t=np.array([0, 0, 1500, 4999])))
        if dtype == NMNIST:
            signed = events_to_structured(events, dtype=dtype, polarity="signed")
            assert signed["p"].tolist() == [1, -1, 1, -1]


def test_a_cochlea_has_no_rows():
    """SHD: channels x, and p is 1 throughout."""
    events = events_from_structured(records(SHD, p=np.ones(4)))
    assert events.y.tolist() == [0, 0, 0, 0]
    assert events.p.tolist() == [1, 1, 1, 1]


def test_fields_of_other_names():
    dtype = [("timestamp", "<i8"), ("x", "<i2"), ("y", "<i2"), ("polarity", "i1"), ("_p1", "<i4")]
    other = np.zeros(4, dtype)
    for name, own in zip(("timestamp", "x", "y", "polarity"), "txyp", strict=True):
        other[name] = records()[own]
    events = events_from_structured(other, fields=("timestamp", "x", "y", "polarity"))
    for got, want in zip(events, events_from_structured(records()), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("kind", "p"),
    [("i1", [1, -1, 1, -1]), ("u1", [1, 0, 1, 0]), ("?", [1, 0, 1, 0]), ("i4", [1, 0, 1, 0])],
)
def test_polarities(kind, p):
    dtype = [("x", "i4"), ("y", "i4"), ("t", "i4"), ("p", kind)]
    events = events_from_structured(records(dtype, p=p))
    assert events.p.dtype == np.int8
    assert events.p.tolist() == [1, -1, 1, -1]


def test_seconds():
    """They stay floats, or become whole ticks, so that no frame's edge is missed."""
    seconds = [("x", "i4"), ("y", "i4"), ("t", "f8"), ("p", "?")]
    t = np.array([100.1, 100.2, 100.3, 100.4])
    events = events_from_structured(records(seconds, t=t), origin=100.0)
    np.testing.assert_array_equal(events.t, t - 100.0)
    ticks = events_from_structured(records(seconds, t=t), origin=100.0, ticks=1e6)
    assert ticks.t.dtype == np.int64
    assert ticks.t.tolist() == [100_000, 200_000, 300_000, 400_000]
    counts = events_to_counts(ticks, (5, 3, 4), duration=100_000)
    assert np.abs(counts).sum(axis=(1, 2)).tolist() == [0, 1, 1, 1, 1]
    # Microseconds to milliseconds.
    coarse = events_from_structured(records(), origin=70_000, ticks=1e-3)
    assert coarse.t.tolist() == [0, 0, 2, 5]


def test_times_that_jax_cannot_hold():
    """Microseconds since 1970; without float64, JAX has integers of 32 bits."""
    late = records(t=1_700_000_000_000_000 + np.array([0, 5, 6, 7]))
    with make_backend("jax") as xp:
        import jax

        with jax.enable_x64(False):
            events = events_from_structured(late, origin="first", xp=xp.library)
            assert events.t.tolist() == [0, 5, 6, 7]
            with pytest.raises(ValueError, match=r"`records`.*32 bits.*Received: 1700000000000000"):
                events_from_structured(late, xp=xp.library)
    assert events_from_structured(late).t[0] == 1_700_000_000_000_000


def test_a_film_there_and_back():
    counts = np.random.default_rng(0).integers(-2, 3, (4, 3, 5)).astype(float)
    written = events_to_structured(counts_to_events(counts))
    assert written.dtype.names == ("x", "y", "t", "p")
    again = events_to_counts(events_from_structured(written), counts.shape)
    np.testing.assert_array_equal(again, counts)
    floats = events_to_structured(Events(np.array([0.25]), *(np.array([1]),) * 3))
    assert floats["t"].dtype == np.float64
    assert floats["t"][0] == 0.25


def test_all_bits_of_integer_times():
    """Nanoseconds since 1970 need 61 of them, and a float has 53."""
    late = records(t=1_700_000_000_000_000_001 + np.array([0, 5, 6, 7]))
    for origin in (late["t"][0], int(late["t"][0]), "first"):
        assert events_from_structured(late, origin=origin).t.tolist() == [0, 5, 6, 7]
    doubled = events_from_structured(late, ticks=2).t
    assert doubled.tolist() == (2 * late["t"]).tolist()
    assert not events_from_structured(records(t=0), ticks=1e30).t.any()
    first = records(t=np.array([-(2**63), 0, 0, 0]))
    assert events_from_structured(first, origin=-1).t[0] == 1 - 2**63
    with pytest.raises(ValueError, match=r"`origin` must leave .* Received: 5"):
        events_from_structured(first, origin=5)
    with pytest.raises(ValueError, match=r"`ticks` must leave times below 2\*\*63"):
        events_from_structured(late, ticks=6)


def test_no_events():
    events = events_from_structured(records()[:0], origin="first")
    assert [column.shape for column in events] == [(0,)] * 4
    assert not events_to_counts(events, (1, 2, 2)).any()
    assert events_to_structured(events).shape == (0,)


huge = [("x", "<u8"), ("y", "i4"), ("t", "<u8"), ("p", "i4")]
real = [("x", "i4"), ("y", "i4"), ("t", "f4"), ("p", "?")]
pairs = np.zeros(2, [("x", "i4", (2,)), ("y", "i4"), ("t", "i8"), ("p", "?")])
far = Events(np.array([0]), np.array([40_000]), np.array([0]), np.array([1]))
BAD = [
    (lambda: events_from_structured([1, 2]), TypeError, "`records` must be a structured array"),
    (lambda: events_from_structured(np.ones(3)), TypeError, "`records` must be a structured"),
    (lambda: events_from_structured(records()[:, None]), ValueError, r"shape \(events,\)"),
    (lambda: events_from_structured(records()[["x", "t"]]), ValueError, "the field 'p'"),
    (lambda: events_from_structured(records(), fields=("t",)), ValueError, "`fields` must be"),
    (lambda: events_from_structured(records(p=2)), ValueError, r"`p` must hold.*: \[2\]"),
    (lambda: events_from_structured(records(p=[1, 0, -1, 1])), ValueError, r"\[-1, 0, 1\]"),
    (lambda: events_from_structured(records(), origin=0.5), ValueError, "`origin` must be whole"),
    (lambda: events_from_structured(records(), origin="now"), TypeError, "`origin` must be a num"),
    (lambda: events_from_structured(records(), origin=True), TypeError, "`origin` must be a num"),
    (lambda: events_from_structured(records(), origin=2**63), ValueError, "`origin` must leave"),
    (lambda: events_from_structured(np.ma.array(records())), TypeError, "`records` must be a pl"),
    (lambda: events_from_structured(pairs), ValueError, "`x` must be one number an event"),
    (lambda: events_from_structured(records(), ticks=0), ValueError, "`ticks` must be in"),
    (lambda: events_from_structured(records(), ticks=1e30), ValueError, "`ticks` must leave"),
    (lambda: events_from_structured(records(huge, x=2**40)), ValueError, "`x` must hold numbers"),
    (lambda: events_from_structured(records(huge, t=2**63)), ValueError, "`t` must be below"),
    (lambda: events_from_structured(records(real, t=np.nan)), ValueError, "`t` must hold finite"),
    (lambda: events_to_structured(records()), TypeError, "`events` must be four arrays"),
    (lambda: events_to_structured(far), ValueError, "`dtype` must hold the events' `x`.*40000"),
    (lambda: events_to_structured(far, polarity="on"), ValueError, "`polarity` must be one of"),
    (
        lambda: events_to_structured(far._replace(p=-far.p), dtype=real, polarity="signed"),
        ValueError,
        "`dtype` must hold the events' `p`",
    ),
    (lambda: events_to_structured(far, dtype=[("x", "i4")]), ValueError, "`dtype` must have the"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
