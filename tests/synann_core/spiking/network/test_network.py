"""Spiking networks: training, losses that learn, readouts, errors."""

from typing import get_args

import numpy as np
import pytest

import reference.spiking as slow
from synann_core.optim import SGD, Adam
from synann_core.spiking import LIF, Layer, SpikingNetwork, arctan, leaky_integrator
from synann_core.spiking.network import losses
from tests.helpers import assert_close
from tests.synann_core.spiking.network.cases import FEATURES, NETWORKS, PLAIN, STEPS, make


@pytest.mark.parametrize("kind", ["article's", "learned"])
def test_training_is_the_same_on_every_library(xp, kind):
    if xp.name == "jax-jit" or (xp.is_jax and kind == "learned"):
        pytest.skip("fit is no pure function; its step is jitted, which takes ten seconds")
    network, x, labels = make(kind)
    x, labels = np.tile(x, (4, 1)), np.tile(labels, 4)
    start = dict(network.weights)
    seen = []
    options = {"epochs": 2, "batch_size": 10, "optimizer": Adam(0.01)}
    history = network.fit(
        xp.asarray(x), labels, **options, callback=seen.append, progress=lambda *b: seen.append(b)
    )
    assert [entry[0] for entry in seen if isinstance(entry, tuple)] == [10, 10, 4] * 2
    assert seen[3] == {k: v[0] for k, v in history.items()}
    other = SpikingNetwork(FEATURES, NETWORKS[kind], steps=STEPS)
    other.weights = start
    other.fit(x, labels, **options)
    for name, weight in network.weights.items():
        xp.check(weight, "float64")
        assert_close(xp.to_numpy(weight), other.weights[name], 1e-9)
        assert np.abs(xp.to_numpy(weight) - start[name]).max() > 1e-3


def test_sequences_train_like_the_constant_input_they_repeat():
    weights = []
    for sequence in (False, True):
        network, x, labels = make("article's")
        x = np.broadcast_to(x, (STEPS, *x.shape)) if sequence else x
        network.fit(x, labels, epochs=3, batch_size=4, optimizer=Adam(0.01))
        assert network.score(x, labels) >= 0.5
        weights.append(network.weights)
    for name, weight in weights[0].items():
        assert_close(weights[1][name], weight, 1e-9)


@pytest.mark.parametrize("loss", get_args(losses.Loss))
@pytest.mark.parametrize("kind", ["linear", "synapse"])
def test_each_loss_learns(loss, kind):
    rng = np.random.default_rng(0)
    centres = rng.random((3, 12))
    labels = rng.integers(0, 3, 300)
    x = np.clip(centres[labels] + rng.normal(0, 0.15, (300, 12)), 0, 1)
    neuron = LIF(0.9, surrogate=arctan())
    network = SpikingNetwork(
        12, [Layer(40, neuron, kind=kind), Layer(3, neuron)], steps=12, loss=loss
    )
    readout = {"count": "count", "first_spike": "first_spike"}.get(loss, "membrane")
    before = network.score(x[200:], labels[200:], readout=readout)
    network.fit(x[:200], labels[:200], epochs=12, batch_size=20, optimizer=Adam(0.01))
    after = network.score(x[200:], labels[200:], readout=readout)
    assert before < 0.7
    assert after > 0.9


def test_readouts_and_predictions(xp):
    network, x, labels = make("article's")
    (_, _), (spikes, membranes) = network.run(x)
    x = xp.asarray(x)
    found = {r: network.decision_function(x, readout=r) for r in get_args(losses.Readout)}
    assert_close(xp.to_numpy(found["count"]), spikes.sum(0), 1e-15)
    assert_close(xp.to_numpy(found["membrane"]), membranes.sum(0), 1e-13)
    assert_close(xp.to_numpy(found["first_spike"]), -slow.first_spike(spikes), 1e-15)
    for readout, scores in found.items():
        predicted = xp.to_numpy(network.predict(x, readout=readout))
        np.testing.assert_array_equal(predicted, xp.to_numpy(scores).argmax(1))
        share = float(np.mean(predicted == labels))
        assert network.score(x, labels, readout=readout) == share


def test_many_samples_go_by_chunks_and_none_is_left_out(monkeypatch):
    network, x, _ = make("article's")
    whole = network.decision_function(x)
    monkeypatch.setattr("synann_core.spiking.network.network._CHUNK", 4)
    np.testing.assert_allclose(network.decision_function(x), whole, rtol=1e-13)
    sequence = np.broadcast_to(x, (STEPS, *x.shape))
    np.testing.assert_allclose(network.decision_function(sequence), whole, rtol=1e-13)


