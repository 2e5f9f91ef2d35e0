"""Findings that cannot be together are named, whatever the method."""

import numpy as np
import pytest

from synann_core.noisy_or import NoisyOr
from synann_core.noisy_or.contradictions import contradiction
from tests.synann_core.noisy_or.networks import joint_of


@pytest.mark.parametrize("method", ["auto", "exact", "bounds", "sampling"])
def test_impossible_findings_are_named_by_every_method(method):
    model = NoisyOr([0.1], [0.0, 0.0], [[1.0], [1.0]])
    with pytest.raises(
        ValueError, match="of probability 0 with finding 0 present, finding 1 absent"
    ):
        model.posterior([[1.0, 0.0]], method=method)


def test_sums_that_float64_cannot_hold_go_to_bounds():
    """A thousand present findings in a chain, each of probability 0.002 or so."""
    n = 1000
    beta = np.zeros((n, n))
    beta[np.arange(n), np.arange(n)] = beta[np.arange(1, n), np.arange(n - 1)] = 0.8
    model = NoisyOr(np.full(n, 0.001), np.full(n, 0.001), beta)
    x = np.ones((1, n))
    with pytest.raises(ValueError, match="whose joint probability a sum in float64"):
        model.log_evidence(x)
    got = model.posterior(x, most_seconds=2.0)
    assert got.method[0] in ("bounds", "sampling")
    assert (got.lower <= got.upper).all()


def possible(network, x):
    """Whether some set of causes has a positive probability together with the findings."""
    return joint_of(network, x)[1].max() > 0.0


@pytest.mark.parametrize("protection", [False, True])
def test_contradictions_are_whole_and_nothing_is_left_out(protection):
    """Against all sets of causes: impossible together, possible without any one of them."""
    found, sizes = 0, []
    for seed in range(400):
        rng = np.random.default_rng([protection, seed])
        shape = 6, 4
        beta, delta = (rng.choice([0.0, 0.5, 1.0], shape, p=[0.5, 0.2, 0.3]) for _ in range(2))
        delta *= rng.random(shape) < 0.5
        network = NoisyOr(
            rng.choice([0.0, 0.5, 1.0], 4, p=[0.1, 0.8, 0.1]),
            rng.choice([0.0, 0.1], 6),
            beta,
            protection=delta if protection else None,
        )
        x = rng.choice([0.0, 1.0, np.nan, 0.5], 6, p=[0.4, 0.4, 0.1, 0.1])
        if possible(network, x):
            np.testing.assert_array_equal(
                contradiction(network, x), np.flatnonzero((x == 0) | (x == 1))
            )
            continue
        found += 1
        culprits = contradiction(network, x)
        sizes.append(culprits.size)
        alone = np.full(6, np.nan)
        alone[culprits] = x[culprits]
        assert not possible(network, alone)
        for i in culprits:
            without = alone.copy()
            without[i] = np.nan
            assert possible(network, without)
    assert found > 50
    assert len(set(sizes)) > 2


def test_with_protection_only_those_that_contradict_are_named():
    """The present rash needs the one cause that is sure to bring the absent fever about."""
    model = NoisyOr(
        [0.1, 0.1],
        [0.0, 0.1, 0.1],
        [[0.5, 0.0], [1.0, 0.0], [0.3, 0.8]],
        protection=[[0.0, 0.0], [0.0, 0.0], [0.0, 0.5]],
        findings=["rash", "fever", "cough"],
    )
    message = "sample 0, of probability 0 with 'rash' present, 'fever' absent$"
    with pytest.raises(ValueError, match=message):
        model.posterior({"cough": 0, "fever": 0, "rash": 1})


def test_of_many_culprits_some_are_named():
    """A finding without a leak, and ten absent ones that rule its ten causes out."""
    model = NoisyOr([0.1] * 10, [0.0] + [0.1] * 10, np.r_[np.full((1, 10), 0.5), np.eye(10)])
    with pytest.raises(ValueError, match=r"finding 0 present, finding 1 absent, .* and 3 more$"):
        model.posterior([[1.0] + [0.0] * 10])
