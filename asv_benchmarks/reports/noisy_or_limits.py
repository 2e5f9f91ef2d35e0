"""Measure inference in noisy-OR networks where exact sums end, and beside other tools.

    python asv_benchmarks/reports/noisy_or_limits.py

Bounds and samples for patients drawn from a network of 600 causes; the digits that Quickscore, the
textbook's sum with alternating signs, loses in float64; and the time of pgmpy and ProbLog (extra
`bench`) for one finding of so many causes.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `asv_benchmarks` as a package

from asv_benchmarks.reports import common
from synann_core.noisy_or import NoisyOr

CAUSES, FINDINGS, SHARE, ABSENT = 600, 400, 0.1, 60
TURNS, MOST_SECONDS = 5, 20.0


def draw_network(seed: int = 1, causes: int = CAUSES, findings: int = FINDINGS) -> NoisyOr:
    """Draw a network of the kind of QMR, a finding linked to a tenth of the causes."""
    rng = np.random.default_rng(seed)
    shape = findings, causes
    prior = np.exp(rng.uniform(np.log(1e-4), np.log(2e-2), causes))
    beta = np.where(rng.random(shape) < SHARE, rng.uniform(0.05, 0.9, shape), 0.0)
    return NoisyOr(prior, rng.uniform(1e-3, 2e-2, findings), beta)


def patients(network: NoisyOr, present: int, count: int) -> list[np.ndarray]:
    """Find patients among those drawn with about so many present findings, and 60 absent ones."""
    _, drawn = network.sample(2000, rng=2)
    numbers = drawn.sum(axis=1)
    found = []
    for row in np.argsort(np.abs(numbers - present), kind="stable")[:count]:
        x = drawn[row].copy()
        x[np.flatnonzero(x == 0.0)[ABSENT:]] = np.nan
        found.append(x)
    return found


def beyond(present: Sequence[int], count: int, seconds: float) -> str:
    """Make the table of bounds and samples."""
    network, rows = draw_network(), []
    for k in present:
        for x in tqdm(patients(network, k, count), str(k)):
            start = time.perf_counter()
            bounds = network.posterior(x[None], method="bounds", most_seconds=seconds)
            middle = time.perf_counter()
            drawn = network.posterior(x[None], method="sampling", most_seconds=seconds)
            end = time.perf_counter()
            rows.append(
                (
                    int(np.nansum(x)),
                    float(bounds.log_upper[0] - bounds.log_lower[0]),
                    float((bounds.upper - bounds.lower).max()),
                    middle - start,
                    float(np.maximum(drawn.upper - drawn.probability, 0.0).max() / 2.0),
                    end - middle,
                )
            )
    header = ("present", "log(upper/lower)", "widest", "s", "sampling: largest error", "s")
    return tabulate(rows, header, "pipe", floatfmt=("d", ".2f", ".3f", ".1f", ".3f", ".1f"))


def quickscore(network: NoisyOr, x: np.ndarray) -> float:
    """Compute the evidence by the alternating sum over sets of present findings, in float64."""
    present, absent = np.flatnonzero(x == 1.0), np.flatnonzero(x == 0.0)
    silent = np.log1p(-network.beta)
    always = silent[absent].sum(axis=0)
    total, leak = 0.0, np.log1p(-network.leak)
    for chosen in itertools.product((0.0, 1.0), repeat=len(present)):
        inside = np.array(chosen)
        logs = np.log1p(-network.prior * -np.expm1(always + inside @ silent[present])).sum()
        sign = 1.0 - 2.0 * (inside.sum() % 2.0)
        total += sign * np.exp(logs + inside @ leak[present] + leak[absent].sum())
    return float(total)


def digits(present: Sequence[int]) -> str:
    """Make the table of Quickscore's relative error."""
    network, rows = draw_network(), []
    for k in present:
        x = np.full(FINDINGS, np.nan)
        x[:k], x[k : k + 30] = 1.0, 0.0
        exact = float(np.exp(network.log_evidence(x[None])[0]))
        start = time.perf_counter()
        found = quickscore(network, x)
        rows.append((k, exact, found, abs(found / exact - 1.0), time.perf_counter() - start))
    header = ("present", "evidence", "Quickscore's", "relative error", "s")
    return tabulate(rows, header, "pipe", floatfmt=("d", ".3e", ".3e", ".1e", ".2f"))


