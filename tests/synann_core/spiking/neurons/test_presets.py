"""The presets against snnTorch 1.0 and Norse 1.1: membranes, spikes and gradients."""

import warnings

import numpy as np
import pytest
import snntorch
import torch
from snntorch import surrogate as peer_surrogate

from synann_core.spiking import (
    LIF,
    Layer,
    SpikingNetwork,
    State,
    arctan,
    decay_factor,
    fast_sigmoid,
    leaky_integrator,
    norse_lif,
    sigmoid,
    snntorch_leaky,
    snntorch_synaptic,
    straight_through,
)
from tests.helpers import assert_close

with warnings.catch_warnings():
    # Norse uses torch.jit.script, and registers its tuples with torch's trees a second time: with
    # the compiled ones once those are imported, which is then here and not in another test.
    warnings.simplefilter("ignore")
    import torch.utils._cxx_pytree
    from norse.torch.functional import lif as norse
    from norse.torch.functional.leaky_integrator import LIParameters, LIState, li_feed_forward_step

STEPS, BATCH, N = 40, 3, 5
LIMIT = 1e-6  # where float32 is in it: snnTorch's spikes always are
EXACT = 1e-12


def currents(scale=0.4, seed=0):
    return np.random.default_rng(seed).normal(0.1, scale, (STEPS, BATCH, N))


def leaves(*arrays):
    return [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays]


def peer_run(neuron, inputs, states):
    """Spikes, membranes and the last states of a snnTorch neuron with explicit states."""
    spikes, membranes = [], []
    for current in inputs:
        spike, *states = neuron(current, *states)
        spikes.append(spike)
        membranes.append(states[-1])
    return torch.stack(spikes), torch.stack(membranes), states


def margin(membranes, threshold=1.0):
    """Spikes can be compared: no membrane is at the threshold to rounding."""
    assert np.abs(membranes - threshold).min() > 1e-5


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("decay", [0.95, "per neuron"])
def test_leaky(reset, decay):
    decay = np.linspace(0.5, 0.99, N) if decay == "per neuron" else decay
    inputs = currents(0.15 if reset == "none" else 0.4)
    (x,) = leaves(inputs)
    peer = snntorch.Leaky(torch.as_tensor(decay, dtype=torch.float64), reset_mechanism=reset)
    peer = peer.double()
    spikes, membranes, _ = peer_run(peer, x, [torch.zeros(BATCH, N, dtype=torch.float64)])
    got, record = snntorch_leaky(decay, reset=reset).run(inputs)
    margin(membranes.detach().numpy())
    assert 20 < got.sum() < got.size - 20
    np.testing.assert_array_equal(got, spikes.detach().numpy())
    assert_close(record.membrane, membranes.detach().numpy(), EXACT)


@pytest.mark.parametrize("threshold", [1.0, 0.7])
def test_synaptic(threshold):
    inputs = currents(0.2)
    peer = snntorch.Synaptic(alpha=0.9, beta=0.8, threshold=threshold).double()
    zero = torch.zeros(BATCH, N, dtype=torch.float64)
    spikes, membranes, states = peer_run(peer, torch.tensor(inputs), [zero, zero])
    neuron = snntorch_synaptic(*(float(np.float32(a)) for a in (0.9, 0.8, threshold)))
    got, record = neuron.run(inputs)
    margin(membranes.numpy(), float(np.float32(threshold)))
    assert 20 < got.sum() < got.size - 20
    np.testing.assert_array_equal(got, spikes.numpy())
    assert_close(record.membrane, membranes.numpy(), EXACT)
    assert_close(record.state.current, states[0].numpy(), EXACT)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (arctan(), peer_surrogate.atan()),
        (arctan(width=2 / (np.pi * 3.0), height=1.5), peer_surrogate.atan(alpha=3.0)),
        (fast_sigmoid(), peer_surrogate.fast_sigmoid()),
        (fast_sigmoid(width=0.1), peer_surrogate.fast_sigmoid(slope=10)),
        (sigmoid(width=0.2, height=1.25), peer_surrogate.sigmoid(slope=5)),
        (straight_through(), peer_surrogate.straight_through_estimator()),
    ],
    ids=lambda s: str(s) if isinstance(s, object) and hasattr(s, "shape") else "",
)
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_gradients_of_leaky(ours, theirs, reset):
    """By inputs, decay and threshold, through snnTorch's own autograd, in float64."""
    inputs = currents()
    x, decay, threshold = leaves(inputs, np.linspace(0.8, 0.95, N), np.linspace(0.7, 1.0, N))
    peer = snntorch.Leaky(decay, threshold, spike_grad=theirs, reset_mechanism=reset)
    # As buffers: parameters would be float32 ones of their own.
    peer.beta, peer.threshold = decay, threshold
    spikes, membranes, _ = peer_run(peer, x, [torch.zeros(BATCH, N, dtype=torch.float64)])
    rng = np.random.default_rng(1)
    upstream = [rng.normal(size=inputs.shape).astype("float32").astype(float) for _ in range(2)]
    loss = (spikes * torch.tensor(upstream[0])).sum() + (
        membranes * torch.tensor(upstream[1])
    ).sum()
    want = torch.autograd.grad(loss, (x, decay, threshold))
    numbers = (decay.detach().numpy(), threshold.detach().numpy())
    neuron = LIF(*numbers, reset=reset, surrogate=ours)
    got, record = neuron.run(inputs)
    np.testing.assert_array_equal(got, spikes.detach().numpy())
    grads = neuron.vjp(record, *upstream)
    for name, value in zip(("currents", "decay", "threshold"), want, strict=True):
        # A spike's gradient passes through snnTorch's float32 spikes.
        assert_close(getattr(grads, name), value.numpy(), LIMIT)


