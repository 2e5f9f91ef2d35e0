"""Compare a training step of the Keras layer on its three backends, and print a table in Markdown.

    python asv_benchmarks/reports/keras_backends.py [--turns 15] [--only PATTERN] [--processor]

A model that is one layer, of synapses or Keras' own Dense, takes a step of Adam on a squared error:
by `fit`, and by a loop that the user writes, which tensorflow and jax compile (asv's benchmark
`adapters.KerasStep`). Each backend has a process of its own, and they take turns. The ratios are to
torch. What Keras itself spends shows beside Dense: a call of `fit` has an epoch of 8 steps here.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `asv_benchmarks` as a package

from asv_benchmarks.benchmarks import adapters, meters
from asv_benchmarks.reports import common
from asv_benchmarks.reports.compare import Checkout

TORCH = "torch"
TURNS = 15


def benchmark(layer: str, backend: str, step: str, size: object) -> str:
    """Name a benchmark as the suite does."""
    return f"adapters.KerasStep.time_steps({layer!r}, {backend!r}, {step!r}, {str(size)!r})"


def measure(
    processes: Mapping[str, Checkout], layer: str, step: str, size: object, turns: int
) -> dict[str, float | str]:
    """Median seconds of one step on each backend, or why there are none."""
    times: dict[str, list[float]] = {}
    failed: dict[str, float | str] = {}
    for turn in tqdm(range(turns + 1), desc=f"{layer}, {step}, {size}"):
        for backend, process in processes.items():
            if backend in failed:
                continue
            seconds = process.seconds(benchmark(layer, backend, step, size))
            if isinstance(seconds, str):
                failed[backend] = seconds
            elif turn:  # the first one prepared
                times.setdefault(backend, []).append(seconds / adapters.KERAS_BATCHES)
    return {backend: statistics.median(taken) for backend, taken in times.items()} | failed


def tabulate_steps(found: Mapping[tuple[str, str], Mapping[str, float | str]]) -> str:
    """Tabulate milliseconds and ratios to torch, a row for each layer, way to train and backend."""
    rows: list[tuple[str | float, ...]] = []
    for what, times in found.items():
        base = times[TORCH]
        for backend, seconds in times.items():
            if isinstance(seconds, str) or isinstance(base, str):
                rows.append((*what, f"{backend}: {seconds}"))
            else:
                rows.append((*what, backend, 1e3 * seconds, seconds / base))
    return tabulate(rows, ("layer", "step", "backend", "ms", "× torch"), "pipe", floatfmt=".2f")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report."""
    parser = common.make_parser(__doc__, "--only")
    parser.add_argument("--turns", type=int, default=TURNS, help="of each (default: %(default)s)")
    common.add_clock(parser)
    options = common.parse(parser, arguments, turns=1)
    smoke = {"SYNANN_BENCH_SMOKE": "1" if options.quick else ""}
    sizes = (common.TINY,) if options.quick else adapters.KERAS_SIZES
    backends = common.select(adapters.KERAS_BACKENDS, options.only, TORCH)
    clock = {"SYNANN_BENCH_CLOCK": "processor" if options.clock is time.process_time else ""}
    environment = common.ENVIRONMENT | meters.QUIET | smoke | clock
    processes = {
        backend: Checkout(common.ROOT, environment | {"KERAS_BACKEND": backend})
        for backend in backends
    }
    parts = [
        common.machine("keras", "torch", "jax", "tensorflow_cpu"),
        f"float32, medians of {options.turns} turns of {adapters.KERAS_BATCHES} steps each"
        f"{', seconds of the processor' if clock['SYNANN_BENCH_CLOCK'] else ''}.",
    ]
    for size in sizes:
        steps = {
            (layer, step): measure(processes, layer, step, size, options.turns)
            for layer in adapters.KERAS
            for step in adapters.KERAS_STEPS
        }
        parts += [f"Batch × inputs × outputs {size}:", tabulate_steps(steps)]
    for process in processes.values():
        process.close()
    common.publish(options.output, *parts)


if __name__ == "__main__":
    main()
