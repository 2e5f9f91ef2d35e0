"""Latency codes against slow loops and snntorch.spikegen, and what their decoder promises.

Where a result depends on rounding, inputs are multiples of a power of two or have a margin.
"""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from snntorch import spikegen

from reference import encoders as slow
from synann_core.spiking import first_spike_times, latency_decode, latency_encode, latency_times
from tests.helpers import EPS, assert_close, assert_relative
from tests.synann_core.spiking.codes import checks

LATENCY = [
    {"tau": 4.0, "linear": True},
    {"tau": 3.0, "linear": False, "threshold": 0.25},
    {"linear": True, "normalise": True, "clip": True, "first_spike": 2.0},
    {"linear": False, "normalise": True, "clip": True, "threshold": 0.25},
    {"linear": False, "normalise": True, "first_spike": 3.0},
]
STEPS = 16
DTYPES = [torch.float32, torch.float64]
PEER_STEPS = 30


def latency_slowly(x, **options):
    defaults = {
        "tau": 1.0,
        "threshold": 0.01,
        "linear": False,
        "normalise": False,
        "clip": False,
    } | options
    return slow.latency(x, STEPS, first=defaults.pop("first_spike", 0.0), **defaults)


ENCODERS = {
    f"latency {k}": (
        partial(latency_encode, steps=STEPS, **options),
        partial(latency_slowly, **options),
    )
    for k, options in enumerate(LATENCY)
}


@pytest.mark.parametrize("name", ENCODERS)
def test_torch_records_nothing(name):
    assert not checks.recorded_by_torch(ENCODERS[name][0])


@pytest.mark.parametrize("name", ENCODERS)
def test_samples_do_not_mix(name):
    checks.sample_by_sample(ENCODERS[name][0])


@pytest.mark.jax_alternates
def test_times(xp, dtype):
    """Not rounded to steps."""
    x = xp.asarray(checks.X, dtype)
    for options in LATENCY:
        options = {k: v for k, v in options.items() if k != "clip"}
        got = xp.to_numpy(xp.call(partial(latency_times, steps=STEPS, **options), x))
        names = {"tau": 1.0, "threshold": 0.01, "linear": False, "normalise": False} | options
        first = names.pop("first_spike", 0.0)
        want = [slow.latency_time(v, STEPS, first=first, **names) for v in checks.X.ravel()]
        # The slow loop rounds threshold + 1e-7, and the threshold; the latter matters to float32
        # only at a value of x next to it, and of these there are none.
        limit = 16 * EPS[dtype] + 1e-8 * (not names["linear"])
        assert_close(got.ravel(), want, limit, scale=STEPS)


@pytest.mark.jax_alternates
def test_first_spike_times(xp, dtype):
    spikes, ranks = checks.ranked_spikes()
    times = xp.call(first_spike_times, xp.asarray(spikes, dtype))
    xp.check(times, dtype, (3, 5))
    np.testing.assert_array_equal(xp.to_numpy(times), ranks)


@pytest.mark.jax_alternates
@pytest.mark.parametrize("options", LATENCY)
def test_latency_decode(xp, dtype, options):
    options = {k: v for k, v in options.items() if k != "clip"}
    spikes = np.concatenate([np.eye(STEPS), np.zeros((STEPS, 1))], axis=1)  # the last is silent
    got = xp.call(partial(latency_decode, **options), xp.asarray(spikes, dtype))
    xp.check(got, dtype, (STEPS + 1,))
    got = xp.to_numpy(got)
    assert got[-1] == 0
    # The first to fire, and what fires before, is the largest.
    first = int(options.get("first_spike", 0))
    np.testing.assert_array_equal(got[: first + 1], 1)
    assert got.min() >= 0
    assert (np.diff(got) <= 0).all()
    # Encoding is a function of the value with the decoder as its inverse, where x is in the domain.
    back = latency_times(got[:-1], STEPS, **options)
    threshold = options.get("threshold", 0.01)
    inside = (got[:-1] > 1.001 * threshold) & (got[:-1] < 1.0)
    assert inside.sum() >= 3
    # Conditioned like threshold/(x − threshold).
    assert_close(back[inside], np.arange(STEPS)[inside], 1000 * EPS[dtype])


@pytest.mark.parametrize("linear", [True, False])
def test_latency_decode_where_times_meet(linear):
    """Times rounded to before the first spike, and steps that have no room for two times."""
    options = {"first_spike": 2.4, "linear": linear}
    code = latency_encode(np.array([1.0]), 12, **options)
    assert first_spike_times(code) == 2
    assert latency_decode(code, **options) == 1
    last = {"linear": linear, "normalise": True}
    np.testing.assert_array_equal(latency_decode(np.array([[1.0, 0.0]]), **last), [1, 0])
    code = latency_encode(np.array([0.3, 1.0]), 5, first_spike=4, **last)
    np.testing.assert_array_equal(first_spike_times(code), [4, 4])
    np.testing.assert_array_equal(latency_decode(code, first_spike=4, **last), [1, 1])


