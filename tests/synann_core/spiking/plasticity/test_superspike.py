"""SuperSpike: its window, its steps and its definition agree, and it descends its distance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference.plasticity as slow
from synann_core.optim import RMaxProp
from synann_core.spiking import (
    LIF,
    superspike,
    superspike_gradient,
    superspike_init,
    superspike_step,
    van_rossum,
)
from tests.helpers import EPS, assert_close

DECAYS = {"synaptic_decay": 0.8, "rise": 0.7, "fall": 0.9}


def case(rng, steps=9, batch=3, n=4, m=2):
    x = (rng.random((steps, batch, n)) < 0.4).astype(float)
    return x, rng.random((steps, batch, m)), rng.integers(-1, 2, (steps, batch, m)).astype(float)


@pytest.mark.jax_alternates
def test_window_and_steps_equal_the_reference(xp, dtype):
    arrays = [a.astype(dtype) for a in case(np.random.default_rng(0))]
    want = slow.superspike(*(a.astype(float) for a in arrays), 0.9, *DECAYS.values())
    arrays = [xp.asarray(a, dtype) for a in arrays]
    got = xp.call(lambda *a: superspike_gradient(*a, 0.9, **DECAYS), *arrays)
    xp.check(got, dtype, (2, 4))
    scale = 1.0 + np.abs(want).max()
    assert_close(xp.to_numpy(got), want, 300 * EPS[dtype], scale=scale)

    def step(*a):
        return superspike_step(*a, 0.9, **DECAYS)

    state, total = superspike_init(got, 3), 0.0
    for t in range(9):
        part, state = xp.call(step, *(a[t, ...] for a in arrays), state)
        total = total + part
    xp.check(part, dtype, (2, 4))
    xp.check(state["eligibility"], dtype, (3, 2, 4))
    assert_close(xp.to_numpy(total), want, 300 * EPS[dtype], scale=scale)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.99), st.floats(0.0, 0.99), st.integers(1, 150))
def test_window_and_steps_agree_on_any_trains(seed, rise, fall, steps):
    x, slope, error = case(np.random.default_rng(seed), steps, 2, 3, 2)
    decays = {"synaptic_decay": 0.6, "rise": rise, "fall": fall}
    want = superspike_gradient(x, slope, error, 0.9, **decays)
    state, total, size = superspike_init(want, 2), 0.0, 0.0
    for now in zip(x, slope, error, strict=True):
        part, state = superspike_step(*now, state, 0.9, **decays)
        total, size = total + part, size + np.abs(part)
    assert_close(total, want, 1e-11, scale=1.0 + size)


@pytest.mark.jax_alternates
def test_the_distance_and_its_gradient(xp, dtype):
    rng = np.random.default_rng(1)
    spikes, target = ((rng.random((12, 3, 2)) < 0.3).astype(dtype) for _ in range(2))
    filtered = slow.alpha_filter(spikes.astype(float) - target, 0.7, 0.9)
    given_arrays = [xp.asarray(a, dtype) for a in (spikes, target)]
    distance, gradient = xp.call(lambda *a: van_rossum(*a, rise=0.7, fall=0.9), *given_arrays)
    xp.check(distance, dtype, ())
    xp.check(gradient, dtype, (12, 3, 2))
    assert_close(xp.to_numpy(distance), 0.5 * (filtered**2).sum() / 3, 100 * EPS[dtype])
    for place in ((0, 0, 0), (5, 2, 1), (11, 1, 0)):
        moved = np.zeros_like(filtered)
        moved[place] = 1.0
        want = (slow.alpha_filter(moved, 0.7, 0.9) * filtered).sum() / 3
        assert_close(xp.to_numpy(gradient)[place], want, 200 * EPS[dtype], scale=1.0)


def test_the_filter_adds_up_to_one():
    spikes = np.zeros((120, 1, 1))
    spikes[0] = 1.0
    _, gradient = van_rossum(spikes, 0.0 * spikes, rise=0.5, fall=0.7)
    # The filter with itself backward in time, at the spike: the sum of its squares.
    assert_close(gradient[0, 0, 0], (slow.alpha_filter(spikes, 0.5, 0.7) ** 2).sum(), 1e-12)
    assert_close(slow.alpha_filter(spikes, 0.5, 0.7).sum(), 1.0, 1e-12)


def problem():
    rng = np.random.default_rng(2)
    x = (rng.random((120, 1, 40)) < 0.05).astype(float)
    target = np.zeros((120, 1, 2))
    target[[30, 90], 0, 0] = target[60, 0, 1] = 1.0
    return x, target, rng.normal(0.0, 0.15, (2, 40))


def test_in_one_layer_it_is_backpropagation_through_time():
    x, target, weights = problem()
    neuron = LIF(0.9, synaptic_decay=0.8, surrogate=superspike(0.2))
    spikes, record = neuron.run(x @ weights.T)
    _, grad = van_rossum(spikes, target, rise=0.7, fall=0.9)
    currents = neuron.vjp(record, spikes=grad).currents
    got = superspike_gradient(x, record.slope, spikes - target, 0.9, **DECAYS)
    assert_close(got, np.einsum("tbi,tbj->ij", currents, x), 1e-12)


def test_neurons_learn_to_fire_at_given_times():
    x, target, weights = problem()
    neuron = LIF(0.9, synaptic_decay=0.8, surrogate=superspike(0.2))
    rule, distances = RMaxProp(0.002), []
    state = rule.init({"w": weights})
    for _ in range(300):
        spikes, record = neuron.run(x @ weights.T)
        distances.append(float(van_rossum(spikes, target, rise=0.7, fall=0.9)[0]))
        gradient = superspike_gradient(x, record.slope, spikes - target, 0.9, **DECAYS)
        new, state = rule.update({"w": weights}, {"w": gradient}, state, 0.002)
        weights = new["w"]
    assert min(distances[-50:]) < 0.1 * distances[0]


def test_bad_arguments_are_named():
    x, slope, error = case(np.random.default_rng(0))
    with pytest.raises(ValueError, match="`error` must have shape"):
        superspike_gradient(x, slope, error[:4], 0.9, **DECAYS)
    for name, value in (("rise", 1.0), ("fall", -0.1), ("synaptic_decay", 1.5)):
        with pytest.raises(ValueError, match=f"`{name}` must be in"):
            superspike_gradient(x, slope, error, 0.9, **{**DECAYS, name: value})
    with pytest.raises(ValueError, match="`state` must be a dict of"):
        superspike_step(x[0], slope[0], error[0], {}, 0.9, **DECAYS)
    with pytest.raises(ValueError, match="`target` must have shape"):
        van_rossum(error, error[:, :2], rise=0.5, fall=0.5)
    with pytest.raises(TypeError, match="`rise` must be a number"):
        van_rossum(error, error, rise="0", fall=0.5)