def test_the_articles_network_has_the_gradients_of_autograd():
    """784–1000–10 in small, as printed: every step its cross-entropy, in float64."""
    rng = np.random.default_rng(0)
    x, labels = rng.random((7, 12)), rng.integers(0, 4, 7)
    neuron = snntorch_leaky(0.95)
    network = SpikingNetwork(12, [Layer(20, neuron), Layer(4, neuron)], steps=15)
    w = {k: torch.tensor(v * 3, requires_grad=True) for k, v in network.weights.items()}
    network.weights = {k: v.detach().numpy() for k, v in w.items()}
    # A spike of float64, where snnTorch's own is float32.
    lif = [
        snntorch.Leaky(torch.tensor(0.95, dtype=torch.float64), spike_grad=Spike.apply)
        for _ in "12"
    ]
    hidden = torch.zeros(7, 20, dtype=torch.float64)
    out = torch.zeros(7, 4, dtype=torch.float64)
    loss, total = 0.0, 0.0
    for _ in range(15):
        spikes, hidden = lif[0](torch.tensor(x) @ w["0.weight"].T + w["0.bias"], hidden)
        last, out = lif[1](spikes @ w["1.weight"].T + w["1.bias"], out)
        loss = loss + torch.nn.functional.cross_entropy(out, torch.tensor(labels))
        total += float((spikes.sum() + last.sum()).detach())
    want = dict(zip(w, torch.autograd.grad(loss, list(w.values())), strict=True))
    value, got = network.gradients(x, labels)
    assert total > 100
    assert float(value) == pytest.approx(loss.item(), rel=1e-13)
    for name, g in want.items():
        assert_close(got[name], g.numpy(), EXACT)


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return (u > 0).to(u.dtype)

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return grad / (1 + (torch.pi * u) ** 2)


def norse_parameters(dtype, **values):
    defaults = {"tau_syn_inv": 200.0, "tau_mem_inv": 100.0, "v_leak": 0.0, "v_th": 1.0}
    defaults |= {"v_reset": 0.0} | values
    return norse.LIFParameters(**{k: torch.tensor(v, dtype=dtype) for k, v in defaults.items()})


NORSE = [
    {},
    {"v_leak": 0.2, "v_reset": -0.3, "v_th": 0.6},
    {"tau_syn_inv": 100.0, "tau_mem_inv": 300.0},
]


