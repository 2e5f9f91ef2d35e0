"""Run every benchmark once on a tiny size, all in this process; one that raises is a failure.

    cd asv_benchmarks && SYNANN_BENCH_SMOKE=1 python smoke.py

asv gives every combination of parameters a process of its own, which then imports torch or JAX:
that is most of a short run. What the benchmarks are, how they are set up and how they are run is
asv's own code here, too. Memory and times mean nothing.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from asv_runner.discovery import disc_benchmarks


def run(benchmark: Any, index: int) -> str:
    """Run one combination of a benchmark's parameters; return what to say of it."""
    benchmark.set_param_idx(index)
    benchmark.number = benchmark.repeat = benchmark.rounds = 1
    benchmark.warmup_time = 0
    benchmark.set_cache(None)
    try:
        if benchmark.do_setup():  # what raises NotImplementedError
            return "skipped"
        value = benchmark.do_run()
        if isinstance(value, float) and math.isnan(value):
            return "skipped"
        return "ok"
    except Exception:
        traceback.print_exc()
        return "FAILED"
    finally:
        benchmark.do_teardown()


def main() -> None:
    """Run all and print a line for each."""
    if os.environ.get("SYNANN_BENCH_SMOKE", "") in ("", "0"):
        raise SystemExit("set SYNANN_BENCH_SMOKE=1: the sizes of real runs take an hour")
    here = Path(__file__).parent
    sys.path.insert(0, str(here))
    said = []
    # All at first: a benchmark that warns changes its module, which the search walks through.
    for benchmark in list(disc_benchmarks(str(here / "benchmarks"))):
        start, combinations = time.perf_counter(), math.prod(map(len, benchmark.params))
        results = [run(benchmark, index) for index in range(combinations)]
        said += results
        shown = ", ".join(f"{len(list(group))} {key}" for key, group in itertools.groupby(results))
        print(f"{time.perf_counter() - start:6.1f} s  {benchmark.name}: {shown}", flush=True)
    print(f"{said.count('ok')} of {len(said)} ran, {said.count('skipped')} were skipped")
    if "FAILED" in said or "ok" not in said:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
