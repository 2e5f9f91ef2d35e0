"""Time the benchmarks of one checkout on demand: compare.py runs this, a process a checkout.

    python asv_benchmarks/reports/worker.py CHECKOUT

Writes the branch that a small contraction takes and the names of its benchmarks to stdout; then
answers each name on stdin with the seconds of a call, or with why there are none. Everything is
JSON, a line each. A name that was not the last one prepares its benchmark first. The benchmarks are
those of the checkout's own asv suite, so that they need no name that another checkout has; nothing
of the project is imported before its path is set. SYNANN_BENCH_CLOCK=processor asks for seconds of
the processor.
"""

from __future__ import annotations

import functools
import gc
import importlib
import itertools
import json
import math
import os
import pkgutil
import statistics
import sys
import time
import timeit
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

import numpy as np

BURST = 0.02  # seconds for which a fast call is repeated in its turn
SLOW = 0.5  # seconds above which a call does not wait for warm caches
CLOCK = (
    time.process_time if os.environ.get("SYNANN_BENCH_CLOCK") == "processor" else time.perf_counter
)

Prepare = Callable[[], Callable[[], object]]


def discover(package: ModuleType) -> dict[str, Prepare]:
    """Find a suite's ``time_*`` benchmarks, under asv's names; each value sets one up."""
    found: dict[str, Prepare] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for cls in vars(module).values():
            if isinstance(cls, type) and cls.__module__ == module.__name__:
                for method in (name for name in dir(cls) if name.startswith("time_")):
                    for values in itertools.product(*getattr(cls, "params", ())):
                        if values not in getattr(cls, "skip_params", ()):
                            shown = repr(values).replace(",)", ")").removeprefix("()")
                            name = f"{info.name}.{cls.__name__}.{method}{shown}"
                            found[name] = functools.partial(_prepare, cls, method, values)
    return found


def _prepare(cls: type, method: str, values: tuple[object, ...]) -> Callable[[], object]:
    benchmark = cls()
    benchmark.setup(*values)
    return functools.partial(getattr(benchmark, method), *values)


class Turns:
    """The calls that one benchmark makes in its turn: as many as last BURST."""

    def __init__(self, call: Callable[[], object]) -> None:
        call()
        self.call = call
        self.first = timeit.timeit(call, timer=CLOCK, number=1)
        if self.first < BURST:
            self.first = min(timeit.repeat(call, timer=CLOCK, number=1, repeat=5))

    def seconds(self) -> float:
        """Return the median seconds of a call."""
        if self.first < SLOW:  # once untimed, for the caches that another process has had since
            self.call()
        repeat = math.ceil(BURST / self.first)
        return statistics.median(timeit.repeat(self.call, timer=CLOCK, number=1, repeat=repeat))


def answer(lines: Iterable[str], benchmarks: Mapping[str, Prepare]) -> Iterator[float | str]:
    """Answer names, a line each, with seconds, or with a string that says why there are none."""
    prepared, turns = None, None
    for line in lines:
        name = json.loads(line)
        try:
            if turns is None or name != prepared:
                turns = None
                gc.collect()
                prepared, turns = name, Turns(benchmarks[name]())
                yield turns.first
            else:
                yield turns.seconds()
        except NotImplementedError as reason:  # as asv has it
            yield f"skipped: {reason}"
        except Exception as error:
            traceback.print_exc()
            yield f"failed: {error!r}"


def branch(library: ModuleType) -> str:
    """Name the branch of a small float32 contraction on NumPy arrays, in a checkout that can."""
    variant = getattr(library, "log_transmission_variant", None)
    ones = np.ones((2, 3), np.float32)
    return "unknown" if variant is None else str(variant(ones, ones))


def main(folder: str) -> None:
    """Answer until stdin ends."""
    root = Path(folder).resolve()
    sys.path[:1] = [str(root / "asv_benchmarks"), str(root), str(root / "adapters")]
    sys.meta_path.insert(0, PathFinder)  # before an editable install of another checkout
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is not an answer
    library = importlib.import_module("synann_core")
    if not Path(str(library.__file__)).is_relative_to(root):
        raise SystemExit(f"{root} must hold synann_core. Received: {library.__file__}")
    benchmarks = discover(importlib.import_module("benchmarks"))
    print(json.dumps([branch(library), list(benchmarks)]), file=answers)
    for value in answer(sys.stdin, benchmarks):
        print(json.dumps(value), file=answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
