"""Steps of circuits and their derivatives, on every array library."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.differentiate import complex_step
from tests.graphs import by_hand, driven
from tests.helpers import EPS, assert_close


@pytest.mark.jax_alternates
@pytest.mark.parametrize("clip", [False, True])
def test_iterate_is_the_loop(xp, dtype, clip):
    rng = np.random.default_rng(0)
    circuit = driven(clip, alpha=2.5)
    alpha, beta = circuit.params
    for batch in ((), (2, 3)):
        state, drive = rng.random((*batch, 2)), 5.0 * rng.random((2, *batch, 1))
        got = xp.call(
            lambda s, d: circuit.iterate(s, 2, drive=d),
            xp.asarray(state, dtype),
            xp.asarray(drive, dtype),
        )
        xp.check(got, dtype, (3, *batch, 2))
        want = by_hand(state, drive, alpha, beta, clip)
        assert_close(xp.to_numpy(got), want, 100 * EPS[dtype])


@pytest.mark.jax_alternates
@pytest.mark.parametrize("clip", [False, True])
def test_gradients_through_time(xp, clip):
    rng = np.random.default_rng(1)
    circuit = driven(clip, alpha=1.9)
    alpha, beta = circuit.params
    state, drive = rng.random((3, 2)), 5.0 * rng.random((2, 3, 1))
    after = by_hand(state, drive, alpha, beta, False)[1]
    assert np.any(after > 1.0)  # where they are bounded, something is cut off at either end
    assert np.any(after < 0.0)
    weights = rng.normal(size=(3, 3, 2))
    got = xp.call(
        lambda s, d, w: circuit.iterate_vjp(s, drive=d, grad=w),
        *(xp.asarray(a) for a in (state, drive, weights)),
    )
    gstate, gdrive, (galpha, gbeta) = (
        xp.to_numpy(tuple(g) if isinstance(g, tuple) else g) for g in got
    )
    values = (state, drive, alpha, beta)
    for k, g in enumerate((gstate, gdrive, galpha, gbeta)):
        want = complex_step(lambda *v: by_hand(*v, clip), values, k, weights)
        assert_close(g, want, 1e-13)


def test_a_drive_that_is_held_gets_the_sum_of_its_gradients():
    rng = np.random.default_rng(2)
    circuit = driven()
    state, drive, weights = rng.random((3, 2)), rng.random(1), rng.normal(size=(5, 3, 2))
    by_step = np.broadcast_to(drive, (4, 3, 1))
    np.testing.assert_array_equal(
        circuit.iterate(state, 4, drive=drive), circuit.iterate(state, 4, drive=by_step)
    )
    held = circuit.iterate_vjp(state, drive=drive, grad=weights)
    steps = circuit.iterate_vjp(state, drive=by_step, grad=weights)
    assert held[1].shape == (1,)
    assert_close(held[1], steps[1].sum(axis=(0, 1)), 1e-14)


def test_autodiff_agrees(ad):
    rng = np.random.default_rng(3)
    circuit = driven(True, 2.0)
    state, drive, weights = rng.random((3, 2)), rng.random((2, 3, 1)), rng.normal(size=(3, 3, 2))
    # One that is just 0 and just 1 after a step: nothing is cut off, all of the gradient passes.
    state[0], drive[:, 0] = (0.5, 0.0), 1.0
    np.testing.assert_array_equal(driven(False, 2.0).step(state, drive=drive[0])[0], [0.7, 1.0])
    state[1] = (0.0, 0.5)
    arrays = [ad.asarray(a) for a in (state, drive)]
    got = ad.gradients(lambda s, d: circuit.iterate(s, 2, drive=d), ad.asarray(weights), *arrays)
    want = circuit.iterate_vjp(state, drive=drive, grad=weights)
    for g, w in zip(got, want, strict=False):
        assert_close(ad.to_numpy(g), w, 1e-12)


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_jacobian_is_the_derivative_of_a_step(seed, clip):
    rng = np.random.default_rng(seed)
    circuit = driven(clip, alpha=1.2)
    state, drive = rng.random(2), rng.random(1)
    got = circuit.jacobian(state, drive=drive)
    step = 1e-6
    for j in range(2):
        side = step * np.eye(2)[j]
        above, below = (circuit.step(s, drive=drive) for s in (state + side, state - side))
        slope = (above - below) / (2 * step)
        raw = driven(False, 1.2).step(state, drive=drive)
        if not clip or np.all(np.abs(raw - 1.0) > 1e-4):  # not on the edge
            np.testing.assert_allclose(got[:, j], slope, atol=1e-9)


@pytest.mark.jax_alternates
def test_jacobian_of_a_batch(xp):
    rng = np.random.default_rng(4)
    circuit, state, drive = driven(True, 2.5), rng.random((4, 3, 2)), rng.random((3, 1))

    def jacobian(state, drive):
        return circuit.jacobian(state, drive=drive)

    got = xp.call(jacobian, xp.asarray(state), xp.asarray(drive))
    one = [[circuit.jacobian(s, drive=d) for s, d in zip(row, drive, strict=True)] for row in state]
    assert_close(xp.to_numpy(got), one, 4 * EPS["float64"])


@pytest.mark.parametrize("clip", [False, True])
def test_every_step_begins_from_what_is_returned(clip):
    """Also in 16 bits, which are computed in float32."""
    rng = np.random.default_rng(6)
    state, drive = (rng.random(size).astype(np.float16) for size in ((4, 2), (5, 4, 1)))
    circuit = driven(clip, alpha=1.7)
    states = circuit.iterate(state, 5, drive=drive)
    for now, held, following in zip(states[:-1], drive, states[1:], strict=True):
        np.testing.assert_array_equal(circuit.step(now, drive=held), following)
