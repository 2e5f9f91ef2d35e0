"""Codes of several neurons against slow loops, and what their decoders promise.

Where a result depends on rounding, inputs are multiples of a power of two or have a margin.
"""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import encoders as slow
from synann_core.spiking import (
    population_decode,
    population_encode,
    population_response,
    rank_order_activation,
    rank_order_decode,
    rank_order_encode,
)
from tests.helpers import EPS, assert_close
from tests.synann_core.spiking.codes import checks

ENCODERS = {
    "rank": (rank_order_encode, lambda x: slow.train(slow.ranks(x), 5)),
    "first ranks": (partial(rank_order_encode, steps=2), lambda x: slow.train(slow.ranks(x), 2)),
    "population": (
        partial(population_encode, steps=9, neurons=6, low=-0.5, high=1.25, width=1.25, least=0.25),
        lambda x: slow.population_spikes(slow.population(x, 6, -0.5, 1.25, 1.25), 9, 0.25),
    ),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_torch_records_nothing(name):
    assert not checks.recorded_by_torch(ENCODERS[name][0])


@pytest.mark.parametrize("name", ENCODERS)
def test_samples_do_not_mix(name):
    checks.sample_by_sample(ENCODERS[name][0])


@pytest.mark.jax_alternates
def test_responses(xp, dtype):
    x = xp.asarray(checks.X, dtype)
    got = xp.call(partial(population_response, neurons=6, low=-0.5, high=1.25), x)
    assert_close(xp.to_numpy(got), slow.population(checks.X, 6, -0.5, 1.25, 1.5), 64 * EPS[dtype])


@pytest.mark.jax_alternates
def test_rank_order_decoders(xp, dtype):
    spikes, ranks = checks.ranked_spikes()
    code = xp.asarray(spikes, dtype)
    decoded = xp.call(partial(rank_order_decode, modulation=0.75), code)
    xp.check(decoded, dtype, (3, 5))
    want = np.where(ranks < 6, 0.75**ranks, 0.0)
    assert_close(xp.to_numpy(decoded), want, 8 * EPS[dtype])
    weights = checks.grid((4, 5), seed=1)
    got = xp.call(partial(rank_order_activation, modulation=0.75), code, xp.asarray(weights, dtype))
    xp.check(got, dtype, (3, 4))
    silent = np.where(ranks < 6, ranks, np.inf)
    assert_close(
        xp.to_numpy(got), slow.rank_order_activation(silent, weights, 0.75), 16 * EPS[dtype]
    )


@pytest.mark.jax_alternates
def test_population_decode(xp, dtype):
    spikes, ranks = checks.ranked_spikes()
    # Weighted by earliness: neurons 0 … 4 have centres −1/6, 1/6, 3/6, 5/6, 7/6.
    weight = 1 - ranks / 6
    mean = (weight * (np.arange(5) / 3 - 1 / 6)).sum(axis=1) / weight.sum(axis=1)
    got = xp.call(population_decode, xp.asarray(spikes, dtype))
    xp.check(got, dtype, (3,))
    assert_close(xp.to_numpy(got), mean, 16 * EPS[dtype])


def test_one_silent_population_is_nan():
    spikes = np.zeros((4, 2, 3))
    spikes[0, 0, 1] = 1.0
    np.testing.assert_array_equal(population_decode(spikes), [0.5, np.nan])


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_rank_order_keeps_the_order(seed, n):
    x = np.random.default_rng(seed).integers(0, 20, (2, n)) / 4
    decoded = rank_order_decode(rank_order_encode(x))
    assert len(np.unique(decoded[0])) == n
    np.testing.assert_array_equal(
        np.argsort(-decoded, axis=-1), np.argsort(-x, axis=-1, kind="stable")
    )
    # Weights in the order of the ranks fit best.
    own = rank_order_activation(rank_order_encode(x[0]), decoded[0][None, :])
    assert own >= rank_order_activation(rank_order_encode(x[1]), decoded[0][None, :])


@given(
    st.floats(0, 1),
    st.integers(20, 200),
    st.integers(3, 30),
    st.floats(-100, 100),
    st.floats(0.01, 100),
)
def test_population_is_met_to_a_part_of_the_spacing(x, steps, neurons, low, extent):
    high = low + extent
    spikes = population_encode(np.array(low + x * extent), steps, neurons, low=low, high=high)
    got = float(population_decode(spikes, low=low, high=high))
    assert abs(got - (low + x * extent)) <= 0.09 * extent / (neurons - 2)


@pytest.mark.parametrize("neurons", [3, 5, 12])
def test_population_bound_is_met_everywhere(neurons):
    x = np.linspace(0.0, 1.0, 2001)
    worst = 0.0
    for steps in range(20, 60):
        error = population_decode(population_encode(x, steps, neurons)) - x
        worst = max(worst, np.abs(error).max() * (neurons - 2))
    assert 0.08 < worst <= 0.09


def test_a_response_of_the_least_is_a_spike():
    """Three fields have their centres at −2, 0, 2; in the middle one x = 0 has the response 1."""
    at = population_encode(np.array([0.0, 1e-3]), 5, 3, low=-1.0, high=1.0, least=1.0)
    np.testing.assert_array_equal(at.sum(axis=0), [[0, 1, 0], [0, 0, 0]])


x = np.ones((3, 4))
BAD = [
    (lambda: rank_order_encode(np.array(1.0)), ValueError, r"`x` must have shape \(..., n\)"),
    (lambda: rank_order_decode(x, modulation=1), ValueError, r"`modulation` must be in \(0, 1\)"),
    (lambda: rank_order_activation(x, np.ones((2, 3))), ValueError, "`spikes` must have shape"),
    (lambda: rank_order_activation(x[0], np.ones((2, 4))), ValueError, "neurons ≥ 1"),
    (lambda: population_encode(x, 5, 2), ValueError, "`neurons` must be at least 3. Received: 2"),
    (lambda: population_encode(x, 5, 3, low=1.0), ValueError, r"`high` must be in \(1, inf\)"),
    (lambda: population_encode(x, 5, 3, least=1.1), ValueError, r"`least` must be in \[0, 1\]"),
    (lambda: population_response(x, 3, width=0), ValueError, "`width` must be in"),
    (lambda: population_decode(np.ones((3, 2))), ValueError, r"`spikes` .* neurons ≥ 3"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
