"""Optimizers against torch's, and the schedules' ends."""

import numpy as np
import pytest
import torch

from synann_core import optim

RULES = [
    (optim.SGD(0.1, momentum=0.0), torch.optim.SGD, {}),
    (optim.SGD(0.1, momentum=0.9), torch.optim.SGD, {"momentum": 0.9}),
    (
        optim.SGD(0.1, momentum=0.9, nesterov=True),
        torch.optim.SGD,
        {"momentum": 0.9, "nesterov": True},
    ),
    (optim.Adam(0.1), torch.optim.AdamW, {"weight_decay": 0.0}),
    (optim.Adam(0.1, weight_decay=0.3), torch.optim.AdamW, {"weight_decay": 0.3}),
    (
        optim.Adam(0.1, beta1=0.5, beta2=0.7, eps=1e-2),
        torch.optim.AdamW,
        {"betas": (0.5, 0.7), "eps": 1e-2, "weight_decay": 0.0},
    ),
]


@pytest.mark.parametrize(("rule", "rival", "options"), RULES)
def test_twenty_steps_equal_torch(rule, rival, options):
    rng = np.random.default_rng(0)
    start = rng.normal(size=5)
    leaf = torch.tensor(start, requires_grad=True)
    other = rival([leaf], lr=rule.learning_rate, **options)
    ours = {"w": start}
    state = rule.init(ours)
    for gradient in rng.normal(size=(20, 5)):
        ours, state = rule.update(ours, {"w": gradient}, state, rule.learning_rate)
        leaf.grad = torch.tensor(gradient)
        other.step()
    np.testing.assert_allclose(ours["w"], leaf.detach().numpy(), rtol=1e-12)


def test_an_update_leaves_its_arguments_alone(xp):
    start = np.array([1.0, 2.0])
    for rule in (optim.SGD(0.1), optim.Adam(0.1, weight_decay=0.1)):
        parameters, gradients = {"w": xp.asarray(start)}, {"w": xp.asarray(start)}
        state = rule.init(parameters)
        new, _ = rule.update(parameters, gradients, state, 0.1)
        xp.check(new["w"], "float64", (2,))
        assert np.array_equal(xp.to_numpy(parameters["w"]), start)
        assert (xp.to_numpy(new["w"]) < start).all()
        again, _ = rule.update(parameters, gradients, state, 0.1)
        assert np.array_equal(xp.to_numpy(again["w"]), xp.to_numpy(new["w"]))


@pytest.mark.parametrize("schedule", [optim.constant, optim.cosine, optim.one_cycle])
def test_schedules_stay_between_zero_and_one(schedule):
    factors = [schedule(p) for p in np.linspace(0, 1, 101)]
    assert max(factors) == pytest.approx(1.0)
    assert min(factors) >= 0.0


def test_schedules_rise_and_fall():
    progress = np.linspace(0, 1, 101)
    assert (np.diff([optim.cosine(p) for p in progress]) < 0).all()
    cycle = np.array([optim.one_cycle(p) for p in progress])
    assert (np.diff(cycle[progress <= 0.3]) > 0).all()
    assert (np.diff(cycle[progress >= 0.3]) < 0).all()
    assert (cycle[0], cycle[-1]) == (0.04, 0.0)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: optim.SGD(-1.0), "learning_rate"),
        (lambda: optim.SGD(float("nan")), "learning_rate"),
        (lambda: optim.SGD(0.1, momentum=1.0), "momentum"),
        (lambda: optim.Adam("fast"), "learning_rate"),
        (lambda: optim.Adam(beta1=1.0), "beta1"),
        (lambda: optim.Adam(beta2=-0.1), "beta2"),
        (lambda: optim.Adam(weight_decay=-1.0), "weight_decay"),
    ],
)
def test_numbers_out_of_range_are_named(make, name):
    with pytest.raises(ValueError, match=rf"`{name}`.*Received"):
        make()
