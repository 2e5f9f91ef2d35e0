"""Measure the library beside its rivals, and print docs/performance.md's tables in Markdown.

    python asv_benchmarks/reports/contraction.py --output performance.md

A step of training, `log_transmission` and its vjp, is compared with `nn.Linear` of the same size
(gradients of input, weight and bias) and with every rival. The contenders take turns in one
process. Ratios to `nn.Linear` and to ours count only if these two take within 15 % of their times
alone in a fresh process; the report says whether they do.

    python asv_benchmarks/reports/contraction.py --dtype float64 --only "Linear|NumPy$"

measures times in double precision, without the tables of memory and errors; and

    python asv_benchmarks/reports/contraction.py --tables memory accuracy

measures these two alone, which a busy machine changes little.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `asv_benchmarks` as a package

import synann_core as syn
from asv_benchmarks.benchmarks import meters
from asv_benchmarks.benchmarks.common import INPUTS, Inputs, Problem, Size, bind, both, make_problem
from asv_benchmarks.benchmarks.rivals import LINEAR, RIVALS, Step, build, numpy_loop
from asv_benchmarks.reports import common
from asv_benchmarks.reports.common import Ask

SIZES = "512x256x256,512x768x768,512x2048x2048,1x768x768,32x768x768"
MIDDLE = "512x768x768"
ERRORS = "32x768x768"
TABLES = ("time", "memory", "accuracy")
TURNS = 15

OURS = "synann, NumPy"
LIBRARY = {
    OURS: "numpy",
    "synann, torch": "torch",
    "synann, NumPy, no kernels": "numpy-agnostic",
    "synann, jax.jit": "jax",
}
CONTENDERS = (LINEAR, *LIBRARY, *(name for name in RIVALS if name != LINEAR))
# Those of which log_transmission can be expected.
EXACT = (*LIBRARY, *(name for name, rival in RIVALS.items() if rival.same))

# A number, or why there is none.
Results = dict[str, float | str]


def make(name: str, problem: Problem, limit: float) -> Step:
    """Make the call of one of `CONTENDERS`, as `rivals.build` does."""
    if name in LIBRARY:
        return bind(LIBRARY[name], both, *problem)
    return build(name, problem, limit)


def together(
    names: Iterable[str], problem: Problem, limit: float, turns: Iterable[int] = range(TURNS)
) -> Results:
    """Median seconds of contenders that take turns in this process."""
    calls: dict[str, Step] = {}
    skipped: Results = {}
    for name in names:
        try:
            calls[name] = make(name, problem, limit)
        except NotImplementedError as reason:
            skipped[name] = str(reason)
    return skipped | meters.medians(calls, turns)


def measure(
    quantity: str, name: str, size: str, inputs: Inputs, dtype: str, limit: str
) -> float | str:
    """Measure the 'time' or 'memory' of one contender in this process, or say why not.

    That is the median seconds, or the most bytes that a call takes beside the inputs, once compiled
    for a tiny problem.
    """
    if quantity not in ("time", "memory"):
        raise ValueError(f"`quantity` must be 'time' or 'memory'. Received: {quantity!r}")
    kind = np.dtype(dtype).type
    try:
        if quantity == "memory":
            make(name, make_problem("4x4x4", inputs).astype(kind), float(limit))()
        call = make(name, make_problem(size, inputs).astype(kind), float(limit))
    except NotImplementedError as reason:
        return str(reason)
    return meters.medians({name: call})[name] if quantity == "time" else meters.growth(call)


def timings(
    names: Sequence[str], size: Size, inputs: Inputs, dtype: str, limit: float, ask: Ask
) -> str:
    """Tabulate the times of contenders at one size: ratios, then milliseconds."""
    # The better of two: what else runs on the machine only ever adds.
    alone = {
        name: min(ask("time", name, size, inputs, dtype, limit) for _ in range(2))
        for name in tqdm((LINEAR, OURS), desc=f"{size} alone")
    }
    turns = tqdm(range(TURNS), desc=f"{size} together, {inputs} inputs")
    problem = make_problem(size, inputs).astype(np.dtype(dtype).type)
    times = together(names, problem, limit, turns)
    rows = [
        (name, times[name] / times[LINEAR], times[name] / times[OURS], 1e3 * times[name])
        for name in _measured(times, names)
    ]
    table = tabulate(rows, ("", "× nn.Linear", "× ours", "ms"), "pipe", floatfmt=".2f")
    lines = [
        f"- {name}: {1e3 * times[name]:.2f} ms here, {1e3 * by_itself:.2f} ms alone "
        f"({100 * (times[name] / by_itself - 1):+.0f} %): {common.holds(times[name], by_itself)}."
        for name, by_itself in alone.items()
    ]
    lines.append(f"- Each alone, ours takes {alone[OURS] / alone[LINEAR]:.2f} × nn.Linear.")
    title = f"### {size.title}, {inputs} inputs"
    return "\n\n".join([title, table, "\n".join(lines + _skipped(times))])


def memory(names: Sequence[str], size: Size, limit: float, ask: Ask) -> str:
    """Tabulate peak memory, each contender's in a fresh process."""
    found = {
        name: ask("memory", name, size, "uniform", "float32", limit)
        for name in tqdm(names, desc=f"{size} memory")
    }
    page = max(found[OURS], 4096)  # less is not seen
    rows = [(name, found[name] / page, found[name] / 1e6) for name in _measured(found, names)]
    table = tabulate(rows, ("", "× ours", "MB"), "pipe", floatfmt=".1f")
    return "\n\n".join([f"### {size.title}", table, *_skipped(found)])


