"""Measure a factor in narrow shapes, beside a square one and a copy of the largest array.

    python asv_benchmarks/reports/narrow.py [--turns 15] [--processor]

One row or few outputs use a number once, and are bound by memory. Four times the square case's time
a factor, or one and a half times `np.copyto` of the largest array, whichever is more, is what to
expect; the table has both calls as a share of that. Then a small call, torch's layer beside
nn.Linear, and what a process waits for.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `asv_benchmarks` as a package

from asv_benchmarks.benchmarks import adapters, meters, start, transmission
from asv_benchmarks.benchmarks import common as problems
from asv_benchmarks.reports import common

SQUARE = "512x768x768"
SMALL = "1x64x64"
TYPES = ("float32", "float64")
CALLS = ("forward", "vjp")


def time_shapes(
    shapes: Sequence[str], kind: str, turns: int, clock: meters.Clock
) -> dict[str, dict[str, float]]:
    """Median seconds of both calls, and of the copy, by shape."""
    found = {}
    for shape in tqdm(shapes, desc=kind):
        problem = problems.make_problem(shape).astype(np.dtype(kind).type)
        largest = max(problem, key=np.size)
        room = np.empty_like(largest)
        calls = {name: transmission.Shape.make(name, kind, shape) for name in CALLS}
        copy = lambda into=room, a=largest: np.copyto(into, a)  # noqa: E731
        found[shape] = meters.medians({**calls, "copy": copy}, range(turns), clock)
    return found


def tabulate_shapes(times: dict[str, dict[str, float]], square: str) -> str:
    """Tabulate nanoseconds a factor, and the share of what was to be expected."""
    each = {name: times[square][name] / _factors(square) for name in CALLS}
    rows = []
    for shape, taken in times.items():
        row = [shape]
        for name in CALLS:
            expected = max(4 * each[name] * _factors(shape), 1.5 * taken["copy"])
            nanoseconds = 1e9 * taken[name] / _factors(shape)
            row.append(f"{nanoseconds:.3f} ({taken[name] / expected:.2f})")
        rows.append([*row, f"{1e9 * taken['copy'] / _factors(shape):.3f}"])
    return tabulate(rows, ("batch x inputs x outputs", *CALLS, "copy"), "pipe")


def time_layer(size: str, turns: int, clock: meters.Clock) -> str:
    """Microseconds of torch's layer and nn.Linear for one row, without and with gradients."""
    lines = []
    for name, make in (
        ("without gradients", lambda kind: adapters.torch_inference(kind, size)),
        ("forward and backward", lambda kind: adapters.torch_step(kind, 1, size)),
    ):
        calls = {kind: make(kind) for kind in ("synapse", "nn.Linear")}
        ours, linear = meters.medians(calls, range(turns), clock).values()
        times = f"synapse {1e6 * ours:.1f}, nn.Linear {1e6 * linear:.1f} ({ours / linear:.1f})"
        lines.append(f"torch, 1 x {size}, {name}, microseconds (ratio): {times}")
    return "\n".join(lines)


def time_start(repeats: int) -> dict[str, float]:
    """Median milliseconds in fresh processes: an import, and first calls beside second ones."""
    first = {
        "import, beyond NumPy's": start.Start.timeraw_import,
        "first forward": start.Start.timeraw_first_forward,
        "first vjp": start.Start.timeraw_first_vjp,
    }
    found = {}
    for name, timed in first.items():
        code, before = timed(start.Start())
        script = f"{before}; import time; a = time.perf_counter(); {code}; b = time.perf_counter()"
        again = "" if "import" in name else f"; {code}; c = time.perf_counter(); b -= c - b"
        command = [sys.executable, "-c", f"{script}{again}; print(b - a)"]
        runs = [subprocess.run(command, capture_output=True, check=True) for _ in range(repeats)]
        found[name] = 1e3 * statistics.median(float(run.stdout) for run in runs)
    return found


def _factors(shape: str) -> int:
    return int(np.prod(problems.Size.parse(shape)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = common.make_parser(__doc__)
    parser.add_argument("--turns", type=int, default=15)
    common.add_clock(parser)
    options = common.parse(parser, arguments, turns=1)
    shapes = [common.TINY] if options.quick else [SQUARE, *transmission.SHAPES[:-1]]
    texts = [common.machine()]
    for kind in TYPES:
        times = time_shapes(shapes, kind, options.turns, options.clock)
        texts += [f"{kind}: nanoseconds a factor (share of the limit)"]
        texts += [tabulate_shapes(times, shapes[0])]
        if SMALL in times:
            took = ", ".join(f"{name} {1e6 * times[SMALL][name]:.1f}" for name in CALLS)
            texts.append(f"{SMALL}, microseconds: {took}")
    texts += [time_layer(size, options.turns, options.clock) for size in adapters.SQUARE]
    waits = time_start(options.turns)
    texts.append("milliseconds: " + ", ".join(f"{name} {ms:.1f}" for name, ms in waits.items()))
    common.publish(options.output, *texts)


if __name__ == "__main__":
    main()
