"""Measure a training step of the article's spiking network beside snnTorch and Norse.

    python asv_benchmarks/spiking_report.py

All contenders take turns in one process; a ratio counts only if each takes within 15 % of its time
alone in a fresh process, which the report says. Peak memory is the growth in one step, in a fresh
process, once compiled on a tiny network.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks import meters, spiking
from benchmarks.common import quiet_threads
from tabulate import tabulate
from tqdm import tqdm

# As the user has it, before the report changes how threads wait.
_ENVIRONMENT = dict(os.environ)
TOLERANCE = 0.15


def alone(quantity: str, name: str) -> float:
    """Median seconds, or bytes of growth, of one contender in a fresh process."""
    done = subprocess.run(
        [sys.executable, os.fspath(Path(__file__)), "--alone", quantity, name],
        env=_ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,  # whoever fails has written why to stderr
    )
    return float(json.loads(done.stdout.splitlines()[-1]))


def measure(quantity: str, name: str) -> float:
    """What `alone` asks for, in this process."""
    make = spiking.CONTENDERS[name]
    if quantity == "memory":
        make(2, 4)()
        return meters.growth(make())
    return meters.medians({name: make()})[name]


def report(turns: int) -> str:
    """The table, and whether the contenders disturbed each other."""
    names = tuple(spiking.CONTENDERS)
    memory = {name: alone("memory", name) for name in tqdm(names, desc="memory")}
    apart = {name: min(alone("time", name) for _ in range(2)) for name in tqdm(names, desc="alone")}
    quiet_threads()
    calls = {name: make() for name, make in spiking.CONTENDERS.items()}
    times = meters.medians(calls, tqdm(range(turns), desc="together"))
    first = times[names[0]]
    rows = [
        (
            name,
            1e3 * times[name],
            times[name] / first,
            1e3 * apart[name],
            "holds" if abs(times[name] / apart[name] - 1) <= TOLERANCE else "does not hold",
            memory[name] / 1e6,
        )
        for name in names
    ]
    header = ("", "ms", "× ours", "ms alone", "within 15 %", "MB more")
    return tabulate(rows, header, "pipe", floatfmt=("", ".1f", ".2f", ".1f", "", ".0f"))


def main(arguments: list[str] | None = None) -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--alone", nargs=2, metavar=("QUANTITY", "NAME"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.alone:
        print(json.dumps(measure(*options.alone)))
    else:
        print(report(options.turns))


if __name__ == "__main__":
    main()
