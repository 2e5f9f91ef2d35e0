"""Layers from neuron nodes and back: equations in time, steps of Euler's method."""

import json

import numpy as np
import pytest

from synann_core.export.nir.layers import KEY, layer_of, node_fields
from synann_core.export.nir.maps import Map
from synann_core.export.nir.nodes import Link, Node
from synann_core.spiking import LIF, Layer, leaky_integrator

DT = 1e-3
PLAIN = {"tau": np.full(2, 0.01), "r": np.full(2, 10.0), "v_leak": np.zeros(2)}
PLAIN |= {"v_threshold": np.ones(2)}
CUBA = PLAIN | {"tau_mem": PLAIN["tau"], "tau_syn": np.full(2, 0.002), "w_in": np.full(2, 2.0)}


def layer(kind, fields, recurrent=None):
    return layer_of(Link("x", Node(kind, fields), recurrent), Map((2,), 100), DT)


def test_steps_of_euler():
    found, weights = layer("LIF", PLAIN | {"v_reset": np.full(2, 0.25), "v_leak": np.full(2, 0.5)})
    neuron = found.neuron
    assert (neuron.decay, neuron.gain, neuron.rest, neuron.reset_to) == (0.9, 1.0, 0.5, 0.25)
    assert (neuron.order, neuron.reset, neuron.fires) == ("immediate", "zero", ">")
    assert np.array_equal(weights["weight"], np.eye(2))
    found, _ = layer("CubaLIF", CUBA)
    assert (found.neuron.synaptic_decay, found.neuron.decay) == (0.5, 0.9)
    found, _ = layer("IF", PLAIN)
    assert (found.neuron.decay, found.neuron.gain) == (1.0, 0.01)
    found, _ = layer("LI", PLAIN)
    assert found.neuron.threshold is None


def test_what_differs_between_neurons_is_in_the_weights():
    """A continuous input y moves the membrane by r dt/τ y, whatever the representation."""
    fields = PLAIN | {"tau": np.array([0.01, 0.02]), "r": np.array([10.0, 5.0])}
    found, weights = layer("LIF", fields, Node("Affine", {"weight": np.eye(2), "bias": [1.0, 2.0]}))
    assert found.neuron.decay.tolist() == [0.9, 0.95]
    assert found.recurrent
    np.testing.assert_allclose(weights["weight"], np.diag([1.0, 0.25]), rtol=1e-15)
    np.testing.assert_allclose(weights["recurrent"], np.diag([1.0, 0.25]), rtol=1e-15)
    np.testing.assert_allclose(weights["bias"], [1.0, 0.5], rtol=1e-15)
    found, weights = layer("CubaLIF", CUBA | {"w_in": np.array([2.0, 6.0])})
    np.testing.assert_allclose(weights["weight"], np.diag([1.0, 3.0]), rtol=1e-15)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("LIF", {"tau": np.full(2, 1e-4)}, "time constants must be at least `dt`"),
        ("LIF", {"tau": np.zeros(2)}, "`tau` must be above 0"),
        ("LIF", {"tau": np.ones(3)}, "3 numbers for 2 neurons"),
        ("LIF", {"v_leak": np.array([0.0, 1.0])}, "`v_leak` must be the same"),
        ("LIF", {"v_reset": np.array([0.0, 1.0])}, "`v_reset` must be the same"),
        ("LIF", {"v_threshold": -np.ones(2)}, "`threshold` must be in"),
        ("LIF", {"r": None}, "has no `r`"),
        ("LIF", {"metadata": {KEY: "{}"}}, "must have the keys"),
        ("LIF", {"metadata": {KEY: 3}}, "are not text"),
        ("LIF", {"metadata": {KEY: "["}}, "Expecting value"),
    ],
)
def test_neurons_that_a_layer_cannot_hold(kind, change, message):
    with pytest.raises(ValueError, match=message):
        layer(kind, PLAIN | change)


def test_weights_back_that_do_not_fit():
    with pytest.raises(ValueError, match="what leads back to it has shape"):
        layer("LIF", PLAIN, Node("Linear", {"weight": np.ones((3, 2))}))


NEURONS = [
    LIF(0.9, 0.7, reset="zero", reset_to=0.1, rest=0.2),
    LIF(0.9, 0.7, 0.5, reset="zero", order="immediate"),
    LIF(np.array([0.5, 0.9]), np.array([1.0, np.inf]), reset="zero", gain=0.3),
    LIF(1.0, 2.0, reset="zero"),
    leaky_integrator(0.8),
    leaky_integrator(1.0),
    leaky_integrator(0.8, synaptic_decay=0.5),
    LIF(0.9, order="article", fires=">=", adaptation=0.1, adaptation_decay=0.5),
]


@pytest.mark.parametrize("resistance", ["matched", "unit"])
@pytest.mark.parametrize("neuron", NEURONS, ids=lambda neuron: f"{neuron.decay} {neuron.order}")
def test_there_and_back(neuron, resistance):
    numbers = {
        name: np.broadcast_to(getattr(neuron, name), 2).astype(float)
        for name in ("decay", "threshold", "synaptic_decay")
        if getattr(neuron, name) is not None
    }
    kind, fields, scale = node_fields(Layer(2, neuron), numbers, DT, resistance, False)
    found, weights = layer(kind, fields)
    again = found.neuron
    # A unit of input moves the membrane as before.
    moved = np.diag(weights["weight"]) * scale * again.gain
    np.testing.assert_allclose(moved, neuron.gain, rtol=1e-14)
    for name in ("decay", "synaptic_decay", "threshold", "rest", "reset_to"):
        one, two = getattr(neuron, name), getattr(again, name)
        assert (one is None) == (two is None)
        if one is not None:
            np.testing.assert_allclose(two, one, rtol=1e-14)
    if resistance == "matched":
        assert np.ptp(moved / weights["weight"].diagonal()) == 0.0
    for name in ("order", "reset", "fires", "surrogate", "adaptation"):
        assert getattr(again, name) == getattr(neuron, name)
    assert json.loads(fields["metadata"][KEY])["order"] == neuron.order


@pytest.mark.parametrize(
    ("neuron", "message"),
    [
        (LIF(), "`reset` must be 'zero'"),
        (LIF(order="article", reset="zero"), "`order` must be"),
        (LIF(fires=">=", reset="zero"), "`fires` must be '>'"),
        (LIF(adaptation=0.1, reset="zero"), "`adaptation` must be 0"),
        (LIF(np.array([0.5, 1.0]), reset="zero"), "`decay` must be below 1"),
        (LIF(0.5, 1.0, 1.0, reset="zero"), "`synaptic_decay` must be below 1"),
        (LIF(1.0, rest=0.5, reset="zero"), "`rest` must be 0"),
    ],
)
def test_neurons_that_nir_has_no_word_for(neuron, message):
    numbers = {"decay": np.broadcast_to(neuron.decay, 2), "threshold": np.ones(2)}
    if neuron.synaptic_decay is not None:
        numbers["synaptic_decay"] = np.full(2, neuron.synaptic_decay)
    with pytest.raises(ValueError, match=message):
        node_fields(Layer(2, neuron), numbers, DT, "matched", True)
