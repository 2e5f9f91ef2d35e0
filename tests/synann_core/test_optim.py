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
    for rule in (optim.SGD(0.1), optim.Adam(0.1, weight_decay=0.1), optim.RMaxProp(0.1)):
        parameters, gradients = {"w": xp.asarray(start)}, {"w": xp.asarray(start)}
        state = rule.init(parameters)
        new, _ = rule.update(parameters, gradients, state, 0.1)
        xp.check(new["w"], "float64", (2,))
        assert np.array_equal(xp.to_numpy(parameters["w"]), start)
        assert (xp.to_numpy(new["w"]) < start).all()
        again, _ = rule.update(parameters, gradients, state, 0.1)
        assert np.array_equal(xp.to_numpy(again["w"]), xp.to_numpy(new["w"]))


def test_weight_decay_of_sgd_is_apart_from_the_gradient():
    rule = optim.SGD(0.1, momentum=0.5, weight_decay=0.2)
    p, g = np.array([2.0, -3.0]), np.array([1.0, 1.0])
    first, state = rule.update({"w": p}, {"w": g}, rule.init({"w": p}), 0.1)
    np.testing.assert_allclose(first["w"], p * 0.98 - 0.1 * g, rtol=1e-15)
    second, _ = rule.update(first, {"w": g}, state, 0.1)
    np.testing.assert_allclose(second["w"], first["w"] * 0.98 - 0.1 * 1.5 * g, rtol=1e-15)


def test_the_largest_gradient_of_late_sets_the_step():
    rule, p, most = optim.RMaxProp(decay=0.6, eps=1e-12), {"w": np.array([1.0])}, 0.0
    state = rule.init(p)
    for g in (0.5, -2.0, 0.1, 0.0, 1.5):
        before = p["w"][0]
        p, state = rule.update(p, {"w": np.array([g])}, state, 0.1)
        most = max(0.6 * most, g * g)
        assert p["w"][0] == pytest.approx(before - 0.1 * g / most**0.5, rel=1e-10)


def test_a_gradient_that_is_always_zero_moves_nothing():
    rule, p = optim.Adam(0.1), {"w": np.array([1.0, 2.0])}
    state = rule.init(p)
    for _ in range(3):
        p, state = rule.update(p, {"w": np.array([0.0, 1.0])}, state, 0.1)
    assert p["w"][0] == 1.0
    np.testing.assert_allclose(p["w"][1], 1.7, rtol=1e-7)  # eps is 1e-8 of the gradient


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_numpy_numbers_do_not_change_the_dtype_of_the_weights(number):
    half = number(0.5)
    for rule in (
        optim.SGD(half, momentum=half, weight_decay=half),
        optim.Adam(half, beta1=half, beta2=half, eps=half, weight_decay=half),
    ):
        for dtype in (np.float32, np.float64):
            p = {"w": np.ones(2, dtype)}
            new, _ = rule.update(p, p, rule.init(p), rule.learning_rate)
            assert new["w"].dtype == dtype


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
        (lambda: optim.SGD(float("inf")), "learning_rate"),
        (lambda: optim.SGD(True), "learning_rate"),
        (lambda: optim.SGD(1j), "learning_rate"),
        (lambda: optim.SGD(0.1, weight_decay=-1.0), "weight_decay"),
        (lambda: optim.Adam(eps=0.0), "eps"),
        (lambda: optim.Adam("fast"), "learning_rate"),
        (lambda: optim.Adam(beta1=1.0), "beta1"),
        (lambda: optim.Adam(beta2=-0.1), "beta2"),
        (lambda: optim.Adam(weight_decay=-1.0), "weight_decay"),
        (lambda: optim.RMaxProp(decay=1.0), "decay"),
        (lambda: optim.RMaxProp(eps=0.0), "eps"),
    ],
)
def test_numbers_out_of_range_are_named(make, name):
    with pytest.raises((TypeError, ValueError), match=rf"`{name}`.*Received"):
        make()


def test_nesterov_must_be_a_bool():
    with pytest.raises(TypeError, match=r"`nesterov`.*Received"):
        optim.SGD(0.1, nesterov="no")
