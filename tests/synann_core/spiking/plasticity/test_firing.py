"""First crossings of a threshold: when, how exactly, and in whatever block of rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference.plasticity as slow
from synann_core._lib import loops
from synann_core.spiking import (
    firing_times,
    firing_times_vjp,
    spike_response,
    spike_response_derivative,
)
from tests.helpers import EPS, assert_close, make_backend
from tests.synann_core.spiking.plasticity.cases import TAU, delayed, fire


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 20.0), st.floats(0.1, 2.0))
def test_the_threshold_is_crossed_then_and_not_before(seed, tau, threshold):
    rng = np.random.default_rng(seed)
    times, weights, delays = delayed(rng, batch=1, m=2)
    fired = fire(times, weights, delays, tau, threshold)[0]
    grid = np.linspace(0.0, 20.0 + 10.0 * tau, 1001)
    for j in range(2):
        level = sum(
            weights[j, i, k] * slow.spike_response(grid - times[0, i] - d, tau)
            for i in range(3)
            for k, d in enumerate(delays)
        )
        assert level[grid < fired[j]].max() < threshold * (1.0 + 1e-9)
        if np.isfinite(fired[j]):
            at = slow.potential(fired[j], times[0], weights[j], delays, tau)
            assert at == pytest.approx(threshold, abs=1e-12 * (1.0 + np.abs(weights).sum()))


@given(st.integers(0, 2**32 - 1), st.floats(-50.0, 50.0))
def test_only_differences_of_times_matter(seed, shift):
    rng = np.random.default_rng(seed)
    times, weights, delays = delayed(rng)
    fired = fire(times, weights, delays)
    order = rng.permutation(3)
    again = fire(times[:, order] + shift, weights[:, order], delays) - shift
    # Not of those that only touch the threshold: those may turn either way.
    gtimes, _ = firing_times_vjp(times, weights, delays, fired, 1.0, tau=TAU, slope_floor=1e-9)
    if np.abs(gtimes).max() < 1e3:
        assert_close(again, fired, 1e-9)


@pytest.mark.parametrize("span", [0.0, 10.0, 40.0, 70.0])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_potential_is_met_as_well_as_is_said(dtype, span):
    """Exponentials of the time since the first arrival, which for `span` τ is the only one."""
    rng, fired = np.random.default_rng(5), 0
    for _ in range(10):
        times, weights, delays = (a.astype(dtype) for a in delayed(rng, batch=1, m=1, scale=0.8))
        times[0, 1:] += span * TAU
        at = fire(times, weights, delays)[0, 0]
        if np.isfinite(at):
            wide = (a.astype(np.float64) for a in (times[0], weights[0], delays))
            error = abs(slow.potential(float(at), *wide, TAU) - 1.0)
            first = times.min() + delays[0]
            allowed = 2.0 * (20.0 + 3.0 * (at - first) / TAU) * EPS[dtype] * np.abs(weights).sum()
            assert error <= allowed
            fired += at > span * TAU
    assert fired > 2


def test_a_crossing_that_lasts_a_moment_is_not_missed():
    # Excitation at 0, and just as the potential reaches the threshold a strong inhibition.
    weights = np.array([[[1.0 + 1e-9], [-50.0]]])
    top = fire(np.array([[0.0, np.inf]]), weights, np.array([0.0]))[0, 0]
    for late, fires in ((1e-6, True), (-1e-6, False)):
        times = np.array([[0.0, top + late]])
        assert np.isfinite(fire(times, weights, np.array([0.0]))[0, 0]) == fires


@pytest.mark.parametrize("library", ["numpy", "torch", "jax-jit"])
def test_a_rows_times_do_not_depend_on_the_block_it_falls_into(library, monkeypatch):
    for name in ("_CHUNK", "_JAX_CHUNK"):
        monkeypatch.setattr(loops, name, 9 * 48)  # nine rows of these shapes
    with make_backend(library) as xp:
        check_many_rows(xp)


def check_many_rows(xp):
    rng = np.random.default_rng(3)
    times, weights, delays = delayed(rng, batch=31, n=4, m=2, scale=0.5)
    arrays = [xp.asarray(a) for a in (times, weights, delays)]
    fired = xp.call(fire, *arrays, TAU)
    few = slice(25, 31)  # of the third block and the last, which is padded on JAX
    assert_close(xp.to_numpy(fired)[few], fire(times[few], weights, delays), 1e-12)

    def vjp(*a):
        return firing_times_vjp(*a, 1.0, tau=TAU)

    gtimes, gweights = xp.call(vjp, *arrays, fired)
    parts = [vjp(times[k::3], weights, delays, xp.to_numpy(fired)[k::3]) for k in range(3)]
    assert_close(xp.to_numpy(gtimes)[::3], parts[0][0], 1e-12)
    assert_close(xp.to_numpy(gweights), sum(p[1] for p in parts), 1e-11)


@pytest.mark.jax_alternates
def test_no_samples_inputs_or_neurons(xp):
    # JAX compiles every operation for every shape.
    for batch, n, m in ((0, 2, 3), (2, 0, 3), (2, 3, 0))[: 1 if xp.is_jax else 3]:
        arrays = [xp.asarray(a) for a in (np.zeros((batch, n)), np.zeros((m, n, 2)), np.ones(2))]
        fired = firing_times(*arrays, tau=TAU)
        xp.check(fired, "float64", (batch, m))
        assert np.isinf(xp.to_numpy(fired)).all()
        gtimes, gweights = firing_times_vjp(*arrays, fired, 1.0, tau=TAU)
        xp.check(gtimes, "float64", (batch, n))
        xp.check(gweights, "float64", (m, n, 2))


def test_what_is_not_a_number_is_told():
    times, weights, delays = np.array([[0.0, np.nan], [0.0, 1.0]]), np.ones((1, 2, 1)), np.ones(1)
    assert np.isnan(fire(times, weights, delays)).tolist() == [[True], [False]]
    assert np.isnan(spike_response(np.nan, TAU))
    assert np.isnan(spike_response_derivative(np.nan, TAU))
    far = np.array([[0.0, 6000.0]])
    assert np.isnan(fire(far, 0.4 * weights, delays)).all()  # 857 τ: stated