def one_finding(causes: int) -> NoisyOr:
    """Make a network of one finding, to which all causes are linked."""
    rng = np.random.default_rng(causes)
    beta = rng.uniform(0.1, 0.9, (1, causes))
    names = [f"c{j}" for j in range(causes)]
    return NoisyOr(rng.uniform(0.01, 0.2, causes), [0.0], beta, causes=names, findings=["f"])


def by_pgmpy(network: NoisyOr) -> Callable[[], np.ndarray]:
    """Make pgmpy's way to all posteriors of a present finding."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pgmpy.factors.discrete import NoisyORCPD, TabularCPD
        from pgmpy.inference import VariableElimination
        from pgmpy.models import DiscreteBayesianNetwork
    names = list(network.causes or ())
    model = DiscreteBayesianNetwork([(name, "f") for name in names])
    states = ["True", "False"]
    tables: list[Any] = [
        TabularCPD(name, 2, [[p], [1.0 - p]], state_names={name: states})
        for name, p in zip(names, network.prior, strict=True)
    ]
    model.add_cpds(*tables, NoisyORCPD("f", network.beta[0], evidence=names))

    def run() -> np.ndarray:
        infer = VariableElimination(model)
        joint = [infer.query([name], evidence={"f": "True"}, show_progress=False) for name in names]
        return np.array([one.values[0] for one in joint])

    return run


def by_problog(network: NoisyOr) -> Callable[[], np.ndarray]:
    """Make ProbLog's way."""
    with warnings.catch_warnings():  # its source has invalid escapes
        warnings.simplefilter("ignore")
        from problog import get_evaluatable
        from problog.program import PrologString

    names = list(network.causes or ())
    lines = [f"{p!r}::{n}." for n, p in zip(names, network.prior.tolist(), strict=True)]
    lines += [f"{b!r}::f :- {n}." for n, b in zip(names, network.beta[0].tolist(), strict=True)]
    lines += ["evidence(f, true).", *(f"query({n})." for n in names)]

    def run() -> np.ndarray:
        found = get_evaluatable().create_from(PrologString("\n".join(lines))).evaluate()
        by_name = {str(term): p for term, p in found.items()}
        return np.array([by_name[name] for name in names])

    return run


def beside(causes: Sequence[int]) -> str:
    """Make the table of times for one finding; a tool is left out once it took too long."""
    tools = {"synann": None, "pgmpy": by_pgmpy, "ProbLog": by_problog}
    rows, over = [], set()
    for n in causes:
        network, row = one_finding(n), [n]
        want = network.posterior([[1.0]]).probability[0]
        for name, make in tools.items():
            if name in over:
                row.append(None)
                continue
            run = (
                make(network) if make else lambda own=network: own.posterior([[1.0]]).probability[0]
            )
            times = []
            for _ in range(TURNS):
                start = time.perf_counter()
                got = run()
                times.append(time.perf_counter() - start)
                if sum(times) > MOST_SECONDS:
                    over.add(name)
                    break
            np.testing.assert_allclose(got, want, rtol=1e-6)
            row.append(1e3 * statistics.median(times))
        rows.append(row)
    return tabulate(rows, ("causes", *(f"{name}, ms" for name in tools)), "pipe", floatfmt=".2f")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report."""
    parser = common.make_parser(__doc__)
    options = parser.parse_args(arguments)
    quick = options.quick
    common.publish(
        options.output,
        common.machine(),
        beyond((8,) if quick else (30, 40, 60), 1 if quick else 4, 0.2 if quick else 5.0),
        digits((2,) if quick else (4, 8, 12, 16)),
        beside((2,) if quick else (2, 4, 8, 12, 16, 20)),
    )


if __name__ == "__main__":
    main()
