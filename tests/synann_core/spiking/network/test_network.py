"""Spiking networks: gradients by hand against torch's autograd, losses, folding, training."""

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import reference.spiking as slow
from synann_core.optim import SGD, Adam
from synann_core.spiking import (
    LIF,
    Layer,
    SpikingNetwork,
    arctan,
    fast_sigmoid,
    leaky_integrator,
    norse_lif,
)
from synann_core.spiking.network import losses
from tests.helpers import EPS, assert_close

LOSSES = get_args(losses.Loss)
WIDE = fast_sigmoid(0.5)
PLAIN = LIF(0.9, surrogate=WIDE)
NETWORKS = {
    "article's": [Layer(9, PLAIN), Layer(4, PLAIN)],
    "synapse": [Layer(9, PLAIN, kind="synapse", spread=3.0), Layer(4, PLAIN)],
    "synapse of spikes": [Layer(9, PLAIN), Layer(4, PLAIN, kind="synapse", spread=3.0)],
    "learned": [
        Layer(
            9,
            LIF(0.8, 0.9, 0.4, surrogate=WIDE, detach_reset=False),
            recurrent=True,
            learn=("decay", "threshold", "synaptic_decay"),
        ),
        Layer(4, LIF(0.7, order="immediate", surrogate=WIDE), learn=("decay",)),
    ],
    "norse": [Layer(9, norse_lif(v_leak=0.3)), Layer(7, PLAIN), Layer(4, norse_lif())],
    "adaptive": [
        Layer(9, LIF(0.9, adaptation=0.2, adaptation_decay=0.9, surrogate=WIDE)),
        Layer(4, LIF(0.9, order="article", surrogate=WIDE)),
    ],
}
SAMPLES, FEATURES, STEPS = 6, 5, 7


def make(kind, loss="membrane", sequence=False, seed=0):
    """A network whose neurons fire, inputs in [0, 1], labels."""
    rng = np.random.default_rng(seed)
    network = SpikingNetwork(FEATURES, NETWORKS[kind], steps=STEPS, loss=loss, seed=seed)
    gain = {"weight": 4.0, "bias": 2.0}
    network.weights = {k: w * gain.get(k.split(".")[1], 1.0) for k, w in network.weights.items()}
    shape = (STEPS, SAMPLES, FEATURES) if sequence else (SAMPLES, FEATURES)
    return network, rng.random(shape), rng.integers(0, 4, SAMPLES)


def loss_by_autograd(network, weights, x, labels):
    """The same network in torch's own terms: every step its products, autograd through them."""
    layers, records = network.layers, []
    states = [None] * len(layers)
    for t in range(STEPS):
        inputs = x if x.ndim == 2 else x[t]
        for k, layer in enumerate(layers):
            bias = weights[f"{k}.bias"]
            if layer.kind == "linear":
                current = inputs @ weights[f"{k}.weight"].T + bias
            else:
                beta = torch.sigmoid(weights[f"{k}.beta_logit"])
                transmission = torch.log1p(-beta * inputs[:, None, :]).sum(-1)
                current = weights[f"{k}.gain"] * transmission + bias
            names = ("decay", "threshold", "synaptic_decay", "recurrent")
            rule = {name: getattr(layer.neuron, name) for name in layer.neuron.rule._fields}
            params = {n: weights.get(f"{k}.{n}", getattr(layer.neuron, n)) for n in names}
            inputs, states[k] = LIF(**params, **rule).step(current, state=states[k])
        records.append((inputs, states[-1].membrane))
    spikes, membrane = (torch.stack(parts) for parts in zip(*records, strict=True))
    entropy = torch.nn.functional.cross_entropy
    if network.loss == "membrane":
        return sum(entropy(m, labels) for m in membrane), spikes
    if network.loss == "first_spike":
        return entropy(-torch.cumprod(1 - spikes, 0).sum(0), labels), spikes
    return entropy((spikes if network.loss == "count" else membrane).sum(0), labels), spikes


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", NETWORKS)
def test_gradients_equal_autograd(kind, loss, sequence):
    network, x, labels = make(kind, loss, sequence)
    leaves = {k: torch.tensor(w, requires_grad=True) for k, w in network.weights.items()}
    wanted, spikes = loss_by_autograd(network, leaves, torch.tensor(x), torch.tensor(labels))
    want = torch.autograd.grad(wanted, list(leaves.values()))
    assert 0.02 < float(spikes.detach().mean()) < 0.98
    value, got = network.gradients(x, labels)
    assert float(value) == pytest.approx(wanted.item(), rel=1e-12)
    assert got.keys() == leaves.keys()
    scale = max(float(g.abs().max()) for g in want)
    for name, g in zip(leaves, want, strict=True):
        assert_close(got[name], g.numpy(), 1e-12, scale=max(scale * 1e-2, float(g.abs().max())))


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_gradient_wrong_by_half_a_thousandth_is_seen(kind):
    network, x, labels = make(kind)
    leaves = {k: torch.tensor(w, requires_grad=True) for k, w in network.weights.items()}
    wanted, _ = loss_by_autograd(network, leaves, torch.tensor(x), torch.tensor(labels))
    want = torch.autograd.grad(wanted, list(leaves.values()))
    _, got = network.gradients(x, labels)
    for name, g in zip(leaves, want, strict=True):
        with pytest.raises(AssertionError):
            assert_close(got[name] * 1.0005, g.numpy(), 1e-11)


