"""Tabulate T = log_transmission under `initial_beta`: its mean, and its spread over samples.

A layer learns only if its outputs differ between samples: the table sets the library's initial
values beside β ≈ 2/n everywhere, whose spread fades like 1/√n.

    python examples/initial_values.py

Makes a table; no file.
"""

from __future__ import annotations

import numpy as np
from tabulate import tabulate

import synann as syn

SAMPLES, OUTPUTS = 1000, 64


def measure(y: np.ndarray, beta: np.ndarray) -> tuple[float, float]:
    """Mean of T, and its standard deviation over samples averaged over outputs."""
    t = syn.log_transmission(y, beta)
    return float(t.mean()), float(t.std(axis=0).mean())


def main() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for n in (16, 64, 256, 1024, 4096):
        uniform = rng.random((SAMPLES, n))
        gated = syn.expit(rng.standard_normal((SAMPLES, n)))  # what a sigmoid gate gives
        beta = syn.initial_beta(OUTPUTS, n, rng=0)
        even = rng.uniform(1 / n, 3 / n, (OUTPUTS, n))
        rows.append((n, *measure(uniform, beta), *measure(gated, beta), *measure(uniform, even)))
    header = ("n", "uniform y: mean T", "std T", "gated y: mean T", "std T")
    print(tabulate(rows, (*header, "β ≈ 2/n: mean T", "std T"), floatfmt=".3f"))


if __name__ == "__main__":
    main()
