"""Forward and backward pass of a network: against torch's autograd, and folded inputs."""

from typing import get_args

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

from synann_core.spiking import LIF, Layer, SpikingNetwork
from synann_core.spiking.network import losses, passes
from tests.helpers import EPS, assert_close
from tests.synann_core.spiking.network.cases import NETWORKS, STEPS, make

LOSSES = get_args(losses.Loss)


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


def test_constants_are_what_is_not_learned(xp, dtype):
    """One number a neuron, like the data; weights hold the rest."""
    network, x, _ = make("learned")
    like = xp.asarray(x, dtype)
    found = passes.constants(network.layers, like, array_namespace(like))
    names = {"1.threshold"}
    assert set(found) == names
    for name in names:
        xp.check(found[name], dtype, (4,))
    assert not set(found) & set(network.weights)


def test_steps_keep_decays_and_thresholds_in_range():
    w = {"0.decay": [-0.5, 0.5, 1.5], "0.threshold": [-1.0, 0.5, 2.0], "0.bias": [-1.0, 0.0, 2.0]}
    kept = passes.kept_in_range({name: np.array(value) for name, value in w.items()}, np)
    np.testing.assert_array_equal(kept["0.decay"], [0, 0.5, 1])
    np.testing.assert_array_equal(kept["0.threshold"], [0, 0.5, 2])
    np.testing.assert_array_equal(kept["0.bias"], [-1, 0, 2])


def test_initial_weights_are_seeded_and_counted():
    one, two = (SpikingNetwork(784, [Layer(1000), Layer(10)], seed=s) for s in (0, 0))
    assert one.parameter_count == 784 * 1000 + 1000 + 1000 * 10 + 10
    assert all(np.array_equal(one.weights[k], two.weights[k]) for k in one.weights)
    other = SpikingNetwork(784, [Layer(1000), Layer(10)], seed=1)
    assert not np.array_equal(one.weights["0.weight"], other.weights["0.weight"])
    assert np.abs(one.weights["0.weight"]).max() <= 1 / 28
