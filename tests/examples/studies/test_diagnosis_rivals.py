"""The rivals of the noisy-OR layer."""

import numpy as np

import synann_core as syn
from studies.diagnosis_rivals import cross_entropies, fit_ebm, fit_logistic


def test_logistic_regressions_choose_and_survive_a_single_class():
    rng = np.random.default_rng(12)
    x = (rng.random((500, 4)) < 0.4).astype(float)
    targets = np.c_[rng.random(500) < syn.expit(2 * x[:, 0] - 1), np.zeros(500)].astype(float)
    for lasso in (True, False):
        p = fit_logistic(x, targets, lasso=lasso).predict(x)
        assert cross_entropies(targets[:, 0], p[:, 0]).mean() < 0.66
        assert (p[:, 1] < 0.01).all()


def test_ebm_learns_and_survives_a_single_class():
    rng = np.random.default_rng(13)
    x = (rng.random((200, 3)) < 0.4).astype(float)
    targets = np.c_[rng.random(200) < syn.expit(4 * x[:, 0] - 2), np.zeros(200)].astype(float)
    p = fit_ebm(x, targets, seed=0).predict(x)
    assert cross_entropies(targets[:, 0], p[:, 0]).mean() < 0.5
    np.testing.assert_array_equal(p[:, 1], 0)
