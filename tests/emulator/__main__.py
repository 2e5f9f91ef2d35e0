"""Print what models need on small processors, and check their answers: python -m tests.emulator"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from tabulate import tabulate

from tests.emulator.cortex_m import BOARDS, build, missing, run
from tests.emulator.models import accuracy, all_cases

HEADER = (
    "model", "numbers", "Cortex", "constants", "code", "libraries", "variables", "stack",
    "instructions", "as in Python",
)  # fmt: skip


def measured(case, name, board):
    """Rows of the table, and what is wrong."""
    by_software = case.numbers.startswith("float") and not name.endswith("F")
    case = case.shortened() if by_software else case
    with tempfile.TemporaryDirectory() as folder:
        image, size = build(case.program(Path(folder)), board, Path(folder))
        found = run(image, board, case.records.tobytes(), Path(folder))
    answers = case.answers(found.output)
    same = (np.abs(answers - case.wanted) <= case.within).all(axis=1)
    kinds = {"": np.ones(len(same), bool)}
    if case.learns is not None:
        kinds = {"": ~case.learns, ", a step of learning": case.learns}
    rows = [
        (case.name + kind, case.numbers, name, *size, found.stack,
         round(found.instructions[which].mean()), f"{same[which].sum()} of {which.sum()}")
        for kind, which in kinds.items()
    ]  # fmt: skip
    if case.learns is not None and not by_software:
        device, here = (accuracy(case, z) for z in (answers, case.wanted))
        rows[0] = (*rows[0][:-1], f"{rows[0][-1]}: {device[0]:.1f} %, then {device[1]:.1f} %")
        same &= np.allclose(device, here)
    if same.mean() >= case.least:
        return rows, []
    return rows, [f"{case.name}, {case.numbers}, on {name}: {same.sum()} of {len(same)}"]


def main():
    """Measure all models on all boards; exits with what is wrong."""
    if why := missing():
        sys.exit(why)
    rows, wrong = [], []
    for case in all_cases():
        for name, board in BOARDS.items():
            more, problems = measured(case, name, board)
            rows += more
            wrong += problems
    print(tabulate(rows, HEADER))
    if wrong:
        sys.exit("\n".join(["not as in Python:", *wrong]))


if __name__ == "__main__":
    main()
