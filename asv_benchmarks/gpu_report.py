"""Test and time the library on a CUDA GPU, and print a table in Markdown.

    python asv_benchmarks/gpu_report.py --output gpu.md

First the tests run on CuPy and torch's CUDA tensors, and those of the Triton kernels, compiled.
Then `log_transmission`, forward alone and with both gradients, is compared with `nn.Linear` of the
same size (gradients of input, weight and bias). Each number comes from a fresh process, so that
neither memory nor caches of one rival touch another. Without a GPU, ``--device cpu --skip-tests
--sizes 8x16x16`` shows that the script works; its times mean nothing then.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from gpu_rivals import RIVALS, Size
from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[1]
SIZES = "512x256x256,512x768x768,512x2048x2048"
SUITES = {
    "CuPy and torch on the GPU": ("tests", "-k", "cupy or torch-cuda"),
    "Triton kernels": ("tests/synann_core/contraction/test_triton.py",),
}


def clean_environment() -> dict[str, str]:
    """Environment without what would choose the kernels."""
    return {k: v for k, v in os.environ.items() if k not in ("SYNANN_KERNELS", "TRITON_INTERPRET")}


def measure_alone(name: str, size: Size, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one rival in a fresh process."""
    script = Path(__file__).with_name("gpu_rivals.py")
    arguments = (name, str(size), options.device, str(options.seconds))
    command = [sys.executable, os.fspath(script), *arguments]
    environment = clean_environment()
    if RIVALS[name][1]:
        environment["SYNANN_KERNELS"] = "off"
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    try:
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"skipped": f"failed: {lines[-1][:120]}"}
    return result


def timings(size: Size, options: argparse.Namespace) -> str:
    """Table of all rivals at one size."""
    results = {}
    for name in options.rivals:
        print(f"{size}: {name}", file=sys.stderr)
        results[name] = measure_alone(name, size, options)
    unit = results.get("nn.Linear", {})
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
    return f"## Batch {size.batch}, {size.n} → {size.m}\n\n{table}"


def run_suites() -> tuple[str, bool]:
    """Run the tests that need a GPU; their last lines, and whether all passed."""
    environment = dict(clean_environment(), SYNANN_TEST_BACKENDS="cupy,torch-cuda")
    lines, passed = [], True
    for title, arguments in SUITES.items():
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        print(f"tests: {title}", file=sys.stderr)
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        if done.returncode:
            passed = False
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        last = (done.stdout.strip() or done.stderr.strip() or "no output").splitlines()[-1]
        lines.append(f"- {title}: {last.strip('= ')}")
    return "\n".join(["## Tests", "", *lines]), passed


def machine(device: str) -> str:
    """What the numbers were measured on and with."""
    import torch

    name = torch.cuda.get_device_name() if device == "cuda" else platform.processor()
    versions = [f"Python {platform.python_version()}", f"CUDA {torch.version.cuda}"]
    for package in ("synann", "numpy", "torch", "triton", "cupy-cuda13x"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {package}")
    return (
        f"{name or platform.machine()}; {', '.join(versions)}.\n\n"
        "float32, medians of repeated calls, each rival in a process of its own; × is the time "
        f"over that of `nn.Linear` (matrix products: {torch.get_float32_matmul_precision()} "
        "precision)."
    )


def write(path: Path, text: str) -> None:
    """Write a file that holds either its old content or the whole new one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
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
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the report there too")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument(
        "--sizes",
        type=sizes,
        default=SIZES,
        metavar="BATCHxINPUTSxOUTPUTS,...",
        help="default: %(default)s",
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="per median (default: 1)")
    parser.add_argument("--rivals", nargs="+", choices=RIVALS, default=list(RIVALS), metavar="NAME")
    parser.add_argument("--skip-tests", action="store_true")
    return parser.parse_args(arguments)


def gpu_missing(device: str) -> str:
    """Why the device cannot be used; empty if it can."""
    try:
        import torch
    except ImportError:
        return "torch is not installed"
    if device == "cuda" and not torch.cuda.is_available():
        return "no CUDA GPU that torch can use; --device cpu --skip-tests tries the script without"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Print the report; 1 if a test failed or there is no GPU."""
    options = parse(arguments)
    if missing := gpu_missing(options.device):
        print(f"gpu_report: {missing}", file=sys.stderr)
        return 1
    parts, passed = ["# GPU report", machine(options.device)], True
    if not options.skip_tests:
        summary, passed = run_suites()
        parts.append(summary)
    parts += [timings(size, options) for size in options.sizes]
    report = "\n\n".join(parts) + "\n"
    print(report)
    if options.output:
        write(options.output, report)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
