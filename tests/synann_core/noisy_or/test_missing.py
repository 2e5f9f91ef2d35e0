"""Causes that are not known: all sets of them, each with its posterior probability."""

import itertools

import numpy as np
import pytest

from synann_core.noisy_or import NoisyOr
from synann_core.noisy_or.learning import Options, learn
from synann_core.noisy_or.missing import complete, fit_missing_causes, log_joint
from synann_core.noisy_or.samples import check_findings

TRUTH = NoisyOr(
    [0.3, 0.4, 0.2], [0.05, 0.1, 0.02, 0.2], np.random.default_rng(0).uniform(0, 0.9, (4, 3))
)


def hidden(samples, share, seed=1):
    y, s = TRUTH.sample(samples, rng=seed)
    rng = np.random.default_rng(seed + 1)
    y = np.where(rng.random(y.shape) < share, np.nan, y)
    return y, s, np.ones(samples)


def evidence(network, y, s):
    """Log-probability of what is known, over all sets of causes."""
    total = np.zeros(len(y))
    for full in itertools.product([0.0, 1.0], repeat=y.shape[1]):
        full = np.array(full)
        p = network.predict(full)
        terms = np.where(s == 1, p, np.where(s == 0, 1 - p, 1.0)).prod(axis=1)
        fits = (np.isnan(y) | (y == full)).all(axis=1)
        total += fits * np.prod(np.where(full, network.prior, 1 - network.prior)) * terms
    return np.log(total).sum()


def test_all_sets_that_agree_with_what_is_known():
    nan = np.nan
    sets = complete(np.array([[1.0, 0.0, 1.0], [nan, 1.0, nan], [0.0, nan, 0.0]]))
    assert sets.owner.tolist() == [0, 1, 1, 1, 1, 2, 2]
    assert sets.starts.tolist() == [0, 1, 5]
    want = [[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 1, 1], [1, 1, 1], [0, 0, 0], [0, 1, 0]]
    assert sets.causes.tolist() == want


def test_the_joint_probability_is_that_of_the_network():
    y, s = TRUTH.sample(40, rng=3)
    s[::3, 1] = np.nan
    found = log_joint(TRUTH, y, check_findings("s", s))
    want = [evidence(TRUTH, one[None], other[None]) for one, other in zip(y, s, strict=True)]
    np.testing.assert_allclose(found, want, rtol=1e-12)


@pytest.mark.parametrize("protective", [False, True])
def test_the_evidence_grows_and_is_that_of_the_known(protective):
    y, s, weight = hidden(150, 0.3)
    options = Options((1.0, 1.0), (1.0, 1.0), protective)
    learned, history = fit_missing_causes(
        y, check_findings("s", s), weight, options, rounds=30, tolerance=1e-7
    )
    assert (np.diff(history) > -1e-4).all()
    assert history[-1] > history[0]
    own = evidence(learned.network, y, s) / len(y)
    assert own == pytest.approx(history[-1], abs=1e-3)


def test_no_network_nearby_is_more_probable():
    y, s, weight = hidden(200, 0.3, seed=5)
    learned, _ = fit_missing_causes(
        y,
        check_findings("s", s),
        weight,
        Options((1.0, 1.0), (1.0, 1.0)),
        rounds=200,
        tolerance=1e-9,
    )
    network, rng = learned.network, np.random.default_rng(6)
    best = evidence(network, y, s)
    for _ in range(20):
        step = rng.normal(0, 0.02, network.beta.shape)
        leak = np.clip(network.leak + rng.normal(0, 0.01, 4), 1e-4, 0.99)
        other = NoisyOr(network.prior, leak, np.clip(network.beta + step, 0, 0.999))
        assert evidence(other, y, s) < best + 0.02


def test_missing_causes_tell_more_than_leaving_samples_out():
    y, s, weight = hidden(1500, 0.25, seed=7)
    whole = ~np.isnan(y).any(axis=1)
    options = Options()
    learned, _ = fit_missing_causes(
        y, check_findings("s", s), weight, options, rounds=60, tolerance=1e-6
    )
    some = learn(y[whole], check_findings("s", s[whole]), weight[whole], options)
    errors = [np.abs(n.network.beta - TRUTH.beta).mean() for n in (learned, some)]
    assert errors[0] < errors[1]


def test_rounds_end():
    y, s, weight = hidden(60, 0.3)
    options = Options()
    for rounds, tolerance, made in ((2, 0.0, 2), (50, 10.0, 2), (1, 0.0, 1)):
        learned, history = fit_missing_causes(
            y, check_findings("s", s), weight, options, rounds=rounds, tolerance=tolerance
        )
        assert len(history) == made
        assert bool(learned.limits) == (tolerance == 0.0)
