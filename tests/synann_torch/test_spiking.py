"""The LIF module: beside snnTorch's layers, by steps and by sequences."""

import copy
import weakref

import numpy as np
import pytest
import snntorch
import torch

from synann_core.spiking import (
    LIF,
    State,
    fast_sigmoid,
    leaky_integrator,
    norse_lif,
    snntorch_leaky,
    triangle,
)
from synann_torch.spiking import Spiking

STEPS, BATCH, N = 12, 4, 5
NEURONS = {
    "snntorch": LIF(0.9, surrogate=fast_sigmoid(0.5)),
    "article": LIF(0.9, synaptic_decay=0.5, order="article", reset="zero"),
    "norse": norse_lif(v_reset=0.2),
    "recurrent": LIF(0.9, recurrent=np.random.default_rng(0).normal(0, 0.3, (N, N))),
    "adaptive": LIF(0.9, adaptation=0.2, adaptation_decay=0.9, detach_reset=False),
    "integrator": leaky_integrator(0.9),
}


def currents(dtype=torch.float64, scale=0.6):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(STEPS, BATCH, N, generator=generator, dtype=torch.float64) * scale + 0.2
    return x.to(dtype).requires_grad_()


def learned(neuron):
    names = ("decay", "threshold", "synaptic_decay", "recurrent")
    return tuple(name for name in names if getattr(neuron, name) is not None)


@pytest.mark.parametrize("kind", NEURONS)
def test_a_sequence_is_its_steps_and_has_autograds_gradients(kind):
    neuron = NEURONS[kind]
    module = Spiking(neuron, learn=learned(neuron), units=N).double()
    x = currents(scale=2.0 if kind == "norse" else 0.6)
    start = torch.full((BATCH, N), 0.3, dtype=torch.float64, requires_grad=True)
    spikes, membranes, last = module.sequence(x, start)
    state, each = start, []
    for current in x:
        now, state = module(current, state)
        each.append((now, state.membrane))
    want_spikes, want_membranes = (torch.stack(values) for values in zip(*each, strict=True))
    assert torch.equal(spikes, want_spikes)
    assert torch.equal(membranes, want_membranes)
    weights = torch.randn(2, *x.shape, dtype=torch.float64)
    wanted = (x, start, *module.parameters())

    def gradients(spikes, membranes, last):
        loss = (weights[0] * spikes).sum() + (weights[1] * membranes).sum()
        for value in last:  # the state goes on, somewhere else
            loss = loss if value is None else loss + (value * weights[0, 0]).sum()
        return torch.autograd.grad(loss, wanted, allow_unused=True)

    got = gradients(spikes, membranes, last)
    want = gradients(want_spikes, want_membranes, state)
    assert len(got) == 2 + len(learned(neuron))
    for one, other in zip(got, want, strict=True):
        other = torch.zeros_like(one) if other is None else other
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)


def test_it_stands_where_snntorchs_leaky_stood():
    """Beside snnTorch's own layers, with its membrane as the state, and trained with them."""
    torch.manual_seed(0)
    first, second = torch.nn.Linear(6, 20), torch.nn.Linear(20, 3)
    peer, other = snntorch.Leaky(beta=0.9), snntorch.Leaky(beta=0.8)
    ours = Spiking(snntorch_leaky(0.9))
    x, losses, grads = torch.rand(5, 6) * 3, [], []
    for neuron in (peer, ours):
        hidden, out, loss = torch.zeros(5, 20), torch.zeros(5, 3), 0.0
        for _ in range(STEPS):
            spikes, hidden = neuron(first(x), hidden)
            _, out = other(second(spikes), out)
            loss = loss + out.square().sum()
        losses.append(loss.item())
        grads.append(torch.autograd.grad(loss, (first.weight, second.weight)))
    assert losses[0] > 1
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    for one, two in zip(*grads, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4 * float(one.abs().max()))


