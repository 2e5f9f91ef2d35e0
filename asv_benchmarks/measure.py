"""The contenders of the report, and what is measured of one in a process of its own.

python asv_benchmarks/measure.py time "synann, NumPy" 512x768x768 uniform 4e9
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from benchmarks import meters
from benchmarks.common import Call, Problem, Size, bind, both, make_problem
from benchmarks.rivals import LINEAR, RIVALS, build, numpy_loop

# As the user has it, before the report changes how threads wait.
_ENVIRONMENT = dict(os.environ)

OURS = "synann, NumPy"
LIBRARY = {
    OURS: "numpy",
    "synann, torch": "torch",
    "synann, NumPy, no kernels": "numpy-agnostic",
    "synann, jax.jit": "jax",
}
CONTENDERS = (LINEAR, *LIBRARY, *(name for name in RIVALS if name != LINEAR))
# Those of which log_transmission can be expected.
EXACT = (*LIBRARY, *(name for name, rival in RIVALS.items() if rival.same))


class Skipped(Exception):  # noqa: N818 - no error: a contender that does not apply
    """Why a contender is not measured."""


def make(name: str, problem: Problem, limit: float) -> Call:
    """Make a contender's call, forward and backward.

    Parameters
    ----------
    name : str
        One of `CONTENDERS`.
    problem : Problem
    limit : float
        Bytes of temporaries that a rival may take.

    Returns
    -------
    callable
        Without arguments.

    Raises
    ------
    Skipped
        If it needs more memory, has no such size, or its library is missing.
    """
    try:
        if name in LIBRARY:
            return bind(LIBRARY[name], both, *problem)
        return build(name, problem, limit)
    except NotImplementedError as reason:
        raise Skipped(str(reason)) from reason


def together(
    names: Iterable[str], problem: Problem, limit: float, turns: Iterable[int] = range(15)
) -> dict[str, float | str]:
    """Median seconds of contenders that take turns in this process, or why one is skipped."""
    calls: dict[str, Call] = {}
    result: dict[str, float | str] = {}
    for name in names:
        try:
            calls[name] = make(name, problem, limit)
        except Skipped as reason:
            result[name] = str(reason)
    return result | meters.medians(calls, turns)


def alone(quantity: str, name: str, size: Size, inputs: str, limit: float) -> float | str:
    """Measure one contender in a fresh process.

    Parameters
    ----------
    quantity : {'time', 'memory'}
        Median seconds; bytes by which the peak memory grows in a call, once compiled for a tiny
        problem and beside the inputs.
    name, size, inputs, limit
        As for `make` and `make_problem`.

    Returns
    -------
    float, or str
        The number, or why there is none.
    """
    arguments = (quantity, name, str(size), inputs, str(limit))
    done = subprocess.run(
        [sys.executable, os.fspath(Path(__file__)), *arguments],
        env=_ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,  # whoever fails has written why to stderr
    )
    result: float | str = json.loads(done.stdout.splitlines()[-1])
    return result


def errors(name: str, problem: Problem, limit: float) -> tuple[float, float]:
    """Errors of T and of its gradients in float32, against the loop over j in float64."""
    exact, *exact_gradients = numpy_loop(problem.astype(np.float64))()
    value, *gradients = make(name, problem, limit)()
    return meters.forward_error(value, exact), meters.vjp_error(gradients, exact_gradients)


def main(quantity: str, name: str, size: str, inputs: str, limit: str) -> float | str:
    """Measure one contender in this process."""
    if quantity not in ("time", "memory"):
        raise ValueError(f"`quantity` must be 'time' or 'memory'. Received: {quantity!r}")
    try:
        if quantity == "memory":
            make(name, make_problem(Size(4, 4, 4), inputs), float(limit))()
        call = make(name, make_problem(Size.parse(size), inputs), float(limit))
    except Skipped as reason:
        return str(reason)
    return meters.medians({name: call})[name] if quantity == "time" else meters.growth(call)


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
