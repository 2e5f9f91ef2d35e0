"""Synapse graphs from 1e4 to 1e7 synapses, beside scipy's CSR product of the same pattern.

    python asv_benchmarks/graph_report.py [--most 1e7] [--repeat 9] [--picture FILE]

Prints nanoseconds per synapse, the ratio to the control, the time to build and the memory of the
largest graph. The calls of one size take turns in one process; medians.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from benchmarks.common import Call
from benchmarks.graph import CALLS, Wiring, build, make_calls, make_wiring
from matplotlib.figure import Figure
from tabulate import tabulate
from tqdm import tqdm

DRAWN = ("forward", "vjp", "csr")
# The colours of Okabe and Ito, which colour-blind readers can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#000000")


def resident(field: str) -> int:
    """Bytes of memory: ``VmRSS``, what is held now, or ``VmHWM``, the most so far."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    return 1024 * int(found.group(1)) if found else 0


def memory(wiring: Wiring) -> float:
    """Most memory that building, a forward and a vjp call take, in multiples of what is given."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the most begins anew
    before = resident("VmRSS")
    compiled = build(wiring)
    x = np.full(wiring.inputs, 0.5)
    compiled(x)
    compiled.vjp(x, grad=1.0)
    return (resident("VmHWM") - before) / wiring.nbytes


def measure(calls: dict[str, Call], repeat: int) -> dict[str, float]:
    """Median time of each call in seconds, with turns taken."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeat + 1):  # the first one may compile
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken[1:]) for name, taken in times.items()}


def draw(sizes: Sequence[int], times: Sequence[dict[str, float]], path: Path) -> None:
    """Draw nanoseconds per synapse against synapses."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name, colour in zip(DRAWN, _COLOURS, strict=True):
        values = [1e9 * t[name] / size for t, size in zip(times, sizes, strict=True)]
        label = "scipy CSR matrix-vector product" if name == "csr" else f"graph, {name}"
        axes.loglog(sizes, values, "o-", color=colour, label=label)
    axes.set(xlabel="synapses", ylabel="nanoseconds per synapse", ylim=(0.5, None))
    axes.grid(True, which="major", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--most", type=float, default=1e7, help="synapses of the largest graph")
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    sizes = [10**k for k in range(4, 8) if 10**k <= options.most]
    every, table = [], []
    for size in tqdm(sizes, desc="sizes"):
        wiring = make_wiring(size)
        taken = memory(wiring)
        start = time.perf_counter()
        compiled = build(wiring)
        took = time.perf_counter() - start
        times = measure(make_calls(wiring, compiled), options.repeat)
        every.append(times)
        cells = [f"{1e9 * times[n] / size:.2f} ({times[n] / times['csr']:.2f})" for n in CALLS]
        table.append([f"{size:.0e}", *cells, f"{took:.2f}"])
    print("nanoseconds per synapse (times the control), one vector, float64; seconds to build")
    print(tabulate(table, headers=["synapses", *CALLS, "build"]))
    print(f"memory of the last one: {taken:.2f} times the arrays given")
    if options.picture:
        draw(sizes, every, options.picture)


if __name__ == "__main__":
    main()
