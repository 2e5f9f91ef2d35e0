"""Findings that cannot be together are named, whatever the method."""

import numpy as np
import pytest

from synann_core.noisy_or import NoisyOr


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
