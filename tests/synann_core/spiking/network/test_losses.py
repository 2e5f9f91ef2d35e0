"""Losses and readouts of a spiking network."""

from typing import get_args

import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import given
from hypothesis import strategies as st

import reference.spiking as slow
from synann_core.spiking.network import losses
from tests.helpers import assert_close


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_first_spike_times_and_their_slopes(seed, rate):
    """Flipping one spike changes the time by the slope: the form is linear in each."""
    rng = np.random.default_rng(seed)
    spikes = (rng.random((6, 2, 3)) < rate).astype(float)
    times, slopes = losses.first_spike(spikes, np)
    np.testing.assert_array_equal(times, slow.first_spike(spikes))
    for t in range(6):
        flipped = spikes.copy()
        flipped[t] = 1 - spikes[t]
        change = slow.first_spike(flipped) - times
        np.testing.assert_allclose(slopes[t] * (1 - 2 * spikes[t]), change, atol=1e-12)


def test_scores(xp):
    spikes = (np.random.default_rng(0).random((6, 2, 3)) < 0.3).astype(float)
    membrane = np.random.default_rng(1).normal(size=spikes.shape)
    want = {
        "count": spikes.sum(0),
        "membrane": membrane.sum(0),
        "first_spike": -slow.first_spike(spikes),
    }
    for readout, value in want.items():

        def scores(s, m, readout=readout):
            return losses.scores(readout, s, m, array_namespace(s))

        got = xp.call(scores, xp.asarray(spikes), xp.asarray(membrane))
        assert_close(xp.to_numpy(got), value, 1e-14)


@pytest.mark.parametrize("kind", get_args(losses.Loss))
def test_a_loss_is_the_softmaxs_and_goes_to_what_it_is_made_of(kind):
    """Against finite differences, in the one of spikes and membranes that it depends on."""
    rng = np.random.default_rng(2)
    spikes = (rng.random((4, 2, 3)) < 0.4).astype(float)
    membrane, target = rng.normal(size=spikes.shape), np.eye(3)[[2, 0]]
    value, upstream = losses.loss(kind, spikes, membrane, target, np)
    logits = {
        "membrane": membrane,
        "membrane_sum": membrane.sum(0),
        "count": spikes.sum(0),
        "first_spike": -slow.first_spike(spikes),
    }[kind]
    log_softmax = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    assert float(value) == pytest.approx(-(target * log_softmax).sum() / 2, rel=1e-14)
    assert upstream.state is None
    ofspikes = kind in ("count", "first_spike")
    assert (upstream.membrane if ofspikes else upstream.spikes) is None
    found, h = upstream.spikes if ofspikes else upstream.membrane, 1e-6
    for place in np.ndindex(spikes.shape):
        moved = []
        for step in (-h, h):
            arrays = [spikes.copy(), membrane.copy()]
            arrays[0 if ofspikes else 1][place] += step
            moved.append(float(losses.loss(kind, *arrays, target, np)[0]))
        assert found[place] == pytest.approx((moved[1] - moved[0]) / (2 * h), abs=1e-8)
