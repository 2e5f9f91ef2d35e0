"""What every decoder promises in docs/encoders.md, on every library.

Random codes are far from their mean once in 10⁹ seeds (Bernstein's inequality).
"""

import math
from functools import partial

import numpy as np
import pytest

from synann_core import spiking
from tests.helpers import EPS
from tests.synann_core.spiking.codes.checks import walks

VALUES = np.concatenate([[0.0, 1.0], np.random.default_rng(5).random(38)])
SIGNED = 2.0 * VALUES - 1.0
STEPS = 60
SIGNALS = walks((60, 3), seed=9)
SMOOTH = np.cumsum(np.random.default_rng(6).uniform(-0.19, 0.19, (60, 3)), axis=0)
KERNEL = np.array([0.125, 0.5, 0.25, 0.125])


def back(xp, dtype, encode, decode, values=VALUES):
    """What is decoded, and the spikes, in float64 of NumPy."""

    def both(x):
        spikes = encode(x)
        return spikes, decode(spikes)

    found = xp.call(both, xp.asarray(values, dtype))
    return [xp.to_numpy(a).astype(np.float64) for a in found][::-1]


def bernstein(variance, largest, steps):
    """How far a mean of independent numbers is from its expectation."""
    log = math.log(2e9)
    return np.sqrt(2.0 * variance * log / steps) + 2.0 * largest * log / (3.0 * steps)


@pytest.mark.jax_alternates
@pytest.mark.parametrize("signed", [False, True])
def test_random_rates(xp, dtype, signed):
    """Variance p(1 − p)/T of Bernoulli, and p/T of Poisson."""
    x, rate = (SIGNED if signed else VALUES), 0.8
    options = {"steps": 400, "key": 3, "max_rate": rate, "signed": signed}
    decode = partial(spiking.rate_decode, max_rate=rate)
    p = rate * np.abs(x)
    for code, variance in ((spiking.rate_encode, p * (1.0 - p)), (spiking.poisson_encode, p)):
        got, spikes = back(xp, dtype, partial(code, **options), decode, x)
        assert (np.abs(got - x) * rate <= bernstein(variance, spikes.max() + 1.0, 400)).all()
        assert np.abs(got - x).max() > 0.01


@pytest.mark.jax_alternates
def test_deterministic_rate(xp, dtype):
    encode = partial(spiking.deterministic_rate_encode, steps=STEPS)
    got, _ = back(xp, dtype, encode, spiking.rate_decode)
    error = VALUES - got
    assert (error >= -8 * EPS[dtype]).all()
    assert (error < 1.0 / STEPS + 8 * EPS[dtype]).all()


@pytest.mark.jax_alternates
@pytest.mark.parametrize("linear", [True, False])
def test_latency(xp, dtype, linear):
    """Half a step of time."""
    options = {"linear": linear, "normalise": True, "threshold": 0.05, "epsilon": 0.01}
    encode = partial(spiking.latency_encode, steps=STEPS, **options)
    x = np.maximum(VALUES, 0.07)
    got, _ = back(xp, dtype, encode, partial(spiking.latency_decode, **options), x)
    times = [spiking.latency_times(a, STEPS, **options) for a in (x, np.maximum(got, 0.06))]
    inside = got < 1.0  # whose earliest time is not 0
    assert (np.abs(times[0] - times[1])[inside] <= 0.5 + 1e3 * EPS[dtype]).all()
    assert inside.sum() > 20


@pytest.mark.jax_alternates
def test_rank_order(xp, dtype):
    got, _ = back(xp, dtype, spiking.rank_order_encode, spiking.rank_order_decode)
    np.testing.assert_array_equal(np.argsort(got), np.argsort(VALUES))


@pytest.mark.jax_alternates
def test_population(xp, dtype):
    encode = partial(spiking.population_encode, steps=20, neurons=8)
    got, _ = back(xp, dtype, encode, spiking.population_decode)
    assert (np.abs(got - VALUES) <= 0.09 / 6).all()


@pytest.mark.jax_alternates
@pytest.mark.parametrize(("steps", "bits"), [(8, 8), (20, 6), (5, 8)])
def test_phase(xp, dtype, steps, bits):
    encode = partial(spiking.phase_encode, steps=steps, bits=bits)
    got, _ = back(xp, dtype, encode, partial(spiking.phase_decode, bits=bits))
    error = VALUES.astype(dtype) - got
    assert (error >= -EPS[dtype]).all()
    assert (error <= 2.0 ** -min(steps, bits)).all()


@pytest.mark.jax_alternates
def test_burst(xp, dtype):
    options = {"most": 5, "longest": 40}
    encode = partial(spiking.burst_encode, steps=STEPS, **options)
    got, spikes = back(xp, dtype, encode, partial(spiking.burst_decode, **options))
    bound = np.where(spikes.sum(axis=0) > 1, 0.5 / 38, 0.5 / 5)
    assert (np.abs(got - VALUES) <= bound + 8 * EPS[dtype]).all()


