"""Competing neurons: one winner at a time, and what it learns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference.plasticity as slow
from synann_core.spiking import STDP, WinnerTakeAll, normalise_weights
from tests.helpers import EPS, assert_close

NUMBERS = {
    "decay": 0.8,
    "threshold": 1.0,
    "reset_to": -0.1,
    "inhibition": 0.7,
    "adaptation": 0.05,
    "adaptation_decay": 0.97,
}
LAYER = WinnerTakeAll(**NUMBERS)
WINDOW = (0.05, 0.0, 3.0, 5.0, "both")
RULE = STDP(*WINDOW, target=0.3)


def case(rng, steps=30, batch=2, n=6, m=4):
    return rng.uniform(0.0, 0.6, (m, n)), (rng.random((steps, batch, n)) < 0.4).astype(float)


def learned(weights, pre, post):
    """Weights by the sum over pairs, and what every postsynaptic spike takes."""
    taken = WINDOW[0] * RULE.target * post.sum(axis=(0, 1))[:, None]
    return weights + slow.stdp_pairs(pre, post, *WINDOW) - taken


@pytest.mark.jax_alternates
def test_a_window_equals_the_loop_over_neurons(xp, dtype):
    weights, spikes = (a.astype(dtype) for a in case(np.random.default_rng(0)))
    exact = weights.astype(float), spikes.astype(float)
    _, fired, raised = slow.winner_take_all(*exact, NUMBERS)
    assert fired.sum() > 10
    assert fired.sum(axis=(0, 1)).min() > 0
    currents = xp.asarray(spikes @ weights.T, dtype)
    got, state = xp.call(LAYER.run, currents)
    xp.check(got, dtype, (30, 2, 4))
    xp.check(state["raised"], dtype, (4,))
    assert np.array_equal(xp.to_numpy(got), fired)
    assert_close(xp.to_numpy(state["raised"]), raised, 100 * EPS[dtype])
    # In two parts as in one.
    first, state = LAYER.run(currents[:11, ...])
    second, state = LAYER.run(currents[11:, ...], state)
    halves = np.concatenate([xp.to_numpy(first), xp.to_numpy(second)])
    assert np.array_equal(halves, fired)
    assert_close(xp.to_numpy(state["raised"]), raised, 100 * EPS[dtype])


@pytest.mark.jax_alternates
@pytest.mark.parametrize("batch", [1, 2])
def test_learning_equals_the_loop_over_pairs(xp, batch):
    weights, spikes = case(np.random.default_rng(1), batch=batch)
    want, fired, raised = slow.winner_take_all(weights, spikes, NUMBERS, learned)
    assert fired.sum() > 5
    found = xp.call(lambda w, s: LAYER.learn(w, s, RULE), xp.asarray(weights), xp.asarray(spikes))
    xp.check(found[0], "float64", (4, 6))
    assert_close(xp.to_numpy(found[0]), want, 1e-12)
    assert np.array_equal(xp.to_numpy(found[1]), fired)
    assert_close(xp.to_numpy(found[2]["raised"]), raised, 1e-12)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["additive", "hard", "power", "linear"]),
    st.sampled_from(["both", "potentiation", "none"]),
    st.sampled_from(["all", "nearest"]),
)
def test_rows_alone_are_what_all_weights_are(seed, dependence, coincident, pairing):
    # The same sample twice, the second without an effect: then NumPy takes no rows alone.
    weights, spikes = case(np.random.default_rng(seed), batch=1)
    options = {"dependence": dependence, "coincident": coincident, "pairing": pairing}
    rule = STDP(0.05, 0.0, 3.0, 5.0, mu_plus=0.5, target=0.2, **options)
    before = weights.copy()
    found = LAYER.learn(weights, spikes, rule)
    assert np.array_equal(weights, before)
    silent = np.concatenate([spikes, 0.0 * spikes], axis=1)
    want = LAYER.learn(weights, silent, rule)
    assert_close(found[0], want[0], 1e-12)
    assert np.array_equal(found[1], want[1][:, :1])
    assert_close(found[2]["membrane"], want[2]["membrane"][:1], 1e-12, scale=1.0)
    assert_close(found[2]["raised"], want[2]["raised"], 1e-12)


def test_competitors_come_to_stand_for_different_patterns():
    rng = np.random.default_rng(2)
    patterns = np.kron(np.eye(3), np.ones(8))  # three groups of eight inputs
    layer = WinnerTakeAll(0.9, 2.0, inhibition=5.0, adaptation=0.02)
    rule = STDP(0.05, 0.0, 5.0, dependence="linear", target=0.5)
    weights, raised = normalise_weights(rng.uniform(0.2, 0.4, (3, 24)), 5.0), np.zeros(3)
    for k in rng.permutation(np.repeat(np.arange(3), 40)):
        spikes = (rng.random((25, 1, 24)) < 0.02 + 0.3 * patterns[k]).astype(float)
        state = {"membrane": np.zeros((1, 3)), "raised": raised}
        weights, _, state = layer.learn(weights, spikes, rule, state)
        weights, raised = normalise_weights(weights, 5.0), state["raised"]
    liking = weights @ patterns.T
    assert sorted(liking.argmax(axis=1)) == [0, 1, 2]
    assert liking.max(axis=1).min() > 4.0


def test_weights_of_every_neuron_add_up(xp, dtype):
    weights = np.array([[1.0, 3.0], [0.0, 0.0], [0.5, 0.0]])
    got = normalise_weights(xp.asarray(weights, dtype), 2.0)
    xp.check(got, dtype, (3, 2))
    assert_close(xp.to_numpy(got), [[0.5, 1.5], [0.0, 0.0], [2.0, 0.0]], 4 * EPS[dtype])


def test_nothing_happens_in_no_time():
    weights, spikes = case(np.random.default_rng(3), steps=0, batch=2)
    changed, fired, state = LAYER.learn(weights, spikes, RULE)
    assert np.array_equal(changed, weights)
    assert fired.shape == (0, 2, 4)
    assert not state["raised"].any()
    assert LAYER.run(fired)[0].shape == (0, 2, 4)
    assert LAYER.learn(weights, spikes[:, :1], RULE)[1].shape == (0, 1, 4)


def test_bad_arguments_are_named():
    weights, spikes = case(np.random.default_rng(0))
    for name, value in (("decay", 1.1), ("inhibition", -1.0), ("threshold", np.inf)):
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            WinnerTakeAll(**{name: value})
    # A NumPy number would impose its dtype on the arrays.
    assert type(WinnerTakeAll(np.float32(0.5)).decay) is float
    with pytest.raises(ValueError, match="`reset_to` must be below the threshold 1"):
        WinnerTakeAll(threshold=1.0, reset_to=1.0)
    with pytest.raises(TypeError, match=r"`rule` must be an STDP\. Received: None"):
        LAYER.learn(weights, spikes, None)
    with pytest.raises(ValueError, match="`spikes` must have shape"):
        LAYER.learn(weights, spikes[:, :, :5], RULE)
    with pytest.raises(ValueError, match="`currents` must have shape"):
        LAYER.run(spikes[0])
    with pytest.raises(ValueError, match="`weights` must be of one neuron or more"):
        LAYER.learn(weights[:0], spikes, RULE)
    with pytest.raises(ValueError, match="`currents` must be of one neuron or more"):
        LAYER.run(np.zeros((4, 2, 0)))
    state = LAYER.init(weights, 3)
    with pytest.raises(ValueError, match="`state_membrane` must have shape"):
        LAYER.learn(weights, spikes, RULE, state)
    with pytest.raises(ValueError, match="`state` must be a dict of"):
        LAYER.run(spikes, {})
    with pytest.raises(ValueError, match="`total` must be in"):
        normalise_weights(weights, 0.0)
