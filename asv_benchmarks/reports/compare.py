"""Compare the speed of two checkouts of this project, benchmark by benchmark.

    python asv_benchmarks/reports/compare.py OLD NEW [--only PATTERN] [--repeat 9] [--limit 1.1]

Run ``make kernels`` in each checkout first: one without kernels is measured as it is, on array
operations. The report names the branch of either.

Every time_* benchmark of the asv suite, with its parameters, runs in both checkouts, each with its
own suite; names are matched. Each checkout has one process, which imports and compiles once, and
the two take turns: in its turn a call is repeated for 20 ms. The medians and the ratio new/old are
printed, the worst first; the exit status is 1 if a ratio is above the limit, or if a benchmark
fails in the new checkout only. A machine that others use too is noisy: what is above the limit is
measured a second time after all others, and the lower ratio counts. Memory is not compared, nor
are rivals, unless ``--only`` finds them.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `asv_benchmarks` as a package

from asv_benchmarks.benchmarks import meters
from asv_benchmarks.reports import common

WORKER = Path(__file__).with_name("worker.py")
# All but the rivals.
LIBRARY = r"^(?!controls|.*(nn\.Linear|Dense|csr|snnTorch|Norse))"


class Checkout:
    """A process that times the benchmarks of a checkout, which `names` lists.

    `branch` is what the library there takes for a small contraction.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self._start()

    def _start(self) -> None:
        command = [sys.executable, os.fspath(WORKER), os.fspath(self.folder)]
        self._process = subprocess.Popen(
            command,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.branch: str
        self.names: list[str]
        self.branch, self.names = json.loads(self._line() or '["none", []]')
        if not self.names:
            raise SystemExit(f"{self.folder} has no benchmarks that can be run: see above")

    def _line(self) -> str:
        line = self._process.stdout.readline()
        if not line:
            self.close()
        return line

    def seconds(self, name: str) -> float | str:
        """Return the seconds of a call in one turn, or why there are none."""
        if self._process.returncode is not None:
            self._start()
        self._process.stdin.write(json.dumps(name) + "\n")
        answer: float | str = json.loads(self._line() or '"failed: the process ended"')
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


class Pair(NamedTuple):
    """What two checkouts answered: median seconds, or why there are none."""

    old: float | str
    new: float | str

    @property
    def ratio(self) -> float:
        """Seconds of the new checkout over those of the old; NaN where one is missing."""
        if isinstance(self.old, str) or isinstance(self.new, str):
            return math.nan
        return self.new / self.old


def measure(old: Checkout, new: Checkout, name: str, repeat: int) -> Pair:
    """Measure a benchmark that both have; who is first changes from turn to turn."""
    times: list[Pair] = []
    for turn in range(repeat + 1):
        first = new.seconds(name) if turn % 2 else None
        second = old.seconds(name)
        times.append(Pair(second, new.seconds(name) if first is None else first))
        if math.isnan(times[-1].ratio):
            return times[-1]
    # The first turn prepared.
    return Pair(*map(statistics.median, zip(*times[1:], strict=True)))


def measure_all(old: Checkout, new: Checkout, names: Sequence[str], repeat: int) -> dict[str, Pair]:
    """Measure benchmarks, and say on stderr what comes of each."""
    found = {}
    for number, name in enumerate(names, 1):
        found[name] = measure(old, new, name, repeat)
        print(f"{number}/{len(names)} {found[name].ratio:.3f} {name}", file=sys.stderr)
    return found


def tabulate_pairs(first: Mapping[str, Pair], second: Mapping[str, Pair]) -> str:
    """Tabulate the medians of the first round, and the ratios of both, the worst first."""
    rows = []
    for name, pair in first.items():
        if not math.isnan(pair.ratio):
            again = [second[name].ratio] if name in second else []
            rows.append((name, 1e3 * pair.old, 1e3 * pair.new, pair.ratio, *again))
    rows.sort(key=lambda row: min(row[3:]), reverse=True)
    header = ("benchmark", "old ms", "new ms", "new/old", "again")
    return tabulate(rows, header, "pipe", floatfmt=("", ".4g", ".4g", ".3f", ".3f"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison; 1 if something has become slower."""
    parser = common.make_parser(__doc__, "--only")
    parser.set_defaults(only=LIBRARY)
    parser.add_argument("old", type=Path, metavar="OLD", help="root of a checkout")
    parser.add_argument("new", type=Path, metavar="NEW", help="root of another")
    parser.add_argument("--repeat", type=int, default=9, help="turns of each (default: 9)")
    parser.add_argument("--limit", type=float, default=1.1, help="new/old (default: 1.1)")
    options = common.parse(parser, arguments, repeat=1)
    smoke = {"SYNANN_BENCH_SMOKE": "1" if options.quick else ""}
    environment = common.ENVIRONMENT | meters.QUIET | smoke
    old, new = (Checkout(folder, environment) for folder in (options.old, options.new))
    wanted = common.select(new.names, options.only)
    shared = [name for name in wanted if name in old.names]
    first = measure_all(old, new, shared, options.repeat)
    doubtful = [name for name in shared if first[name].ratio > options.limit]
    second = measure_all(old, new, doubtful, options.repeat)
    old.close()
    new.close()
    slow = [name for name in doubtful if not second[name].ratio <= options.limit]
    untimed = {name: pair for name, pair in first.items() if math.isnan(pair.ratio)}
    broken = [name for name, pair in untimed.items() if not isinstance(pair.old, str)]
    notes = [f"- {name}: {pair.old}, {pair.new}" for name, pair in untimed.items()]
    notes += [f"- {name}: only in {new.folder}" for name in wanted if name not in shared]
    notes += [f"- {name}: only in {old.folder}" for name in old.names if name not in new.names]
    notes += [f"- {name}: above {options.limit}" for name in slow]
    notes += [f"{len(slow)} of {len(shared)} slower, {len(broken)} broken"]
    branches = f"A small contraction takes the branch {old.branch} in OLD, {new.branch} in NEW."
    versions = f"{common.machine('torch', 'jax')}\n\n{branches}"
    common.publish(options.output, versions, tabulate_pairs(first, second), "\n".join(notes))
    return 1 if slow or broken else 0


if __name__ == "__main__":
    sys.exit(main())
