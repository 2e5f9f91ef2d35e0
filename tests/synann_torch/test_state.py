"""States of layers: masks through the meta device, what a layer computes, pruning."""

import copy
import io

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.utils import prune

import synann_core as syn
from synann_core.spiking import LIF
from synann_torch import SynaMLP, Synapse, SynaRNN
from synann_torch.spiking import Spiking
from synann_torch.state import MaskedModule

OFF = ~torch.eye(3, dtype=torch.bool)
UPPER = torch.ones(3, 3).triu().bool()


def test_the_layer_is_one():
    assert issubclass(Synapse, MaskedModule)


def test_a_mask_without_values_is_refused_at_reset():
    with torch.device("meta"):
        layer = Synapse(3, 3, mask=~torch.eye(3, dtype=torch.bool))
    layer.to_empty(device="cpu")
    with pytest.raises(ValueError, match="`mask` must have values before the parameters are reset"):
        layer.reset_parameters()
    with pytest.raises(
        ValueError, match=r"`mask` must have values\. Received: a tensor on the meta"
    ):
        Synapse(3, 3, mask=torch.ones(3, 3, device="meta"))


def test_a_loaded_mask_replaces_what_was_lost():
    with torch.device("meta"):
        layer = Synapse(3, 3, mask=~torch.eye(3, dtype=torch.bool))
    layer.to_empty(device="cpu").load_state_dict(Synapse(3, 3, mask=UPPER).state_dict())
    layer.reset_parameters()
    assert torch.equal(layer.mask, UPPER)
    # Loaded before there is memory: torch warns that the parameters stay without.
    with torch.device("meta"):
        layer = Synapse(3, 3, mask=~torch.eye(3, dtype=torch.bool))
    with pytest.warns(UserWarning, match="copying from a non-meta parameter"):
        layer.load_state_dict(Synapse(3, 3, mask=UPPER).state_dict())
    layer.to_empty(device="cpu").reset_parameters()
    assert torch.equal(layer.mask, UPPER)
    with torch.device("meta"):
        layer = Synapse(3, 3, mask=~torch.eye(3, dtype=torch.bool))
    layer.load_state_dict(Synapse(3, 3, mask=UPPER).state_dict(), assign=True)
    layer.reset_parameters()
    assert torch.equal(layer.mask, UPPER)


@pytest.mark.parametrize("how", ["load", "assign", "set", "in place"])
def test_a_reset_keeps_the_mask_that_is_there(how):
    layer = Synapse(3, 3, mask=OFF)
    if how in ("load", "assign"):
        layer.load_state_dict(Synapse(3, 3, mask=UPPER).state_dict(), assign=how == "assign")
    elif how == "set":
        layer.mask = UPPER.clone()
    else:
        layer.mask.copy_(UPPER)
    before = layer.beta_logit.detach().clone()
    layer.reset_parameters()
    assert not torch.equal(layer.beta_logit, before)
    assert torch.equal(layer.mask, UPPER)


def test_a_mask_outlives_the_meta_device_and_to_empty():
    layer = torch.nn.Sequential(Synapse(3, 3, mask=OFF))
    layer[0].load_state_dict(Synapse(3, 3, mask=UPPER).state_dict())
    layer.to_empty(device="cpu")
    assert torch.equal(layer[0].mask, UPPER)
    copied = copy.deepcopy(layer.to("meta"))
    assert copied[0].mask.is_meta
    for module in (layer, copied):
        module.to_empty(device="cpu")[0].reset_parameters()
        assert torch.equal(module[0].mask, UPPER)
    assert torch.equal(layer.half().float()[0].mask, UPPER)
    layer[0].mask.logical_not_()
    assert torch.equal(layer.to("meta").to_empty(device="cpu")[0].mask, ~UPPER)


OTHERS = [
    {"output": "surprisal"},
    {"space": "surprisal"},
    {"excitation": "none"},
    {"gate": "exp"},
    {"gate": "sigmoid"},
]


def through(state, how, tmp_path):
    if how == "safetensors":
        save_file(state, tmp_path / "state.safetensors")
        return load_file(tmp_path / "state.safetensors")
    if how == "torch.save":
        file = io.BytesIO()
        torch.save(state, file)
        file.seek(0)
        return torch.load(file, weights_only=True)
    return {name: value.clone() for name, value in state.items()}


@pytest.mark.parametrize("how", ["clones", "torch.save", "safetensors"])
@pytest.mark.parametrize("options", OTHERS, ids=str)
def test_a_layer_that_computes_something_else_is_refused(options, how, tmp_path):
    layer, other = Synapse(3, 3), torch.nn.Sequential(Synapse(3, 3, **options))
    before = layer.beta_logit.detach().clone()
    name, value = next(iter(options.items()))
    state = through(other.state_dict(), how, tmp_path)
    again = torch.nn.Sequential(Synapse(3, 3, **options))
    again.load_state_dict(state)
    assert torch.equal(again[0].beta_logit, other[0].beta_logit)
    message = rf"`state_dict` must hold the state of a layer with {name} .*Received: {value!r}"
    for strict in (True, False):
        with pytest.raises(ValueError, match=message):
            torch.nn.Sequential(layer).load_state_dict(state, strict=strict)
    assert torch.equal(layer.beta_logit, before)


