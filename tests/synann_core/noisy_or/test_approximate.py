"""Bounds where they are close, samples where they are not."""

import numpy as np
import pytest

from synann_core.native.host import enabled
from synann_core.noisy_or import NoisyOr
from synann_core.noisy_or.approximate import approximate
from synann_core.noisy_or.problems import problems


def sample(findings, seed=0, causes=40):
    rng = np.random.default_rng(seed)
    shape = findings, causes
    beta = rng.uniform(0.1, 0.9, shape) * (rng.random(shape) < 0.25)
    network = NoisyOr(rng.uniform(1e-3, 0.1, causes), rng.uniform(0.005, 0.05, findings), beta)
    x = network.sample(1, rng=rng)[1][0]
    x[: findings // 2] = 1.0
    return network, x


def run(problem, **options):
    given = {"method": "auto", "width": 0.05, "seconds": 20.0, "rng": np.random.default_rng(0)}
    return approximate(problem, **given | options)


@pytest.mark.parametrize("method", ["auto", "bounds", "sampling"])
def test_what_can_be_summed_exactly_is_met(method):
    # Without kernels the bounds of more findings take far longer to meet.
    network, x = sample(24 if enabled() else 20)
    exact = network.posterior(x[None])
    got = run(next(problems(network, x[None])), method=method, seconds=1e3)
    assert got.method == {"auto": "bounds"}.get(method, method)
    p, log_evidence = exact.probability[0], exact.log_evidence[0]
    slack = 0.02 if method == "sampling" else 1e-12  # twice its errors are no bound
    assert (got.lower <= p + slack).all()
    assert (p <= got.upper + slack).all()
    np.testing.assert_allclose(got.probability, p, atol=0.05)
    np.testing.assert_allclose(got.log_evidence, log_evidence, atol=0.3)
    assert got.log_lower <= got.log_evidence <= got.log_upper
    assert (got.lower <= got.probability).all()
    assert (got.probability <= got.upper).all()


def test_samples_follow_where_bounds_stay_wide():
    network, x = sample(60, causes=200)
    x[:] = 1.0
    got = run(next(problems(network, x[None])), width=1e-3, seconds=0.4)
    assert got.method == "sampling"
    assert (got.lower <= got.probability).all()
    assert (got.probability <= got.upper).all()
    only = run(next(problems(network, x[None])), width=1e-3, seconds=0.2, method="bounds")
    assert only.method == "bounds"
    assert ((only.lower <= got.upper) & (got.lower <= only.upper)).all()


def test_the_middle_where_there_is_no_lower_bound():
    """Findings without a leak: one of two causes must be there, and no term bounds that."""
    network = NoisyOr(np.full(30, 0.01), np.zeros(40), np.full((40, 30), 0.5))
    got = run(next(problems(network, np.ones((1, 40)))), seconds=0.0, method="bounds")
    assert np.isfinite(got.probability).all()
    assert (got.lower <= got.probability).all()
    assert (got.probability <= got.upper).all()