def test_a_learned_decay_learns_and_stays_in_range():
    module = Spiking(LIF(0.95), learn=("decay",), units=N)
    assert module.decay.shape == (N,)
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    module.sequence(currents(torch.float32))[1].sum().neg().backward()
    optimizer.step()
    with torch.no_grad():
        module.decay.fill_(1.5)
        membranes = module.sequence(currents(torch.float32))[1]
        module.decay.fill_(1.0)
        assert torch.equal(membranes, module.sequence(currents(torch.float32))[1])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_dtypes(dtype):
    module = Spiking(LIF(0.875, synaptic_decay=0.5), learn=("decay",)).to(dtype)
    x = currents(dtype)
    spikes, membranes, state = module.sequence(x)
    assert spikes.dtype == membranes.dtype == state.current.dtype == dtype
    membranes.sum().backward()
    assert x.grad.dtype == module.decay.grad.dtype == dtype
    step, after = module(x[0].detach())
    assert step.dtype == after.membrane.dtype == dtype
    assert torch.equal(step, spikes[0])


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.uint16, torch.int64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_whole_spikes_are_taken(kind, dtype):
    """What one layer fires, the next one takes, whatever its dtype, and the same as floats."""
    module = Spiking(LIF(0.9, recurrent=np.full((N, N), 0.1)), learn=("decay",)).to(dtype)
    spikes = (currents() > 0.2).to(kind)
    got, membranes, state = module.sequence(spikes)
    want = module.sequence(spikes.to(dtype))
    assert got.dtype == membranes.dtype == state.membrane.dtype == dtype
    assert torch.equal(got, want[0])
    assert torch.equal(membranes, want[1])
    membranes.sum().backward()
    assert torch.isfinite(module.decay.grad)
    step, after = module(spikes[0], State(spikes[1], spikes=spikes[2]))
    want_step, want_after = module(spikes[0].to(dtype), State(*_floats(spikes[1:3], dtype)))
    assert torch.equal(step, want_step)
    assert torch.equal(after.membrane, want_after.membrane)


def _floats(spikes, dtype):
    return spikes[0].to(dtype), None, spikes[1].to(dtype)


def test_what_is_learned_may_come_from_an_iterator():
    assert Spiking(LIF(), learn=(name for name in ["decay"])).learned == ("decay",)


def test_truncated_training_detaches_and_moves_the_state():
    module = Spiking(LIF(0.9), learn=("decay",))
    state = module.sequence(currents(torch.float32))[2].detach()
    _, state = module(torch.ones(BATCH, N), state)
    state.membrane.sum().backward()
    assert state.to(torch.float64).membrane.dtype == torch.float64


def test_transforms_see_the_operations():
    module = Spiking(LIF(0.9, surrogate=fast_sigmoid(0.5)))
    x = currents(torch.float32).detach()

    def loss(x):
        return module.sequence(x)[0].sum()

    want = torch.autograd.grad(loss(xg := x.clone().requires_grad_()), xg)[0]
    torch.testing.assert_close(torch.func.grad(loss)(x), want)
    each = torch.func.vmap(loss, in_dims=1)(x)
    assert float(each.sum()) == float(loss(x))


def test_state_dict_copies_and_what_it_shows():
    module = Spiking(LIF(0.9, synaptic_decay=0.5), learn=("decay",))
    assert set(module.state_dict()) == {"decay", "threshold", "synaptic_decay", "_extra_state"}
    assert [name for name, _ in module.named_parameters()] == ["decay"]
    other = copy.deepcopy(module)
    other.load_state_dict(module.state_dict())
    assert "learn=['decay']" in repr(other)
    x = currents(torch.float32)
    assert torch.equal(other.sequence(x)[1], module.sequence(x)[1])


