"""Both exact sums against Bayes' rule spelled out in higher precision."""

import functools

import numpy as np
import pytest

from synann_core.noisy_or import NoisyOr, cause_sets, exact, plan
from synann_core.noisy_or.plan import Plan
from synann_core.noisy_or.problems import problems
from tests.synann_core.noisy_or.brute_force import brute_force, in_mpmath, random_case

CLOSE = 1e-12


def over_findings(network, x):
    (problem,) = problems(network, x[None])
    own = exact.plan_of(problem)
    assert isinstance(own, Plan)
    log, posterior = exact.solve(problem, own, shares=True)
    alone, nothing = exact.solve(problem, own, shares=False)
    assert nothing is None
    assert alone == pytest.approx(log, rel=1e-14, abs=1e-14)
    return log, posterior


def over_causes(network, x):
    log, posterior = cause_sets.solve(network, x[None], cause_sets.make_plan(network, x[None]))
    return log[0], posterior[0]


@functools.cache
def known_case(seed):
    """A random case and what is known about it: both sums are compared with it."""
    network, x = random_case(seed)
    return network, x, brute_force(network, x)


def check(network, x, solve, seed=None, known=None):
    evidence, posterior = known or brute_force(network, x)
    log, own = solve(network, x)
    if evidence == 0:
        assert log == -np.inf, seed
        return False
    assert np.exp(np.longdouble(log)) == pytest.approx(evidence, rel=CLOSE), seed
    assert (own >= 0).all(), seed
    assert (own <= 1).all(), seed
    np.testing.assert_allclose(own, posterior.astype(float), rtol=CLOSE, err_msg=str(seed))
    return True


@pytest.mark.kernel_branches
@pytest.mark.parametrize("solve", [over_findings, over_causes])
def test_two_hundred_random_networks(solve):
    possible = []
    for seed in range(200):
        network, x, known = known_case(seed)
        possible.append(check(network, x, solve, seed, known))
    assert sum(possible) > 120  # the others contradict themselves


def test_long_doubles_are_right_here():
    compared = 0
    for seed in range(12):
        network, x = random_case(seed, causes=5, findings=6)
        total, posterior = in_mpmath(network, x)
        evidence, own = brute_force(network, x)
        assert float(evidence) == pytest.approx(float(total), rel=1e-15)
        if total:
            compared += 1
            np.testing.assert_allclose(own.astype(float), [float(p) for p in posterior], rtol=1e-15)
    assert compared > 5


@pytest.mark.kernel_branches
@pytest.mark.parametrize("solve", [over_findings, over_causes])
def test_evidence_below_the_smallest_float(solve):
    """1e-400 and less: nothing underflows, not even where one cause alone explains it all."""
    network = NoisyOr([0.5, 0.25], np.full(25, 1e-17), np.zeros((25, 2)))
    log, posterior = solve(network, np.ones(25))
    assert log == pytest.approx(25 * np.log(1e-17), rel=1e-14)
    np.testing.assert_allclose(posterior, network.prior)
    beta = np.zeros((25, 2))
    beta[:, 0] = 1e-20
    network = NoisyOr([1e-30, 0.25], np.full(25, 1e-21), beta)
    log, posterior = solve(network, np.ones(25))
    want = 25 * np.log(1e-21), np.log(1e-30) + 25 * np.log(1.1e-20)
    assert log == pytest.approx(np.logaddexp(*want), rel=1e-14)
    np.testing.assert_allclose(posterior, [np.exp(want[1] - np.logaddexp(*want)), 0.25], rtol=1e-11)


@pytest.mark.parametrize("n", [60, 150])
def test_posteriors_far_below_those_of_other_causes(n):
    """In proportion to a tiny prior, also where many findings make the evidence as small."""
    beta, places = np.zeros((n, n + 1)), np.arange(n)
    beta[places, places] = beta[places[1:], places[:-1]] = beta[:2, n] = 0.5
    ratios = []
    for prior in (1e-100, 1e-150, 1e-200, 1e-250):
        network = NoisyOr(np.r_[np.full(n, 1e-4), prior], np.full(n, 1e-3), beta)
        ratios.append(over_findings(network, np.ones(n))[1][n] / prior)
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-12)
    assert ratios[0] > 1000


