"""Share options, tables and measurements in fresh processes among the reports."""

from __future__ import annotations

import argparse
import importlib.metadata
import inspect
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib

from asv_benchmarks.benchmarks.common import Size
from synann_core import plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
# As the user has it, before a report changes how threads wait.
ENVIRONMENT = dict(os.environ)
# By which a time in turns may differ from that alone, where both count.
TOLERANCE = 0.15
TINY = "4x8x8"
COLOURS = (*plot.COLOURS[:2], plot.COLOURS[-1])
styled = matplotlib.rc_context(plot.STYLE)

Ask = Callable[..., Any]

_SHARED: dict[str, tuple[Callable[[str], object], object, str, str]] = {
    "--only": (re.compile, "", "PATTERN", "measure the names that it is found in"),
    "--limit": (float, 4.0, "GB", "skip rivals that need more memory (default: 4)"),
    "--picture": (Path, None, "FILE", "draw a picture there"),
}


def make_parser(doc: str | None, *shared: str) -> argparse.ArgumentParser:
    """Make a parser with the options of all reports and, of `_SHARED`, those named."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the report there too")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: only to see it work")
    for name in shared:
        kind, default, metavar, text = _SHARED[name]
        parser.add_argument(name, type=kind, default=default, metavar=metavar, help=text)
    return parser


def add_clock(parser: argparse.ArgumentParser) -> None:
    """Add an option for what is to be timed, `clock`."""
    parser.add_argument(
        "--processor",
        action="store_const",
        dest="clock",
        const=time.process_time,
        default=time.perf_counter,
        help="seconds of the processor, with OMP_NUM_THREADS=1: for a machine that is busy",
    )


def sizes(text: str) -> list[Size]:
    """Read sizes such as 512x256x256,64x10x10: the type of an option."""
    return [Size.parse(part) for part in text.split(",")]


def add_sizes(parser: argparse.ArgumentParser, name: str, default: str) -> None:
    """Add an option for a list of sizes."""
    text, metavar = "default: %(default)s", "BATCHxINPUTSxOUTPUTS,..."
    parser.add_argument(name, type=sizes, default=default, metavar=metavar, help=text)


def parse(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    measure: Ask | None = None,
    **quick: object,
) -> argparse.Namespace:
    """Read the command line; with ``--quick``, the options given here have these values.

    With ``--alone``, as `apart` runs a report, print what `measure` returns as JSON, and exit.
    """
    if measure is not None:
        names = tuple(name.upper() for name in inspect.signature(measure).parameters)
        text = "measure this in this process, and print the result as JSON"
        parser.add_argument("--alone", nargs=len(names), metavar=names, help=text)
    options = parser.parse_args(arguments)
    if measure is not None and options.alone:
        print(json.dumps(measure(*options.alone)))
        parser.exit()
    if options.quick:
        vars(options).update(quick)
    return options


def select(names: Iterable[str], only: re.Pattern[str], *always: str) -> list[str]:
    """Choose the names that a pattern is found in, and those that are always wanted."""
    found = [name for name in names if name in always or only.search(name)]
    if not found:
        raise SystemExit(f"`--only` must be found in a name. Received: {only.pattern!r}")
    return found


def publish(output: Path | None, *paragraphs: str) -> None:
    """Print a report, and write it to a file if one is given."""
    report = "\n\n".join(paragraphs)
    print(report)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(report + "\n", encoding="utf-8")


def save(figure: Figure, path: Path | None) -> None:
    """Write a figure, if a file is given; its ending names the format."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)


def apart(
    script: str, measure: Ask, *, quick: bool, environment: Mapping[str, str] = ENVIRONMENT
) -> Ask:
    """Return `measure`, which takes strings, as it runs in a fresh process for each call.

    The process runs the report's `script` with ``--alone``; if it fails, RuntimeError has what it
    wrote to stderr. To be quick, stay in this process.
    """

    def ask(*arguments: object) -> Any:
        words = list(map(str, arguments))
        if quick:
            return measure(*words)
        command = [sys.executable, script, "--alone", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip() or f"exit status {done.returncode}")
        return json.loads(done.stdout.splitlines()[-1])

    return ask


def holds(together: float, by_itself: float) -> str:
    """Say whether others disturbed a contender."""
    return "holds" if abs(together / by_itself - 1) <= TOLERANCE else "does not hold"


def machine(*packages: str) -> str:
    """Name the processor and the versions that numbers were measured with."""
    model, level = _processor()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = [f"Python {platform.python_version()}"]
    for package in ("synann", "numpy", *packages):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {package}")
    return f"{model}, {cores} cores, {level}; {', '.join(versions)}"


def _processor() -> tuple[str, str]:
    """Model and widest vector instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine(), "vector instructions unknown"
    pairs = (line.partition(":") for line in lines)
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    flags = fields.get("flags", "").split()
    level = next((f for f in ("avx512f", "avx2", "avx") if f in flags), "no AVX")
    return fields.get("model name", platform.machine()), level.upper()
