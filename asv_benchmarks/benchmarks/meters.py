"""Measure time, memory and errors, for the benchmarks and the reports."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[[], object]
Clock = Callable[[], float]

SLOW = 1.0  # seconds; slower calls are repeated three times
_SLOW_REPEATS = 3
_BURST = 0.02  # seconds for which a fast call is repeated in its turn
_LONGEST_BURST = 20

# Idle threads sleep, where libraries with pools of their own are timed in one process. With
# libgomp's own choice the idle pools of some take the cores from the others (`nn.Linear` read 40 ms
# instead of 9); with no spinning at all, `nn.Linear` at 512x256x256 takes a third longer than
# alone, waking its threads. A short spin has neither fault.
QUIET = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}


def quiet_threads() -> None:
    """Let idle threads sleep; to be called before any library with threads is imported."""
    os.environ.update(QUIET)


def medians(
    calls: Mapping[str, Call], turns: Iterable[int] = range(15), clock: Clock = time.perf_counter
) -> dict[str, float]:
    """Return the median seconds of calls that take turns, so that all see the same machine.

    In its turn a call that takes milliseconds is repeated; one slower than a second gets three
    turns. With `time.process_time` as the clock, and one thread, other programs hardly count.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in turns:
        for name, call in calls.items():
            taken = times[name]
            if taken and taken[0] > SLOW:
                if turn < _SLOW_REPEATS:
                    taken.append(seconds(call, clock))
                continue
            # Once untimed: compiles at first, and afterwards brings back the caches and threads
            # that the others have taken.
            warm = seconds(call, clock)
            burst = min(_LONGEST_BURST, max(1, round(_BURST / max(warm, 1e-9))))
            taken.extend(seconds(call, clock) for _ in range(burst))
    return {name: statistics.median(taken) for name, taken in times.items()}


def seconds(call: Call, clock: Clock = time.perf_counter) -> float:
    """Seconds of one call."""
    start = clock()
    call()
    return clock() - start


def growth(call: Call) -> int:
    """Measure the bytes that a call takes at most, beyond what the process holds.

    Where the system cannot start its peak anew, as Linux can, the peak only ever rises: to be
    called in a fresh process.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _peak()
    call()
    return _peak() - before


def _peak() -> int:
    try:  # ru_maxrss would count what the parent process held when it started this one
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return 1024 * int(found.group(1)) if found else 0


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


def _checked(error: float | np.floating) -> float:
    # asv takes NaN for "skipped" and would hide it.
    if not np.isfinite(error):
        raise ArithmeticError("the result is not finite")
    return float(error)
