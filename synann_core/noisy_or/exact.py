"""Sum exactly over the sets of findings that a sample asks about, with positive terms only.

Weights are scaled, and logarithms of the scales kept beside them, so that nothing underflows. Some
causes are known in turn, present and absent, where that makes the sum cheaper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.threads import run_parts, thread_count
from synann_core.noisy_or import array_api, native
from synann_core.noisy_or.logarithms import moving_maximum
from synann_core.noisy_or.parameters import Reals
from synann_core.noisy_or.plan import CAUSE, ENTER, MOST_CONDITIONED, Plan, Program, make_plan
from synann_core.noisy_or.problems import Problem, needed

_MANY_TERMS = 60  # whose settings nobody counts
# States are scaled by the probability of each present finding to one of these powers: with the
# square root, evidence down to its square is a number (findings are positively associated).
_POWERS, _SAFE = (0.5, 1.0, 0.0, 0.75, 0.25), (1e-280, 1e280)
_NEAR = 1e-20, 1e20  # posteriors are looked for with an evidence like this
# Of a plan and one setting of it; to look for the next cause to condition on, or not.
_LEAST_SECONDS, _SECONDS_A_CONDITION = 1e-3, 2e-2
_SIDE_BY_SIDE = 64  # settings, before their posteriors are added up


class OutOfScaleError(ValueError):
    """States of the sum are too far apart for float64."""


@dataclass(frozen=True)
class Numbers:
    """The numbers of a plan's programs."""

    initial: Reals  # (findings, 2)
    final: Reals
    causes: Reals  # (causes, 2)
    stay: Reals  # of links
    move: Reals

    def weights(self, program: Program) -> Reals:
        """The two numbers of every operation."""
        kind, weights = program.ops[:, 0], np.empty((len(program.ops), 2))
        causes, enters = kind == CAUSE, (kind == ENTER) != program.transposed
        weights[causes] = self.causes[program.items[causes]]
        enters &= ~causes
        weights[enters] = self.initial[program.items[enters]]
        leaves = ~(causes | enters)
        weights[leaves] = self.final[program.items[leaves]]
        return weights


def plan_of(
    problem: Problem, *, seconds: float = np.inf, most_conditioned: int = MOST_CONDITIONED
) -> Plan | float | None:
    """The plan for a problem, or its cost where it is out of the question.

    None where even to look for a plan takes longer than these seconds.
    """
    settings = 2.0 ** min(len(problem.terms), _MANY_TERMS)
    if len(problem.terms) > _MANY_TERMS or max(1.0, 0.5 * settings) * _LEAST_SECONDS > seconds:
        return None
    most = int(min(most_conditioned, seconds / _SECONDS_A_CONDITION))
    return make_plan(
        problem.structure,
        problem.fixed,
        needed(problem),
        split=native.serves(),
        most_conditioned=most,
        most_units=seconds * _threads() / settings / seconds_of(1.0, shares=False),
    )


def settings_of(problem: Problem, plan: Plan) -> int:
    """How many times the plan is run."""
    return 1 << len(problem.terms) + len(plan.conditioned)


def planned_seconds(problem: Problem, plan: Plan, *, shares: bool) -> float:
    """The time that `solve` takes, roughly."""
    each = _LEAST_SECONDS + seconds_of(plan.units, shares=shares)
    seconds: float = each * settings_of(problem, plan) / _threads()
    return seconds


def _threads() -> int:
    return thread_count() if native.serves() else 1


def seconds_of(units: float, *, shares: bool) -> float:
    """The time that so many numbers take, on one thread."""
    seconds: float = units * _engine().SECONDS_A_UNIT[shares]
    return seconds


def planned_bytes(problem: Problem, plan: Plan, *, shares: bool) -> float:
    """The memory that `solve` takes."""
    threads = min(thread_count(), settings_of(problem, plan))
    memory: float = threads * _engine().planned_bytes(plan, shares=shares)
    return memory


def _engine() -> Any:
    return native if native.serves() else array_api


def solve(problem: Problem, plan: Plan, *, shares: bool) -> tuple[float, Reals | None]:
    """Return the log-evidence, −∞ if it is 0, and (with `shares`) every cause's posterior."""
    highest: Any = -np.inf
    total, posterior = 0.0, np.zeros(problem.log_weights.shape[1])
    terms, causes = len(problem.terms), len(plan.conditioned)
    for first in range(0, settings_of(problem, plan), _SIDE_BY_SIDE):
        numbers = range(first, min(first + _SIDE_BY_SIDE, settings_of(problem, plan)))
        found: list[tuple[float, Reals | None]] = [(-np.inf, None)] * len(numbers)

        def one(at: int, number: int, found: list[Any] = found) -> None:
            bits = [number >> k & 1 for k in range(terms + causes)]
            own = problem.with_terms(bits[:terms])
            found[at] = _Setting(own, plan, bits[terms:]).solve(shares=shares)

        run_parts(one, enumerate(numbers), thread_count())
        for log, each in found:  # in a fixed order, relative to the largest so far
            highest, ground, shrink = moving_maximum(highest, log)
            weight = np.exp(log - ground)
            total = shrink * total + weight
            if each is not None:
                posterior = shrink * posterior + weight * each
    if np.isneginf(highest):
        return -np.inf, None
    log_evidence = float(highest + np.log(total))
    return log_evidence, np.minimum(posterior / total, 1.0) if shares else None


