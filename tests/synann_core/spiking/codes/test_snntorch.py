"""The same spikes as snntorch.spikegen, where the definitions are meant to be the same."""

import numpy as np
import pytest
import torch
from snntorch import spikegen

from synann_core.spiking.codes.contrast import delta_encode
from synann_core.spiking.codes.latency import latency_encode, latency_times
from tests.helpers import EPS, assert_close, assert_relative

DTYPES = [torch.float32, torch.float64]
STEPS = 30


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
def test_latency(dtype, linear, normalise, clip, first, threshold):
    x = values(dtype)
    same = {"tau": 5.0, "threshold": threshold, "linear": linear}
    # Its x' − threshold loses the digits of 1e-7 in float32, and with it the normalised times.
    coarse = normalise and not linear and threshold == 0.3
    theirs = spikegen.latency(
        x.double() if coarse else x,
        num_steps=STEPS,
        first_spike_time=first,
        normalize=normalise,
        clip=clip,
        bypass=True,
        **same,
    )
    got = latency_encode(x, STEPS, first_spike=first, normalise=normalise, clip=clip, **same)
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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("first", ["zero", "repeat"])
@pytest.mark.parametrize("off", [True, False])
def test_delta(dtype, first, off):
    x = np.random.default_rng(1).integers(-8, 9, (20, 3, 4)) / 8  # changes of exactly ½, too
    x = torch.asarray(x, dtype=dtype)
    theirs = spikegen.delta(x, threshold=0.5, padding=first == "repeat", off_spike=off)
    np.testing.assert_array_equal(delta_encode(x, 0.5, first=first, off=off), theirs)
    x = torch.asarray(np.random.default_rng(2).normal(size=(20, 5)), dtype=dtype)
    theirs = spikegen.delta(x, threshold=0.1, padding=first == "repeat", off_spike=off)
    np.testing.assert_array_equal(delta_encode(x, 0.1, first=first, off=off), theirs)


def test_the_examples_of_its_documentation():
    x = torch.asarray([1.0, 2.0, 2.9, 3.0, 3.9])
    assert delta_encode(x, 1.0, off=False).tolist() == [1, 1, 0, 0, 0]
    assert delta_encode(x, 1.0, off=False, first="repeat").tolist() == [0, 1, 0, 0, 0]
    x = torch.asarray([1.0, 2.0, 0.0, 2.0, 2.9])
    assert delta_encode(x, 1.0).tolist() == [1, 1, -1, 1, 0]
    x = torch.asarray([0.02, 0.5, 1.0])
    times = latency_times(x, 5, linear=True, normalise=True)
    assert_close(times, [3.92, 2.0, 0.0], 8 * EPS["float32"])
