"""Codes of change against slow loops and snntorch.spikegen; bounds of their decoder.

Inputs are multiples of a power of two, so that every sum is exact and no library rounds a tie.
"""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from snntorch import spikegen

from reference import encoders as slow
from synann_core.spiking import (
    contrast_decode,
    delta_encode,
    moving_window_encode,
    step_forward_encode,
    temporal_contrast_encode,
)
from tests.helpers import EPS, assert_close
from tests.synann_core.spiking.codes.checks import walks

THRESHOLDS = np.array([[0.25, 0.5, 0.125]])  # of three signals
SIGNALS = walks()
DTYPES = [torch.float32, torch.float64]
CONTRAST = {
    "delta": (delta_encode, partial(slow.delta, first="zero", off=True)),
    "delta repeat": (
        partial(delta_encode, first="repeat", off=False),
        partial(slow.delta, first="repeat", off=False),
    ),
    "step forward": (step_forward_encode, slow.step_forward),
    "moving window": (
        partial(moving_window_encode, window=4),
        partial(slow.moving_window, window=4, first="past"),
    ),
    "moving window, published": (
        partial(moving_window_encode, window=4, first="window"),
        partial(slow.moving_window, window=4, first="window"),
    ),
    "window longer than the signal": (
        partial(moving_window_encode, window=64, first="window"),
        partial(slow.moving_window, window=64, first="window"),
    ),
}


@pytest.mark.jax_alternates
@pytest.mark.parametrize("name", CONTRAST)
def test_contrast(xp, dtype, name):
    encode, slowly = CONTRAST[name]
    signals = SIGNALS[:32]
    threshold = 0.25 if name.startswith("delta") else THRESHOLDS
    want = slow.each_signal(slowly, signals, np.asarray(threshold))
    own = threshold if isinstance(threshold, float) else xp.asarray(threshold, dtype)
    got = xp.call(encode, xp.asarray(signals, dtype), own)
    xp.check(got, dtype, signals.shape)
    np.testing.assert_array_equal(xp.to_numpy(got), want)
    assert (want == 1).any()
    assert (want == -1).any() or "repeat" in name


@pytest.mark.jax_alternates
@pytest.mark.parametrize("of", ["signed", "absolute"])
@pytest.mark.parametrize("correction", [0.0, 1.0])
def test_temporal_contrast(xp, dtype, of, correction):
    encode = partial(temporal_contrast_encode, factor=0.75, of=of, correction=correction)
    spikes, threshold = xp.call(encode, xp.asarray(SIGNALS, dtype))
    xp.check(spikes, dtype, SIGNALS.shape)
    xp.check(threshold, dtype, SIGNALS.shape[1:])
    slowly = partial(slow.temporal_contrast_threshold, factor=0.75, of=of, correction=correction)
    want = slow.each_signal(slowly, SIGNALS)
    assert_close(xp.to_numpy(threshold), want, 40 * EPS[dtype])
    want = slow.each_signal(slow.temporal_contrast, SIGNALS, want)
    np.testing.assert_array_equal(xp.to_numpy(spikes), want)
    assert set(np.unique(want)) == {-1, 0, 1}


def test_a_falling_signal_and_the_signed_mean():
    """Why `of` is an option: the published threshold of a falling signal is negative."""
    falling = np.array([3.0, 2.5, 1.5, 1.0, 0.5])
    spikes, threshold = temporal_contrast_encode(falling, 0.0)
    assert threshold == -0.625
    # Both signs hold where |d| < 0.625: they cancel. Where d = −1, down alone does.
    np.testing.assert_array_equal(spikes, [0, 0, -1, 0, 0])
    spikes, threshold = temporal_contrast_encode(falling, 0.0, of="absolute")
    assert threshold == 0.625
    np.testing.assert_array_equal(spikes, [0, 0, -1, 0, 0])


@pytest.mark.jax_alternates
def test_contrast_decode(xp, dtype):
    spikes = np.sign(walks(seed=3))
    start = SIGNALS[0]
    got = xp.call(
        lambda s, thr, s0: contrast_decode(s, thr, start=s0),
        *(xp.asarray(a, dtype) for a in (spikes, THRESHOLDS, start)),
    )
    xp.check(got, dtype, spikes.shape)
    want = slow.each_signal(slow.contrast_decode, spikes, THRESHOLDS, start)
    np.testing.assert_array_equal(xp.to_numpy(got), want)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision(half):
    x = torch.asarray(SIGNALS[:10], dtype=getattr(torch, half))
    for encode, slowly in CONTRAST.values():
        got = encode(x, 0.25)
        assert got.dtype == x.dtype
        want = slow.each_signal(slowly, SIGNALS[:10], np.asarray(0.25))
        np.testing.assert_array_equal(got.float().numpy(), want)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.floats(0.01, 100), st.floats(-9, 9))
