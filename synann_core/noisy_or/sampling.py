"""Estimate the evidence and the posteriors of a noisy-OR network by importance sampling.

Sets of causes are drawn case by case, each cause on its own: at first as the upper bound of
`bounds` has them, then closer to what the weights say. A set's weight is how much more or less
probable it is in the network; the spread of the weights gives the standard errors.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synann_core.log_odds import expit
from synann_core.noisy_or.bounds import Case
from synann_core.noisy_or.evidence import likelihood
from synann_core.noisy_or.logarithms import moving_maximum, sums_of_chosen
from synann_core.noisy_or.parameters import Reals
from synann_core.noisy_or.problems import Problem

_PILOTS, _PILOT = 4, 4096  # before the estimate: rounds, and sets in each
_BROAD = 0.2  # share of sets that are drawn with broader probabilities
_KEPT = 0.2  # of a first probability, at least
_FEW = 10.0  # equal weights' worth, at which a round is half believed
_BLOCK = 4096  # sets at a time
_ENOUGH = 1000.0  # equal weights' worth, below which the errors are themselves uncertain
_LEAST = 1e-4  # share of the prior's odds in what causes are drawn with: no weight is without bound


@dataclass(frozen=True)
class Estimate:
    """Estimates with their standard errors; `effective` is the number of equal weights' worth."""

    log_evidence: float
    log_evidence_error: float
    probability: Reals
    error: Reals
    effective: float


def estimate(
    cases: tuple[Case, ...],
    *,
    seconds: float,
    error: float,
    most: int,
    rng: np.random.Generator,
) -> Estimate:
    """Sample until no posterior's standard error is above `error`, or for so long, or so often."""
    until = time.perf_counter() + seconds
    logs = np.array([case.sides[1].log_evidence for case in cases])
    shares = np.exp(logs - logs.max())
    draws = [_drawn_with(case) for case in cases]
    proposal = _Proposal(cases, shares / shares.sum(), draws, draws)
    for _ in range(_PILOTS):
        sums = [_Sums(proposal.draws[0].size) for _ in cases]
        for k, logs, sets in proposal.samples(_PILOT, rng):
            sums[k].add(logs, sets)
        proposal = proposal.adapted(sums)
    total, done = _Sums(proposal.draws[0].size), 0
    while True:
        for _, logs, sets in proposal.samples(_BLOCK, rng):
            total.add(logs, sets)
        done += _BLOCK
        found = total.estimate()
        good = found.effective >= _ENOUGH and (found.error <= error).all()
        if good or done >= most or time.perf_counter() > until:
            return found


@dataclass(frozen=True)
class _Proposal:
    """What sets are drawn from: a case by its share, then each cause by its probability there."""

    cases: tuple[Case, ...]
    shares: Reals
    draws: list[Reals]
    first: list[Reals]  # what the first pilot drew with

    def samples(
        self, count: int, rng: np.random.Generator
    ) -> Iterator[tuple[int, Reals, NDArray[np.bool_]]]:
        """Sets of each case, with the logarithms of their weights."""
        for k, own in enumerate(rng.multinomial(count, self.shares)):
            if not own:
                continue
            p, broad = self.draws[k], _broader(self.draws[k])
            wide = rng.random((own, 1)) < _BROAD
            sets = rng.random((own, p.size)) < np.where(wide, broad, p)
            drawn = np.logaddexp(
                np.log1p(-_BROAD) + _log_chance(sets, p), np.log(_BROAD) + _log_chance(sets, broad)
            )
            joint = _log_joint(self.cases[k].cut.problem, sets)
            yield k, joint - drawn - np.log(self.shares[k]), sets

    def adapted(self, sums: list[_Sums]) -> _Proposal:
        """Up to half of it what the weights say, the rest what it was."""
        logs = np.array([own.highest + np.log(own.w) if own.w else -np.inf for own in sums])
        if np.isneginf(logs.max()):
            return self
        shares = np.exp(logs - logs.max())
        draws = []
        for p, own, first in zip(self.draws, sums, self.first, strict=True):
            effective = own.w * own.w / own.ww if own.ww else 0.0
            trust = 0.5 * effective / (effective + _FEW)
            wanted = p + trust * (own.wy / own.w - p) if trust else p
            # What the pilots did not meet stays possible.
            draws.append(np.clip(wanted, _KEPT * first, 1.0 - _KEPT * (1.0 - first)))
        shares = 0.5 * (self.shares + shares / shares.sum())
        return _Proposal(self.cases, shares, draws, self.first)