def test_older_states_load():
    old = {name: value.clone() for name, value in Synapse(3, 3).named_parameters()}
    layer = Synapse(3, 3, output="surprisal", gate="exp")
    assert str(layer.load_state_dict(old)) == "<All keys matched successfully>"
    assert torch.equal(layer.beta_logit, old["beta_logit"])
    rnn = SynaRNN(3, 3)
    rnn.load_state_dict(dict(rnn.named_parameters()))
    with pytest.raises(RuntimeError, match=r"Missing key.* .beta_logit."):
        layer.load_state_dict({"theta": old["theta"]})


def test_a_mean_of_states_loads():
    layers = [Synapse(3, 3, gate="softmax") for _ in range(3)]
    states = [{k: v.clone() for k, v in layer.state_dict().items()} for layer in layers]
    mean = {name: sum(state[name] for state in states) / 3 for name in states[0]}
    layers[0].load_state_dict(mean)
    assert torch.equal(layers[0].beta_logit, mean["beta_logit"])


def test_files_go_between_the_libraries(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(SynaMLP(6, 5, 3).state_dict(), path)
    core = syn.SynaMLP(6, 5, 3)
    core.load(path)
    core.save(path)
    model = SynaMLP(6, 5, 3)
    model.load_state_dict(load_file(path))
    X = torch.rand(4, 6)
    torch.testing.assert_close(model.eval()(X), torch.from_numpy(core.decision_function(X.numpy())))


@pytest.mark.parametrize("masked", [False, True])
def test_pruned_synapses_are_gone(masked):
    mask = torch.arange(12).reshape(3, 4) > 0 if masked else None
    layer = Synapse(4, 3, output="surprisal", excitation="none", mask=mask)
    weakest = layer.beta.detach().flatten().argsort()[:6]
    prune.l1_unstructured(layer, "beta_logit", amount=6, importance_scores=layer.beta)
    y = torch.rand(5, 4)

    def check():
        beta = layer.beta.detach()
        assert set(torch.where(beta.flatten() == 0)[0].tolist()) == set(weakest.tolist())
        parts = layer.contributions(y).detach()
        assert (parts[:, beta == 0] == 0).all()
        torch.testing.assert_close(layer(y), -torch.log1p(-y[:, None] * beta).sum(-1) + layer.theta)

    check()
    layer(y).sum().backward()
    assert (layer.beta_logit_orig.grad.flatten()[weakest] == 0).all()
    prune.remove(layer, "beta_logit")
    check()
    assert (layer.beta_logit.flatten()[weakest] == 0).all()  # as torch leaves them: β would be ½
    layer.reset_parameters()
    assert (layer.beta.flatten()[weakest] == 0).all()
    other = Synapse(4, 3, output="surprisal", excitation="none", mask=torch.ones(3, 4))
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(y), layer(y))


def test_pruning_goes_on_and_may_be_global():
    layers = torch.nn.ModuleList(Synapse(6, 6) for _ in range(2))
    chosen = [(layer, "beta_logit") for layer in layers]
    scores = {key: key[0].beta for key in chosen}
    prune.global_unstructured(chosen, prune.L1Unstructured, importance_scores=scores, amount=0.5)
    assert sum(int((layer.beta == 0).sum()) for layer in layers) == 36
    for layer in layers:
        before = layer.beta == 0
        prune.random_unstructured(layer, "beta_logit", amount=3)
        assert int((layer.beta == 0).sum()) == int(before.sum()) + 3
        assert bool((layer.beta == 0)[before].all())


def test_shares_of_a_mixture_are_not_pruned():
    layer = Synapse(4, 3)
    before = layer.mixing_logit
    with pytest.raises(TypeError, match="`mixing_logit` cannot be pruned"):
        prune.l1_unstructured(layer, "mixing_logit", amount=1)
    assert layer.mixing_logit is before
    layer(torch.rand(2, 4))


@pytest.mark.parametrize("make", [lambda: Synapse(3, 2), lambda: Spiking(LIF(), learn=("decay",))])
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (None, "`_extra_state` must be a tensor. Received: NoneType"),
        ({}, "`_extra_state` must be a tensor. Received: dict"),
        (torch.ones(4, dtype=torch.complex64), "must hold real numbers. Received: torch.complex64"),
    ],
)
def test_what_a_state_computes_is_a_tensor(make, entry, message):
    module = make()
    before = copy.deepcopy(module.state_dict())
    state = {name: torch.zeros_like(value) for name, value in before.items()}
    with pytest.raises(TypeError, match=message):
        module.load_state_dict(state | {"_extra_state": entry})
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
