"""Independent parts of a computation on several threads.

The compiled kernels release Python's lock, so that plain threads run them side by side. (OpenMP's
pools were not an option: they do not survive a fork.) What a part computes does not depend on which
thread takes it.

NumPy's products of matrices have threads of their own, BLAS's. Small products do better without.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from array_api_compat import is_numpy_namespace

from synann_core._lib.typing import Namespace

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

# One thread takes half a millisecond or so for a float32 product of this many multiplications.
SMALL_PRODUCT = 2**24

_limits_blas = threading.Lock()  # held by the thread of Python that does
_forked = False
_this_thread = threading.local()


def thread_count() -> int:
    """Return the threads to use: the processors open to this process, or ``OMP_NUM_THREADS``.

    The smaller number counts. A forked child (a worker of a DataLoader, say), which has its
    parent's other children beside it, uses one; and so does a part of a computation that is on
    several already.
    """
    if _forked or getattr(_this_thread, "works", False):
        return 1
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    most = count or 1
    # The variable may be a list, for nested regions.
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return max(1, min(most, int(limit))) if limit.isdecimal() else most


def run_parts(
    function: Callable[..., None], parts: Iterable[tuple[Any, ...]], threads: int
) -> None:
    """Call ``function(*part)`` for every part, on up to `threads` threads, this one included."""
    remaining = list(parts)
    threads = min(threads, len(remaining))
    if threads <= 1:
        for part in remaining:
            function(*part)
        return
    shared = iter(remaining)  # its next() is atomic: every part is taken once
    errors: list[BaseException] = []
    state, working = threading.Condition(), 0

    def work() -> None:
        nonlocal working
        with state:
            working += 1
        _this_thread.works = True
        try:
            for part in shared:
                function(*part)
        except BaseException as error:
            errors.append(error)
            for _ in shared:  # the rest is not worth doing
                pass
        finally:
            _this_thread.works = False
            with state:
                working -= 1
                state.notify_all()

    # The pool has put the work in its queue when it cannot start a thread for it, because of the
    # system's limit or of the interpreter's end: not its futures but the count says who works.
    with contextlib.suppress(RuntimeError):
        for _ in range(threads - 1):
            _pool().submit(work)
    work()
    with state:
        # One that starts only now finds nothing to do.
        state.wait_for(lambda: working == 0)
    if errors:
        raise errors[0]


def side_by_side(
    function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]
) -> Iterable[Any]:
    """``function(*a)`` for every a, on all threads, silently; the results in the same order."""
    results: list[Any] = [None] * len(arguments)

    def keep(k: int) -> None:
        with np.errstate(all="ignore"):  # the caller's does not reach its threads
            results[k] = function(*arguments[k])

    run_parts(keep, [(k,) for k in range(len(arguments))], thread_count())
    return results


@contextlib.contextmanager
def blas_threads_for(multiplications: int, xp: Namespace) -> Iterator[None]:
    """Let BLAS use one thread meanwhile if no product of NumPy's matrices is larger than this.

    The threads of OpenBLAS wait for each other without sleeping. Where another program has the
    processor of one of them, a product that takes microseconds takes as long as that program may
    run: 30 milliseconds. Half of such a product's time is all that a second thread could save.

    Products up to `SMALL_PRODUCT` count as small. Without threadpoolctl nothing is limited.
    """
    controller = _blas() if multiplications <= SMALL_PRODUCT and is_numpy_namespace(xp) else None
    # The limit is the process's. A thread that came second would go back to the first one's.
    if controller is None or not _limits_blas.acquire(blocking=False):
        yield
        return
    try:
        with controller.limit(limits=1, user_api="blas"):
            yield
    finally:
        _limits_blas.release()


@functools.cache
def _blas() -> Any:
    """Find the libraries for matrix products, once; None without threadpoolctl."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:  # optional; scikit-learn brings it along
        return None
    return ThreadpoolController()


@functools.cache
def _pool() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor  # logging comes with it

    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="synann")


def _after_fork() -> None:
    global _forked
    _forked = True
    _pool.cache_clear()  # its threads did not come along


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