@pytest.mark.kernel_branches
@pytest.mark.parametrize("solve", [over_findings, over_causes])
def test_a_cause_that_absent_findings_all_but_rule_out(solve):
    """Its weight is 1e-2000, and it is the only one that explains the present ones."""
    beta = np.r_[np.full((1000, 1), 0.99), [[0.5]], [[0.25]]]
    network = NoisyOr([0.1, 0.2], np.zeros(1002), np.c_[beta, np.zeros(1002)])
    log, posterior = solve(network, np.r_[np.zeros(1000), 1.0, 1.0])
    assert log == pytest.approx(np.log(0.1) + 1000 * np.log(0.01) + np.log(0.125), rel=1e-13)
    np.testing.assert_allclose(posterior, [1.0, 0.2])


@pytest.mark.parametrize("k", [18, 20])
def test_many_present_findings_do_not_cancel(k):
    """Where Quickscore's alternating sum is negative; few causes, so that there is a reference."""
    rng = np.random.default_rng(k)
    beta = np.where(rng.random((k, 10)) < 0.3, rng.uniform(0.05, 0.9, (k, 10)), 0.0)
    network = NoisyOr(10.0 ** rng.uniform(-4, -2, 10), rng.uniform(1e-3, 2e-2, k), beta)
    assert check(network, np.ones(k), over_findings)
    assert check(network, np.ones(k), over_causes)


def test_causes_with_most_links_are_taken_apart():
    """A chain of findings, and three causes linked to many of them."""
    rng = np.random.default_rng(1)
    k, n = 30, 33
    beta = np.zeros((k, n))
    for j in range(k - 1):
        beta[j : j + 2, j] = rng.uniform(0.1, 0.9, 2)
    beta[:, k:] = np.where(rng.random((k, 3)) < 0.8, rng.uniform(0.1, 0.9, (k, 3)), 0.0)
    network = NoisyOr(10.0 ** rng.uniform(-4, -1, n), rng.uniform(1e-3, 2e-2, k), beta)
    (problem,) = problems(network, np.ones((1, k)))
    own = exact.plan_of(problem)
    assert isinstance(own, Plan)
    assert own.total_units < 1e6
    log, posterior = exact.solve(problem, own, shares=True)
    # Bayes' rule once more: by the posterior of a cause that is known to be present.
    j = 31
    sure = NoisyOr(np.where(np.arange(n) == j, 1.0, network.prior), network.leak, beta)
    (known,) = problems(sure, np.ones((1, k)))
    with_cause, _ = exact.solve(known, exact.plan_of(known), shares=False)
    ratio = np.exp(with_cause - log) * network.prior[j]
    assert posterior[j] == pytest.approx(ratio, rel=1e-12)


@pytest.mark.needs_kernels
def test_conditioning_changes_nothing(monkeypatch):
    """Causes are conditioned on in small networks, too, which the other sum can follow."""
    monkeypatch.setattr(plan, "_WORTH_CONDITIONING", 50)
    compared = 0
    for seed in range(60):
        network, x = random_case([3, seed], causes=11, findings=20)
        (problem,) = problems(network, x[None])
        own = exact.plan_of(problem)
        if not (isinstance(own, Plan) and own.conditioned and exact.settings_of(problem, own) < 65):
            continue
        log, posterior = exact.solve(problem, own, shares=True)
        want, other = over_causes(network, x)
        if np.isneginf(want):
            assert np.isneginf(log)
            continue
        compared += 1
        assert log == pytest.approx(want, rel=1e-13, abs=1e-13), seed
        np.testing.assert_allclose(posterior, other, rtol=CLOSE, err_msg=str(seed))
    assert compared > 10
