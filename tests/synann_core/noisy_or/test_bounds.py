"""Bounds of evidence and posteriors: they hold the exact value, and are close.

CI takes some cases; SYNANN_TEST_SEEDS=200, as in `make test-all`, takes 500.
"""

import functools
import os

import numpy as np
import pytest

from synann_core.noisy_or import NoisyOr, exact
from synann_core.noisy_or.bounds import bound
from synann_core.noisy_or.problems import problems
from tests.synann_core.noisy_or.brute_force import brute_force, random_case

CASES = 500 if int(os.environ.get("SYNANN_TEST_SEEDS", "4")) >= 200 else 40
NO_LIMIT = {"width": 0.05, "seconds": 1e9}


@functools.cache
def cases():
    """Possible samples with exact results: problem, log-evidence, posteriors."""
    found = []
    for seed in range(10 * CASES):
        network, x = random_case(seed, causes=10)
        evidence, posterior = brute_force(network, x)
        if posterior is not None and evidence > 0:
            problem = next(problems(network, x[None]))
            found.append((problem, float(np.log(evidence)), posterior.astype(float)))
        if len(found) == CASES:
            return found
    raise AssertionError("too few samples are possible")


def widths(seconds_a_sum, most_cases):
    """Widths of the bounds of causes that are worth a thought; the bounds are checked."""
    found = []
    for problem, log_evidence, posterior in cases():
        got = bound(problem, seconds_a_sum=seconds_a_sum, most_cases=most_cases, **NO_LIMIT)
        assert got.log_lower <= log_evidence + 1e-12
        assert log_evidence <= got.log_upper + 1e-12
        assert (got.lower <= posterior + 1e-15).all()
        assert (posterior <= got.upper + 1e-15).all()
        assert (got.lower >= 0).all()
        assert (got.upper <= 1).all()
        found += (got.upper - got.lower)[posterior > 0.01].tolist()
    return np.array(found)


def test_with_time_to_sum_over_all_findings_they_are_exact():
    assert widths(1.0, 1).max() < 1e-11


def test_where_nothing_is_summed_splitting_brings_them_close():
    first, later = widths(0.0, 1), widths(0.0, 100)
    assert np.median(later) <= 0.05 < first.mean()
    assert later.mean() < 0.5 * first.mean()


@pytest.fixture
def large():
    """More findings than anybody sums over, of few strong causes."""
    rng = np.random.default_rng(0)
    beta = rng.uniform(0.1, 0.9, (40, 60)) * (rng.random((40, 60)) < 0.3)
    network = NoisyOr(rng.uniform(1e-3, 0.05, 60), rng.uniform(0.005, 0.05, 40), beta)
    causes = np.zeros(60)
    causes[[3, 17]] = 1.0
    x = (rng.random(40) < network.predict(causes)).astype(float)
    return next(problems(network, x[None]))


def test_more_cases_and_longer_sums_are_closer(large):
    few = bound(large, seconds_a_sum=0.0, most_cases=1, **NO_LIMIT)
    more = bound(large, seconds_a_sum=0.0, most_cases=12, **NO_LIMIT)
    longer = bound(large, seconds_a_sum=4e-3, most_cases=1, **NO_LIMIT)
    gaps = [b.log_upper - b.log_lower for b in (few, more, longer)]
    assert gaps[0] > max(gaps[1:])
    for closer in (more, longer):  # all of them hold the same number
        assert max(few.log_lower, closer.log_lower) < min(few.log_upper, closer.log_upper)


def test_width_and_time_end_the_search(large):
    wide = bound(large, width=1.0, seconds=1e9, seconds_a_sum=0.0)
    assert len(wide.cases) == 1
    assert len(bound(large, width=0.0, seconds=0.0, seconds_a_sum=0.0).cases) == 1


def test_findings_of_two_terms_are_planned_for_once(monkeypatch):
    """Eight absent findings that causes protect from: 256 cases, of one plan."""
    rng = np.random.default_rng(3)
    shape = 14, 6
    beta, delta = (rng.uniform(0.2, 0.9, shape) * (rng.random(shape) < 0.5) for _ in range(2))
    delta[8:] = 0.0
    network = NoisyOr(np.full(6, 0.1), np.full(14, 0.05), beta, protection=delta)
    x = np.r_[np.zeros(8), np.ones(6)]
    evidence, posterior = brute_force(network, x)
    problem = next(problems(network, x[None]))
    plans = []
    plan_of = exact.plan_of
    monkeypatch.setattr(
        exact, "plan_of", lambda *a, **options: plans.append(0) or plan_of(*a, **options)
    )
    got = bound(problem, width=1.0, seconds=0.0)
    assert len(got.cases) == 2 ** len(problem.terms) == 256
    assert len(plans) < 10
    assert got.log_lower <= np.log(float(evidence)) <= got.log_upper
    assert (got.lower <= posterior + 1e-15).all()
    assert (posterior <= got.upper + 1e-15).all()
