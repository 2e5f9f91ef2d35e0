"""The formulas of one step, on numbers that can be checked by hand."""

import numpy as np
import pytest
from array_api_compat import array_namespace

from synann_core.spiking import LIF, State, boxcar
from synann_core.spiking.neurons import formulas
from synann_core.spiking.neurons.records import Inputs, Parameters

PARAMS = Parameters(
    np.array(0.5), np.array(1.0), np.array(0.25), recurrent=np.array([[0.0, 2.0], [3.0, 0.0]])
)
STATE = State(
    np.array([1.5, 0.5]), np.array([4.0, 8.0]), np.array([1.0, 0.0]), np.array([0.5, 1.0])
)
HALVES = np.array([0.5, 1.0, 1.5])


def test_currents_decay_and_take_in_spikes():
    current = np.array([0.25, 0.5])
    got = formulas.drive(PARAMS, STATE, current, np)
    np.testing.assert_array_equal(got, [1.0 + 0.25, 2.0 + 0.5 + 3.0])
    got = formulas.drive(Parameters(0.5), STATE, current, np)
    assert got is current


def test_adaptation_raises_the_threshold():
    rule = LIF(adaptation=2.0, adaptation_decay=0.5).rule
    np.testing.assert_array_equal(formulas.threshold_of(PARAMS, STATE.adaptation, rule), [2, 3])
    assert formulas.threshold_of(PARAMS, None, rule) == 1.0
    assert formulas.threshold_of(Parameters(0.5), None, rule) is None
    spikes = np.array([1.0, 0.0])
    np.testing.assert_array_equal(formulas.adapted(STATE.adaptation, spikes, rule), [1.25, 0.5])
    assert formulas.adapted(None, spikes, rule) is None


@pytest.mark.parametrize(("fires", "want"), [(">", [0, 0, 1]), (">=", [0, 1, 1])])
def test_spikes_at_and_above_the_threshold(fires, want):
    rule = LIF(fires=fires).rule
    np.testing.assert_array_equal(formulas.fired(HALVES, np.array(1.0), rule, np), want)
    assert not formulas.fired(HALVES, None, rule, np).any()


def test_a_spike_has_the_surrogates_derivative(ad):
    """The library's autodiff sees it at the potential and, negated, at the threshold."""
    rule = LIF(surrogate=boxcar(0.25, 3.0)).rule

    def spikes(potential, threshold):
        return formulas.fire(potential, threshold, rule, array_namespace(potential))

    one = ad.asarray(np.ones(3))
    found = ad.gradients(spikes, one, ad.asarray(HALVES), ad.asarray(np.array(1.0)))
    np.testing.assert_array_equal(ad.to_numpy(found[0]), [0.0, 3.0, 0.0])
    assert float(found[1]) == -3.0


@pytest.mark.parametrize(
    ("order", "want"), [("snntorch", [1, 0]), ("article", [1, 0]), ("immediate", [0, 0])]
)
def test_the_membrane_tells_the_spikes_before_the_first_step(order, want):
    rule = LIF(order=order).rule
    state = State(np.array([1.5, 0.5]))
    full = formulas.complete(Inputs(PARAMS, state, HALVES), rule, formulas.fired, np)
    np.testing.assert_array_equal(full.spikes, want)
    given = state._replace(spikes=np.array([0.0, 1.0]))
    assert formulas.complete(Inputs(PARAMS, given, HALVES), rule, formulas.fired, np) is given


@pytest.mark.parametrize(
    ("reset", "want"), [("subtract", [0.5, 0.75]), ("zero", [0.2, 0.75]), ("none", [1.5, 0.75])]
)
def test_resets(reset, want):
    rule = LIF(order="immediate", reset=reset, reset_to=0.2).rule
    m, spikes = np.array([1.5, 0.75]), np.array([1.0, 0.0])
    np.testing.assert_array_equal(formulas.reset_by(m, spikes, np.array(1.0), rule), want)
    np.testing.assert_array_equal(formulas.membranes(m, spikes, PARAMS, rule, np), want)
    assert formulas.reset_by(m, spikes, None, rule) is m
    later = LIF(order="snntorch", reset=reset).rule
    assert formulas.membranes(m, spikes, PARAMS, later, np) is m


def test_thresholds_of_a_run_follow_its_spikes():
    neuron = LIF(0.0, adaptation=0.5, adaptation_decay=0.8)
    potential = np.array([2.0, 1.2, 1.5, 0.0])[:, None]
    state = State(np.zeros(1), adaptation=np.zeros(1))
    inputs = Inputs(Parameters(np.zeros(1), np.ones(1)), state, potential)
    raised = formulas.adaptations(inputs, potential, neuron.rule, np)
    np.testing.assert_allclose(raised[:, 0], [0.0, 1.0, 0.8, 1.64])
    level = formulas.thresholds(inputs, potential, neuron.rule, np)
    np.testing.assert_allclose(level[:, 0], [1.0, 1.5, 1.4, 1.82])
    plain = inputs._replace(state=State(np.zeros(1)))
    assert formulas.adaptations(plain, potential, neuron.rule, np) is None
    assert formulas.thresholds(plain, potential, neuron.rule, np) == 1.0