def test_step_forward_stays_within_a_threshold(steps, threshold, start):
    signal = start + threshold * np.cumsum(steps)
    spikes = step_forward_encode(signal, threshold)
    decoded = contrast_decode(spikes, threshold, start=signal[0])
    slack = 4 * len(steps) * EPS["float64"] * (abs(start) + threshold * len(steps))
    assert np.abs(decoded - signal).max() <= threshold + slack


def test_decoded_delta_is_the_signal_where_steps_are_thresholds():
    signal = np.cumsum(np.random.default_rng(0).integers(-1, 2, (50, 4)), axis=0) * 0.5
    np.testing.assert_array_equal(contrast_decode(delta_encode(signal, 0.5), 0.5), signal)


@pytest.mark.parametrize("name", CONTRAST)
def test_signals_do_not_mix(name):
    encode, _ = CONTRAST[name]
    x = np.random.default_rng(5).normal(size=(20, 4))
    whole = encode(x, 0.3)
    for i in range(4):
        np.testing.assert_array_equal(encode(x[:, i], 0.3), whole[:, i])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("first", ["zero", "repeat"])
@pytest.mark.parametrize("off", [True, False])
def test_the_spikes_of_snntorch(dtype, first, off):
    x = np.random.default_rng(1).integers(-8, 9, (20, 3, 4)) / 8  # changes of exactly ½, too
    x = torch.asarray(x, dtype=dtype)
    theirs = spikegen.delta(x, threshold=0.5, padding=first == "repeat", off_spike=off)
    np.testing.assert_array_equal(delta_encode(x, 0.5, first=first, off=off), theirs)
    x = torch.asarray(np.random.default_rng(2).normal(size=(20, 5)), dtype=dtype)
    theirs = spikegen.delta(x, threshold=0.1, padding=first == "repeat", off_spike=off)
    np.testing.assert_array_equal(delta_encode(x, 0.1, first=first, off=off), theirs)


def test_the_examples_of_snntorchs_documentation():
    x = torch.asarray([1.0, 2.0, 2.9, 3.0, 3.9])
    assert delta_encode(x, 1.0, off=False).tolist() == [1, 1, 0, 0, 0]
    assert delta_encode(x, 1.0, off=False, first="repeat").tolist() == [0, 1, 0, 0, 0]
    x = torch.asarray([1.0, 2.0, 0.0, 2.0, 2.9])
    assert delta_encode(x, 1.0).tolist() == [1, 1, -1, 1, 0]


x = np.ones((5, 2))
BAD = [
    (lambda: delta_encode(x, first="one"), ValueError, r"`first` must be one of \('zero', 'rep"),
    (lambda: delta_encode(np.array(1.0)), ValueError, r"`x` must have shape \(time, ...\)"),
    (lambda: delta_encode(x, np.ones(3)), ValueError, r"`threshold` .* broadcast to \(2,\)"),
    (lambda: delta_encode(x, np.ones((5, 2))), ValueError, r"Received: shape \(5, 2\)"),
    (lambda: delta_encode([1.0]), TypeError, "`x` must be an array"),
    (lambda: step_forward_encode(x > 0, 1.0), TypeError, "`x` must have a real floating-point"),
    (lambda: moving_window_encode(x, 1.0, 0), ValueError, "`window` must be at least 1"),
    (lambda: moving_window_encode(x, 1.0, 2, first="zero"), ValueError, "`first` must be one of"),
    (lambda: temporal_contrast_encode(x, of="squared"), ValueError, "`of` must be one of"),
    (lambda: temporal_contrast_encode(x[:1]), ValueError, "`x` must have more than 1 steps"),
    (lambda: temporal_contrast_encode(x, correction=4), ValueError, "more than 5 steps"),
    (lambda: contrast_decode(x, 1.0, start=np.ones(5)), ValueError, "`start` must be a number"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
