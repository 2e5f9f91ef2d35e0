"""Circuits: steps, gradients through time, fixed points, on every array library."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.differentiate import complex_step
from synann_core.graph import Circuit, GraphParameters, SynapseGraph
from synann_core.graph.motifs import comparator, latch
from tests.helpers import EPS, assert_close


def driven(clip=False, alpha=1.3):
    """Two states and a drive, a readout that is not fed back, inputs in another order."""
    graph = SynapseGraph()
    graph.input("b", "drive", "a")
    share = graph.parameter("share", 0.4)
    graph.synapse("next a", excitatory="a", inhibitory={"b": share, "drive": 0.3}, alpha=alpha)
    graph.synapse("readout", excitatory=("a", "b"))
    graph.synapse("next b", excitatory=("a", "drive"), inhibitory={"b": share}, alpha=alpha)
    return Circuit(graph, {"a": "next a", "b": "next b"}, clip=clip)


def by_hand(state, drives, alpha, beta, clip):
    """The same circuit as a loop; β = (share, drive's)."""
    states = [state]
    for d in drives:
        a, b = states[-1][..., 0], states[-1][..., 1]
        d = d[..., 0]
        new = np.stack(
            [
                alpha[0] * a * (1 - beta[0] * b) * (1 - beta[1] * d),
                alpha[-1] * a * d * (1 - beta[0] * b),
            ],
            axis=-1,
        )
        if clip:  # of complex numbers, too
            new = np.where(new.real > 1.0, 1.0, np.where(new.real < 0.0, 0.0, new))
        states.append(new)
    return np.stack(states)


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
    np.testing.assert_array_equal(driven(False, 2.0).step(state, drive[0])[0], [0.7, 1.0])
    state[1] = (0.0, 0.5)
    arrays = [ad.asarray(a) for a in (state, drive)]
    got = ad.gradients(lambda s, d: circuit.iterate(s, 2, drive=d), ad.asarray(weights), *arrays)
    want = circuit.iterate_vjp(state, drive=drive, grad=weights)
    for g, w in zip(got, want, strict=False):
        assert_close(ad.to_numpy(g), w, 1e-12)


def test_dtypes():
    """Results in the dtype of the arguments, gradients in each one's own."""
    circuit, half = comparator(), np.full((2, 2), 0.5, np.float16)
    assert circuit.step(half).dtype == np.float16
    assert circuit.iterate(half, 2).dtype == np.float16
    assert circuit.jacobian(half).dtype == np.float16
    assert circuit.iterate_vjp(half, grad=np.ones((3, 2, 2), np.float16))[0].dtype == np.float16
    state, drive = np.full(2, 0.5, np.float32), np.full(1, 0.5)
    assert driven().iterate(state, 2, drive=drive).dtype == np.float64
    gstate, gdrive, _ = driven().iterate_vjp(state, drive=drive, grad=np.ones((3, 2)))
    assert (gstate.dtype, gdrive.dtype) == (np.float32, np.float64)


def test_jax_without_float64():
    import jax

    with jax.enable_x64(False):
        state = comparator().step(jax.numpy.asarray([0.5, 0.25]))  # a warning would be an error
    np.testing.assert_array_equal(state, np.asarray([0.375, 0.125], np.float32))


def test_no_steps():
    state = np.array([0.3, 0.6])
    circuit = comparator()
    np.testing.assert_array_equal(circuit.iterate(state, 0), [state])
    gstate, gdrive, gparams = circuit.iterate_vjp(state, grad=np.ones((1, 2)))
    np.testing.assert_array_equal(gstate, [1.0, 1.0])
    assert gdrive is None
    assert not np.any(gparams.alpha)
    held = driven().iterate_vjp(state, drive=np.ones(1), grad=np.ones((1, 2)))[1]
    np.testing.assert_array_equal(held, [0.0])


def test_parameters_can_be_given():
    circuit = comparator()
    state, params = (
        np.array([0.5, 0.4]),
        GraphParameters(np.array([0.9, 0.8]), np.array([0.7, 0.6])),
    )
    want = [0.9 * 0.5 * (1 - 0.7 * 0.4), 0.8 * 0.4 * (1 - 0.6 * 0.5)]
    np.testing.assert_allclose(circuit.step(state, params=params), want, rtol=1e-15)
    slopes = [[0.9 * (1 - 0.7 * 0.4), -0.9 * 0.7 * 0.5], [-0.8 * 0.6 * 0.4, 0.8 * (1 - 0.6 * 0.5)]]
    np.testing.assert_allclose(circuit.jacobian(state, params=params), slopes, rtol=1e-15)
    gparams = circuit.iterate_vjp(state, params=params, grad=np.ones((2, 2)))[2]
    np.testing.assert_allclose(gparams.alpha, np.divide(want, [0.9, 0.8]), rtol=1e-15)


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_jacobian_is_the_derivative_of_a_step(seed, clip):
    rng = np.random.default_rng(seed)
    circuit = driven(clip, alpha=1.2)
    state, drive = rng.random(2), rng.random(1)
    got = circuit.jacobian(state, drive)
    step = 1e-6
    for j in range(2):
        side = step * np.eye(2)[j]
        slope = (circuit.step(state + side, drive) - circuit.step(state - side, drive)) / (2 * step)
        raw = driven(False, 1.2).step(state, drive)
        if not clip or np.all(np.abs(raw - 1.0) > 1e-4):  # not on the edge
            np.testing.assert_allclose(got[:, j], slope, atol=1e-9)


@pytest.mark.jax_alternates
def test_jacobian_of_a_batch(xp):
    rng = np.random.default_rng(4)
    circuit, state, drive = driven(True, 2.5), rng.random((4, 3, 2)), rng.random((3, 1))
    got = xp.call(circuit.jacobian, xp.asarray(state), xp.asarray(drive))
    one = [[circuit.jacobian(s, d) for s, d in zip(row, drive, strict=True)] for row in state]
    assert_close(xp.to_numpy(got), one, 4 * EPS["float64"])


def logistic(alpha):
    graph = SynapseGraph()
    graph.input("x")
    graph.synapse("next", excitatory="x", inhibitory="x", alpha=alpha)
    return Circuit(graph, {"x": "next"})


@pytest.mark.parametrize(
    ("alpha", "points"),
    [
        (0.8, [(0.0, 0.8)]),
        (1.0, [(0.0, 1.0)]),  # two points meet
        (2.0, [(0.0, 2.0), (0.5, 0.0)]),
        (3.2, [(0.0, 3.2), (1 - 1 / 3.2, 1.2)]),
    ],
)
def test_fixed_points_of_the_logistic_map(alpha, points):
    found = logistic(alpha).fixed_points(starts=20)
    assert len(found) == len(points)
    for got, (state, radius) in zip(found, points, strict=True):
        accuracy = 1e-5 if alpha == 1.0 else 1e-12
        np.testing.assert_allclose(got.state, [state], atol=accuracy)
        np.testing.assert_allclose(got.spectral_radius, radius, atol=10 * accuracy)
        assert got.stable == (radius < 1.0 - 10 * accuracy or got.spectral_radius < 1.0)


def test_fixed_points_of_the_latch():
    found = latch().fixed_points(drive=np.zeros(2))
    stable = [point.state.tolist() for point in found if point.stable]
    assert stable == [[0.0, 1.0], [1.0, 0.0]]
    # Between them a saddle, x = 2x(1 − 0.8x), and the empty state, which nothing holds.
    middle = [point.state for point in found if not point.stable]
    np.testing.assert_allclose(sorted(map(tuple, middle)), [(0, 0), (0.625, 0.625)], atol=1e-12)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda g: Circuit("g", {"x": "z"}), TypeError, "`graph` must be a SynapseGraph"),
        (lambda g: Circuit(g, ["x"]), TypeError, "`feedback` must map inputs to outputs"),
        (lambda g: Circuit(g, {}), ValueError, "`feedback` must name one input or more"),
        (lambda g: Circuit(g, {"z": "z"}), ValueError, "an input of the graph. Received: 'z'"),
        (lambda g: Circuit(g, {"x": "x"}), ValueError, "an output of the graph. Received: 'x'"),
        (lambda g: Circuit(g, {"x": "z", "y": "z"}), ValueError, "name every output once"),
    ],
)
def test_circuits_that_cannot_be(make, error, message):
    graph = SynapseGraph()
    graph.input("x", "y")
    graph.synapse("z", excitatory="x", inhibitory="y")
    with pytest.raises(error, match=message):
        make(graph)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda c: c.iterate(np.zeros(2), 3), ValueError, r"`drive` must be given for \('drive'"),
        (lambda c: c.iterate(np.zeros(3), 3, drive=np.zeros(1)), ValueError, "`state` must have"),
        (lambda c: c.iterate(np.zeros(2), -1, drive=np.zeros(1)), ValueError, "`steps` must be at"),
        (lambda c: c.iterate(np.zeros(2), 1.5, drive=np.zeros(1)), TypeError, "`steps` must be an"),
        (lambda c: c.iterate(np.zeros(2), 3, drive=np.zeros((2, 1))), ValueError, "have 3 steps"),
        (lambda c: c.step(np.zeros(2), np.zeros((4, 1))), ValueError, "leading axes"),
        (lambda c: c.step(np.zeros(2, int), np.zeros(1)), TypeError, "`state` must have a real"),
        (lambda c: c.step(np.zeros(2), np.zeros(2)), ValueError, "`drive` must have shape"),
        (
            lambda c: c.iterate_vjp(np.zeros(2), drive=np.zeros(1), grad=np.zeros(2)),
            ValueError,
            r"`grad` must have shape \(2, 2\)",
        ),
        (
            lambda c: c.iterate_vjp(np.zeros(2), grad=1.0),
            ValueError,
            r"`grad` must have shape \(steps",
        ),
        (
            lambda c: c.iterate_vjp([0.0], grad=np.zeros((2, 1))),
            ValueError,
            "`drive` must be given",
        ),
        (
            lambda c: c.iterate_vjp([0.0, 0.0], drive=np.zeros(1), grad=np.zeros((2, 2))),
            TypeError,
            "`state` must be an array",
        ),
        (lambda c: c.fixed_points(drive=[0.5]), TypeError, "`drive` must be an array"),
        (lambda c: c.fixed_points(drive=np.zeros((3, 1))), ValueError, r"`drive` must have shape"),
        (lambda c: c.fixed_points(drive=np.full(1, np.nan)), ValueError, "a finite Jacobian"),
        (lambda c: c.fixed_points(drive=np.zeros(1), tolerance="1"), ValueError, "`tolerance`"),
        (lambda c: c.fixed_points(drive=np.zeros(1), starts=-1), ValueError, "`starts` must be"),
        (lambda c: c.fixed_points(drive=np.zeros(1), tolerance=0), ValueError, "`tolerance` must"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call(driven())


def test_a_drive_where_there_is_none():
    with pytest.raises(ValueError, match="`drive` must be left out"):
        comparator().step(np.zeros(2), np.zeros(1))