class _Setting:
    """A problem in which some causes are known to be present or absent."""

    def __init__(self, problem: Problem, plan: Plan, values: list[int]) -> None:
        self.plan, self.structure = plan, problem.structure
        self.known = dict.fromkeys(problem.fixed, 1) | dict(
            zip(plan.conditioned, values, strict=True)
        )
        causes, chosen = list(self.known), list(self.known.values())
        logs = problem.log_weights
        with np.errstate(all="ignore"):
            scale = np.logaddexp(logs[0], logs[1])
            scale[causes] = logs[chosen, causes]
            self.weights = np.exp(logs - scale)
            self.weights[0, causes] = 1.0 - np.array(chosen)
            self.weights[1, causes] = chosen
            self.b, self.final = problem.strength, problem.final
            links = np.log1p(-self.weights[1, self.structure.cause] * self.b)
        self.links = links
        # Known causes belong to their findings, and so do those with a single link.
        known = np.isin(self.structure.cause, causes)
        self.log_off = problem.log_off + self._by_finding(links, known)
        single = np.zeros(links.size, bool)
        single[plan.single] = True
        self.log_merged = self.log_off + self._by_finding(links, single)
        self.on = -np.expm1(self.log_merged + self._by_finding(links, ~(known | single)))
        self.definite = self.final[:, 0] == 0.0
        self.constant = problem.log_constant + float(scale.sum())
        possible = np.isfinite(self.constant) and (self.on[self.definite] > 0.0).all()
        self.possible = bool(possible)

    def _by_finding(self, values: Reals, chosen: NDArray[np.bool_]) -> Reals:
        findings = self.structure.finding[chosen]
        sums = np.bincount(findings, values[chosen], self.structure.findings)
        return sums.astype(np.float64)

    def solve(self, *, shares: bool) -> tuple[float, Reals | None]:
        if not self.possible:
            return -np.inf, None
        if not self.structure.findings:
            return self.constant, self.weights[1] if shares else None
        for power in _POWERS:
            evidence, parts = self._run(power, shares=shares)
            if _SAFE[0] < evidence < _SAFE[1]:
                break
        else:
            raise OutOfScaleError(
                "`X` must have findings whose joint probability a sum in float64 can hold; "
                f"bounds may do. Received: findings with probabilities down to {self.on.min()}"
            )
        whole = self._log_tilt(1.0)
        if shares and whole and not _NEAR[0] < evidence < _NEAR[1]:  # it has small shares, too
            closer = power + float(np.log(evidence)) / whole
            again = self._run(closer, shares=shares)
            if _NEAR[0] < again[0] < _NEAR[1]:
                power, (evidence, parts) = closer, again
        log_evidence = self.constant + float(np.log(evidence)) + self._log_tilt(power)
        return log_evidence, self._posterior(evidence, parts) if shares else None

    def _log_tilt(self, power: float) -> float:
        """Logarithm of what `_run` divides the evidence by."""
        return float(power * np.log(self.on[self.definite]).sum())

    def _run(self, power: float, *, shares: bool) -> tuple[float, Any]:
        """The evidence, divided by this power of the present findings' probabilities."""
        with np.errstate(all="ignore"):
            tilt = np.where(self.definite, self.on, 1.0) ** power
            numbers = Numbers(
                initial=np.stack(
                    [np.exp(self.log_merged), -np.expm1(self.log_merged) / tilt], axis=1
                ),
                final=self.final,
                causes=np.ascontiguousarray(self.weights.T),
                stay=1.0 - self.b,
                move=self.b / tilt[self.structure.finding],
            )
            found: tuple[float, Any] = _engine().run(self.plan, numbers, shares=shares)
        return found

    def _posterior(self, evidence: float, parts: tuple[Reals, Reals]) -> Reals:
        posterior: Reals = self.weights[1].copy()
        findings = np.zeros((self.structure.findings, 2))
        for program, own in zip((self.plan.forward, self.plan.backward), parts, strict=True):
            causes, entries = program.ops[:, 0] == CAUSE, program.ops[:, 4] != 0
            posterior[program.items[causes]] = own[causes, 0] / evidence
            findings[program.items[entries]] = own[entries] / evidence
        # A cause with one link, from the probabilities that its finding was off or on at first.
        single = self.plan.single
        cause, finding = self.structure.cause[single], self.structure.finding[single]
        b, links = self.b[single], self.links[single]
        size = self.structure.findings
        certain = np.isneginf(links).astype(np.float64)
        own = np.where(certain > 0.0, 0.0, links)
        others = np.bincount(finding, own, size)[finding] - own
        others[np.bincount(finding, certain, size)[finding] - certain > 0] = -np.inf
        log_off = np.minimum(self.log_off[finding] + others, 0.0)
        off, merged = np.exp(log_off), self.log_merged[finding]
        with np.errstate(all="ignore"):
            ratios = np.stack(
                [
                    off * (1.0 - b) / np.exp(merged),
                    (off * b - np.expm1(log_off)) / -np.expm1(merged),
                ]
            )
        ratios[~np.isfinite(ratios)] = 0.0  # it cannot have been so
        posterior[cause] *= (ratios.T * findings[finding]).sum(axis=1)
        return posterior