@pytest.mark.jax_alternates
@pytest.mark.parametrize("kind", ["article's", "synapse", "learned"])
def test_every_library_has_the_same_gradients(xp, dtype, kind):
    network, x, labels = make(kind)
    x = x.astype("float32").astype(float)
    network.weights = {k: w.astype("float32").astype(float) for k, w in network.weights.items()}
    want_loss, want = network.gradients(x, labels)

    if xp.name == "jax-jit":
        pytest.skip("it is jitted inside")
    loss, found = network.gradients(xp.asarray(x, dtype), labels)
    xp.check(loss, dtype, ())
    limit = 3e4 * EPS[dtype]  # products of products, over seven steps
    assert_close(xp.to_numpy(loss), want_loss, limit)
    for name, g in want.items():
        xp.check(found[name], dtype, g.shape)
        assert_close(xp.to_numpy(found[name]), g, limit, scale=max(1.0, np.abs(g).max()))


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_constant_input_is_folded(kind):
    """One product instead of one a step, with the same spikes, loss and gradients."""
    network, x, labels = make(kind)
    repeated = np.ascontiguousarray(np.broadcast_to(x, (STEPS, *x.shape)))
    for (one, _), (other, _) in zip(network.run(x), network.run(repeated), strict=True):
        np.testing.assert_array_equal(one, other)
    (one, got), (other, want) = network.gradients(x, labels), network.gradients(repeated, labels)
    assert float(one) == pytest.approx(float(other), rel=1e-13)
    for name in want:
        assert_close(got[name], want[name], 1e-12, scale=max(1.0, np.abs(want[name]).max()))


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


@pytest.mark.parametrize("loss", LOSSES)
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


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_first_spike_times_and_their_slopes(seed, rate):
    """Flipping one spike changes the time by the slope: the form is linear in each."""
    rng = np.random.default_rng(seed)
    spikes = (rng.random((6, 2, 3)) < rate).astype(float)
    times, slopes = losses.first_spike(spikes, np)
    np.testing.assert_array_equal(times, slow.first_spike(spikes))
    for t in range(6):
        flipped = spikes.copy()
        flipped[t] = 1 - spikes[t]
        change = slow.first_spike(flipped) - times
        np.testing.assert_allclose(slopes[t] * (1 - 2 * spikes[t]), change, atol=1e-12)


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


def test_initial_weights_are_seeded_and_counted():
    one, two = (SpikingNetwork(784, [Layer(1000), Layer(10)], seed=s) for s in (0, 0))
    assert one.parameter_count == 784 * 1000 + 1000 + 1000 * 10 + 10
    assert all(np.array_equal(one.weights[k], two.weights[k]) for k in one.weights)
    other = SpikingNetwork(784, [Layer(1000), Layer(10)], seed=1)
    assert not np.array_equal(one.weights["0.weight"], other.weights["0.weight"])
    assert np.abs(one.weights["0.weight"]).max() <= 1 / 28


GOOD = np.full((4, 5), 0.5)
LABELS = np.array([0, 1, 2, 3])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda n: Layer(0), ValueError, "`units` must be at least 1"),
        (lambda n: Layer(2, 0.9), TypeError, "`neuron` must be a LIF"),
        (lambda n: Layer(2, kind="dense"), ValueError, "`kind` must be one of"),
        (lambda n: Layer(2, recurrent=1), TypeError, "`recurrent` must be a bool"),
        (lambda n: Layer(2, learn=("tau",)), ValueError, "`learn` must be one of"),
        (lambda n: Layer(2, learn=("synaptic_decay",)), ValueError, "`learn` must name what"),
        (lambda n: Layer(2, spread="1"), TypeError, "`spread` must be a number"),
        (
            lambda n: Layer(2, LIF(recurrent=np.ones((2, 2))), recurrent=True),
            ValueError,
            "`recurrent` must be False",
        ),
        (lambda n: SpikingNetwork(0, [Layer(2)]), ValueError, "`in_features` must be at least"),
        (lambda n: SpikingNetwork(2, []), TypeError, "`layers` must be one or more Layers"),
        (lambda n: SpikingNetwork(2, [3]), TypeError, "`layers` must be one or more Layers"),
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
        (lambda n: n.fit(GOOD * np.nan, LABELS), ValueError, "`optimizer` must keep the weights"),
    ],
)
def test_errors(call, error, text):
    network, _, _ = make("article's")
    before = dict(network.weights)
    with pytest.raises(error, match=text):
        call(network)
    assert all(network.weights[k] is before[k] for k in before)
