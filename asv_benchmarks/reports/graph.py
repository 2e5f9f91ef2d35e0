"""Measure synapse graphs of 1e4 to 1e7 synapses beside scipy's CSR product of the same pattern.

    python asv_benchmarks/reports/graph.py [--most 1e7] [--turns 9] [--processor] [--picture FILE]

Prints nanoseconds per synapse, the ratio to the control, the time to build and the memory of the
largest graph. The calls of one size take turns in one process; medians.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `asv_benchmarks` as a package

from asv_benchmarks.benchmarks import meters
from asv_benchmarks.benchmarks.graph import CALLS, Wiring, build, make_calls, make_wiring
from asv_benchmarks.reports import common

DRAWN = ("forward", "vjp", "csr")


def memory(wiring: Wiring) -> float:
    """Most memory that building, a forward and a vjp call take, in multiples of what is given."""

    def work() -> None:
        compiled = build(wiring)
        x = np.full(wiring.inputs, 0.5)
        compiled(x)
        compiled.vjp(x, grad=1.0)

    return meters.growth(work) / wiring.nbytes


@common.styled
def draw(sizes: Sequence[int], times: Sequence[dict[str, float]]) -> Figure:
    """Draw nanoseconds per synapse against synapses."""
    figure = Figure(figsize=(7.0, 4.0))
    axes = figure.subplots()
    for name, colour in zip(DRAWN, common.COLOURS, strict=True):
        values = [1e9 * t[name] / size for t, size in zip(times, sizes, strict=True)]
        label = "scipy CSR matrix-vector product" if name == "csr" else f"graph, {name}"
        axes.loglog(sizes, values, "o-", color=colour, label=label)
    axes.set(xlabel="synapses", ylabel="nanoseconds per synapse")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_title("One call of a graph, and a sparse matrix-vector product")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and draw."""
    parser = common.make_parser(__doc__, "--picture")
    parser.add_argument("--most", type=float, default=1e7, help="synapses of the largest graph")
    parser.add_argument("--turns", type=int, default=9)
    common.add_clock(parser)
    options = common.parse(parser, arguments, most=1e4, turns=1)
    sizes = [10**k for k in range(4, 8) if 10**k <= options.most]
    every, table = [], []
    for size in tqdm(sizes, desc="sizes"):
        wiring = make_wiring(size)
        taken = memory(wiring)
        took = meters.seconds(lambda: build(wiring))  # noqa: B023 - called at once
        times = meters.medians(
            make_calls(wiring, build(wiring)), range(options.turns), options.clock
        )
        every.append(times)
        cells = [f"{1e9 * times[n] / size:.2f} ({times[n] / times['csr']:.2f})" for n in CALLS]
        table.append([f"{size:.0e}", *cells, f"{took:.2f}"])
    common.publish(
        options.output,
        common.machine("scipy"),
        "nanoseconds per synapse (times the control), one vector, float64; seconds to build",
        tabulate(table, ("synapses", *CALLS, "build"), "pipe"),
        f"memory of the last one: {taken:.2f} times the arrays given",
    )
    common.save(draw(sizes, every), options.picture)


if __name__ == "__main__":
    main()
