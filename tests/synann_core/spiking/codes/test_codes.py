"""Codes of single numbers and of populations, against slow loops, and what their decoders promise.

Where a result depends on rounding, inputs are multiples of a power of two or have a margin.
"""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import encoders as slow
from synann_core.spiking.codes.latency import (
    first_spike_times,
    latency_decode,
    latency_encode,
    latency_times,
)
from synann_core.spiking.codes.populations import (
    population_decode,
    population_encode,
    population_response,
    rank_order_activation,
    rank_order_decode,
    rank_order_encode,
)
from synann_core.spiking.codes.random import random_uniform
from synann_core.spiking.codes.rate import deterministic_rate_encode, rate_decode, rate_encode
from tests.helpers import EPS, assert_close

LATENCY = [
    {"tau": 4.0, "linear": True},
    {"tau": 3.0, "linear": False, "threshold": 0.25},
    {"linear": True, "normalise": True, "clip": True, "first_spike": 2.0},
    {"linear": False, "normalise": True, "clip": True, "threshold": 0.25},
    {"linear": False, "normalise": True, "first_spike": 3.0},
]
STEPS = 16


def grid(shape, parts=64, seed=0):
    """Multiples of 1/parts in [0, 1], the ends among them."""
    x = np.random.default_rng(seed).integers(0, parts + 1, shape)
    x.flat[:2] = 0, parts
    return x / parts


def latency_slowly(x, **options):
    defaults = {
        "tau": 1.0,
        "threshold": 0.01,
        "linear": False,
        "normalise": False,
        "clip": False,
    } | options
    return slow.latency(x, STEPS, first=defaults.pop("first_spike", 0.0), **defaults)


X = grid((3, 5))
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
    "rank": (rank_order_encode, lambda x: slow.train(slow.ranks(x), 5)),
    "first ranks": (partial(rank_order_encode, steps=2), lambda x: slow.train(slow.ranks(x), 2)),
    "population": (
        partial(population_encode, steps=9, neurons=6, low=-0.5, high=1.25, width=1.25, least=0.25),
        lambda x: slow.population_spikes(slow.population(x, 6, -0.5, 1.25, 1.25), 9, 0.25),
    ),
} | {
    f"latency {k}": (
        partial(latency_encode, steps=STEPS, **options),
        partial(latency_slowly, **options),
    )
    for k, options in enumerate(LATENCY)
}


@pytest.mark.jax_alternates(4)
@pytest.mark.parametrize("name", ENCODERS)
def test_encoders(xp, dtype, name):
    encode, slowly = ENCODERS[name]
    want = slowly(X)
    got = xp.call(encode, xp.asarray(X, dtype))
    xp.check(got, dtype, want.shape)
    np.testing.assert_array_equal(xp.to_numpy(got), want)
    assert 0 < want.sum() < want.size


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision(half, name):
    torch = pytest.importorskip("torch")
    encode, slowly = ENCODERS[name]  # 1/64 is a half precision number
    got = encode(torch.asarray(X, dtype=getattr(torch, half)))
    assert got.dtype == getattr(torch, half)
    np.testing.assert_array_equal(got.float().numpy(), slowly(X))


@pytest.mark.jax_alternates(4)
def test_values(xp, dtype):
    """What is not rounded to steps."""
    x = xp.asarray(X, dtype)
    for options in LATENCY:
        options = {k: v for k, v in options.items() if k != "clip"}
        got = xp.to_numpy(xp.call(partial(latency_times, steps=STEPS, **options), x))
        names = {"tau": 1.0, "threshold": 0.01, "linear": False, "normalise": False} | options
        first = names.pop("first_spike", 0.0)
        want = [slow.latency_time(v, STEPS, first=first, **names) for v in X.ravel()]
        # The slow loop rounds threshold + 1e-7, and the threshold; the latter matters to float32
        # only at a value of x next to it, and of these there are none.
        limit = 16 * EPS[dtype] + 1e-8 * (not names["linear"])
        assert_close(got.ravel(), want, limit, scale=STEPS)
    got = xp.call(partial(population_response, neurons=6, low=-0.5, high=1.25), x)
    assert_close(xp.to_numpy(got), slow.population(X, 6, -0.5, 1.25, 1.5), 64 * EPS[dtype])


