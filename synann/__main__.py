"""Say what is installed and active, and check it: ``python -m synann``.

Prints the version, the machine, the libraries, which branch computes for each and why, the errors
of a few results against plain sums, and times. The exit status is 1 if a result is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import math
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import synann
from synann import _selfcheck
from synann_core._lib.threads import thread_count
from synann_core.native import host

_REQUIRED = ("numpy", "array-api-compat", "array-api-extra", "safetensors")
_OPTIONAL = (
    *("torch", "jax", "jaxlib", "keras", "tensorflow", "cupy", "triton", "onnx", "scipy"),
    *("scikit-learn", "pandas", "polars", "matplotlib", "networkx", "joblib", "threadpoolctl"),
    *("tqdm",),
)
# The same library under the names of other builds.
_BUILDS = {"tensorflow": ("tensorflow-cpu",), "cupy": ("cupy-cuda13x", "cupy-cuda12x")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; return the exit status."""
    parser = argparse.ArgumentParser("python -m synann", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    try:
        host.enabled()
    except ValueError as error:  # a word that SYNANN_KERNELS does not have
        parser.error(str(error))
    found = report()
    print(json.dumps(found, indent=2) if options.json else text(found))
    return 0 if found["passed"] else 1


def report() -> dict[str, Any]:
    """Everything that is printed, as plain values."""
    checks, timings, branches, failed = _selfcheck.run()
    return {
        "synann": synann.__version__,
        "folder": str(Path(synann.__file__).parent),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor(),
        "threads": {
            "used": thread_count(),
            "processors": os.cpu_count(),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        },
        "kernels": kernels(),
        "libraries": {name: version(name) for name in (*_REQUIRED, *_OPTIONAL)},
        "not importable": failed,
        "branches": branches,
        "checks": [{**vars(c), "error": _plain(c.error), "passed": c.passed} for c in checks],
        "timings": [{**vars(t), "nanoseconds a factor": t.nanoseconds} for t in timings],
        "passed": all(check.passed for check in checks),
    }


def kernels() -> dict[str, Any]:
    """Whether compiled kernels serve, and why."""
    variants = list(host.kernels.variants) if host.kernels is not None else []
    if host.kernels is None:
        active, reason = False, "not built: installed without a compiler, array operations serve"
    elif not variants:
        active, reason = False, "this processor has no variant: x86-64-v3 or aarch64 is needed"
    elif not host.enabled():
        active, reason = False, "turned off by SYNANN_KERNELS=off"
    else:
        active, reason = True, f"compiled; this processor runs {variants[-1]}"
    return {"active": active, "reason": reason, "variants": variants}


def processor() -> str:
    """Its name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def version(name: str) -> str | None:
    """Of an installed library, without importing it; None where there is none."""
    for build in (name, *_BUILDS.get(name, ())):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(build)
    return None


def text(found: dict[str, Any]) -> str:
    """The report for people."""
    threads, libraries = found["threads"], found["libraries"]
    limit = threads["OMP_NUM_THREADS"]
    limited = f", OMP_NUM_THREADS={limit}" if limit else ""
    active = "active" if found["kernels"]["active"] else "not active"
    lines = [
        f"synann     {found['synann']} in {found['folder']}",
        f"python     {found['python']} on {found['system']}",
        f"processor  {found['processor']}, {threads['used']} of {threads['processors']} threads"
        f"{limited}",
        f"kernels    {active}: {found['kernels']['reason']}",
        "branches   " + ", ".join(f"{name}: {b}" for name, b in found["branches"].items()),
        "libraries  " + ", ".join(f"{name} {v}" for name, v in libraries.items() if v),
        "without    " + (", ".join(name for name, v in libraries.items() if not v) or "nothing"),
        *(f"broken     {name}: {why}" for name, why in found["not importable"].items()),
        "",
        f"{'result':24}{'library':9}{'branch':12}{'dtype':9}{'error':>9}{'allowed':>9}",
    ]
    for c in found["checks"]:
        error = math.nan if c["error"] is None else c["error"]
        lines.append(
            f"{c['what']:24}{c['library']:9}{c['branch']:12}{c['dtype']:9}"
            f"{error:9.1e}{c['allowed']:9.1e}{'' if c['passed'] else '  WRONG'}"
        )
    rows, outputs, inputs = _selfcheck.TIMED
    lines += ["", f"time of    {rows} rows, {inputs} inputs, {outputs} outputs, float32"]
    for t in found["timings"]:
        lines.append(
            f"{t['what']:24}{t['library']:9}{t['branch']:12}{1e3 * t['seconds']:9.2f} ms"
            f"{t['nanoseconds a factor']:9.2f} ns a factor"
        )
    wrong = sum(not c["passed"] for c in found["checks"])
    lines += [
        "",
        f"{wrong} of {len(found['checks'])} results are wrong" if wrong else "All is well.",
    ]
    return "\n".join(lines)


def _plain(error: float) -> float | None:
    """A number for JSON, which has no NaN."""
    return error if math.isfinite(error) else None


if __name__ == "__main__":
    sys.exit(main())
