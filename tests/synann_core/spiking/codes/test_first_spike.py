"""Time to first spike against slow loops, its formulas, and how far off its decoder is."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import number_codes as slow
from synann_core.spiking import first_spike_times, ttfs_decode, ttfs_encode
from tests.helpers import EPS
from tests.synann_core.spiking.codes import checks

CODES = {
    "exponential": {"tau": 3.0, "threshold": 0.8},
    "as by default": {},
    "linear": {"linear": True},
}


def levels(steps, tau=None, threshold=1.0, linear=False):
    tau = (steps - 1) / math.log(100.0) if tau is None else tau
    return slow.first_spike_levels(steps, threshold, tau, linear)


ENCODERS = {
    name: (
        partial(ttfs_encode, steps=12, **options),
        partial(slow.first_spike, levels=levels(12, **options)),
    )
    for name, options in CODES.items()
}


def test_torch_records_nothing_and_samples_do_not_mix():
    encode = partial(ttfs_encode, steps=30)
    assert not checks.recorded_by_torch(encode)
    checks.sample_by_sample(encode)


@pytest.mark.jax_alternates
@pytest.mark.parametrize("name", CODES)
def test_decoder(xp, dtype, name):
    """The threshold of the first spike, whatever comes later; nothing is 0."""
    spikes = np.random.default_rng(1).integers(0, 2, (12, 3, 5)).astype(float)
    spikes[:, 0, 0], spikes[:-1, 1, 1], spikes[-1, 1, 1] = 0.0, 0.0, 1.0
    got = xp.call(partial(ttfs_decode, **CODES[name]), xp.asarray(spikes, dtype))
    xp.check(got, dtype, (3, 5))
    first = np.where(spikes.any(axis=0), spikes.argmax(axis=0), 12)
    want = np.array([*levels(12, **CODES[name]), 0.0])[first]
    np.testing.assert_allclose(xp.to_numpy(got), want, rtol=4 * EPS[dtype])


@given(st.floats(1e-3, 1.0), st.floats(0.5, 50.0))
def test_times_are_logarithms(x, tau):
    time = float(first_spike_times(ttfs_encode(np.array(x), 400, tau=tau)))
    exact = tau * math.log(1.0 / x)
    assert exact - 1e-9 <= time < exact + 1.0 + 1e-9


@given(st.floats(0.01, 1.0), st.integers(100, 300))
def test_times_are_linear(x, steps):
    time = float(first_spike_times(ttfs_encode(np.array(x), steps, linear=True)))
    exact = steps * (1.0 - x)
    assert exact - 1e-9 <= time < exact + 1.0 + 1e-9


@given(st.floats(0.0, 1.0), st.integers(1, 60), st.floats(0.5, 30.0))
def test_the_error_is_within_its_bound(x, steps, tau):
    for options in ({"tau": tau}, {"linear": True}):
        back = float(ttfs_decode(ttfs_encode(np.array(x), steps, **options), **options))
        last = levels(steps, **options)[-1]
        assert back <= x
        if back == 0.0:
            assert x < last
        elif "tau" in options:
            assert x < back * math.exp(1.0 / tau) * (1.0 + 1e-12) or x == back
        else:
            assert x - back < (1.0 + 1e-9) / steps


def test_beyond_the_range_and_missing():
    spikes = ttfs_encode(np.array([-1.0, -np.inf, np.nan, 0.0, 1.0, 7.0, np.inf]), 30)
    assert not spikes[:, :4].any()
    assert spikes[0, 4:].all()
    assert (spikes[:, 4:].sum(axis=0) == 1).all()


x = np.ones((3, 4))
BAD = [
    (lambda: ttfs_encode(x, 0), ValueError, "`steps` must be at least 1"),
    (lambda: ttfs_encode(x, 5, tau=0.0), ValueError, r"`tau` must be in \(0, inf\)"),
    (lambda: ttfs_encode(x, 5, threshold=-1), ValueError, r"`threshold` must be in \(0, inf\)"),
    (lambda: ttfs_encode(x, 5, tau=2.0, linear=True), ValueError, "`tau` must be None for a lin"),
    (lambda: ttfs_decode(x[:0]), ValueError, r"`spikes` must have shape \(time, ...\)"),
    (lambda: ttfs_decode(x.astype(int)), TypeError, "`spikes` must have a real floating"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
