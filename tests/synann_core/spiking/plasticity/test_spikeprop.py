"""SpikeProp: firing times, their gradients, and networks of them."""

import functools

import numpy as np
import pytest

import reference.plasticity as slow
from reference.differentiate import central_difference
from synann_core.spiking import (
    firing_times_vjp,
    raise_silent,
    spike_response,
    spike_response_derivative,
    spikeprop_gradients,
)
from tests.helpers import EPS, assert_close
from tests.synann_core.spiking.plasticity.cases import TAU, delayed, fire


@pytest.mark.jax_alternates
def test_response_and_its_derivative(xp, dtype):
    s = np.array([-np.inf, -2.0, 0.0, 1e-3, 3.0, 7.0, 30.0, 1e4, np.inf], dtype)
    got = xp.call(spike_response, xp.asarray(s, dtype), TAU)
    xp.check(got, dtype, s.shape)
    want = slow.spike_response(s[1:-1].astype(np.float64), TAU)
    assert_close(xp.to_numpy(got)[1:-1], want, 10 * EPS[dtype])
    assert xp.to_numpy(got)[0] == xp.to_numpy(got)[-1] == 0.0
    slope = xp.to_numpy(xp.call(spike_response_derivative, xp.asarray(s, dtype), TAU))
    moved = slow.spike_response(s[1:-1].astype(np.float64) + 1e-30j, TAU).imag / 1e-30
    assert_close(slope[1:-1], moved, 10 * EPS[dtype])
    assert slope[0] == slope[-1] == 0.0


# What is slow, and the same for every library, is computed once.
@functools.cache
def reference_case(dtype):
    arrays = [a.astype(dtype) for a in delayed(np.random.default_rng(0))]
    arrays[0][1, 2] = np.inf
    return arrays, slow.firing_times(*(a.astype(float) for a in arrays), TAU, 1.0, 60.0)


@pytest.mark.jax_alternates
def test_firing_times_equal_the_reference(xp, dtype):
    arrays, want = reference_case(dtype)
    got = xp.call(fire, *(xp.asarray(a, dtype) for a in arrays), TAU)
    xp.check(got, dtype, (4, 3))
    assert np.isinf(want).any()
    assert np.isfinite(want).sum() > 5
    assert_close(xp.to_numpy(got), want, 200 * EPS[dtype])


@functools.cache
def vjp_case():
    """Arguments of the gradient, and finite differences of the part that fires and is heard."""
    rng = np.random.default_rng(1)
    times, weights, delays = delayed(rng, scale=0.8)
    times[2, 1] = np.inf
    fired = fire(times, weights, delays)
    assert np.isinf(fired).any()
    grad = rng.normal(size=fired.shape)

    def finite(times, weights):  # as a function that has no infinities
        t = fire(times, weights, delays)
        assert np.array_equal(np.isinf(t), np.isinf(fired))
        return np.where(np.isinf(t), 0.0, t)

    heard = np.isfinite(times)
    late = np.where(heard, times, 0.0)  # a difference of infinities is no number

    def of_heard(t):
        return finite(np.where(heard, t, np.inf), weights)

    want_times = central_difference(of_heard, (late,), 0, grad, 1e-5)
    want_weights = central_difference(finite, (times, weights), 1, grad, 1e-5)
    return (times, weights, delays, fired, grad), want_times, want_weights


@pytest.mark.jax_alternates
def test_gradients_of_the_firing_times_equal_finite_differences(xp):
    arrays, want_times, want_weights = vjp_case()

    def vjp(*a):
        return firing_times_vjp(*a, tau=TAU, slope_floor=1e-9)

    gtimes, gweights = xp.call(vjp, *(xp.asarray(a) for a in arrays))
    xp.check(gtimes, "float64", want_times.shape)
    xp.check(gweights, "float64", want_weights.shape)
    assert_close(xp.to_numpy(gtimes), want_times, 1e-7)
    assert_close(xp.to_numpy(gweights), want_weights, 1e-7)
    with pytest.raises(AssertionError):  # the judge notices half a thousandth
        assert_close(1.0005 * xp.to_numpy(gweights), want_weights, 1e-7)


def network(times, first, second, delays, target):
    return spikeprop_gradients(times, [first, second], delays, target, tau=TAU, slope_floor=1e-9)


@functools.cache
def network_case(dtype):
    """Arguments of `network`; its loss in float64, and finite differences of that."""
    rng = np.random.default_rng(2)
    times, hidden, delays = delayed(rng, scale=1.0)
    output = rng.uniform(0.1, 0.4, (3, 3, 6))
    output[:, 2] *= -0.3  # an inhibitory unit
    target = rng.uniform(5.0, 15.0, (4, 3))
    arrays = [a.astype(dtype) for a in (times, np.abs(hidden), output, delays, target)]
    times, hidden, output, delays, target = (a.astype(np.float64) for a in arrays)

    def total(first, second):
        return network(times, first, second, delays, target)[0]

    layers = hidden, output
    wants = [central_difference(total, layers, index, 1.0, 1e-5) for index in range(2)]
    return arrays, total(*layers), wants