def test_a_state_of_other_neurons_is_refused():
    module = Spiking(LIF(0.9, reset="zero", rest=0.1), learn=("decay",))
    state = torch.nn.Sequential(torch.nn.Linear(2, 3), module).state_dict()
    for options, message in (
        ({"reset": "none"}, "reset 'none'. Received: 'zero'"),
        ({"reset": "zero", "order": "immediate"}, "order 'immediate'. Received: 'snntorch'"),
        ({"reset": "zero"}, r"rest 0\.0\. Received: number 0\.1"),
    ):
        other = torch.nn.Sequential(torch.nn.Linear(2, 3), Spiking(LIF(0.5, **options)))
        with pytest.raises(ValueError, match=f"`state_dict` must hold .* neuron with {message}"):
            other.load_state_dict(state)
        assert float(other[1].decay) == 0.5  # nothing was copied
    # How it learns is not what it computes, and an older state says neither.
    other = Spiking(LIF(0.5, reset="zero", rest=0.1, surrogate=triangle(), detach_reset=False))
    other.load_state_dict(module.state_dict())
    assert float(other.decay) == pytest.approx(0.9)
    older = {name: value for name, value in state.items() if not name.endswith("_extra_state")}
    torch.nn.Sequential(torch.nn.Linear(2, 3), Spiking(LIF())).load_state_dict(older)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_state_of_few_bits_is_taken(dtype):
    module = Spiking(LIF(0.9, gain=0.1, reset_to=-3.3, reset="zero"))
    module.load_state_dict({name: a.to(dtype) for name, a in module.state_dict().items()})
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        module.load_state_dict(module.state_dict())
    finally:
        torch.set_default_dtype(before)
    with pytest.raises(ValueError, match=r"gain 0\.1\. Received: number 9e-06"):
        module.load_state_dict(
            Spiking(LIF(0.9, gain=9e-6, reset_to=-3.3, reset="zero")).state_dict()
        )


def test_only_the_membranes_are_kept():
    """Beside the inputs, the graph holds one array of the size of the sequence."""
    module, kept = Spiking(LIF(0.9)), []
    x = currents(torch.float32)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        module.sequence(x)
    large = {t.data_ptr() for t in kept if t.numel() == x.numel()}
    assert len(large - {x.data_ptr()}) == 1


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: Spiking(0.9), TypeError, "`neuron` must be a LIF"),
        (lambda: Spiking(LIF())(np.ones(4)), TypeError, "`currents` must be a tensor"),
        (lambda: Spiking(LIF(np.nan)), ValueError, "`decay` must be in"),
        (lambda: Spiking(LIF(), learn=("tau",)), ValueError, "`learn` must be one of"),
        (lambda: Spiking(LIF(), learn=("synaptic_decay",)), ValueError, "`learn` must name what"),
        (lambda: Spiking(LIF(), learn="decay"), TypeError, "`learn` must be a tuple of names"),
        (lambda: Spiking(LIF(), learn=("decay",), units=0), ValueError, "`units` must be at least"),
        (lambda: Spiking(LIF(), units="all"), TypeError, "`units` must be an int"),
        (
            lambda: Spiking(LIF()).sequence(torch.ones(2, 4), np.zeros(4)),
            TypeError,
            "`state` must be a State",
        ),
        (
            lambda: Spiking(LIF(np.ones(3)), learn=("decay",)).sequence(torch.ones(2, 4)),
            ValueError,
            "`decay` must be a number or have shape",
        ),
        (
            lambda: Spiking(LIF())(torch.ones(4), State(torch.ones(3))),
            ValueError,
            "`state.membrane` must have shape",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("synaptic", [None, 0.5])
def test_currents_are_kept_only_where_they_count(synaptic):
    weight = torch.ones(3, requires_grad=True)
    currents = weight * torch.ones(4, 2, 3)
    seen = weakref.ref(currents)
    spikes, _, _ = Spiking(LIF(0.9, 1.0, synaptic)).sequence(currents)
    del currents
    assert (seen() is None) == (synaptic is None)
    spikes.sum().backward()
    assert torch.isfinite(weight.grad).all()
