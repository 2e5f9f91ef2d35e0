"""LazySynapse: what it becomes at its first call, or when a state is loaded."""

import copy

import pytest
import torch

from synann_torch import LazySynapse, Synapse


@pytest.mark.parametrize(
    ("m", "options"),
    [
        (4, {}),
        (3, {}),
        (3, {"excitation": "mixture", "space": "surprisal", "alpha": False}),
        (4, {"excitation": "input", "output": "surprisal", "gate": "exp"}),
        (3, {"excitation": "none", "dtype": torch.float64, "strict": True}),
    ],
)
def test_it_becomes_the_layer_that_synapse_makes(m, options):
    y = torch.rand(5, 4, dtype=options.get("dtype"))
    torch.manual_seed(3)
    want = Synapse(4, m, **options)
    torch.manual_seed(3)
    lazy = LazySynapse(m, **options)
    assert type(lazy) is LazySynapse
    assert "in_features=0" in repr(lazy)
    assert torch.equal(lazy(y), want(y))
    assert type(lazy) is Synapse
    assert repr(lazy) == repr(want)
    assert {k: tuple(v.shape) for k, v in lazy.named_parameters()} == {
        k: tuple(v.shape) for k, v in want.named_parameters()
    }
    assert torch.equal(copy.deepcopy(lazy)(y), want(y))
    assert lazy.state_dict().keys() == want.state_dict().keys()


def test_masks_and_generators_wait_for_the_inputs():
    mask = torch.eye(3, 4)
    generator = torch.Generator().manual_seed(0)
    lazy = LazySynapse(3, mask=mask, generator=generator).double()
    mask.zero_()
    want = Synapse(4, 3, mask=torch.eye(3, 4), generator=torch.Generator().manual_seed(0)).double()
    y = torch.rand(5, 4, dtype=torch.float64)
    assert lazy(y).dtype == torch.float64
    torch.testing.assert_close(lazy(y), want(y), rtol=1e-6, atol=0)
    with pytest.raises(ValueError, match=r"`mask` must have shape \(3, 5\)"):
        LazySynapse(3, mask=torch.eye(3, 4))(torch.rand(2, 5))


@pytest.mark.parametrize("m", [4, 3])
def test_a_state_brings_the_sizes(m):
    layer, y = Synapse(4, m), torch.rand(5, 4)
    lazy = LazySynapse(m)
    lazy.load_state_dict(layer.state_dict())
    assert lazy.in_features == 4
    assert torch.equal(lazy(y), layer(y))
    assert type(lazy) is Synapse
    fresh = LazySynapse(m)
    assert set(fresh.state_dict()) == {"beta_logit", "theta", "mixing_logit"}
    fresh.load_state_dict(LazySynapse(m).state_dict())
    assert fresh(y).shape == (5, m)
    with pytest.raises(RuntimeError, match="size mismatch for beta_logit"):
        LazySynapse(m + 1).load_state_dict(layer.state_dict())
    with pytest.raises(ValueError, match=r"with output 'surprisal'. Received: 'prob"):
        LazySynapse(m, output="surprisal").load_state_dict(layer.state_dict())


def test_parameters_are_there_before_an_optimizer_asks():
    net = torch.nn.Sequential(torch.nn.LazyLinear(6), torch.nn.Sigmoid(), LazySynapse(3))
    net(torch.rand(2, 5))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    before = net[2].beta_logit.detach().clone()
    net(torch.rand(2, 5)).sum().backward()
    optimizer.step()
    assert not torch.equal(net[2].beta_logit, before)


def test_errors_of_the_first_call():
    with pytest.raises(TypeError, match="`y` must be a tensor"):
        LazySynapse(3)([0.5])
    with pytest.raises(ValueError, match=r"`y` must have a last axis of one input or more"):
        LazySynapse(3)(torch.tensor(0.5))
    with pytest.raises(ValueError, match="'input' unless in_features = out_features"):
        LazySynapse(3, excitation="input")(torch.rand(2, 4))
    for options in ({"excitation": "other"}, {"gate": "relu"}, {"out_features": 0}):
        with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be"):
            LazySynapse(**{"out_features": 3, **options})
