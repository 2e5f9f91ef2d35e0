"""Measure spiking networks beside snnTorch, Norse, SpikingJelly and sinabs.

    python asv_benchmarks/reports/spiking.py
    python asv_benchmarks/reports/spiking.py --tables layer --linear --rounds 1 --processor

Three tables: a training step of the article's network ("article"), as the libraries' tutorials
write it; a training step and an inference of a small network that takes sequences ("network"); and
a wide layer, forward and backward, as in Open Neuromorphic's benchmark ("layer"). In the first two
all contenders take turns in one process; a ratio counts only if each takes within 15 % of its time
alone in a fresh process, which the report says. In the third each has a fresh process in every
round, and ratios are taken round by round. Peak memory is what one step takes, in a fresh process,
after a step of a tiny network. Libraries that are not installed are left out.
"""

from __future__ import annotations

import functools
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `asv_benchmarks` as a package

from asv_benchmarks.benchmarks import meters, spiking, spiking_rivals
from asv_benchmarks.reports import common

Makers = Mapping[str, Callable[..., meters.Call]]

# What is timed in turns, by table and use: makers of calls that take the batch.
TURNS: dict[str, dict[str, Makers]] = {
    "article": {"training": spiking.CONTENDERS},
    "network": {
        use: {name: functools.partial(make, name) for name in spiking_rivals.NAMES}
        for use, make in spiking_rivals.USES.items()
    },
}
BATCHES = {"article": spiking.BATCH, "network": spiking_rivals.IMAGES}
OURS = {"article": spiking.OURS, "network": spiking_rivals.OURS, "layer": spiking_rivals.OURS}
TABLES = tuple(OURS)
PACKAGES = ("torch", "snntorch", "norse", "spikingjelly", "sinabs")


def measure(table: str, name: str, size: str, clock: str) -> object:
    """Measure one contender in this process by a clock of `time`; None without its library.

    The median seconds of a call, and the most bytes that one takes; of a layer, the seconds forward
    and backward, and the bytes.
    """
    warnings.simplefilter("ignore")  # of libraries about others
    if table == "layer":
        return measure_layer(name, *size.split("x"), getattr(time, clock))
    use, batch = size.split("x")
    make = TURNS[table][use][name]
    try:
        make(2)()
    except NotImplementedError:
        return None
    call = make(int(batch))
    memory = meters.growth(call)
    return meters.medians({name: call}, clock=getattr(time, clock))[name], memory


def measure_layer(
    name: str, neurons: str, steps: str, batch: str, linear: str, clock: meters.Clock
) -> tuple[float, float, int] | None:
    """Return seconds forward and backward, and bytes; None without the library."""
    with_linear = linear == "True"
    try:
        spiking_rivals.layer(name, 4, 2, 2, linear=with_linear)()
    except NotImplementedError:
        return None
    sizes = map(int, (neurons, steps, batch))
    call = spiking_rivals.layer(name, *sizes, linear=with_linear, clock=clock)
    took: list[tuple[float, float]] = []
    memory = meters.growth(lambda: took.append(call()))
    if not with_linear:  # once untimed: compiles, and maps the pages
        took = [call() for _ in range(3)]
    forward, backward = map(statistics.median, zip(*took, strict=True))
    return forward, backward, memory


def tabulate_turns(
    table: str, batch: int, names: Sequence[str], turns: int, clock: meters.Clock, ask: common.Ask
) -> str:
    """Tabulate time and memory, and whether the contenders disturbed each other."""
    rows, ours = [], OURS[table]
    for use, makers in TURNS[table].items():
        asked = tqdm([name for name in names if name in makers], desc=f"{use}: alone")
        found = {name: ask(table, name, f"{use}x{batch}", clock.__name__) for name in asked}
        alone = {name: result for name, result in found.items() if result is not None}
        meters.quiet_threads()
        calls = {name: makers[name](batch) for name in alone}
        times = meters.medians(calls, tqdm(range(turns), desc=f"{use}: together"), clock)
        rows += [
            (
                name,
                use,
                1e3 * times[name],
                times[name] / times[ours],
                1e3 * by_itself,
                common.holds(times[name], by_itself),
                memory / 1e6,
            )
            for name, (by_itself, memory) in alone.items()
        ]
    header = ("", "", "ms", "× ours", "ms alone", "within 15 %", "MB more")
    return tabulate(rows, header, "pipe", floatfmt=("", "", ".1f", ".2f", ".1f", "", ".0f"))


def tabulate_layer(
    size: str, names: Sequence[str], rounds: int, clock: meters.Clock, ask: common.Ask
) -> str:
    """Tabulate a layer's times and memory: medians over rounds, and of the ratios in each."""
    found: dict[str, list[tuple[float, float, int]]] = {}
    for _ in tqdm(range(rounds), desc="rounds"):
        for name in names:
            result = ask("layer", name, size, clock.__name__)
            if result is not None:
                found.setdefault(name, []).append(tuple(result))
    ours = [forward + backward for forward, backward, _ in found[OURS["layer"]]]
    rows = []
    for name, results in found.items():
        forward, backward, memory = map(statistics.median, zip(*results, strict=True))
        both = [one + two for one, two, _ in results]
        ratio = statistics.median(b / own for b, own in zip(both, ours, strict=True))
        rows.append((name, forward, backward, statistics.median(both), ratio, memory / 1e9))
    header = ("", "forward, s", "backward, s", "both, s", "× ours", "GB more")
    return tabulate(rows, header, "pipe", floatfmt=("", ".2f", ".2f", ".2f", ".2f", ".2f"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report."""
    parser = common.make_parser(__doc__, "--only")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--neurons", type=int, default=spiking_rivals.NEURONS, help="of the layer")
    parser.add_argument("--steps", type=int, default=spiking_rivals.STEPS, help="of the layer")
    parser.add_argument("--batch", type=int, default=spiking_rivals.BATCH, help="of the layer")
    parser.add_argument("--linear", action="store_true", help="with a Linear layer in front of it")
    parser.add_argument("--rounds", type=int, default=5, help="of the layer")
    common.add_clock(parser)
    quick = {"turns": 1, "neurons": 8, "steps": 3, "batch": 2, "rounds": 1}
    options = common.parse(parser, arguments, measure, **quick)
    ask = common.apart(__file__, measure, quick=options.quick)
    paragraphs = [common.machine(*PACKAGES)]
    for table in options.tables:
        every = spiking.CONTENDERS if table == "article" else spiking_rivals.NAMES
        names = common.select(every, options.only, OURS[table])
        if table == "layer":
            size = f"{options.neurons}x{options.steps}x{options.batch}x{options.linear}"
            paragraphs.append(tabulate_layer(size, names, options.rounds, options.clock, ask))
        else:
            batch = 4 if options.quick else BATCHES[table]
            paragraphs.append(
                tabulate_turns(table, batch, names, options.turns, options.clock, ask)
            )
    common.publish(options.output, *paragraphs)


if __name__ == "__main__":
    main()
