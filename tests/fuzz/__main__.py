"""Try damaged files on every loader, and random models on every exporter, for a time.

    python -m tests.fuzz --seconds 600
    python -m tests.fuzz --target json --seed 7 --first 1234 --inputs 1     # one input again

Input k of a target is made from the seed, the target's name and k alone. A fault is an exception
that is not the loader's own, a peak of memory above ten times the file and 16 MB, or more than a
second; it is printed with the command that makes it again, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.harness import run
from tests.fuzz.targets import TARGETS


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("--inputs", type=int, help="stop a target after so many, or in time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--target", choices=tuple(TARGETS), action="append")
    options = parser.parse_args(arguments)
    names, faults = options.target or list(TARGETS), 0
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as folder:
        for place, name in enumerate(names):
            now = time.monotonic()
            until = now + (end - now) / (len(names) - place)  # what one leaves, the others share
            found = run(
                TARGETS[name],
                Path(folder),
                name=name,
                seed=options.seed,
                first=options.first,
                inputs=options.inputs,
                until=until,
            )
            print(
                f"{name}: {found.inputs} inputs, {found.accepted} taken, {found.refused} refused; "
                f"at most {found.seconds:.3f} s and {found.peak / 1e6:.1f} MB",
                flush=True,
            )
            for number, fault in found.faults:
                again = f"--target {name} --seed {options.seed} --first {number} --inputs 1"
                print(f"  {fault}\n    python -m tests.fuzz {again}", flush=True)
            faults += len(found.faults)
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