@pytest.mark.parametrize("values", NORSE)
def test_norse(values):
    """Spikes, membranes, currents and gradients: through the reset, which is not detached."""
    inputs = currents(2.0)
    (x,) = leaves(inputs)
    leak = values.get("v_leak", 0.0)
    zero = torch.zeros(BATCH, N, dtype=torch.float64)
    state = norse.LIFFeedForwardState(v=zero + leak, i=zero)
    spikes, membranes = [], []
    for current in x:
        spike, state = norse.lif_feed_forward_step(
            current, state, norse_parameters(torch.float64, **values)
        )
        spikes.append(spike)
        membranes.append(state.v)
    spikes, membranes = torch.stack(spikes), torch.stack(membranes)
    neuron = norse_lif(**values)
    got, record = neuron.run(inputs)
    assert 20 < got.sum() < got.size - 20
    margin(record._potential, values.get("v_th", 1.0))
    np.testing.assert_array_equal(got, spikes.detach().numpy())
    assert_close(record.membrane, membranes.detach().numpy(), EXACT)
    after = neuron.synaptic_decay * record.state.current
    assert_close(after, state.i.detach().numpy(), EXACT)
    upstream = np.random.default_rng(1).normal(size=(2, *inputs.shape))
    loss = (spikes * torch.tensor(upstream[0])).sum() + (
        membranes * torch.tensor(upstream[1])
    ).sum()
    (want,) = torch.autograd.grad(loss, x)
    assert_close(neuron.vjp(record, *upstream).currents, want.numpy(), EXACT)


def test_norse_in_the_dtype_it_comes_in():
    inputs = currents(2.0).astype("float32")
    zero = torch.zeros(BATCH, N)
    state = norse.LIFFeedForwardState(v=zero, i=zero)
    spikes, state = norse.lif_feed_forward_integral(
        torch.tensor(inputs), state, norse.LIFParameters()
    )
    got, record = norse_lif().run(inputs)
    margin(record._potential)
    np.testing.assert_array_equal(got, spikes.numpy())
    assert_close(record.state.membrane, state.v.numpy(), LIMIT)


def test_norses_leaky_integrator():
    inputs = currents()
    zero = torch.zeros(BATCH, N, dtype=torch.float64)
    names = ("tau_syn_inv", "tau_mem_inv", "v_leak")
    values = (200.0, 100.0, 0.0)
    p = LIParameters(
        **{k: torch.tensor(v, dtype=torch.float64) for k, v in zip(names, values, strict=True)}
    )
    state, want = LIState(zero, zero), []
    for current in torch.tensor(inputs):
        v, state = li_feed_forward_step(current, state, p)
        want.append(v)
    neuron = leaky_integrator(0.9, synaptic_decay=0.8, gain=0.1)
    assert_close(neuron.run(inputs)[1].membrane, torch.stack(want).numpy(), EXACT)


def test_a_snntorch_sequence_goes_on_here():
    """State in and out: half of the steps in one library, half in the other."""
    inputs = currents()
    peer = snntorch.Leaky(torch.tensor(0.9, dtype=torch.float64)).double()
    zero = torch.zeros(BATCH, N, dtype=torch.float64)
    spikes, membranes, _ = peer_run(peer, torch.tensor(inputs), [zero])
    half = STEPS // 2
    got, record = snntorch_leaky(0.9).run(inputs[half:], State(membranes[half - 1].numpy()))
    np.testing.assert_array_equal(got, spikes[half:].numpy())
    assert_close(record.membrane, membranes[half:].numpy(), EXACT)


def test_norse_preset_has_norses_numbers():
    neuron = norse_lif(tau_syn_inv=100.0, tau_mem_inv=50.0, dt=0.002)
    assert (neuron.decay, neuron.gain, neuron.synaptic_decay) == pytest.approx((0.9, 0.1, 0.8))


def test_decay_factor():
    assert decay_factor(20.0, 2.0) == pytest.approx(np.exp(-0.1), rel=1e-15)
    assert decay_factor(20.0, 2.0, method="euler") == pytest.approx(0.9, rel=1e-15)
    # A fine grid makes them the same filter.
    tau, dt = 10.0, 1e-3
    assert decay_factor(tau, dt) == pytest.approx(decay_factor(tau, dt, method="euler"), rel=1e-7)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: decay_factor(0.0), ValueError, r"`tau` must be in \(0, inf\)"),
        (lambda: decay_factor(1.0, 2.0, method="euler"), ValueError, "`dt` must be at most"),
        (lambda: decay_factor(1.0, method="rk"), ValueError, "`method` must be one of"),
        (lambda: norse_lif("100"), TypeError, "`tau_syn_inv` must be a number"),
        (lambda: norse_lif(tau_mem_inv=None), TypeError, "`tau_mem_inv` must be a number"),
        (lambda: norse_lif(dt=-1), ValueError, r"`dt` must be in \[0, inf\)"),
        (lambda: norse_lif(v_th=np.nan), ValueError, r"`v_th` must be in \(-inf, inf\)"),
    ],
)
def test_bad_constants_are_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