class _Sums:
    """Sums of weights w and their squares, relative to the largest weight so far."""

    def __init__(self, causes: int) -> None:
        self.count, self.highest = 0, -np.inf
        self.w = self.ww = 0.0
        self.wy, self.wwy = np.zeros(causes), np.zeros(causes)

    def add(self, logs: Reals, sets: NDArray[np.bool_]) -> None:
        self.count += len(logs)
        self.highest, ground, shrink = moving_maximum(self.highest, logs.max())
        w = np.exp(logs - ground)
        self.w = self.w * shrink + w.sum()
        self.ww = self.ww * shrink**2 + (w * w).sum()
        self.wy = self.wy * shrink + w @ sets
        self.wwy = self.wwy * shrink**2 + (w * w) @ sets

    def estimate(self) -> Estimate:
        if self.w == 0.0:
            nothing = np.full(self.wy.shape, np.nan)
            return Estimate(-np.inf, np.inf, nothing, np.full(nothing.shape, np.inf), 0.0)
        mean, n = self.w / self.count, self.count
        variance = max(self.ww / n - mean * mean, 0.0) / max(n - 1, 1)
        p, effective = self.wy / self.w, self.w * self.w / self.ww
        # Σ w² (y − p)², of 0 and 1.
        spread = self.wwy * (1.0 - 2.0 * p) + self.ww * p * p
        return Estimate(
            log_evidence=float(self.highest + np.log(mean)),
            log_evidence_error=float(np.hypot(np.sqrt(variance) / mean, 1.0 / effective)),
            probability=np.clip(p, 0.0, 1.0),
            # What was never drawn may still be one in so many.
            error=np.hypot(np.sqrt(np.maximum(spread, 0.0)) / self.w, 1.0 / effective),
            effective=effective,
        )


def _broader(p: Reals) -> Reals:
    """Half the log-odds: two unlikely causes may come together, or a likely one be missing."""
    roots = np.sqrt(p), np.sqrt(1.0 - p)
    broader: Reals = roots[0] / (roots[0] + roots[1])
    return broader


def _log_chance(sets: NDArray[np.bool_], p: Reals) -> Reals:
    """Log-probability that each set is drawn, cause by cause."""
    with np.errstate(divide="ignore", invalid="ignore"):
        chances: Reals = np.where(sets, np.log(p), np.log1p(-p)).sum(axis=1)
    return chances


def _drawn_with(case: Case) -> Reals:
    """The probability that each cause is drawn: mostly the bound's, a little of the prior's."""
    p = case.sides[1].posterior
    prior = expit(case.log_weights[1] - case.log_weights[0])
    mixed = (1.0 - _LEAST) * p + _LEAST * prior
    return np.where(case.present, 1.0, np.where(case.absent, 0.0, mixed))


def _log_joint(problem: Problem, sets: NDArray[np.bool_]) -> Reals:
    """Log-probability of sets of causes together with the findings."""
    log_absent, log_present = problem.log_weights
    structure = problem.structure
    y = sets.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(sets, log_present, log_absent).sum(axis=1)
        links = np.zeros((structure.findings, y.shape[1]))
        links[structure.finding, structure.cause] = np.log1p(-problem.strength)
        w = 0.0 - (sums_of_chosen(y, links) + problem.log_off)
        off, on = problem.final.T
        terms = np.log(likelihood(off, on, w))
        joint: Reals = problem.log_constant + own + terms.sum(axis=1)
        return joint