@pytest.mark.jax_alternates
def test_first_spike(xp, dtype):
    tau = 12.0
    encode, decode = partial(spiking.ttfs_encode, tau=tau), partial(spiking.ttfs_decode, tau=tau)
    got, spikes = back(xp, dtype, partial(encode, steps=STEPS), decode)
    near = 1.0 + 8 * EPS[dtype]
    fired = spikes.any(axis=0)
    assert (got <= VALUES * near).all()
    assert (VALUES[fired] <= got[fired] * math.exp(1.0 / tau) * near).all()
    assert (VALUES[~fired] < math.exp(-(STEPS - 1) / tau) * near).all()
    options = {"linear": True}
    encode = partial(spiking.ttfs_encode, steps=STEPS, **options)
    got, _ = back(xp, dtype, encode, partial(spiking.ttfs_decode, **options))
    assert (got <= VALUES * near).all()
    assert (VALUES - got <= near / STEPS).all()


def decoded_changes(xp, dtype, encode, x):
    """The signal back, its threshold, and the changes of it."""

    def both(x):
        found = encode(x)
        spikes, threshold = found if isinstance(found, tuple) else (found, None)
        level = 0.25 if threshold is None else threshold
        got = spiking.contrast_decode(spikes, level, start=x[0, ...])
        return (got,) if threshold is None else (got, threshold)

    got, *threshold = xp.call(both, xp.asarray(x, dtype))
    level = xp.to_numpy(threshold[0]) if threshold else 0.25
    return xp.to_numpy(got).astype(np.float64), np.abs(np.diff(x, axis=0)), level


CHANGES = {
    "delta": partial(spiking.delta_encode, threshold=0.25, first="repeat"),
    "temporal contrast": partial(spiking.temporal_contrast_encode, factor=0.5),
    "temporal contrast, absolute": partial(
        spiking.temporal_contrast_encode, factor=0.5, of="absolute"
    ),
    "moving window": partial(spiking.moving_window_encode, threshold=0.25, window=3),
}


@pytest.mark.jax_alternates
@pytest.mark.parametrize("name", CHANGES)
def test_codes_of_changes_drift(xp, dtype, name):
    """By so much in a step: the error does not shrink again by itself."""
    got, change, threshold = decoded_changes(xp, dtype, CHANGES[name], SIGNALS)
    if name == "moving window":
        most = change + threshold
    else:
        most = np.maximum(np.abs(change - threshold), np.minimum(change, threshold))
    bound = np.cumsum(most, axis=0) + 1e3 * EPS[dtype]
    assert (np.abs(got - SIGNALS)[1:] <= bound).all()
    np.testing.assert_array_equal(got[0], SIGNALS[0])


@pytest.mark.jax_alternates
def test_step_forward(xp, dtype):
    encode = partial(spiking.step_forward_encode, threshold=0.2)
    decode = partial(spiking.contrast_decode, threshold=0.2, start=0.0)
    x = SMOOTH - SMOOTH[:1]
    got, _ = back(xp, dtype, encode, decode, x)
    assert (np.abs(got - x) <= 0.2 + 1e3 * EPS[dtype]).all()


@pytest.mark.jax_alternates
@pytest.mark.parametrize("threshold", [0.0, 0.25])
def test_hsa(xp, dtype, threshold):
    """Above the signal by so much for each spike."""
    x, kernel = np.abs(SIGNALS), xp.asarray(KERNEL, dtype)
    got, spikes = back(
        xp, dtype, lambda x: spiking.hsa_encode(x, kernel, threshold=threshold),
        lambda s: spiking.convolution_decode(s, kernel), x,
    )  # fmt: skip
    above = np.maximum(got - x, 0.0).sum(axis=0)
    assert (above <= threshold * spikes.sum(axis=0)).all()
    assert spikes.any()


@pytest.mark.jax_alternates
def test_bsa(xp, dtype):
    x, kernel = np.abs(SIGNALS), xp.asarray(KERNEL, dtype)
    got, spikes = back(
        xp, dtype, lambda x: spiking.bsa_encode(x, kernel, 0.5),
        lambda s: spiking.convolution_decode(s, kernel), x,
    )  # fmt: skip
    left = np.abs(x - got).sum(axis=0)
    assert (left <= np.abs(x).sum(axis=0) - 0.5 * spikes.sum(axis=0)).all()
    assert spikes.any()


@pytest.mark.jax_alternates
def test_event_camera(xp, dtype):
    frames = np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.4, (12, 3, 4)), axis=0))
    encode, first = partial(spiking.event_camera, threshold=0.2), xp.asarray(frames[0], dtype)
    got, _ = back(xp, dtype, encode, lambda n: spiking.event_camera_decode(n, first, 0.2), frames)
    error = np.abs(np.log(got + 1e-3) - np.log(frames + 1e-3))
    assert (error <= 0.2 + 1e3 * EPS[dtype]).all()
