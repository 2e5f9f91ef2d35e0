"""Rate codes against slow loops, and the rates that their spikes have.

Where a result depends on rounding, inputs are multiples of a power of two or have a margin.
"""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reference import encoders as slow
from reference import number_codes
from synann_core.spiking import (
    deterministic_rate_encode,
    fold_in,
    poisson_encode,
    random_uniform,
    rate_decode,
    rate_encode,
)
from tests.helpers import EPS, assert_close
from tests.synann_core.spiking.codes import checks


def slow_poisson(x, signed=False):
    """Means of 1.25 spikes in a step, and the random numbers of 19 streams."""
    shape = (6, *x.shape)
    candidates, *kept = (
        slow.uniform(fold_in(5, k), np.prod(shape), 24).reshape(shape) for k in range(20)
    )
    return number_codes.poisson(x, candidates, kept, 1.25, signed)


ENCODERS = {
    "rate": (
        partial(rate_encode, steps=6, key=5, max_rate=50.0, dt=0.015625),
        lambda x: slow.rate(x, slow.uniform(5, 90, 24).reshape(6, 3, 5), 0.78125),
    ),
    "rate in time": (
        partial(rate_encode, key=5),
        lambda x: slow.rate(np.ones(5), slow.uniform(5, 15, 24).reshape(3, 5) / (x + 1e-30), 1.0),
    ),
    "signed": (
        lambda x: rate_encode(2.0 * x - 1.0, 6, key=5, signed=True, max_rate=50.0, dt=0.015625),
        lambda x: (
            np.sign(2.0 * x - 1.0)
            * slow.rate(np.abs(2.0 * x - 1.0), slow.uniform(5, 90, 24).reshape(6, 3, 5), 0.78125)
        ),
    ),
    "Poisson": (partial(poisson_encode, steps=6, key=5, max_rate=50.0, dt=0.025), slow_poisson),
    "Poisson, signed": (
        lambda x: poisson_encode(2.0 * x - 1.0, 6, key=5, signed=True, max_rate=1.25),
        lambda x: slow_poisson(2.0 * x - 1.0, signed=True),
    ),
    "regular": (
        partial(deterministic_rate_encode, steps=12, max_rate=2.0, dt=0.75),
        lambda x: slow.deterministic_rate(x, 12, 1.5),
    ),
}


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
    poisson = poisson_encode(x, 50, key=3)
    np.testing.assert_array_equal(poisson[:20], poisson_encode(x, 20, key=3))
    np.testing.assert_array_equal(poisson, poisson_encode(in_time, key=3))
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("x", "rate"), [(1.0, 1.0), (0.3, 4.0), (0.01, 0.5), (1.0, 64.0)])
def test_counts_are_those_of_poisson(dtype, x, rate):
    """Frequencies by χ²: further off once in 10⁹ seeds."""
    counts = poisson_encode(np.full(3000, x, dtype), 3, key=7, max_rate=rate)
    values = np.arange(int(stats.poisson.isf(1e-12, x * rate)) + 1)
    chances = stats.poisson.pmf(values, x * rate)
    assert counts.max() <= values[-1]
    common = chances * counts.size >= 5.0
    seen = np.array([np.sum(counts == value) for value in values[common]])
    others = np.array([counts.size - seen.sum()])
    expected = np.append(chances[common], 1.0 - chances[common].sum()) * counts.size
    squares = (np.append(seen, others) - expected) ** 2 / np.maximum(expected, 1e-9)
    squares = squares[expected > 1.0]
    assert squares.sum() <= stats.chi2.isf(1e-9, squares.size)


def test_more_never_counts_less():
    x = np.sort(checks.grid((50,)))
    counts = poisson_encode(x, 40, key=1, max_rate=3.0)
    by_x = poisson_encode(np.broadcast_to(x[:, None], (50, 1)), 40, key=1, max_rate=3.0)
    assert counts.shape == by_x[..., 0].shape
    same = np.stack([poisson_encode(np.array([value]), 40, key=1, max_rate=3.0) for value in x])
    assert (np.diff(same, axis=0) >= 0).all()
    assert same.max() > 3


@pytest.mark.parametrize("encode", [rate_encode, poisson_encode])
def test_signs(encode):
    """Those of the numbers; a train of the magnitude."""
    x = checks.grid((20, 30))
    both = np.where(np.arange(30) % 2, x, -x)
    spikes = encode(both, 9, key=3, signed=True)
    np.testing.assert_array_equal(spikes, np.sign(both) * encode(x, 9, key=3))
    assert not encode(-x, 9, key=3).any()
    assert not np.signbit(spikes[spikes == 0.0]).any()


def test_poisson_beyond_1_is_cut_off():
    always = poisson_encode(np.array([1.0, 2.0, np.inf]), 50, key=0)
    assert not poisson_encode(np.array([np.nan, -1.0, 0.0, -np.inf]), 50, key=0).any()
    means = always.mean(axis=0)
    assert ((means > 0.5) & (means < 1.7)).all()


@pytest.mark.jax_alternates
@pytest.mark.parametrize("encode", [rate_encode, poisson_encode])
def test_random_codes_have_the_same_bits_everywhere(xp, dtype, encode):
    """Of numbers with all their digits, in one dtype."""
    x = np.random.default_rng(8).random((40, 7)).astype(dtype)
    options = {"steps": 9, "key": 11, "max_rate": 0.7, "dt": 1.1}
    got = xp.call(partial(encode, **options), xp.asarray(x, dtype))
    np.testing.assert_array_equal(xp.to_numpy(got), encode(x, **options))


x = np.ones((3, 4))
BAD = [
    (lambda: poisson_encode(x, 2, key=0, max_rate=65), ValueError, "at most 64. Received: 65"),
    (
        lambda: poisson_encode(np.array(1.0), key=0),
        ValueError,
        r"`x` must have shape \(time, ...\)",
    ),
    (lambda: poisson_encode(x, 2, key=0, max_rate=-1), ValueError, "`max_rate` must be in"),
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