def test_half_to_even():
    """1/8 of T − 1 = 4 steps is half a step."""
    spikes = latency_encode(np.arange(9) / 8, 5, linear=True, normalise=True, threshold=1e-9)
    np.testing.assert_array_equal(first_spike_times(spikes), [4, 4, 3, 2, 2, 2, 1, 0, 0])


def test_a_value_at_the_threshold_fires():
    at = latency_encode(np.array([0.25, 0.2499]), 40, threshold=0.25, clip=True, normalise=True)
    np.testing.assert_array_equal(at.sum(axis=0), [1, 0])


@given(st.floats(0.02, 1), st.integers(2, 200), st.booleans(), st.booleans())
def test_latency_is_met_to_half_a_step(x, steps, linear, normalise):
    options = {"linear": linear, "normalise": normalise, "tau": (steps - 1) / 12}
    code = latency_encode(np.array(x), steps, **options)
    assert code.sum() == 1
    time = float(latency_times(np.array(x), steps, **options))
    assert abs(int(code.argmax()) - time) <= 0.5
    got = float(latency_decode(code, **options))
    if linear:
        tau = steps - 1 if normalise else (steps - 1) / 12
        assert abs(got - x) <= 0.5 / tau + 4 * EPS["float64"]
    else:  # the value decreases with the time, so it lies between those half a step away
        again = float(latency_times(np.array(got), steps, **options))
        assert abs(again - time) <= 0.5 + 1e-9 or (got == 1.0 and time <= 0.5 + again)


def values(dtype):
    """With values at, below and next to the threshold, the ends, and halves for the rounding."""
    x = np.random.default_rng(0).random((4, 50))
    x[0, :6] = 0.0, 1.0, 0.005, 0.01, 0.5, 0.25
    x[1] = np.arange(50) / 58  # 29 steps: every half of one
    return torch.asarray(x, dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("first", [0, 4])
@pytest.mark.parametrize("threshold", [0.01, 0.3])
def test_the_spikes_of_snntorch(dtype, linear, normalise, clip, first, threshold):
    x = values(dtype)
    same = {"tau": 5.0, "threshold": threshold, "linear": linear}
    # Its x' − threshold loses the digits of 1e-7 in float32, and with it the normalised times.
    coarse = normalise and not linear and threshold == 0.3
    theirs = spikegen.latency(
        x.double() if coarse else x,
        num_steps=PEER_STEPS,
        first_spike_time=first,
        normalize=normalise,
        clip=clip,
        bypass=True,
        **same,
    )
    got = latency_encode(x, PEER_STEPS, first_spike=first, normalise=normalise, clip=clip, **same)
    assert got.dtype == dtype  # theirs is float32 whatever the input
    np.testing.assert_array_equal(got.numpy(), theirs.numpy())
    assert got.sum() > 50


def test_where_the_peer_mixes_samples():
    """Its normalised logarithmic code of a value depends on the smallest one beside it."""
    x = torch.asarray([0.02, 0.5], dtype=torch.float64)
    alone, _ = spikegen.latency_code(x, num_steps=100, normalize=True)
    beside, _ = spikegen.latency_code(torch.cat([x, x[:1] / 2]), num_steps=100, normalize=True)
    assert alone[0] - beside[0] > 10
    ours = latency_times(x, 100, normalise=True)
    assert_relative(ours, beside[:2], 1e-8)


def test_the_example_of_snntorchs_documentation():
    x = torch.asarray([0.02, 0.5, 1.0])
    times = latency_times(x, 5, linear=True, normalise=True)
    assert_close(times, [3.92, 2.0, 0.0], 8 * EPS["float32"])


x = np.ones((3, 4))
BAD = [
    (lambda: latency_times(x, normalise=True), ValueError, "`steps` must be given to normalise"),
    (lambda: latency_encode(x, 5, threshold=1.0), ValueError, r"`threshold` must be in \(0, 1\)"),
    (lambda: latency_encode(x, 5, tau=-1), ValueError, "`tau` must be in"),
    (lambda: latency_encode(x, 5, tau=np.inf), ValueError, "`tau` must be in .* Received: inf"),
    (lambda: latency_encode(x, 5, epsilon=0), ValueError, "`epsilon` must be in"),
    (lambda: latency_encode(x, 5, first_spike=5), ValueError, r"`first_spike` must be in \[0, 4\]"),
    (lambda: latency_decode(x, first_spike=3), ValueError, r"`first_spike` must be in \[0, 2\]"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