def _measured(found: Results, names: Iterable[str]) -> list[str]:
    return [name for name in names if not isinstance(found[name], str)]


def _skipped(found: Results) -> list[str]:
    reasons = [f"{name} ({reason})" for name, reason in found.items() if isinstance(reason, str)]
    return [f"- Skipped: {'; '.join(reasons)}."] if reasons else []


def accuracy(names: Iterable[str], size: Size, limit: float) -> str:
    """Tabulate errors in float32, against the loop over j in float64, for both kinds of inputs."""
    bound = (10 + size.n**0.5) * float(np.finfo(np.float32).eps)
    rows: list[tuple[str | float, ...]] = []
    for inputs in INPUTS:
        problem = make_problem(size, inputs)
        exact, *exact_gradients = numpy_loop(problem.astype(np.float64))()
        for name in tqdm(names, desc=f"{size} errors, {inputs} inputs"):
            try:
                value, *gradients = make(name, problem, limit)()
            except NotImplementedError as reason:
                rows.append((f"{name}: {reason}", inputs))
                continue
            error = meters.forward_error(value, exact)
            rows.append(
                (name, inputs, error / bound, error, meters.vjp_error(gradients, exact_gradients))
            )
    header = ("", "inputs", "T: error/bound", "T: error", "gradients: error")
    table = tabulate(rows, header, "pipe", floatfmt=("", "", ".2f", ".1e", ".1e"))
    return (
        f"{size.title}; of T the largest relative error, beside the library's bound "
        f"(10 + √n)·eps = {bound:.1e}; of the gradients the largest error over the largest entry."
        f"\n\n{table}"
    )


def conditions(dtype: str) -> str:
    """Name what the numbers were measured on and how."""
    import torch

    y, beta, _ = make_problem(common.TINY)
    variant = syn.log_transmission_variant(y, beta)
    return (
        f"{common.machine('torch', 'jax')}; torch uses {torch.get_num_threads()} threads; "
        f'on NumPy arrays the library takes its branch "{variant}".\n\n'
        f"{dtype}, forward and backward, medians of at least {TURNS} calls (3 above one second) "
        f"that take turns in one process; idle threads spin briefly "
        f"(GOMP_SPINCOUNT={os.environ['GOMP_SPINCOUNT']}), alone as the system has it."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report."""
    parser = common.make_parser(__doc__, "--only", "--limit")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    common.add_sizes(parser, "--sizes", SIZES)
    common.add_sizes(parser, "--training", MIDDLE)
    common.add_sizes(parser, "--memory", MIDDLE)
    common.add_sizes(parser, "--errors", ERRORS)
    tiny = common.sizes(common.TINY)
    quick = {"sizes": tiny, "training": [], "memory": tiny, "errors": tiny}
    options = common.parse(parser, arguments, measure, **quick)
    if options.dtype == "float64" and "time" not in options.tables:
        parser.error("argument --tables: memory and accuracy are of float32")
    meters.quiet_threads()
    os.environ["JAX_ENABLE_X64"] = "01"[options.dtype == "float64"]
    limit = 1e9 * options.limit
    ask = common.apart(__file__, measure, quick=options.quick)
    names = common.select(CONTENDERS, options.only, LINEAR, OURS)
    parts = ["# Performance", conditions(options.dtype)]
    if "time" in options.tables:
        parts += ["## Time"]
        for inputs, sizes in (("uniform", options.sizes), ("training", options.training)):
            parts += [timings(names, size, inputs, options.dtype, limit, ask) for size in sizes]
    if "memory" in options.tables and options.dtype == "float32":
        parts += ["## Peak memory", "The most that one call takes, beside the inputs."]
        parts += [memory(names, size, limit, ask) for size in options.memory]
    if "accuracy" in options.tables and options.dtype == "float32":
        exact = [name for name in names if name in EXACT]
        parts += ["## Accuracy"]
        parts += [accuracy(exact, size, limit) for size in options.errors]
    common.publish(options.output, *parts)


if __name__ == "__main__":
    main()
