"""Measure exact inference in noisy-OR networks: 600 causes, one sample, planning included.

    python asv_benchmarks/reports/noisy_or.py

Processor time is that of all threads together: on a busy machine it says more than the time by the
clock. Memory is what a call takes beyond what the process holds, in a fresh process.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `asv_benchmarks` as a package

from asv_benchmarks.benchmarks import meters
from asv_benchmarks.benchmarks.noisy_or import CALLS, PROBLEMS, make_calls
from asv_benchmarks.reports import common

TURNS = 7


def measure(quantity: str, problem: str, call: str) -> list[float]:
    """Bytes, or seconds by the clock (median and least) and of the processor (least)."""
    run = make_calls(problem)[call]
    if quantity == "memory":
        make_calls("4 at 0.1")[call]()
        return [meters.growth(run)]
    run()
    clock, processor = [], []
    for _ in range(TURNS):
        start = time.perf_counter(), time.process_time()
        run()
        clock.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return [statistics.median(clock), min(clock), min(processor)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report."""
    parser = common.make_parser(__doc__, "--only")
    options = common.parse(parser, arguments, measure)
    problems = ("4 at 0.1",) if options.quick else PROBLEMS
    ask = common.apart(__file__, measure, quick=options.quick)
    rows = []
    for problem in tqdm(common.select(problems, options.only)):
        for call in CALLS:
            times = ask("time", problem, call)
            memory = ask("memory", problem, call)
            rows.append((problem, call, *(1e3 * t for t in times), memory[0] / 1e6))
    header = ("present findings", "", "ms, median", "ms, least", "ms of processor", "MB more")
    table = tabulate(rows, header, "pipe", floatfmt=("", "", ".1f", ".1f", ".1f", ".0f"))
    common.publish(options.output, common.machine(), table)


if __name__ == "__main__":
    main()
