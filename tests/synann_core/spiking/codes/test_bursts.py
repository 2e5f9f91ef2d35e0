"""The burst code against slow loops, and how far off its decoder is."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import number_codes as slow
from synann_core.spiking import burst_decode, burst_encode
from tests.helpers import EPS
from tests.synann_core.spiking.codes import checks

# Steps, most, shortest, longest; the last is what fits, if not given.
CODES = {
    "published": (43, 5, 2, 32),
    "few": (12, 3, 2, 7),
    "one spike": (5, 1, 1, 4),
    "one interval": (20, 5, 3, 3),
}
ENCODERS = {
    name: (
        partial(burst_encode, steps=steps, most=most, shortest=shortest, longest=longest),
        partial(slow.burst, steps=steps, most=most, shortest=shortest, longest=longest),
    )
    for name, (steps, most, shortest, longest) in CODES.items()
}


def test_torch_records_nothing_and_samples_do_not_mix():
    encode = partial(burst_encode, steps=30)
    assert not checks.recorded_by_torch(encode)
    checks.sample_by_sample(encode)


@pytest.mark.jax_alternates
@pytest.mark.parametrize("name", CODES)
def test_decoder(xp, dtype, name):
    """The middle of the numbers of a grid that have that train."""
    steps, most, shortest, longest = CODES[name]
    options = {"most": most, "shortest": shortest, "longest": longest}
    x = np.linspace(0.01, 0.99, 15)
    spikes = burst_encode(x, steps, **options)
    got = xp.call(partial(burst_decode, **options), xp.asarray(spikes, dtype))
    xp.check(got, dtype, (15,))
    want = [slow.burst_value(train.tolist(), most, shortest, longest) for train in spikes.T]
    np.testing.assert_allclose(xp.to_numpy(got), want, atol=4 * EPS[dtype])


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
    st.integers(1, 8),
    st.integers(1, 5),
    st.integers(0, 20),
)
def test_the_error_is_within_its_bound(values, most, shortest, more):
    x, options = np.array(values), {"most": most, "shortest": shortest, "longest": shortest + more}
    spikes = burst_encode(x, 200, **options)
    back = burst_decode(spikes, **options)
    several = spikes.sum(axis=0) > 1
    bound = np.where(several, 0.5 / max(most, more), 0.5 / most)
    assert (np.abs(back - x) <= bound + 4 * EPS["float64"]).all()
    assert (back[x == 0.0] == 0.0).all()


@pytest.mark.parametrize("steps", [9, 10, 20, 50, 101])
def test_the_longest_interval_that_fits(steps):
    x = np.linspace(0.0, 1.0, 2001)
    spikes = burst_encode(x, steps)
    np.testing.assert_array_equal(spikes.sum(axis=0), np.ceil(5 * x))
    longest = max(
        n for n in range(2, steps + 1)
        if burst_encode(x, 10 * steps, longest=n)[steps:].sum() == 0
    )  # fmt: skip
    np.testing.assert_array_equal(spikes, burst_encode(x, steps, longest=longest))


def test_beyond_the_range_and_missing():
    spikes = burst_encode(np.array([-1.0, -np.inf, np.nan, 0.0, 1.0, 7.0, np.inf]), 30)
    assert not spikes[:, :4].any()
    assert (spikes[:, 4:].sum(axis=0) == 5).all()


def test_trains_that_are_not_bursts_decode_to_something_in_range():
    spikes = np.random.default_rng(0).integers(0, 2, (30, 200)).astype(float)
    back = burst_decode(spikes)
    assert ((back >= 0.0) & (back <= 1.0)).all()


x = np.ones((3, 4))
BAD = [
    (lambda: burst_encode(x, 0), ValueError, "`steps` must be at least 1"),
    (lambda: burst_encode(x, 8), ValueError, "`steps` must be at least 9 for such bursts. .*: 8"),
    (lambda: burst_encode(x, 20, longest=30), ValueError, "`steps` must be at least 43"),
    (lambda: burst_encode(x, 20, longest=1), ValueError, "`longest` must be at least 2"),
    (lambda: burst_encode(x, 20, most=0), ValueError, "`most` must be at least 1"),
    (lambda: burst_encode(x, 20, shortest=0), ValueError, "`shortest` must be at least 1"),
    (lambda: burst_decode(x[:0]), ValueError, r"`spikes` must have shape \(time, ...\)"),
    (lambda: burst_decode(x), ValueError, "`steps` must be at least 9"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_burst_that_is_far_too_long_is_refused_at_once():
    with pytest.raises(ValueError, match="`steps` must be at least 1999999999999"):
        burst_encode(np.ones(1), 1000, most=10**12)


@pytest.mark.parametrize(("most", "shortest"), [(1, 1), (3, 2), (7, 1), (8, 5)])
def test_the_longest_interval_is_the_longest_that_fits(most, shortest):
    for steps in range(max(1 + (most - 1) * shortest, shortest), 60, 5):
        default = burst_encode(np.linspace(0, 1, 50), steps, most=most, shortest=shortest)
        options = {"most": most, "shortest": shortest}
        for longest in range(shortest, steps + 1):
            try:
                best = burst_encode(np.linspace(0, 1, 50), steps, longest=longest, **options)
            except ValueError:
                break
        np.testing.assert_array_equal(default, best)
