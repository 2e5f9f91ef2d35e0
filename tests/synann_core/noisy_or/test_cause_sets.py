"""Sums over sets of causes: blocks, threads, and causes that are not summed over."""

import os
from unittest import mock

import numpy as np
import pytest

from synann_core.noisy_or import NoisyOr, cause_sets
from tests.synann_core.noisy_or.test_inference import random_network


def solve(network, x):
    return cause_sets.solve(network, x, cause_sets.make_plan(network, x))


def test_only_uncertain_causes_of_known_findings_are_free():
    beta = np.array([[0.5, 0.5, 0.5, 0.0], [0.0, 0.0, 0.0, 0.5]])
    network = NoisyOr([0.5, 0.0, 1.0, 0.25], [0.1, 0.1], beta)
    x = np.array([[1.0, np.nan], [0.5, np.nan]])
    plan = cause_sets.make_plan(network, x)
    assert plan.free.tolist() == [0]
    assert plan.findings.tolist() == [0]
    _, posterior = solve(network, x)
    np.testing.assert_array_equal(posterior[:, 1:], [[0.0, 1.0, 0.25]] * 2)


def test_blocks_and_threads(monkeypatch):
    network = random_network(10, 12, 0.4, seed=5)
    x = np.random.default_rng(0).choice([0.0, 1.0, np.nan, 0.3], size=(6, 12))
    log, posterior = solve(network, x)
    with mock.patch.dict(os.environ, OMP_NUM_THREADS="1"):
        alone = solve(network, x)
    np.testing.assert_array_equal(alone[0], log)
    np.testing.assert_array_equal(alone[1], posterior)
    monkeypatch.setattr(cause_sets, "_BLOCK_NUMBERS", 1)  # 64 sets at a time
    few = solve(network, x)
    np.testing.assert_allclose(few[0], log, rtol=1e-13)
    np.testing.assert_allclose(few[1], posterior, rtol=1e-12)


def test_one_impossible_sample_does_not_spoil_the_others():
    network = NoisyOr([0.5, 0.5], [0.0, 0.1], [[1.0, 0.0], [1.0, 0.5]])
    log, posterior = solve(network, np.array([[1.0, 0.0], [1.0, 1.0]]))
    assert log[0] == -np.inf
    assert log[1] == pytest.approx(np.log(0.5))
    np.testing.assert_allclose(posterior[1], [1.0, 0.5])


def test_planned_time_grows_with_sets_and_samples():
    small, large = (random_network(n, 20, 0.5) for n in (10, 14))
    x = np.ones((3, 20))
    seconds = [cause_sets.make_plan(network, x).seconds(3, 0) for network in (small, large)]
    assert seconds[1] > 8.0 * (seconds[0] - 1e-3)
    assert cause_sets.make_plan(small, x).seconds(300, 0) > seconds[0]
    assert cause_sets.make_plan(small, x).bytes(10**6) > 1e8
