"""Measure the library beside its rivals, and print docs/performance.md's tables in Markdown.

    python asv_benchmarks/report.py --output performance.md --picture scaling.png

A step of training, `log_transmission` and its vjp, is compared with `nn.Linear` of the same size
(gradients of input, weight and bias) and with every rival. The contenders take turns in one
process. A ratio counts only if the rival, in that process, takes within 15 % of its time alone in
a fresh one; the report says whether it does. ``--quick`` shows on tiny sizes that the script works.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
from pathlib import Path

import numpy as np
import picture
from benchmarks.common import INPUTS, Size, make_problem, quiet_threads
from measure import CONTENDERS, EXACT, LINEAR, OURS, Skipped, alone, errors, together
from tabulate import tabulate
from tqdm import tqdm

import synann_core as syn

SIZES = "512x256x256,512x768x768,512x2048x2048"
SMALL_BATCHES = "1x768x768,32x768x768"
MIDDLE = "512x768x768"
ERRORS = "32x768x768"
TINY = "4x8x8"
TURNS = 15
TOLERANCE = 0.15

Results = dict[str, float | str]


def timings(size: Size, inputs: str, limit: float) -> str:
    """Tables of all contenders at one size: first ratios, then milliseconds."""
    names = tqdm((LINEAR, OURS), desc=f"{size} alone")
    # The better of two: what else runs on the machine only ever adds.
    apart = {
        name: min(alone("time", name, size, inputs, limit) for _ in range(2)) for name in names
    }
    turns = tqdm(range(TURNS), desc=f"{size} together, {inputs} inputs")
    times = together(CONTENDERS, make_problem(size, inputs), limit, turns)
    rows = [
        (name, times[name] / times[LINEAR], times[name] / times[OURS], 1e3 * times[name])
        for name in _measured(times)
    ]
    header = ("", "× nn.Linear", "× ours", "ms")
    table = tabulate(rows, header, "pipe", floatfmt=".2f")
    title = f"### Batch {size.batch}, {size.n} → {size.m}, {inputs} inputs"
    return "\n\n".join([title, table, _holds(times, apart) + _skipped(times)])


def _measured(found: Results) -> list[str]:
    return [name for name in CONTENDERS if not isinstance(found[name], str)]


def _skipped(found: Results) -> str:
    reasons = [f"{name} ({found[name]})" for name in CONTENDERS if isinstance(found[name], str)]
    return f"\n- Skipped: {'; '.join(reasons)}." if reasons else ""


def _holds(times: Results, apart: Results) -> str:
    """Say whether the contenders disturbed each other."""
    lines = []
    for name, by_itself in apart.items():
        change = times[name] / by_itself - 1
        verdict = "holds" if abs(change) <= TOLERANCE else "does not hold"
        lines.append(
            f"- {name}: {1e3 * times[name]:.2f} ms here, {1e3 * by_itself:.2f} ms alone "
            f"({100 * change:+.0f} %): {verdict}."
        )
    ratio = apart[OURS] / apart[LINEAR]
    lines.append(f"- Each alone, ours takes {ratio:.2f} × nn.Linear.")
    return "\n".join(lines)


def memory(size: Size, limit: float) -> str:
    """Table of peak memory, each contender in a fresh process."""
    found = {
        name: alone("memory", name, size, "uniform", limit)
        for name in tqdm(CONTENDERS, desc=f"{size} memory")
    }
    # Less than a page is not seen.
    rows = [
        (name, found[name] / max(found[OURS], 4096), found[name] / 1e6) for name in _measured(found)
    ]
    table = tabulate(rows, ("", "× ours", "MB"), "pipe", floatfmt=".1f")
    return f"### Batch {size.batch}, {size.n} → {size.m}\n\n{table}\n{_skipped(found)}"


def accuracy(size: Size, limit: float) -> str:
    """Table of errors in float32, for both kinds of inputs."""
    bound = (10 + size.n**0.5) * float(np.finfo(np.float32).eps)
    rows = []
    for inputs in INPUTS:
        problem = make_problem(size, inputs)
        for name in tqdm(EXACT, desc=f"{size} errors, {inputs} inputs"):
            try:
                of_t, of_gradients = errors(name, problem, limit)
            except Skipped as reason:
                rows.append((f"{name}: {reason}", inputs))
            else:
                rows.append((name, inputs, of_t / bound, of_t, of_gradients))
    header = ("", "inputs", "T: error/bound", "T: error", "gradients: error")
    table = tabulate(rows, header, "pipe", floatfmt=("", "", ".2f", ".1e", ".1e"))
    return (
        f"Batch {size.batch}, {size.n} → {size.m}; of T the largest relative error, beside the "
        f"library's bound (10 + √n)·eps = {bound:.1e}; of the gradients the largest error over the "
        f"largest entry.\n\n{table}"
    )


def machine() -> str:
    """What the numbers were measured on and with."""
    import torch

    model, level = _processor()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = [f"Python {platform.python_version()}"]
    for package in ("synann", "numpy", "numba", "torch", "jax"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {package}")
    size = Size.parse(TINY)
    y, beta, _ = make_problem(size)
    variant = syn.log_transmission_variant(y, beta)
    return (
        f"{model}, {cores} cores, {level}; {', '.join(versions)}; torch uses "
        f"{torch.get_num_threads()} threads; on NumPy arrays the library takes its branch "
        f'"{variant}".\n\nfloat32, forward and backward, medians of at least 15 calls (3 above one '
        f"second) that take turns in one process; idle threads spin briefly "
        f"(GOMP_SPINCOUNT={os.environ['GOMP_SPINCOUNT']}), alone as the system has it."
    )


def _processor() -> tuple[str, str]:
    """Model and widest vector instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine(), "vector instructions unknown"
    fields = dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)
    flags = fields.get("flags", "").split()
    level = next((f for f in ("avx512f", "avx2", "avx") if f in flags), "no AVX")
    return fields.get("model name", platform.machine()), level.upper()


