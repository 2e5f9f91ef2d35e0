"""Posteriors of causes against Bayes' rule, spelled out."""

import itertools

import numpy as np
import pytest

from synann_core.noisy_or import NoisyOr, posterior


@pytest.fixture
def model():
    rng = np.random.default_rng(5)
    beta = rng.uniform(0.3, 0.95, (8, 6)) * (rng.random((8, 6)) < 0.5)
    return NoisyOr(rng.uniform(0.02, 0.2, 6), rng.uniform(0.005, 0.1, 8), beta)


@pytest.mark.parametrize("block", [7, 64, 2**14])
def test_posterior_is_bayes_rule_over_all_sets(model, block):
    s = (np.random.default_rng(9).random((5, 8)) < 0.3).astype(float)
    sets = np.array(list(itertools.product([0.0, 1.0], repeat=6)))
    prior = np.prod(np.where(sets, model.prior, 1 - model.prior), axis=1)
    absent = [
        (1 - model.leak) * np.prod([1 - model.beta[:, j] * y[j] for j in range(6)], axis=0)
        for y in sets
    ]
    p = 1 - np.array(absent)
    for sample, got in zip(s, posterior(model, s, block=block), strict=True):
        joint = prior * np.prod(np.where(sample, p, 1 - p), axis=1)
        np.testing.assert_allclose(got, joint @ sets / joint.sum(), atol=1e-5)


def test_too_many_causes_are_refused():
    model = NoisyOr(np.full(25, 0.1), np.full(1, 0.1), np.zeros((1, 25)))
    with pytest.raises(ValueError, match="at most 24"):
        posterior(model, np.zeros((1, 1)))


@pytest.mark.parametrize(("leak", "beta"), [(0.0, 0.5), (0.1, 1.0)])
def test_certain_findings_are_refused(leak, beta):
    with pytest.raises(ValueError, match="leaks above 0 and strengths below 1"):
        posterior(NoisyOr([0.1], [leak], [[beta]]), [[1.0]])


def test_findings_that_are_nearly_certain():
    """A strength that is 1 in float32, and a leak that is 0."""
    model = NoisyOr([0.25, 0.5], [1e-50, 0.5], [[1.0 - 1e-9, 0.0], [0.5, 0.25]])
    got = posterior(model, [[1, 0], [0, 0]])
    np.testing.assert_allclose(got[0], [1.0, 3 / 7], atol=1e-5)  # only the first cause explains it
    np.testing.assert_allclose(got[1], [0.0, 3 / 7], atol=1e-5)


def test_what_is_not_a_network_is_refused():
    with pytest.raises(TypeError, match=r"`model` must be a NoisyOr\. Received: 3"):
        posterior(3, [[1.0]])


@pytest.mark.parametrize(
    ("findings", "options", "message"),
    [
        (np.zeros(8), {}, r"`findings` must have shape \(samples, 8\)"),
        (np.zeros((2, 7)), {}, r"`findings` must have shape \(samples, 8\). Received: shape"),
        (np.full((2, 8), 0.5), {}, "`findings` must be 0 or 1"),
        (np.zeros((2, 8)), {"block": 0}, "`block`"),
    ],
)
def test_bad_arguments_are_named(model, findings, options, message):
    with pytest.raises(ValueError, match=message):
        posterior(model, findings, **options)
