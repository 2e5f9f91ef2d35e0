"""Test and time the library on a CUDA GPU, and print a table in Markdown.

    python asv_benchmarks/reports/gpu.py --output gpu.md

First the tests run on CuPy and torch's CUDA tensors, and those of the Triton kernels, compiled.
Then `log_transmission`, forward alone and with both gradients, is compared with `nn.Linear` of the
same size (gradients of input, weight and bias). Each number comes from a fresh process, so that
neither memory nor caches of one rival touch another. Without a GPU, ``--quick`` shows that the
script works: on the CPU, without the tests, and its times mean nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `asv_benchmarks` as a package

from asv_benchmarks.benchmarks.common import Size
from asv_benchmarks.benchmarks.rivals import LINEAR
from asv_benchmarks.reports import common
from asv_benchmarks.reports.gpu_rivals import RIVALS, measure

SIZES = "512x256x256,512x768x768,512x2048x2048"
SUITES = {
    "CuPy and torch on the GPU": ("tests", "-k", "cupy or torch-cuda"),
    "Triton kernels": ("tests/synann_core/contraction/test_triton.py",),
}
# Without what would choose the kernels.
ENVIRONMENT = {
    name: value
    for name, value in common.ENVIRONMENT.items()
    if name not in ("SYNANN_KERNELS", "TRITON_INTERPRET")
}


def alone(name: str, size: Size, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one rival in a fresh process."""
    print(f"{size}: {name}", file=sys.stderr)
    off = {} if RIVALS[name].kernels else {"SYNANN_KERNELS": "off"}
    ask = common.apart(__file__, measure, quick=options.quick, environment=ENVIRONMENT | off)
    try:
        return ask(name, size, options.device, options.seconds)
    except RuntimeError as error:
        return {"skipped": f"failed: {str(error).splitlines()[-1][:120]}"}


def timings(names: Sequence[str], size: Size, options: argparse.Namespace) -> str:
    """Tabulate all rivals at one size."""
    results = {name: alone(name, size, options) for name in names}
    unit = results[LINEAR]
    rows = []
    for name, result in results.items():
        if "skipped" in result:
            rows.append((name, *[None] * 5, result["skipped"]))
            continue
        parts = ("forward", "both")
        ratios = [result[p] / unit[p] if p in unit else None for p in parts]
        times = [result[p] for p in parts]
        rows.append((name, *ratios, *times, result["peak"], result["variant"]))
    header = ("", "forward ×", "with backward ×", "forward ms", "with backward ms", "peak MB", "by")
    formats = ("", ".1f", ".1f", ".3f", ".3f", ".0f", "")
    table = tabulate(rows, header, "pipe", floatfmt=formats, missingval="")
    return f"## {size.title}\n\n{table}"


def run_suites() -> tuple[str, bool]:
    """Run the tests that need a GPU; their last lines, and whether all passed."""
    environment = ENVIRONMENT | {"SYNANN_TEST_BACKENDS": "cupy,torch-cuda"}
    lines, passed = ["## Tests", ""], True
    for title, arguments in SUITES.items():
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        print(f"tests: {title}", file=sys.stderr)
        done = subprocess.run(
            command, cwd=common.ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            passed = False
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        last = (done.stdout.strip() or done.stderr.strip() or "no output").splitlines()[-1]
        lines.append(f"- {title}: {last.strip('= ')}")
    return "\n".join(lines), passed


def conditions(device: str) -> str:
    """Name what the numbers were measured on and with."""
    name = f"{torch.cuda.get_device_name()}; " if device == "cuda" else ""
    return (
        f"{name}{common.machine('torch', 'triton', 'cupy-cuda13x')}, CUDA {torch.version.cuda}.\n\n"
        "float32, medians of repeated calls, each rival in a process of its own; × is the time "
        f"over that of `nn.Linear` (matrix products: {torch.get_float32_matmul_precision()} "
        "precision)."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; 1 if a test failed."""
    parser = common.make_parser(__doc__, "--only")
    common.add_sizes(parser, "--sizes", SIZES)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--seconds", type=float, default=1.0, help="per median (default: 1)")
    parser.add_argument("--skip-tests", action="store_true")
    quick = {"sizes": common.sizes(common.TINY), "device": "cpu", "seconds": 0.01}
    options = common.parse(parser, arguments, measure, skip_tests=True, **quick)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch must find a CUDA GPU; --quick tries the script without")
    names = common.select(RIVALS, options.only, LINEAR)
    parts, passed = ["# GPU report", conditions(options.device)], True
    if not options.skip_tests:
        summary, passed = run_suites()
        parts.append(summary)
    parts += [timings(names, size, options) for size in options.sizes]
    common.publish(options.output, *parts)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
