"""Run a target on its inputs, and note what must not happen."""

from __future__ import annotations

import dataclasses
import time
import traceback
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

MOST_SECONDS = 1.0
MOST_WAIT = 20.0  # by the clock: what sleeps or hangs takes no time of the processor
MOST_TIMES, MOST_BYTES = 10, 16_000_000  # of memory: times the file, and bytes
MOST_FAULTS = 20  # that are kept of one target

Prepared = tuple[Callable[[], object], int]  # what is to be measured, and the bytes of its files


class Target(Protocol):
    """What is tried on inputs: see `targets`."""

    def prepare(self, rng: np.random.Generator, folder: Path) -> Prepared:
        """Write an input; return what is to be called and measured, and the bytes of its files."""

    def is_own(self, error: Exception) -> bool:
        """Whether it is the error that the documentation states."""


@dataclasses.dataclass
class Found:
    """What came of a target's inputs."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    peak: int = 0
    faults: list[tuple[int, str]] = dataclasses.field(default_factory=list)


def generator(name: str, seed: int, number: int) -> np.random.Generator:
    """Random numbers of one input, the same on every machine."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), number])


def measure(function: Callable[[], object]) -> tuple[Exception | None, float, int]:
    """Call a function; return its exception, its seconds and its peak of memory in bytes.

    Of memory that Python and NumPy allocate. A warning is an exception. What takes more than
    `MOST_SECONDS` is called once more, without tracing, which takes time.
    """
    already = tracemalloc.is_tracing()
    if not already:
        tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    error, seconds = _call(function)
    _, peak = tracemalloc.get_traced_memory()
    if seconds > MOST_SECONDS or not already:
        tracemalloc.stop()
    if seconds > MOST_SECONDS:
        error, seconds = _call(function)
        if already:
            tracemalloc.start()
    return error, seconds, peak - before


def _call(function: Callable[[], object]) -> tuple[Exception | None, float]:
    error = None
    clocks = time.perf_counter, time.process_time
    start = [clock() for clock in clocks]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            function()
    except Exception as raised:
        error = raised
    wall, own = (clock() - begin for clock, begin in zip(clocks, start, strict=True))
    # The processor's time where that is less: others may have it in between.
    return error, wall if wall > MOST_WAIT else min(wall, own)


def run(
    target: Target,
    folder: Path,
    *,
    name: str,
    seed: int,
    first: int = 0,
    inputs: int | None = None,
    until: float = float("inf"),
) -> Found:
    """Run a target on inputs `first`, `first` + 1, … for a number of them, or for a time."""
    found, number = Found(), first
    tracemalloc.start()
    try:
        while (inputs is None or number < first + inputs) and time.monotonic() < until:
            call, size = target.prepare(generator(name, seed, number), folder)
            error, seconds, peak = measure(call)
            found.inputs += 1
            found.accepted += error is None
            found.refused += error is not None
            found.seconds, found.peak = max(found.seconds, seconds), max(found.peak, peak)
            fault = None
            if error is not None and not target.is_own(error):
                fault = "".join(traceback.format_exception_only(error)).strip()[:500]
            elif seconds > MOST_SECONDS:
                fault = f"{seconds:.2f} s for {size} bytes"
            elif peak > MOST_TIMES * size + MOST_BYTES:
                fault = f"a peak of {peak} bytes for {size}"
            if fault and len(found.faults) < MOST_FAULTS:
                found.faults.append((number, fault))
            number += 1
    finally:
        tracemalloc.stop()
    return found
