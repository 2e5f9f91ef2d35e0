"""Groups of parameters: what decays, and what weight decay would make of the rest."""

import pytest
import torch

from synann_torch import SynaCNN, Synapse, SynaRNN, parameter_groups


def names_of(model, group):
    found = {id(parameter): name for name, parameter in model.named_parameters()}
    return {found[id(parameter)] for parameter in group["params"]}


def test_logits_and_vectors_do_not_decay():
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5), Synapse(5, 3), SynaRNN(3, 2)
    )
    decaying, spared = parameter_groups(model, weight_decay=0.25)
    assert (decaying["weight_decay"], spared["weight_decay"]) == (0.25, 0.0)
    assert names_of(model, decaying) == {"0.weight", "3.cell.weight_ih", "3.cell.weight_hh"}
    everything = {name for name, _ in model.named_parameters()}
    assert names_of(model, decaying) | names_of(model, spared) == everything
    assert not names_of(model, decaying) & names_of(model, spared)
    assert {"2.beta_logit", "2.mixing_logit", "2.theta", "3.cell.synapse.beta_logit"} <= names_of(
        model, spared
    )


def test_an_optimizer_pulls_no_strength_to_a_half():
    """Without gradients only the decay moves weights."""
    torch.manual_seed(0)
    model = SynaCNN(width=4, hidden=8)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    for groups, moved in ((parameter_groups(model, weight_decay=0.5), False), (None, True)):
        optimizer = torch.optim.AdamW(groups or model.parameters(), lr=0.1, weight_decay=0.5)
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        beta = model.synapse.beta.detach()
        assert (not torch.equal(model.synapse.beta_logit, before["synapse.beta_logit"])) is moved
        assert torch.equal(beta, torch.sigmoid(before["synapse.beta_logit"])) is not moved
        assert not torch.equal(model.hidden.weight, before["hidden.weight"])


def test_a_shared_logit_is_spared_once():
    model = torch.nn.Module()
    model.first, model.second = Synapse(3, 3), Synapse(3, 3)
    model.second.beta_logit = model.first.beta_logit
    model.again = model.first.beta_logit
    decaying, spared = parameter_groups(model)
    assert decaying["params"] == []
    assert len(spared["params"]) == 3  # one matrix, two thetas


@pytest.mark.parametrize(
    ("model", "weight_decay", "error", "message"),
    [
        (torch.nn.Linear(2, 2), -0.5, ValueError, r"`weight_decay` must be in \[0, .*-0.5"),
        (torch.nn.Linear(2, 2), "much", TypeError, "`weight_decay` must be a number"),
        ([torch.zeros(2)], 0.5, TypeError, "`model` must be a torch.nn.Module"),
        (torch.nn.LazyLinear(2), 0.5, ValueError, "`model` must be called once before"),
    ],
)
def test_bad_arguments(model, weight_decay, error, message):
    with pytest.raises(error, match=message):
        parameter_groups(model, weight_decay=weight_decay)
