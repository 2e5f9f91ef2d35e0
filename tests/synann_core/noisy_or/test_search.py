"""The most probable sets of causes, against all sets."""

import itertools
import math

import numpy as np
import pytest
from scipy.sparse import csr_array

from synann_core.noisy_or import NoisyOr
from tests.synann_core.noisy_or.networks import (
    KINDS,
    evidence_of,
    joint_of,
    network_of,
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("at_most", "count"), [(1, 3), (2, 10), (3, 5), (6, 64)])
def test_the_most_probable_sets_are_those_of_all_sets(kind, seed, at_most, count):
    network = network_of(kind, seed)
    x = evidence_of(network, seed)
    sets, joint = joint_of(network, x)
    free = network.prior < 1
    allowed = (sets[:, free].sum(axis=1) <= at_most) & (joint > 0)
    best = np.argsort(-np.where(allowed, joint, -1), kind="stable")[: min(count, allowed.sum())]
    found = network.most_probable(x, at_most=at_most, count=count)
    np.testing.assert_allclose([s.probability for s in found], joint[best] / joint.sum(), rtol=1e-9)
    for one in found:
        members = np.array([f"c{j}" in one.causes for j in range(6)]) | ~free
        k = int(np.flatnonzero((sets == members).all(axis=1))[0])
        np.testing.assert_allclose(one.probability, joint[k] / joint.sum(), rtol=1e-9)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_large_search_is_exact_too(sparse):
    """Against every set of at most two of 60 causes; sparse links give the same."""
    network = network_of("plain", 1, causes=60, findings=20)
    if sparse:
        network = NoisyOr(
            network.prior, network.leak, csr_array(network.beta), causes=network.causes
        )
    x = np.random.default_rng(3).random(20).round()
    x[6:] = 0.0
    found = network.most_probable(x, at_most=2, count=20)
    rows = [(), *itertools.combinations(range(60), 1), *itertools.combinations(range(60), 2)]
    sets = np.zeros((len(rows), 60))
    for row, members in zip(sets, rows, strict=True):
        row[list(members)] = 1.0
    p = network.predict(sets)
    with np.errstate(divide="ignore"):
        log = np.log(np.where(sets, network.prior, 1 - network.prior)).sum(axis=1)
        log += np.log(np.where(x, p, 1 - p)).sum(axis=1)
    best = np.argsort(-log)[:20]
    assert [s.causes for s in found] == [tuple(f"c{j}" for j in rows[k]) for k in best]
    ratio = np.array([s.probability for s in found]) / found[0].probability
    np.testing.assert_allclose(ratio, np.exp(log[best] - log[best[0]]), rtol=1e-9)


def test_what_others_explain_is_explained_away():
    """Two causes of one finding: each has much alone, and little beside the other."""
    network = NoisyOr([0.05, 0.05], [0.001], [[0.9, 0.9]])
    sets = {s.causes: s for s in network.most_probable([1.0])}
    prior = math.log(0.05 / 0.95)
    alone = prior + math.log((1 - 0.999 * 0.1) / 0.001)
    beside = prior + math.log((1 - 0.999 * 0.01) / (1 - 0.999 * 0.1))
    np.testing.assert_allclose(sets[(0,)].alone, [alone], rtol=1e-12)
    np.testing.assert_allclose(sets[(0,)].together, [alone], rtol=1e-12)
    np.testing.assert_allclose(sets[(0, 1)].alone, [alone, alone], rtol=1e-12)
    np.testing.assert_allclose(sets[(0, 1)].together, [beside, beside], rtol=1e-12)
    np.testing.assert_allclose(sum(s.probability for s in sets.values()), 1.0, rtol=1e-12)


def test_a_search_that_would_take_too_long_is_an_error():
    network = network_of("plain", 1, causes=40, findings=20)
    with pytest.raises(ValueError, match=r"`most_sets` must be enough for an exact search.*: 3"):
        network.most_probable(np.ones(20), most_sets=3)
