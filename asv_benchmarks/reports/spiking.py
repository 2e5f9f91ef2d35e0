"""Measure a training step of the article's spiking network beside snnTorch and Norse.

    python asv_benchmarks/reports/spiking.py

All contenders take turns in one process; a ratio counts only if each takes within 15 % of its time
alone in a fresh process, which the report says. Peak memory is what one step takes, in a fresh
process, after a step of a tiny network.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `asv_benchmarks` as a package

from asv_benchmarks.benchmarks import meters
from asv_benchmarks.benchmarks.spiking import BATCH, CONTENDERS, HIDDEN, OURS
from asv_benchmarks.reports import common


def measure(quantity: str, name: str, batch: str, hidden: str) -> float:
    """Median seconds, or the most bytes that a step takes, of one contender in this process."""
    make = CONTENDERS[name]
    if quantity == "memory":
        make(2, 4)()
        return meters.growth(make(int(batch), int(hidden)))
    return meters.medians({name: make(int(batch), int(hidden))})[name]


def tabulate_steps(names: Sequence[str], size: Sequence[int], turns: int, ask: common.Ask) -> str:
    """Tabulate time and memory, and whether the contenders disturbed each other."""
    memory = {name: ask("memory", name, *size) for name in tqdm(names, desc="memory")}
    alone = {
        name: min(ask("time", name, *size) for _ in range(2)) for name in tqdm(names, desc="alone")
    }
    meters.quiet_threads()
    calls = {name: CONTENDERS[name](*size) for name in names}
    times = meters.medians(calls, tqdm(range(turns), desc="together"))
    rows = [
        (
            name,
            1e3 * times[name],
            times[name] / times[OURS],
            1e3 * alone[name],
            common.holds(times[name], alone[name]),
            memory[name] / 1e6,
        )
        for name in names
    ]
    header = ("", "ms", "× ours", "ms alone", "within 15 %", "MB more")
    return tabulate(rows, header, "pipe", floatfmt=("", ".1f", ".2f", ".1f", "", ".0f"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report."""
    parser = common.make_parser(__doc__, "--only")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--hidden", type=int, default=HIDDEN)
    parser.add_argument("--turns", type=int, default=15)
    options = common.parse(parser, arguments, measure, batch=4, hidden=8, turns=1)
    names = common.select(CONTENDERS, options.only, OURS)
    ask = common.apart(__file__, measure, quick=options.quick)
    table = tabulate_steps(names, (options.batch, options.hidden), options.turns, ask)
    versions = common.machine("torch", "snntorch", "norse")
    common.publish(options.output, versions, table)


if __name__ == "__main__":
    main()
