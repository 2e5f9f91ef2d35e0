"""Importance sampling: right on average, with standard errors that are."""

import functools

import numpy as np
import pytest

from synann_core.noisy_or.bounds import bound
from synann_core.noisy_or.problems import problems
from synann_core.noisy_or.sampling import estimate
from tests.synann_core.noisy_or.brute_force import brute_force, random_case

SEEDS = range(12)


@functools.cache
def drawn(seed, most_cases):
    """An estimate for a random sample, by how many standard errors it is off, and its errors."""
    for trial in range(seed * 1000, seed * 1000 + 50):
        network, x = random_case(trial, causes=8)
        evidence, posterior = brute_force(network, x)
        if posterior is not None and evidence > 0:
            break
    problem = next(problems(network, x[None]))
    found = bound(problem, width=0.0, seconds=1e9, seconds_a_sum=0.0, most_cases=most_cases)
    rng = np.random.default_rng(seed)
    got = estimate(found.cases, seconds=1e9, error=0.01, most=20_000, rng=rng)
    posterior = posterior.astype(float)
    off = (got.probability - posterior) / np.maximum(got.error, 1e-9)
    log_off = (got.log_evidence - float(np.log(evidence))) / max(got.log_evidence_error, 1e-9)
    return got, off, log_off, posterior


@pytest.mark.parametrize("most_cases", [1, 6])
def test_estimates_are_off_by_their_standard_errors(most_cases):
    """Root mean squares of what should be near 1, and is 0 where nothing is left to chance."""
    offs, logs = [], []
    for seed in SEEDS:
        got, off, log_off, _ = drawn(seed, most_cases)
        assert got.effective > 1000
        offs += off.tolist()
        logs.append(log_off)
        assert np.abs(off).max() < 5
    assert 0.3 < np.sqrt(np.mean(np.square(offs))) < 1.3
    assert np.sqrt(np.mean(np.square(logs))) < 1.6


def test_errors_shrink_with_the_number_of_sets():
    problem_cases = drawn_cases(3)
    few, many = (
        estimate(problem_cases, seconds=1e9, error=0.0, most=most, rng=np.random.default_rng(0))
        for most in (4096, 16 * 4096)
    )
    assert few.log_evidence_error > 2.5 * many.log_evidence_error > 0.0
    assert many.effective > 8 * few.effective


def drawn_cases(seed):
    network, x = random_case(seed * 1000, causes=8)
    problem = next(problems(network, x[None]))
    return bound(problem, width=0.0, seconds=1e9, seconds_a_sum=0.0, most_cases=2).cases


def test_the_same_random_numbers_give_the_same_estimate():
    cases = drawn_cases(3)
    one, two = (
        estimate(cases, seconds=1e9, error=0.01, most=8192, rng=np.random.default_rng(5))
        for _ in range(2)
    )
    assert one.log_evidence == two.log_evidence
    np.testing.assert_array_equal(one.probability, two.probability)
