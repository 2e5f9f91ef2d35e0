"""STDP that waits for a reward: what is left of a pair when it comes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference.plasticity as slow
from synann_core.spiking import STDP, RewardSTDP
from tests.helpers import assert_close
from tests.synann_core.spiking.plasticity.cases import spike_trains

WINDOW = (0.3, 0.2, 3.0, 5.0)
NAMED = dict(zip(("a_plus", "a_minus", "tau_plus", "tau_minus"), WINDOW, strict=True))


@given(st.integers(0, 2**32 - 1), st.sampled_from(["hard", "power", "linear"]))
def test_bounded_weights_stay_within_their_bounds(seed, dependence):
    rng = np.random.default_rng(seed)
    pre, post = spike_trains(rng)
    rule = STDP(a_plus=3.0, a_minus=2.5, dependence=dependence, low=-1.0, high=2.0, mu_plus=0.5)
    rewarded = rng.uniform(-1.0, 2.0, (3, 4))
    waiting = RewardSTDP(rule, tau=2.0)
    state = waiting.init(rewarded, 2)
    for now in zip(pre, post, strict=True):
        rewarded, state = waiting.step(rewarded, *now, 9.0, state)
    assert rewarded.min() >= -1.0
    assert rewarded.max() <= 2.0


@pytest.mark.jax_alternates
@pytest.mark.parametrize("reward", [1.0, "array"])
def test_reward_turns_eligibility_into_change(xp, reward):
    rng = np.random.default_rng(5)
    pre, post = spike_trains(rng, steps=10)
    values = np.ones((10, 2)) if reward == 1.0 else rng.normal(size=(10, 2))
    rule = RewardSTDP(STDP(**NAMED), tau=4.0)
    start = rng.random((3, 4))
    weights = xp.asarray(start)
    state = rule.init(weights, 2)
    for t in range(10):
        given_reward = reward if reward == 1.0 else xp.asarray(values[t])
        now = (xp.asarray(pre[t]), xp.asarray(post[t]), given_reward, state)
        weights, state = xp.call(rule.step, weights, *now)
    # Each pair, made in the step of its later spike, fades until the reward comes.
    want = start.copy()
    for t, b in itertools.product(range(10), range(2)):
        made = [
            slow.stdp_pairs(pre[: u + 1, b : b + 1], post[: u + 1, b : b + 1], *WINDOW, "both")
            for u in range(t + 1)
        ]
        for u in range(t + 1):
            change = made[u] - (made[u - 1] if u else 0.0)
            want += values[t, b] * change * np.exp(-(t - u) / 4.0) / 4.0
    assert_close(xp.to_numpy(weights), want, 1e-12)
    xp.check(state["eligibility"], "float64", (2, 3, 4))


def test_a_neuron_learns_the_action_that_is_rewarded_later():
    # Two neurons fire at random after one input; only the first one's spikes are rewarded, 5 steps
    # later. Without the eligibility trace nothing would tell the two apart.
    rng = np.random.default_rng(6)
    rule = RewardSTDP(STDP(0.1, 0.0, 2.0, 2.0, dependence="linear"), tau=5.0)
    weights = np.full((2, 1), 0.5)
    for _ in range(300):
        state = rule.init(weights, 1)
        fires = (rng.random(2) < 0.5).astype(float)
        for t in range(8):
            pre, post = np.array([[float(t == 0)]]), fires[None, :] * (t == 1)
            reward = (2.0 * fires[0] - 1.0) * (t == 6)
            weights, state = rule.step(weights, pre, post, float(reward), state)
    assert weights[0, 0] > weights[1, 0] + 0.2


def test_bad_arguments_are_named():
    rule, weights = STDP(), np.zeros((3, 4))
    pre, post = np.zeros((5, 2, 4)), np.zeros((5, 2, 3))
    with pytest.raises(TypeError, match="`rule` must be an STDP"):
        RewardSTDP(0.1)
    rewarded = RewardSTDP(rule)
    with pytest.raises(ValueError, match=r"`reward` must have shape \(2,\)"):
        rewarded.step(weights, pre[0], post[0], np.ones(3), rewarded.init(weights, 2))


def test_a_target_counts_before_the_reward_comes():
    pre, post = spike_trains(np.random.default_rng(6), steps=1)
    changes = []
    for target in (0.0, 0.4):
        rule = RewardSTDP(STDP(**NAMED, target=target), tau=4.0)
        weights = np.zeros((3, 4))
        changes.append(rule.step(weights, pre[0], post[0], 1.0, rule.init(weights, 2))[0])
    taken = 0.4 * NAMED["a_plus"] * post[0].sum(axis=0)[:, None] / 4.0
    assert_close(changes[0] - changes[1], taken + 0.0 * changes[0], 1e-12)
