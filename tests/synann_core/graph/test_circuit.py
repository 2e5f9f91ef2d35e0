"""Circuits: dtypes, parameters, and what they refuse."""

import numpy as np
import pytest

from synann_core.graph import Circuit, GraphParameters, SynapseGraph
from synann_core.graph.motifs import comparator
from tests.graphs import driven


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
        (lambda c: c.step(np.zeros(2), drive=np.zeros((4, 1))), ValueError, "leading axes"),
        (
            lambda c: c.step(np.zeros(2, int), drive=np.zeros(1)),
            TypeError,
            "`state` must have a real",
        ),
        (lambda c: c.step(np.zeros(2), drive=np.zeros(2)), ValueError, "`drive` must have shape"),
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
        (lambda c: c.fixed_points(drive=np.zeros(1), tolerance="1"), TypeError, "`tolerance`"),
        (lambda c: c.fixed_points(drive=np.zeros(1), starts=-1), ValueError, "`starts` must be"),
        (lambda c: c.fixed_points(drive=np.zeros(1), tolerance=0), ValueError, "`tolerance` must"),
        (lambda c: c.fixed_points(drive=np.zeros(1), tolerance=True), TypeError, "`tolerance`"),
        (lambda c: c.fixed_points(drive=np.zeros(1), rng=-1), ValueError, "`rng` must not be"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call(driven())


def test_a_drive_where_there_is_none():
    with pytest.raises(ValueError, match="`drive` must be left out"):
        comparator().step(np.zeros(2), drive=np.zeros(1))


def test_a_circuit_keeps_its_graph():
    """Whatever is added later, to the graph or to what the circuit tells of it."""
    graph = SynapseGraph()
    graph.input("x")
    gain = graph.parameter("gain", 0.5)
    graph.synapse("next", excitatory="x", alpha=gain)
    circuit = Circuit(graph, {"x": "next"})
    for own in (graph, circuit.graph):
        own.synapse("new", excitatory="next")
        own.parameter("more", 1.0)
        own.output("new")
    assert circuit.graph.neurons == ("next",)
    assert circuit.graph.outputs == ("next",)
    assert circuit.graph.parameter("more", 2.0).value == 2.0
    again = Circuit(circuit.graph, circuit.feedback)
    np.testing.assert_array_equal(again.step(np.ones(1)), [0.5])


def test_circuits_show_their_counts():
    assert repr(driven()) == "<Circuit states=2 drives=1>"