@pytest.mark.jax_alternates(4)
def test_decoders(xp, dtype):
    spikes = np.concatenate([slow.train(slow.ranks(X), 5), np.zeros((1, 3, 5))])
    spikes[:, 1, 2] = 0.0
    ranks = np.where(spikes.any(axis=0), spikes.argmax(axis=0), 6)
    code = xp.asarray(spikes, dtype)
    times = xp.call(first_spike_times, code)
    xp.check(times, dtype, (3, 5))
    np.testing.assert_array_equal(xp.to_numpy(times), ranks)

    decoded = xp.call(partial(rank_order_decode, modulation=0.75), code)
    xp.check(decoded, dtype, (3, 5))
    want = np.where(ranks < 6, 0.75**ranks, 0.0)
    assert_close(xp.to_numpy(decoded), want, 8 * EPS[dtype])
    weights = grid((4, 5), seed=1)
    got = xp.call(partial(rank_order_activation, modulation=0.75), code, xp.asarray(weights, dtype))
    xp.check(got, dtype, (3, 4))
    silent = np.where(ranks < 6, ranks, np.inf)
    assert_close(
        xp.to_numpy(got), slow.rank_order_activation(silent, weights, 0.75), 16 * EPS[dtype]
    )

    rate = xp.call(partial(rate_decode, max_rate=4.0, dt=0.125), code)
    xp.check(rate, dtype, (3, 5))
    assert_close(xp.to_numpy(rate), spikes.mean(axis=0) / 0.5, 4 * EPS[dtype])
    # Weighted by earliness: neurons 0 … 4 have centres −1/6, 1/6, 3/6, 5/6, 7/6.
    weight = 1 - ranks / 6
    mean = (weight * (np.arange(5) / 3 - 1 / 6)).sum(axis=1) / weight.sum(axis=1)
    got = xp.call(population_decode, code)
    xp.check(got, dtype, (3,))
    assert_close(xp.to_numpy(got), mean, 16 * EPS[dtype])


@pytest.mark.jax_alternates(4)
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


@pytest.mark.parametrize("name", ENCODERS)
def test_torch_records_nothing(name):
    torch = pytest.importorskip("torch")
    encode, _ = ENCODERS[name]
    assert not encode(torch.asarray(X).requires_grad_()).requires_grad


def test_one_silent_population_is_nan():
    spikes = np.zeros((4, 2, 3))
    spikes[0, 0, 1] = 1.0
    np.testing.assert_array_equal(population_decode(spikes), [0.5, np.nan])


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


def test_ties():
    """A value at the threshold fires; a random number equal to the probability does not."""
    at = latency_encode(np.array([0.25, 0.2499]), 40, threshold=0.25, clip=True, normalise=True)
    np.testing.assert_array_equal(at.sum(axis=0), [1, 0])
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
    x = grid((20, 30))
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


@pytest.mark.parametrize("name", [n for n in ENCODERS if not n.startswith("rate")])
def test_samples_do_not_mix(name):
    encode, _ = ENCODERS[name]
    x = np.random.default_rng(3).random((4, 6))
    whole = encode(x)
    for i in range(len(x)):
        np.testing.assert_array_equal(encode(x[i : i + 1]), whole[:, i : i + 1])


x = np.ones((3, 4))
BAD = [
    (lambda: rate_encode(x, 0, key=0), ValueError, "`steps` must be at least 1. Received: 0"),
    (lambda: rate_encode(x.astype(int), 2, key=0), TypeError, "`x` must have a real floating"),
    (lambda: rate_encode(np.array(1.0), key=0), ValueError, r"`x` must have shape \(time, ...\)"),
    (lambda: rate_encode(x, 2, key=0, dt=0), ValueError, r"`dt` must be in \(0, inf\). Rec.*: 0"),
    (lambda: rate_encode(x, 2, key=0, max_rate="1"), TypeError, "`max_rate` must be a number"),
    (lambda: rate_decode(x[:0]), ValueError, r"`spikes` must have shape \(time, ...\) and a step"),
    (lambda: deterministic_rate_encode(x, 1.5), TypeError, "`steps` must be an int"),
    (lambda: latency_times(x, normalise=True), ValueError, "`steps` must be given to normalise"),
    (lambda: latency_encode(x, 5, threshold=1.0), ValueError, r"`threshold` must be in \(0, 1\)"),
    (lambda: latency_encode(x, 5, tau=-1), ValueError, "`tau` must be in"),
    (lambda: latency_encode(x, 5, tau=np.inf), ValueError, "`tau` must be in .* Received: inf"),
    (lambda: latency_encode(x, 5, epsilon=0), ValueError, "`epsilon` must be in"),
    (lambda: latency_encode(x, 5, first_spike=5), ValueError, r"`first_spike` must be in \[0, 4\]"),
    (lambda: latency_decode(x, first_spike=3), ValueError, r"`first_spike` must be in \[0, 2\]"),
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