@pytest.mark.jax_alternates
def test_gradients_of_a_network_equal_finite_differences(xp, dtype):
    arrays, want_loss, wants = network_case(dtype)
    loss, gradients, fired = xp.call(network, *(xp.asarray(a, dtype) for a in arrays))
    xp.check(loss, dtype, (4,))
    xp.check(fired[1], dtype, (4, 3))
    assert np.isfinite(xp.to_numpy(fired[1])).all()
    assert_close(xp.to_numpy(loss), want_loss, 50 * EPS[dtype])
    for got, want in zip(gradients, wants, strict=True):
        xp.check(got, dtype, want.shape)
        assert_close(xp.to_numpy(got), want, {"float64": 1e-7, "float32": 1e-3}[dtype])


def test_a_floor_keeps_the_gradient_of_a_grazing_potential():
    weights = np.array([[[1.0 + 1e-12]]])  # the response's peak is 1
    times, delays = np.zeros((1, 1)), np.zeros(1)
    fired = fire(times, weights, delays)
    assert fired[0, 0] == pytest.approx(TAU, abs=1e-4)
    for floor in (0.1, 0.01):
        _, gweights = firing_times_vjp(
            times, weights, delays, fired, 1.0, tau=TAU, slope_floor=floor
        )
        assert gweights[0, 0, 0] == pytest.approx(-1.0 / floor, rel=1e-6)


@pytest.mark.jax_alternates
def test_silent_neurons_are_raised_until_they_fire(xp):
    times, delays = np.zeros((2, 2)), np.array([1.0, 3.0])
    times[1] = np.inf  # a sample without any spike
    weights = np.zeros((2, 2, 2))
    weights[1] = 0.5
    arrays = [xp.asarray(a) for a in (times, weights, delays)]
    fired = xp.call(fire, *arrays, TAU)
    silent = np.isinf(xp.to_numpy(fired))
    assert silent.tolist() == [[True, False], [True, True]]
    target = xp.asarray(np.full((2, 2), 6.0))

    def network(times, weights, delays, target):
        return spikeprop_gradients(times, [weights], delays, target, tau=TAU)

    loss, (gradient,), _ = xp.call(network, *arrays, target)
    assert np.isinf(xp.to_numpy(loss)).all()
    assert np.array_equal(xp.to_numpy(gradient)[0], np.zeros((2, 2)))
    assert (xp.to_numpy(gradient)[1] != 0).all()
    raised = xp.call(raise_silent, arrays[1], fired, 0.1)
    xp.check(raised, "float64", (2, 2, 2))
    want = weights + np.array([0.1, 0.05])[:, None, None]  # silent in all, and in half
    assert_close(xp.to_numpy(raised), want, 1e-15)
    new = weights[:1]
    for _ in range(5):
        fired = fire(times[:1], new, delays)
        new = raise_silent(new, fired, 0.1)
    assert np.isfinite(fire(times[:1], new, delays)).all()


def test_bad_arguments_are_named():
    times, weights, delays = np.zeros((2, 3)), np.zeros((4, 3, 5)), np.arange(5.0)
    with pytest.raises(ValueError, match=r"`times` must have shape \(B, 3\)"):
        fire(times[:, :2], weights, delays)
    with pytest.raises(ValueError, match=r"`delays` must have shape \(5,\)"):
        fire(times, weights, delays[:2])
    with pytest.raises(TypeError, match="`times` must have a real floating-point dtype"):
        fire(times.astype(int), weights, delays)
    for wrong in (0.0, np.inf, np.nan):
        with pytest.raises(ValueError, match=r"`tau` must be in \(0, inf\)"):
            fire(times, weights, delays, wrong)
    with pytest.raises(TypeError, match="`tau` must be a number"):
        fire(times, weights, delays, "7")
    with pytest.raises(ValueError, match=r"`threshold` must be in \(0, inf\)"):
        fire(times, weights, delays, threshold=-1.0)
    with pytest.raises(ValueError, match=r"`fired` must have shape \(2, 4\)"):
        firing_times_vjp(times, weights, delays, np.zeros((2, 3)), 1.0, tau=TAU)
    with pytest.raises(ValueError, match="`slope_floor` must be"):
        firing_times_vjp(times, weights, delays, np.zeros((2, 4)), 1.0, tau=TAU, slope_floor=0.0)
    with pytest.raises(ValueError, match="`layers` must be a list of one or more"):
        spikeprop_gradients(times, [], delays, np.zeros((2, 4)), tau=TAU)
    with pytest.raises(ValueError, match=r"`target` must have shape \(2, 4\)"):
        spikeprop_gradients(times, [weights], delays, np.zeros((2, 3)), tau=TAU)
    with pytest.raises(ValueError, match=r"`fired` must have shape"):
        raise_silent(weights, np.zeros((2, 3)), 0.1)
