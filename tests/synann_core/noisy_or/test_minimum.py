"""Minima of the losses: no link is forgotten, and the bounds hold."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from synann_core.noisy_or import minimum
from synann_core.noisy_or.links import SMALLEST_LEAK, STRONGEST, DefiniteLoss
from synann_core.noisy_or.minimum import minimise, minimise_definite


def many(seed, causes=80, rows=400):
    """Samples of a finding that three of many causes bring about."""
    rng = np.random.default_rng(seed)
    y = (rng.random((rows, causes)) < 0.1).astype(float)
    truth = np.r_[1.5, 0.7, 0.3, np.zeros(causes - 3), 0.05]
    present = (rng.random(rows) < -np.expm1(-(y @ truth[:-1] + truth[-1]))).astype(float)
    absent = 1.0 - present
    return DefiniteLoss(csr_array(y), present, np.r_[absent @ y, absent.sum()])


@pytest.mark.parametrize("few", [0, 64, 100])
@pytest.mark.parametrize("seed", range(5))
def test_newtons_steps_end_at_the_minimum(seed, few, monkeypatch):
    monkeypatch.setattr(minimum, "_FEW", few)
    loss = many(seed)
    c, converged = minimise_definite(loss, link_prior=(1.0, 2.0), iterations=500)
    gradient = loss(c)[1] + np.r_[np.ones(80), 0.0]
    free = (c > 2.0 * SMALLEST_LEAK) & (c < STRONGEST)
    assert free[:3].any()
    assert np.abs(gradient[free]).max() < 0.1
    # Of those at 0, none would bring a hundredth of a nat.
    assert (loss.gain(c, gradient)[~free[:-1]] < 1e-2).all()
    slow, met = minimise(loss, np.full(81, 0.1), link_prior=(1.0, 2.0), scale=1.0, iterations=5000)
    value, least = (loss(x)[0] + x[:-1].sum() for x in (c, slow))
    assert value < least + 0.02
    assert converged
    assert met


def test_a_concave_prior_leaves_fewer_links():
    lasso, sparser = (
        minimise_definite(many(7), link_prior=prior, iterations=500)[0]
        for prior in ((1.0, 2.0), (0.5, 2.0))
    )
    assert 0 < (sparser[:-1] > 0).sum() < (lasso[:-1] > 0).sum()


@pytest.mark.parametrize(("present", "absent"), [(0.0, 50.0), (50.0, 0.0)])
def test_a_finding_that_never_or_always_comes_has_an_end(present, absent):
    loss = DefiniteLoss(np.ones((1, 1)), np.array([present]), np.array([absent, absent]))
    c, _ = minimise_definite(loss, link_prior=(1.0, 1.0), iterations=500)
    assert np.isfinite(c).all()
    p = -np.expm1(-c.sum())
    assert p < 1e-4 if present == 0.0 else p > 0.99


def test_steps_that_do_not_suffice_are_told():
    loss, start = many(3), np.full(81, 0.1)
    for steps, enough in ((1, False), (500, True)):
        assert minimise_definite(loss, link_prior=(1.0, 2.0), iterations=steps)[1] == enough
        assert (
            minimise(loss, start, link_prior=(1.0, 2.0), scale=1.0, iterations=steps)[1] == enough
        )