def write(path: Path, text: str) -> None:
    """Write a file that holds either its old content or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sizes(text: str) -> list[Size]:
    """Sizes from text such as 512x256x256,64x10x10."""
    try:
        return [Size.parse(part) for part in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the tables there too")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="measure and draw the scaling")
    listed = {"type": sizes, "metavar": "BATCHxINPUTSxOUTPUTS,...", "help": "default: %(default)s"}
    parser.add_argument("--sizes", default=SIZES, **listed)
    parser.add_argument("--small-batches", default=SMALL_BATCHES, **listed)
    parser.add_argument("--training", default=MIDDLE, **listed)
    parser.add_argument("--memory", default=MIDDLE, **listed)
    parser.add_argument("--errors", default=ERRORS, **listed)
    parser.add_argument(
        "--limit", type=float, default=4.0, metavar="GB", help="skip rivals above (default: 4)"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: only to see it work")
    options = parser.parse_args(arguments)
    if options.quick:
        for name in ("sizes", "small_batches", "training", "memory", "errors"):
            setattr(options, name, sizes(TINY))
    return options


def main(arguments: list[str] | None = None) -> None:
    """Print the report."""
    options = parse(arguments)
    quiet_threads()
    limit = 1e9 * options.limit
    parts = ["# Performance", machine(), "## Time"]
    parts += [timings(size, "uniform", limit) for size in options.sizes + options.small_batches]
    parts += [timings(size, "training", limit) for size in options.training]
    parts += ["## Peak memory", "Growth of the process's peak in one call, beside the inputs."]
    parts += [memory(size, limit) for size in options.memory]
    parts += ["## Accuracy", *(accuracy(size, limit) for size in options.errors)]
    report = "\n\n".join(parts) + "\n"
    print(report)
    if options.output:
        write(options.output, report)
    if options.picture:
        base, factors = picture.BASE, picture.FACTORS
        if options.quick:
            base, factors = Size(16, 128, 128), (1, 4)
        picture.draw(picture.scaling(limit, base, factors), options.picture, base)


if __name__ == "__main__":
    main()
