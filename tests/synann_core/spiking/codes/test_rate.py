"""Rate codes against slow loops, and the rates that their spikes have.

Where a result depends on rounding, inputs are multiples of a power of two or have a margin.
"""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import encoders as slow
from synann_core.spiking import deterministic_rate_encode, random_uniform, rate_decode, rate_encode
from tests.helpers import EPS, assert_close
from tests.synann_core.spiking.codes import checks

ENCODERS = {
    "rate": (
        partial(rate_encode, steps=6, key=5, max_rate=50.0, dt=0.015625),
        lambda x: slow.rate(x, slow.uniform(5, 90, 24).reshape(6, 3, 5), 0.78125),
    ),
    "rate in time": (
        partial(rate_encode, key=5),
        lambda x: slow.rate(np.ones(5), slow.uniform(5, 15, 24).reshape(3, 5) / (x + 1e-30), 1.0),
    ),
    "regular": (
        partial(deterministic_rate_encode, steps=12, max_rate=2.0, dt=0.75),
        lambda x: slow.deterministic_rate(x, 12, 1.5),
    ),
}


@pytest.mark.jax_alternates
@pytest.mark.parametrize("name", ENCODERS)
def test_encoders(xp, dtype, name):
    checks.against_the_loop(xp, dtype, *ENCODERS[name])


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision(half, name):
    checks.in_half_precision(half, *ENCODERS[name])


@pytest.mark.parametrize("name", ENCODERS)
def test_torch_records_nothing(name):
    assert not checks.recorded_by_torch(ENCODERS[name][0])


def test_samples_do_not_mix():
    """(Random spikes of a smaller array are those of the first numbers.)"""
    checks.sample_by_sample(ENCODERS["regular"][0])


@pytest.mark.jax_alternates
def test_rate_decode(xp, dtype):
    spikes, _ = checks.ranked_spikes()
    rate = xp.call(partial(rate_decode, max_rate=4.0, dt=0.125), xp.asarray(spikes, dtype))
    xp.check(rate, dtype, (3, 5))
    assert_close(xp.to_numpy(rate), spikes.mean(axis=0) / 0.5, 4 * EPS[dtype])


def test_a_number_equal_to_the_probability_is_no_spike():
    number = random_uniform(0, (1,))
    assert not rate_encode(number, 1, key=0).any()
    assert rate_encode(np.nextafter(number, 1.0), 1, key=0).all()


@pytest.mark.parametrize("encode", [partial(rate_encode, key=0), deterministic_rate_encode])
def test_no_spike_and_always(encode):
    assert not encode(np.array([np.nan, -1.0, 0.0, -np.inf]), 100).any()
    assert encode(np.array([1.0, 2.0, np.inf]), 1000).all()


@pytest.mark.parametrize("p", [0.001, 0.3, 0.5, 0.97])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rate_is_the_rate(p, dtype):
    steps, trains = 100, 500
    spikes = rate_encode(np.full(trains, p, dtype=dtype), steps, key=17)
    counts = spikes.sum(axis=0, dtype=np.float64)
    # Bernstein's bound: further off once in 10⁹ seeds.
    total, spread = steps * trains, p * (1 - p)
    log = np.log(2e9)
    bound = np.sqrt(2 * spread * log / total) + 2 * log / (3 * total)
    assert abs(counts.mean() / steps - p) <= bound
    # The counts scatter as independent steps do: their variance T p (1 − p), within six of its
    # standard deviations (kurtosis of a binomial).
    variance = steps * spread
    deviation = variance * np.sqrt((2 + (1 - 6 * spread) / variance) / trains)
    assert abs(((counts - steps * p) ** 2).mean() - variance) <= 6 * deviation


def test_the_first_steps_of_a_longer_train():
    x = checks.grid((20, 30))
    np.testing.assert_array_equal(rate_encode(x, 50, key=3)[:20], rate_encode(x, 20, key=3))
    in_time = np.broadcast_to(x, (50, 20, 30))
    np.testing.assert_array_equal(rate_encode(in_time, key=3), rate_encode(x, 50, key=3))
    assert (rate_encode(x, 50, key=4) != rate_encode(x, 50, key=3)).any()
    assert random_uniform(3, (1,))[0] < 1


@given(st.floats(0, 1), st.integers(1, 300))
def test_regular_rates(p, steps):
    spikes = deterministic_rate_encode(np.array(p), steps)
    assert set(spikes.tolist()) <= {0.0, 1.0}
    assert spikes.sum() == np.floor(steps * p)
    gaps = np.diff(np.flatnonzero(spikes))
    assert not gaps.size or gaps.max() - gaps.min() <= 1
    error = p - float(rate_decode(spikes))
    assert -EPS["float64"] <= error < (1 + 2 * steps * EPS["float64"]) / steps


x = np.ones((3, 4))
BAD = [
    (lambda: rate_encode(x, 0, key=0), ValueError, "`steps` must be at least 1. Received: 0"),
    (lambda: rate_encode(x.astype(int), 2, key=0), TypeError, "`x` must have a real floating"),
    (lambda: rate_encode(np.array(1.0), key=0), ValueError, r"`x` must have shape \(time, ...\)"),
    (lambda: rate_encode(x, 2, key=0, dt=0), ValueError, r"`dt` must be in \(0, inf\). Rec.*: 0"),
    (lambda: rate_encode(x, 2, key=0, max_rate="1"), TypeError, "`max_rate` must be a number"),
    (lambda: rate_decode(x[:0]), ValueError, r"`spikes` must have shape \(time, ...\) and a step"),
    (lambda: deterministic_rate_encode(x, 1.5), TypeError, "`steps` must be an int"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
