"""Name the findings of a sample that cannot be together.

What findings ask of the causes are clauses. A finding that is present without a leak has one of its
causes; where it is absent, each cause that is sure to bring it about is missing, or some cause is
there that may block it. A clause has one negative literal at most, so that what follows from single
literals decides: if they do not contradict each other, all other causes may be present.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synann_core.noisy_or.parameters import Parameters, Reals, dense_rows

_NAMED = 8  # findings in an error
_UNKNOWN = -1  # of a cause; else 0 or 1


def check_possible(network: Parameters, x: Reals, logs: Reals) -> None:
    """Refuse a sample of probability 0, and name its findings that cannot be together."""
    if not np.isneginf(logs).any():
        return
    sample = int(np.argmin(logs))
    culprits = contradiction(network, x[sample])
    names = [_stated(network, i, x[sample, i]) for i in culprits[:_NAMED].tolist()]
    more = f" and {culprits.size - _NAMED} more" if culprits.size > _NAMED else ""
    raise ValueError(
        "`X` must have findings that the network can bring about. "
        f"Received: sample {sample}, of probability 0 with {', '.join(names)}{more}"
    )


def _stated(network: Parameters, finding: int, x: float) -> str:
    name = f"finding {finding}" if network.findings is None else repr(network.findings[finding])
    return f"{name} {'present' if x == 1.0 else 'absent'}"


def contradiction(network: Parameters, x: Reals) -> NDArray[np.intp]:
    """Findings that contradict each other, none of which can be left out; the present ones first.

    All that are surely present or absent, if no contradiction is found among them.
    """
    clauses, start = _clauses(network, x), _start(network.prior)
    kept = np.flatnonzero((x == 0.0) | (x == 1.0))
    if clauses.possible(kept, start):
        return kept
    step = kept.size
    while step > 1:
        step, at = (step + 1) // 2, 0
        while at < kept.size:
            fewer = np.delete(kept, slice(at, at + step))
            if clauses.possible(fewer, start):
                at += step
            else:
                kept = fewer
    return kept[np.argsort(-x[kept], kind="stable")]


@dataclass(frozen=True)
class _Clauses:
    """Of every literal the clause, the cause, and the value; of every clause its finding."""

    clause: NDArray[np.intp]
    cause: NDArray[np.intp]
    value: NDArray[np.int8]
    finding: NDArray[np.intp]

    def possible(self, findings: NDArray[np.intp], start: NDArray[np.int8]) -> bool:
        """Whether these findings can be together, if causes are known as at the start."""
        known, count = start.copy(), self.finding.size
        asked = np.isin(self.finding, findings)
        while True:
            now = known[self.cause]
            met = np.bincount(self.clause[now == self.value], minlength=count) > 0
            open_ = now == _UNKNOWN
            left = np.bincount(self.clause[open_], minlength=count)
            if (asked & ~met & (left == 0)).any():
                return False
            single = asked & ~met & (left == 1)
            follows = open_ & single[self.clause]
            if not follows.any():
                return True
            # Of two that contradict each other the second clause is not met in the next round.
            known[self.cause[follows]] = self.value[follows]


def _start(prior: Reals) -> NDArray[np.int8]:
    start = np.full(prior.size, _UNKNOWN, np.int8)
    start[prior == 0.0], start[prior == 1.0] = 0, 1
    return start


def _clauses(network: Parameters, x: Reals) -> _Clauses:
    parts: list[tuple[int, list[int], list[int]]] = []  # finding, causes and values of a clause
    for i in np.flatnonzero((x == 0.0) | (x == 1.0)).tolist():
        row = np.array([i])
        (beta,) = dense_rows(network.beta, row)
        delta = np.zeros_like(beta)
        if network.protection is not None:
            (delta,) = dense_rows(network.protection, row)
        blocking = np.flatnonzero(delta > 0.0).tolist()
        if x[i] == 1.0:
            if network.leak[i] == 0.0:
                causes = np.flatnonzero(beta > 0.0).tolist()
                parts.append((i, causes, [1] * len(causes)))
            parts += [(i, [j], [0]) for j in np.flatnonzero(delta == 1.0).tolist()]
        else:
            for j in np.flatnonzero((beta == 1.0) & (delta == 0.0)).tolist():
                parts.append((i, [j, *blocking], [0] + [1] * len(blocking)))
    sizes = [len(causes) for _, causes, _ in parts]
    return _Clauses(
        np.repeat(np.arange(len(parts)), sizes),
        np.array([j for _, causes, _ in parts for j in causes], np.intp),
        np.array([v for _, _, values in parts for v in values], np.int8),
        np.array([i for i, _, _ in parts], np.intp),
    )
