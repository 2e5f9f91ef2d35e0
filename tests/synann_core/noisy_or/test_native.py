"""The host side of the kernels: what they are planned to take."""

import os
import tracemalloc
from unittest import mock

import numpy as np
import pytest

from synann_core.noisy_or import exact, native
from synann_core.noisy_or.problems import problems
from tests.synann_core.noisy_or.test_inference import random_network

pytestmark = pytest.mark.needs_kernels


@pytest.fixture
def asked():
    """A problem of megabytes, and its plan."""
    (problem,) = problems(random_network(100, 17, 0.3), np.ones((1, 17)))
    return problem, exact.plan_of(problem)


@pytest.mark.parametrize("shares", [False, True])
def test_planned_memory_is_what_it_takes(asked, shares):
    problem, plan = asked
    tracemalloc.start()
    exact.solve(problem, plan, shares=shares)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    planned = native.planned_bytes(plan, shares=shares)
    assert exact.planned_bytes(problem, plan, shares=shares) == planned  # one setting
    assert 0.3 * planned < peak < planned + 1e6


def test_threads_do_not_change_a_bit(asked):
    problem, plan = asked
    log, posterior = exact.solve(problem, plan, shares=True)
    with mock.patch.dict(os.environ, OMP_NUM_THREADS="1"):
        alone, same = exact.solve(problem, plan, shares=True)
    assert alone == log
    np.testing.assert_array_equal(same, posterior)
