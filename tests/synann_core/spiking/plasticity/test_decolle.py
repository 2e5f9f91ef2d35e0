"""DECOLLE: a layer's own loss, its signal, and layers that learn by them alone."""

import numpy as np
import pytest

from synann_core.optim import Adam
from synann_core.spiking import LIF, eprop_gradient, local_signal
from tests.helpers import EPS, assert_close


def case(rng, steps=5, batch=3, m=4, k=2):
    spikes = (rng.random((steps, batch, m)) < 0.5).astype(float)
    target = np.eye(k)[rng.integers(0, k, (steps, batch))]
    target[0] = 0.0  # a step that does not count
    return spikes, rng.normal(size=(k, m)), target


def plain_loss(spikes, readout, target, loss):
    total = 0.0
    for t in range(len(spikes)):
        for b in range(spikes.shape[1]):
            said = readout @ spikes[t, b]
            if loss == "squared":
                total = total + 0.5 * ((said - target[t, b]) ** 2).sum()
            else:
                total = total - (target[t, b] * np.log(np.exp(said) / np.exp(said).sum())).sum()
    return total / spikes.shape[1]


@pytest.mark.jax_alternates
@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_the_signal_is_the_gradient_of_the_loss(xp, dtype, loss):
    spikes, readout, target = (a.astype(dtype) for a in case(np.random.default_rng(0)))
    arrays = [xp.asarray(a, dtype) for a in (spikes, readout, target)]
    value, signal = xp.call(lambda *a: local_signal(*a, loss=loss), *arrays)
    xp.check(value, dtype, ())
    xp.check(signal, dtype, (5, 3, 4))
    exact = [a.astype(float) for a in (spikes, readout, target)]
    assert_close(xp.to_numpy(value), plain_loss(*exact, loss), 50 * EPS[dtype])
    want = np.zeros(spikes.shape)
    for place in np.ndindex(*want.shape):  # by complex steps
        moved = exact[0].astype(complex)
        moved[place] += 1e-30j
        want[place] = plain_loss(moved, *exact[1:], loss).imag / 1e-30
    assert_close(xp.to_numpy(signal), want, 50 * EPS[dtype], scale=1.0)
    if loss == "cross_entropy":
        assert not xp.to_numpy(signal)[0].any()


def test_large_outputs_neither_overflow_nor_lose_the_loss():
    spikes, readout = np.ones((1, 1, 1)), np.array([[1e4], [-1e4]])
    value, signal = local_signal(spikes, readout, np.eye(2)[None, 1:], loss="cross_entropy")
    assert float(value) == 2e4
    assert signal[0, 0, 0] == 2e4


def test_two_layers_learn_without_a_word_between_them():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 60)
    early, late = rng.random((20, 60, 10)) < 0.1, rng.random((20, 60, 10)) < 0.1
    early[:6, :, :5] |= (y == 0)[:, None]
    late[:6, :, 5:] |= (y == 1)[:, None]
    x = (early | late).astype(float)
    neuron, target = LIF(0.8), np.tile(np.eye(2)[y], (20, 1, 1)) / 20.0
    weights = [rng.normal(0.0, 0.3, (20, 10)), rng.normal(0.0, 0.3, (20, 20))]
    readouts = [rng.normal(0.0, 0.3, (2, 20)) for _ in weights]
    rule = Adam()
    state, losses = rule.init(dict(enumerate(weights))), []
    for _ in range(60):
        arrives, found = x, []
        for w, readout in zip(weights, readouts, strict=True):
            spikes, record = neuron.run(arrives @ w.T)
            loss, signal = local_signal(spikes, readout, target, loss="cross_entropy")
            found.append(eprop_gradient(arrives, record.slope, signal, 0.8))
            arrives = spikes
            losses.append(float(loss))
        new, state = rule.update(dict(enumerate(weights)), dict(enumerate(found)), state, 0.01)
        weights = list(new.values())
    assert losses[-2] < 0.8 * losses[0]
    assert losses[-1] < 0.8 * losses[1]


def test_bad_arguments_are_named():
    spikes, readout, target = case(np.random.default_rng(0))
    with pytest.raises(ValueError, match="`readout` must have shape"):
        local_signal(spikes, readout[:, :3], target)
    with pytest.raises(ValueError, match="`target` must have shape"):
        local_signal(spikes, readout, target[:, :, :1])
    with pytest.raises(ValueError, match=r"`readout` must have at least one row.*shape \(0, 4\)"):
        local_signal(spikes, readout[:0], target[:, :, :0], loss="cross_entropy")
    with pytest.raises(ValueError, match="`loss` must be"):
        local_signal(spikes, readout, target, loss="hinge")
    with pytest.raises(TypeError, match="`spikes` must have a real floating-point dtype"):
        local_signal(spikes > 0, readout, target)
