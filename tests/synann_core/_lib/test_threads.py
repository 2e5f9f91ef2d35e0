"""Parts of a computation on several threads: each once, errors raised, limits kept."""

import concurrent.futures
import os
import sys
import threading
import time

import array_api_compat.numpy as xp
import numpy as np
import pytest
import threadpoolctl
from array_api_compat import torch as torch_xp

from synann_core._lib import threads as pools


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_part_is_run_once(count):
    taken = []
    pools.run_parts(taken.append, [(k,) for k in range(100)], count)
    assert sorted(taken) == list(range(100))
    pools.run_parts(taken.append, [], count)


@pytest.mark.parametrize("in_caller", [True, False])
def test_errors_of_a_thread_are_raised(in_caller):
    caller, seen = threading.get_ident(), threading.Event()

    def part(k):
        if (threading.get_ident() == caller) == in_caller:
            seen.set()
            raise MemoryError("no memory")
        seen.wait(10)

    with pytest.raises(MemoryError, match="no memory"):
        pools.run_parts(part, [(k,) for k in range(8)], 2)


def test_parts_are_waited_for_where_no_thread_can_be_started(monkeypatch):
    """A pool that is at the system's limit has put the work in its queue before it raises."""
    done = []

    class Limited(concurrent.futures.ThreadPoolExecutor):
        def submit(self, *work):
            super().submit(*work)
            time.sleep(0.1)  # the first thread, which exists, takes it
            raise RuntimeError("can't start new thread")

    def part(k):
        time.sleep(0.3 if threading.get_ident() != caller else 0.0)
        done.append(k)

    caller = threading.get_ident()
    with Limited(1) as pool:
        monkeypatch.setattr(pools, "_pool", lambda: pool)
        pools.run_parts(part, [(k,) for k in range(10)], 2)
        assert sorted(done) == list(range(10))


def test_thread_count(monkeypatch):
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("no affinity on this system")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    cases = [("", 8), ("3", 3), ("64", 8), ("0", 1), ("many", 8), ("-1", 8)]
    for openmp, want in cases:
        monkeypatch.setenv("OMP_NUM_THREADS", openmp)
        assert pools.thread_count() == want


def test_nested_thread_limit_of_openmp(monkeypatch):
    """OpenMP's variable may be a list, for nested regions; the first number is the outer one's."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "2,4")
    assert pools.thread_count() == 2


def test_results_come_in_the_order_of_the_arguments():
    def late(k):
        time.sleep(0.002 * (7 - k))
        return k

    assert pools.side_by_side(late, [(k,) for k in range(8)]) == list(range(8))


def test_threads_are_as_quiet_as_their_caller():
    def closed(k):
        return np.log(np.zeros(3)) / np.zeros(3)

    results = pools.side_by_side(closed, [(0,), (1,), (2,)])  # a warning would be an error here
    assert all(np.isneginf(result).all() for result in results)


def test_a_part_on_a_thread_has_no_threads_of_its_own(monkeypatch):
    monkeypatch.setattr(pools, "_forked", False)
    counts = pools.side_by_side(lambda _: pools.thread_count(), [(0,), (1,), (2,), (3,)])
    if pools.thread_count() > 1:
        assert set(counts) == {1}


def blas_threads():
    """How many OpenBLAS of NumPy may use."""
    (numpys,) = (
        library["num_threads"]
        for library in threadpoolctl.threadpool_info()
        if library["user_api"] == "blas" and "numpy" in library["filepath"]
    )
    return numpys


@pytest.fixture
def two_threads():
    """Two threads for BLAS, whatever the machine and the environment say."""
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        if blas_threads() != 2:
            pytest.skip("this BLAS has one thread")
        yield


@pytest.mark.usefixtures("two_threads")
def test_small_products_have_one_thread_of_blas():
    with pools.blas_threads_for(pools.SMALL_PRODUCT, xp):
        assert blas_threads() == 1
        with pools.blas_threads_for(1, xp):
            assert blas_threads() == 1
        assert blas_threads() == 1
    assert blas_threads() == 2
    with pools.blas_threads_for(pools.SMALL_PRODUCT + 1, xp):
        assert blas_threads() == 2
    with pools.blas_threads_for(1, torch_xp):
        assert blas_threads() == 2


def test_threads_that_limit_blas_side_by_side_leave_it_as_it_was():
    before, entered, leave = blas_threads(), threading.Event(), threading.Event()

    def other():
        with pools.blas_threads_for(1, xp):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with pools.blas_threads_for(1, xp):
        thread.start()
        assert entered.wait(10)
        assert blas_threads() == 1
    leave.set()
    thread.join()
    assert blas_threads() == before
    with pytest.raises(KeyError), pools.blas_threads_for(1, xp):
        raise KeyError
    assert blas_threads() == before


@pytest.mark.usefixtures("two_threads")
def test_without_threadpoolctl_nothing_is_limited(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    pools._blas.cache_clear()
    try:
        with pools.blas_threads_for(1, xp):
            assert blas_threads() == 2
    finally:
        pools._blas.cache_clear()
