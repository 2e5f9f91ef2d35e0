"""How time, memory and errors are measured, by the benchmarks and by the report."""

from __future__ import annotations

import re
import resource
import statistics
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .common import Call

SLOW = 1.0  # seconds; slower calls are repeated three times
_SLOW_REPEATS = 3
_BURST = 0.02  # seconds for which a fast call is repeated in its turn
_LONGEST_BURST = 20


def medians(calls: Mapping[str, Call], turns: Iterable[int] = range(15)) -> dict[str, float]:
    """Median seconds of calls that take turns, so that all see the same machine.

    Parameters
    ----------
    calls : mapping of name to callable
        What is timed.
    turns : iterable of int
        The turns, from 0. In its turn a call that takes milliseconds is repeated; one slower than
        a second gets three turns.

    Returns
    -------
    dict of name to float
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in turns:
        for name, call in calls.items():
            taken = times[name]
            if taken and taken[0] > SLOW:
                if turn < _SLOW_REPEATS:
                    taken.append(seconds(call))
                continue
            # Once untimed: compiles at first, and afterwards brings back the caches and threads
            # that the others have taken.
            warm = seconds(call)
            burst = min(_LONGEST_BURST, max(1, round(_BURST / warm)))
            taken.extend(seconds(call) for _ in range(burst))
    return {name: statistics.median(taken) for name, taken in times.items()}


def seconds(call: Call) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def growth(call: Call) -> int:
    """Bytes by which the peak memory of the process grows in a call.

    The peak only ever rises: in a process that has needed more before, nothing is seen.
    """
    before = _peak()
    call()
    return _peak() - before


def _peak() -> int:
    try:  # ru_maxrss would count what the parent process held when it started this one
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


def forward_error(value: Any, exact: np.ndarray) -> float:
    """Largest relative error of T."""
    return _checked(np.max(np.abs(to_numpy(value) / exact - 1)))


def vjp_error(gradients: Any, exact: Iterable[np.ndarray]) -> float:
    """Largest error of the gradients, each relative to its largest entry."""
    pairs = zip(map(to_numpy, gradients), exact, strict=True)
    return _checked(max(np.max(np.abs(g - e)) / np.max(np.abs(e)) for g, e in pairs))


def to_numpy(array: Any) -> np.ndarray:
    """Copy an array of any library to float64 NumPy."""
    detached = array.detach() if hasattr(array, "detach") else array
    return np.asarray(detached, dtype=np.float64)


def _checked(error: Any) -> float:
    # asv takes NaN for "skipped" and would hide it.
    if not np.isfinite(error):
        raise ArithmeticError("the result is not finite")
    return float(error)
