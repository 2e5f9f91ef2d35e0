"""e-prop: traces forward in time give the gradient of backpropagation through time."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import reference.plasticity as slow
from synann_core.spiking import LIF, eprop_gradient, eprop_init, eprop_step
from tests.helpers import EPS, assert_close


def case(rng, steps=9, batch=3, n=4, m=2):
    x = (rng.random((steps, batch, n)) < 0.4).astype(float)
    return x, rng.random((steps, batch, m)), rng.normal(size=(steps, batch, m))


@pytest.mark.jax_alternates
@pytest.mark.parametrize("output_decay", [0.0, 0.7])
def test_window_and_steps_equal_the_reference(xp, dtype, output_decay):
    arrays = [a.astype(dtype) for a in case(np.random.default_rng(0))]
    want = slow.eprop(*(a.astype(float) for a in arrays), 0.9, output_decay)
    arrays = [xp.asarray(a, dtype) for a in arrays]

    def window(*a):
        return eprop_gradient(*a, 0.9, output_decay=output_decay)

    got = xp.call(window, *arrays)
    xp.check(got, dtype, (2, 4))
    assert_close(xp.to_numpy(got), want, 100 * EPS[dtype])

    def step(x, slope, signal, state):
        return eprop_step(x, slope, signal, state, 0.9, output_decay=output_decay)

    state, total = eprop_init(got, 3), 0.0
    for t in range(9):
        part, state = xp.call(step, *(a[t, ...] for a in arrays), state)
        total = total + part
    xp.check(part, dtype, (2, 4))
    xp.check(state["eligibility"], dtype, (3, 2, 4))
    assert_close(xp.to_numpy(total), want, 100 * EPS[dtype])


def layer_by_autograd(x, weights, beta, theta, width, reset):
    """Membranes, spikes, and a tape to differentiate them: one layer of LIF neurons in torch."""

    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx, u):
            ctx.save_for_backward(u)
            return (u > 0).to(u.dtype)

        @staticmethod
        def backward(ctx, grad):
            (u,) = ctx.saved_tensors
            return grad / (1.0 + u.abs() / width) ** 2

    membrane = torch.zeros(x.shape[1], len(weights), dtype=x.dtype)
    membranes, spikes = [], []
    for now in x:
        if reset == "delayed":
            fires = (membrane > theta).to(x.dtype)
            membrane = beta * membrane + now @ weights.T - fires * theta
            spike = Spike.apply(membrane - theta)
            membranes.append(membrane)
        else:  # immediate
            before = beta * membrane + now @ weights.T
            spike = Spike.apply(before - theta)
            membrane = before - theta * spike.detach()
            membranes.append(before)
        spikes.append(spike)
    return torch.stack(membranes), torch.stack(spikes)


@pytest.mark.parametrize("reset", ["delayed", "immediate"])
def test_one_feed_forward_layer_has_the_exact_gradient(reset):
    rng = np.random.default_rng(1)
    steps, batch, n, m = 50, 4, 6, 5
    x = torch.asarray((rng.random((steps, batch, n)) < 0.4).astype(float))
    weights = torch.asarray(rng.normal(0.2, 0.4, (m, n))).requires_grad_(True)
    beta, theta, width = 0.9, 1.0, 0.5
    membranes, spikes = layer_by_autograd(x, weights, beta, theta, width, reset)
    assert 0.05 < float(spikes.detach().mean()) < 0.8
    # A loss of the spikes that is not linear in them, so that ∂L/∂s depends on the spikes.
    readout = torch.asarray(rng.normal(size=(3, m)))
    loss = ((spikes.cumsum(0) @ readout.T) ** 2).mean()
    signal, want = torch.autograd.grad(loss, (spikes, weights))
    slope = 1.0 / (1.0 + (membranes.detach() - theta).abs() / width) ** 2
    got = eprop_gradient(x.numpy(), slope.numpy(), signal.numpy(), beta)
    assert_close(got, want.numpy(), 1e-12)
    state, total = eprop_init(got, batch), 0.0
    for now in zip(x.numpy(), slope.numpy(), signal.numpy(), strict=True):
        part, state = eprop_step(*now, state, beta)
        total = total + part
    assert_close(total, want.numpy(), 1e-12)
    assert np.abs(eprop_gradient(x.numpy(), slope.numpy(), signal.numpy(), 0.8) - got).max() > 1e-3


FULL = {
    "output_decay": 0.7,
    "synaptic_decay": 0.6,
    "adaptation": 0.3,
    "adaptation_decay": 0.95,
}


@pytest.mark.jax_alternates
def test_thresholds_and_currents_equal_the_reference(xp, dtype):
    arrays = [a.astype(dtype) for a in case(np.random.default_rng(3))]
    numbers = (0.7, 0.6, 0.3, 0.95)
    want = slow.eprop(*(a.astype(float) for a in arrays), 0.9, *numbers)
    arrays = [xp.asarray(a, dtype) for a in arrays]
    got = xp.call(lambda *a: eprop_gradient(*a, 0.9, **FULL), *arrays)
    xp.check(got, dtype, (2, 4))
    assert_close(xp.to_numpy(got), want, 300 * EPS[dtype])

    def step(*a):
        return eprop_step(*a, 0.9, **FULL)

    state, total = eprop_init(got, 3, synaptic=True, adaptive=True), 0.0
    for t in range(9):
        part, state = xp.call(step, *(a[t, ...] for a in arrays), state)
        total = total + part
    xp.check(state["current"], dtype, (3, 4))
    xp.check(state["adaptation"], dtype, (3, 2, 4))
    assert_close(xp.to_numpy(total), want, 300 * EPS[dtype])


@pytest.mark.parametrize("order", ["snntorch", "immediate"])
@pytest.mark.parametrize("reset", ["subtract", "none"])
def test_adaptive_neurons_with_currents_have_the_exact_gradient(order, reset):
    rng = np.random.default_rng(4)
    x = (rng.random((60, 3, 6)) < 0.3).astype(float)
    weights, readout = rng.normal(0.1, 0.3, (5, 6)), rng.normal(size=(2, 5))
    own = {"adaptation": 0.4, "adaptation_decay": 0.9}
    neuron = LIF(0.85, synaptic_decay=0.6, order=order, reset=reset, **own)
    spikes, record = neuron.run(x @ weights.T)
    assert 0.05 < spikes.mean() < 0.8
    signal = 2.0 * np.flip(np.cumsum(np.flip(np.cumsum(spikes @ readout.T, 0), 0), 0), 0) @ readout
    currents = neuron.vjp(record, spikes=signal).currents
    got = eprop_gradient(x, record.slope, signal, 0.85, synaptic_decay=0.6, **own)
    assert_close(got, np.einsum("tbi,tbj->ij", currents, x), 1e-12)
    without = eprop_gradient(x, record.slope, signal, 0.85, synaptic_decay=0.6)
    assert np.abs(without - got).max() > 0.01 * np.abs(got).max()


def test_recurrent_weights_lack_what_other_neurons_do():
    rng = np.random.default_rng(5)
    x = (rng.random((40, 2, 3)) < 0.4).astype(float)
    weights, loop = rng.normal(0.3, 0.3, (4, 3)), rng.normal(0.0, 0.4, (4, 4))
    neuron = LIF(0.8, recurrent=loop)
    spikes, record = neuron.run(x @ weights.T)
    signal = rng.normal(size=spikes.shape)
    late = np.concatenate([np.zeros_like(spikes[:1]), spikes[:-1]])
    got = eprop_gradient(late, record.slope, signal, 0.8)
    assert not np.allclose(got, neuron.vjp(record, spikes=signal).recurrent)
    # That is all: where spikes come back as inputs, through which no gradient passes, they agree.
    cut = LIF(0.8)
    currents = cut.vjp(cut.run(x @ weights.T + late @ loop.T)[1], spikes=signal).currents
    assert_close(got, np.einsum("tbi,tbj->ij", currents, late), 1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.0), st.floats(0.0, 0.99), st.integers(1, 150))
def test_window_and_steps_agree_on_any_trains(seed, beta, output_decay, steps):
    x, slope, signal = case(np.random.default_rng(seed), steps, 2, 3, 2)
    want = eprop_gradient(x, slope, signal, beta, output_decay=output_decay)
    state, total, size = eprop_init(want, 2), 0.0, 0.0
    for now in zip(x, slope, signal, strict=True):
        part, state = eprop_step(*now, state, beta, output_decay=output_decay)
        total, size = total + part, size + np.abs(part)
    assert_close(total, want, 1e-12, scale=1.0 + size)


def test_a_layer_learns_by_random_feedback():
    # The readout's weights stay fixed; the error comes back through others of the same signs, drawn
    # at random.
    rng = np.random.default_rng(2)
    steps, n, m, beta, theta = 40, 30, 40, 0.9, 1.0
    x = (rng.random((steps, 1, n)) < 0.1).astype(float)
    target = np.sin(np.arange(steps) / steps * 2 * np.pi)[:, None, None]
    weights, readout = rng.normal(0.1, 0.2, (m, n)), rng.normal(0.0, 0.3, (1, m))
    feedback = np.abs(rng.normal(0.0, 0.3, (1, m))) * np.sign(readout)
    losses, output_decay = [], 0.8
    for _ in range(200):
        membrane, y = np.zeros((1, m)), np.zeros((1, 1))
        state, total, loss = eprop_init(weights, 1), 0.0, 0.0
        for now, wanted in zip(x, target, strict=True):
            membrane = beta * membrane + now @ weights.T - theta * (membrane > theta)
            y = output_decay * y + (membrane > theta) @ readout.T
            slope = 1.0 / (1.0 + 2.0 * np.abs(membrane - theta)) ** 2
            part, state = eprop_step(
                now, slope, (y - wanted) @ feedback, state, beta, output_decay=output_decay
            )
            total, loss = total + part, loss + float(((y - wanted) ** 2).sum())
        weights = weights - 0.003 * total
        losses.append(loss / steps)
    assert min(losses[-10:]) < 0.3 * losses[0]


def test_bad_arguments_are_named():
    x, slope, signal = case(np.random.default_rng(0))
    with pytest.raises(ValueError, match="`slope` must have shape"):
        eprop_gradient(x, slope[:4], signal, 0.9)
    with pytest.raises(ValueError, match=r"`decay` must have shape \(\)"):
        eprop_gradient(x, slope, signal, np.ones(2))
    with pytest.raises(TypeError, match="`x` must have a real floating-point dtype"):
        eprop_gradient(x > 0, slope, signal, 0.9)
    for output_decay, error in ((1.0, ValueError), (-0.1, ValueError), ("0", TypeError)):
        with pytest.raises(error, match=r"`output_decay` must be (in \[0, 1\)|a number)"):
            eprop_gradient(x, slope, signal, 0.9, output_decay=output_decay)
    with pytest.raises(ValueError, match="`state` must be a dict of"):
        eprop_step(x[0], slope[0], signal[0], {}, 0.9)
    state = eprop_init(np.zeros((2, 4)), 2)
    with pytest.raises(ValueError, match="`state_trace` must have shape"):
        eprop_step(x[0], slope[0], signal[0], state, 0.9)
    state = eprop_init(np.zeros((2, 4)), 3)
    with pytest.raises(ValueError, match=r"`state` must be a dict of .*adaptation"):
        eprop_step(x[0], slope[0], signal[0], state, 0.9, adaptation=0.1)
    with pytest.raises(ValueError, match="`adaptation` must be"):
        eprop_gradient(x, slope, signal, 0.9, adaptation=-0.1)
    with pytest.raises(TypeError, match="`adaptive` must be a bool"):
        eprop_init(np.zeros((2, 4)), 3, adaptive=1)