def test_learned_decays_stay_in_range():
    network, x, labels = make("learned")
    network.fit(x, labels, epochs=3, optimizer=SGD(50.0, momentum=0.0))
    for name, weight in network.weights.items():
        if name.endswith("decay"):
            assert weight.min() >= 0
            assert weight.max() <= 1
    assert network.weights["0.threshold"].min() >= 0


def test_a_readout_without_threshold():
    network = SpikingNetwork(5, [Layer(8, PLAIN), Layer(3, leaky_integrator(0.9))], steps=10)
    x, labels = np.random.default_rng(0).random((40, 5)), np.arange(40) % 3
    loss, _ = network.gradients(x, labels)
    history = network.fit(x, labels, epochs=30, optimizer=Adam(0.02))
    assert history["loss"][-1] < 0.9 * float(loss)
    assert not network.run(x)[-1][0].any()


@pytest.mark.parametrize("kind", ["linear", "synapse"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1.5, -0.5])
def test_inputs_that_a_layer_cannot_take_are_refused(kind, bad):
    network = SpikingNetwork(5, [Layer(4, kind=kind)], steps=3)
    X = np.where(np.arange(20).reshape(4, 5) == 7, bad, 0.5)
    if kind == "linear" and np.isfinite(bad):
        assert np.isfinite(network.decision_function(X)).all()
        return
    what = "values in \\[0, 1\\]" if kind == "synapse" else "finite numbers"
    for call in (
        lambda: network.fit(X, LABELS),
        lambda: network.gradients(X, LABELS),
        lambda: network.decision_function(X),
        lambda: network.score(X, LABELS),
        lambda: network.run(X),
    ):
        with pytest.raises(ValueError, match=rf"`X` must hold {what}\. Received: 1 outside"):
            call()


GOOD = np.full((4, 5), 0.5)
LABELS = np.array([0, 1, 2, 3])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda n: SpikingNetwork(0, [Layer(2)]), ValueError, "`in_features` must be at least"),
        (lambda n: SpikingNetwork(2, []), TypeError, "`layers` must be a sequence of Layers"),
        (lambda n: SpikingNetwork(2, Layer(2)), TypeError, "`layers` must be a sequence of Layers"),
        (lambda n: SpikingNetwork(2, np.array(0)), TypeError, "`layers` must be a sequence"),
        (lambda n: SpikingNetwork(2, [3]), TypeError, "`layers` must be a sequence of Layers"),
        (lambda n: SpikingNetwork(2, [Layer(2)], steps=0), ValueError, "`steps` must be at"),
        (lambda n: SpikingNetwork(2, [Layer(2)], loss="mse"), ValueError, "`loss` must be one"),
        (lambda n: n.run(1.0), TypeError, "`X` must be an array"),
        (lambda n: n.run(np.ones((4, 5), int)), TypeError, "`X` must be float32 or float64"),
        (lambda n: n.run(np.ones((4, 6))), ValueError, r"`X` must have shape \(samples, 5\)"),
        (lambda n: n.run(np.ones((0, 5))), ValueError, "without an axis of size 0"),
        (lambda n: n.fit(GOOD, LABELS[:3]), ValueError, "`y` must have shape"),
        (lambda n: n.fit(GOOD, LABELS + 1), ValueError, "`y` must hold labels 0 to 3"),
        (lambda n: n.fit(GOOD, LABELS, epochs=-1), ValueError, "`epochs` must be at least"),
        (lambda n: n.fit(GOOD, LABELS, batch_size=0), ValueError, "`batch_size` must be at"),
        (lambda n: n.fit(GOOD, LABELS, optimizer="adam"), TypeError, "`optimizer` must be an"),
        (lambda n: n.fit(GOOD, LABELS, callback=3), TypeError, "`callback` must be callable"),
        (lambda n: n.fit(GOOD, LABELS, rng=None), TypeError, "`rng` must be an int"),
        (lambda n: n.predict(GOOD, readout="mean"), ValueError, "`readout` must be one of"),
    ],
)
def test_errors(call, error, text):
    network, _, _ = make("article's")
    before = dict(network.weights)
    with pytest.raises(error, match=text):
        call(network)
    assert all(network.weights[k] is before[k] for k in before)


def test_changed_weights_are_checked():
    network, x, labels = make("article's")
    network.weights["0.bias"] = np.zeros(1)
    for use in (lambda: network.fit(x, labels), lambda: network.run(x)):
        with pytest.raises(ValueError, match=r"`weights\['0.bias'\]` must have shape"):
            use()


def test_a_network_shows_its_layers():
    text = repr(SpikingNetwork(2, [Layer(3), Layer(1)], loss="count"))
    assert text.startswith("SpikingNetwork(2, [Layer(units=3, neuron=LIF(")
    assert text.endswith("], steps=25, loss='count')")
