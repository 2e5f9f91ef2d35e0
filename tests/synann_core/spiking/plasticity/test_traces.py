"""Traces: sums that decay, and the states that carry them."""

import numpy as np
import pytest

from synann_core.spiking.plasticity.traces import (
    back_in_time,
    decayed_sums,
    eligible_sum,
    input_traces,
    named_state,
    silent_state,
)
from tests.helpers import assert_close


@pytest.mark.parametrize("steps", [1, 63, 64, 65, 200])
def test_decayed_sums_of_any_length_equal_the_loop(steps):
    signal = np.random.default_rng(steps).normal(size=(steps, 2, 3))
    for decay in (0.0, 0.5, 0.99, 1.0):
        total, want = np.zeros((2, 3)), []
        for row in signal:
            total = decay * total + row
            want.append(total)
        assert_close(decayed_sums(signal, decay, xp=np), want, 1e-13)


def test_sums_back_in_time_are_the_adjoint():
    rng = np.random.default_rng(0)
    signal, other = rng.normal(size=(2, 70, 2, 3))
    there = (decayed_sums(signal, 0.9, xp=np) * other).sum()
    assert_close((signal * back_in_time(other, 0.9, xp=np)).sum(), there, 1e-13)


@pytest.mark.parametrize("synaptic", [0.0, 0.6])
def test_traces_of_inputs_equal_the_loop(synaptic):
    x = np.random.default_rng(2).normal(size=(70, 2, 3))
    want, current, held = np.empty_like(x), 0.0, 0.0
    for t, now in enumerate(x):
        current = synaptic * current + now
        want[t] = held = 0.9 * held + current
    assert_close(input_traces(x, 0.9, synaptic, xp=np), want, 1e-13)


def test_eligible_sums_are_over_steps_and_samples():
    rng = np.random.default_rng(1)
    trace, pushes = rng.normal(size=(5, 2, 3)), rng.normal(size=(5, 2, 4))
    want = np.einsum("tbi,tbj->ij", pushes, trace)
    assert_close(eligible_sum(trace, pushes, xp=np), want, 1e-14, scale=1.0)


def test_a_sum_of_nothing_is_nothing():
    assert decayed_sums(np.zeros((0, 2, 3)), 0.5, xp=np).shape == (0, 2, 3)


def test_silence_has_the_shapes_that_letters_say(xp, dtype):
    weights = xp.asarray(np.ones((3, 4)), dtype)
    state = silent_state(weights, 2, pre="Bn", post="Bm", eligibility="Bmn")
    for name, shape in (("pre", (2, 4)), ("post", (2, 3)), ("eligibility", (2, 3, 4))):
        xp.check(state[name], dtype, shape)
        assert not xp.to_numpy(state[name]).any()
    with pytest.raises(ValueError, match=r"`weights` must have shape \(m, n\)"):
        silent_state(xp.asarray(np.ones(3), dtype), 2, pre="Bn")
    with pytest.raises(ValueError, match=r"`batch` must be at least 0. Received: -1"):
        silent_state(weights, -1, pre="Bn")


@pytest.mark.parametrize(
    ("state", "received"), [({"pre": 1}, r"\['pre'\]"), ([1, 2], "list"), ({}, r"\[\]")]
)
def test_a_state_must_have_its_names(state, received):
    assert named_state({"post": 2, "pre": 1}, "pre", "post") == {"state_pre": 1, "state_post": 2}
    with pytest.raises(ValueError, match=f"`state` must be a dict of .* Received: {received}"):
        named_state(state, "pre", "post")
