"""Bound the evidence and the posteriors of a noisy-OR network from both sides.

Some findings are summed over exactly. Each of the others is bounded by a product over the causes,
so that it only changes their weights. Its log-likelihood is f(w), a function of the sum w of the
present causes' link surprisals. A tangent of f is linear in w, and bounds a concave f from above;
Jensen's inequality for shares q_j of w does from below. For a finding that is probably absent f is
convex, and the two change places. With some causes known, present and absent in turn, the bounds of
all cases add up, and are closer.

Source: Jaakkola & Jordan, "Variational probabilistic inference and the QMR-DT network" (1999).
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core.log_odds import expit
from synann_core.noisy_or import exact
from synann_core.noisy_or.evidence import likelihood
from synann_core.noisy_or.parameters import Reals
from synann_core.noisy_or.plan import Plan, Structure
from synann_core.noisy_or.problems import Problem

_CAP = 100.0  # of a link's surprisal: e^−100 is nothing beside any likelihood
_KNOWN = -700.0  # log-weight of the absence of a cause that is known to be present
_ROUNDS, _MORE_ROUNDS = 20, 5  # of fitting the bounds: at first, and of a case
_SECONDS_A_SUM = 0.004  # of the findings that are summed over, by default
_LEAST_SUM = 0.002  # the same where there are many cases from the beginning
_ROUNDING = 1e-12
_MOST_CASES = 10_000
_MOST_SUMMED = 100  # findings, whose probabilities float64 holds together
_LEAST_POINT = 1e-9  # where tangents touch
_LEAST_GAIN, _LEAST_STEP = 1e-3, 0.05  # of a fit that goes on


@dataclass(eq=False)
class Side:
    """A bound from one side: what a fit of it came to."""

    upper: bool
    log_evidence: float
    posterior: Reals
    point: Reals  # of tangents, (findings,)


@dataclass(eq=False)
class Case:
    """Bounds of one of a problem's settings where some causes are known."""

    cut: Cut
    log_weights: Reals
    sides: tuple[Side, Side]  # lower and upper

    @property
    def present(self) -> NDArray[np.bool_]:
        """Causes that are known to be there."""
        return known_present(self.log_weights)

    @property
    def absent(self) -> NDArray[np.bool_]:
        """Causes that are known not to be there."""
        return np.asarray(np.isneginf(self.log_weights[1]))

    def gap(self, log_upper: float) -> float:
        """How much of an evidence the bounds leave open."""
        low, high = (side.log_evidence for side in self.sides)
        return float(np.exp(high - log_upper) - np.exp(low - log_upper))


@dataclass(frozen=True)
class Bounds:
    """Bounds of log-evidence and of posteriors, and the cases that they are sums over."""

    log_lower: float
    log_upper: float
    lower: Reals
    upper: Reals
    cases: tuple[Case, ...]


def bound(
    problem: Problem,
    *,
    width: float,
    seconds: float,
    seconds_a_sum: float = _SECONDS_A_SUM,
    most_cases: int = _MOST_CASES,
) -> Bounds:
    """Bounds no wider than `width` for any posterior, or the closest ones within the limits."""
    # Zero probabilities have logarithms, too, and 0 · ∞ is looked after where it may come.
    with np.errstate(all="ignore"):
        until = time.perf_counter() + seconds
        cases = _first_cases(problem, until, seconds_a_sum)
        found = _total(cases)
        while len(cases) < most_cases and time.perf_counter() < until:
            if (found.upper - found.lower <= width).all():
                break
            gaps = [case.gap(found.log_upper) for case in cases]
            parent = cases[int(np.argmax(gaps))]
            cause = parent.cut.cause_to_split(parent)
            if cause is None:
                break
            cases.remove(parent)
            for present in (0, 1):
                weights = parent.log_weights.copy()
                if present:
                    weights[0, cause] = _KNOWN + weights[1, cause]
                else:
                    weights[1, cause] = -np.inf
                cases.append(parent.cut.case(weights, parent, _MORE_ROUNDS))
            found = _total(cases)
        return found


def _first_cases(problem: Problem, until: float, seconds_a_sum: float) -> list[Case]:
    """A case for each choice of terms; all sum over the same findings, as the first one does."""
    choices = itertools.product((1, 0), repeat=len(problem.terms))
    own = problem.with_terms(list(next(choices)))
    each = max(seconds_a_sum / 2.0 ** len(problem.terms), min(seconds_a_sum, _LEAST_SUM))
    first = Cut.of(own, each)
    cases = [first.case(own.log_weights, None, _ROUNDS)]
    for chosen in choices:
        own = problem.with_terms(list(chosen))
        rounds = _MORE_ROUNDS if time.perf_counter() < until else 1
        cases.append(Cut(own, first.summed, first.plan).case(own.log_weights, cases[0], rounds))
    return cases


def known_present(log_weights: Reals) -> NDArray[np.bool_]:
    """Causes whose absence has next to no weight; none at all would ask for a plan of its own."""
    return np.asarray(log_weights[0] <= _KNOWN + log_weights[1])


def _total(cases: list[Case]) -> Bounds:
    """Bounds of the sum over all cases."""
    logs = np.array([[side.log_evidence for side in case.sides] for case in cases])
    high = float(logs[:, 1].max())
    if np.isneginf(high):
        nothing = np.zeros_like(cases[0].sides[0].posterior)
        return Bounds(-np.inf, -np.inf, nothing, nothing, tuple(cases))
    weights = np.exp(logs - high)
    posterior = np.array([[side.posterior for side in case.sides] for case in cases])
    present = (weights[..., None] * posterior).sum(axis=0)
    absent = (weights[..., None] * (1.0 - posterior)).sum(axis=0)
    lower = np.nan_to_num(present[0] / (present[0] + absent[1]), nan=0.0)
    upper = np.nan_to_num(present[1] / (present[1] + absent[0]), nan=1.0)
    log_lower, log_upper = high + np.log(weights.sum(axis=0))
    return Bounds(
        float(log_lower) - _ROUNDING,
        float(log_upper) + _ROUNDING,
        np.clip(lower * (1.0 - _ROUNDING), 0.0, 1.0),
        np.clip(upper * (1.0 + _ROUNDING), 0.0, 1.0),
        tuple(cases),
    )


class Cut:
    """A problem whose findings are summed over (`inner`) or bounded."""

    def __init__(self, problem: Problem, inner: NDArray[np.bool_], plan: Any = None) -> None:
        self.problem, self.summed, structure = problem, inner, problem.structure
        mine = inner[structure.finding]
        number = np.cumsum(inner) - 1
        self.inner = replace(
            problem,
            structure=Structure(
                int(inner.sum()), structure.cause[mine], number[structure.finding[mine]]
            ),
            strength=problem.strength[mine],
            log_off=problem.log_off[inner],
            final=problem.final[inner],
        )
        place = np.cumsum(~inner) - 1
        self.cause, self.finding = structure.cause[~mine], place[structure.finding[~mine]]
        self.surprisal = np.minimum(0.0 - np.log1p(-problem.strength[~mine]), _CAP)
        self.start = 0.0 - problem.log_off[~inner]
        off, on = problem.final[~inner].T
        self.off, self.on = off, on
        self.concave = on >= off
        # (Nothing that has to be conditioned on is cheap enough.)
        self.plan: Any = plan or exact.plan_of(self.inner, most_conditioned=0)

    @classmethod
    def of(cls, problem: Problem, seconds: float) -> Cut:
        """The cut that sums over as many findings as time allows, the worst bounded ones first."""
        count = problem.structure.findings
        everything = cls(problem, np.zeros(count, bool))
        order = np.argsort(-everything.losses(), kind="stable")
        low, high = 0, min(count, _MOST_SUMMED)
        best = everything
        while low < high:
            middle = (low + high + 1) // 2
            inner = np.zeros(count, bool)
            inner[order[:middle]] = True
            cut = cls(problem, inner)
            if isinstance(cut.plan, Plan) and cut.seconds() <= seconds:
                best, low = cut, middle
            else:
                high = middle - 1
        return best

    def seconds(self) -> float:
        """What one sum takes."""
        return exact.planned_seconds(self.inner, self.plan, shares=True)

    def losses(self) -> Reals:
        """What the upper bound loses for each finding, the others being bounded too."""
        case = self.side(self.problem.log_weights, upper=True, like=None, rounds=_ROUNDS)
        slope, constant = self.tangents(case.point)
        gained = slope[self.finding] * self.surprisal
        odds = self._log_odds(self.problem.log_weights)
        odds = odds + np.bincount(self.cause, gained, minlength=odds.size)
        own = odds[self.cause] - gained
        p = expit(own)  # of each link's cause, without this finding
        log_with = np.logaddexp(np.log1p(-p), np.log(p) + gained)
        bound = constant + np.bincount(self.finding, log_with, self.start.size)
        silent = np.log1p(p * np.expm1(-self.surprisal))
        off = np.exp(-self.start + np.bincount(self.finding, silent, self.start.size))
        truth = np.log(self.off * off + self.on * (1.0 - off))
        loss: Reals = np.where(self.concave, np.nan_to_num(bound - truth), 0.0)
        # Without a leak there is no lower bound.
        loss[(self.off == 0.0) & (self.start == 0.0)] += 1e3
        return loss

    def case(self, log_weights: Reals, parent: Case | None, rounds: int) -> Case:
        """Bounds with these weights of the causes, starting at those of a parent."""
        known = parent.sides[1] if parent else None
        high = self.side(log_weights, upper=True, like=known, rounds=rounds)
        low = self.side(log_weights, upper=False, like=high, rounds=rounds)
        return Case(self, log_weights, (low, high))

    def cause_to_split(self, case: Case) -> int | None:
        """The cause whose presence matters most to what is bounded, and is least known."""
        low, high = case.sides
        p = 0.5 * (low.posterior + high.posterior)
        open_ = p * (1.0 - p)
        open_[case.absent | case.present] = 0.0
        weight = np.bincount(self.cause, -np.expm1(-self.surprisal), minlength=p.size)
        score = open_ * weight
        best = int(np.argmax(score))
        return best if score[best] > 0.0 else None

    def side(self, log_weights: Reals, *, upper: bool, like: Side | None, rounds: int) -> Side:
        """The closest bound found from one side."""
        known = known_present(log_weights)
        mine = known[self.cause]
        start = self.start + np.bincount(self.finding[mine], self.surprisal[mine], self.start.size)
        surprisal = np.where(mine, 0.0, self.surprisal)
        tangent = self.concave if upper else ~self.concave
        p = expit(self._log_odds(log_weights))
        if like is not None:
            p = np.where(known, 1.0, np.where(np.isneginf(log_weights[1]), 0.0, like.posterior))
        # A parent's tangents are good ones already.
        point = start + self._by_finding(p, surprisal)
        if like is not None and like.upper == upper:
            point = like.point
        shares = self._normal((p[self.cause] + 1e-9) * surprisal)
        best: Side | None = None
        step, own_shares, target = 1.0, shares, (point, shares)
        for _ in range(rounds):
            point = np.maximum(point, _LEAST_POINT)
            slope, constant = self.tangents(point)
            value, at_start, pull = self._jensen(start, surprisal, shares)
            factor = np.where(tangent[self.finding], slope[self.finding] * surprisal, value)
            constants = np.where(tangent, constant + slope * start, at_start)
            log_sum, p = self._sum(log_weights, factor, float(constants.sum()))
            gain = math.inf if best is None else best.log_evidence - log_sum
            gain = gain if upper or best is None else -gain
            if best is None or gain > 0.0:
                best, own_shares = Side(upper, log_sum, p, point), shares
                mean = np.maximum(start + self._by_finding(p, surprisal), _LEAST_POINT)
                weights = shares * np.abs(pull) * (p[self.cause] + 1e-12)
                target = mean, self._normal(weights)
                step = min(1.0, 2.0 * step)
            else:
                step *= 0.4
            nothing_left = not (np.isfinite(log_sum) and self.start.size)
            if nothing_left or 0.0 < gain < _LEAST_GAIN or step < _LEAST_STEP:
                break
            # Where the measure has w on average the tangent would touch best, were it not to change
            # the measure: steps that overshoot are taken back.
            point = best.point * (target[0] / best.point) ** step
            shares = own_shares + step * (target[1] - own_shares)
        return best  # type: ignore[return-value]  # there is a first round

    def tangents(self, point: Reals) -> tuple[Reals, Reals]:
        """Slope and constant of f's tangents: f(w) is about constant + slope · w."""
        value, slope = self._f(point, slice(None))
        return slope, value - slope * point

    def _f(self, w: Reals, finding: NDArray[np.intp] | slice) -> tuple[Reals, Reals]:
        """f(w), the logarithm of the likelihood, of some findings, and its derivative."""
        on, off = self.on[finding], self.off[finding]
        either = likelihood(off, on, w)
        return np.log(either), (on - off) * np.exp(-w) / either

    def _jensen(self, start: Reals, surprisal: Reals, shares: Reals) -> tuple[Reals, Reals, Reals]:
        """What links add where their causes are present, f at the start, and the shares' pull."""
        finding = self.finding
        at_start, _ = self._f(start, slice(None))
        whole = surprisal / shares
        value, slope = self._f(start[finding] + whole, finding)
        gain = value - at_start[finding]
        pull = gain - whole * slope
        nothing = ~(shares > 0.0) | (surprisal == 0.0)
        gain, pull = np.where(nothing, 0.0, gain), np.where(nothing, 0.0, pull)
        # From a start of −∞ nothing is gained: that bound is 0.
        finite = np.isfinite(at_start)[finding]
        return np.where(finite, shares * gain, 0.0), at_start, np.where(finite, pull, 0.0)

    def _normal(self, shares: Reals) -> Reals:
        """Shares that add up to 1 for each finding."""
        total = np.bincount(self.finding, shares, self.start.size)[self.finding]
        return np.where(total > 0.0, shares / total, 0.0)

    def _sum(self, log_weights: Reals, factor: Reals, constant: float) -> tuple[float, Reals]:
        """Log of the bound, and the posteriors of the measure that it is the sum of."""
        weights = log_weights.copy()
        weights[1] += np.bincount(self.cause, factor, minlength=weights.shape[1])
        own = replace(
            self.inner,
            log_weights=weights,
            log_constant=self.inner.log_constant + constant,
        )
        if np.isneginf(own.log_constant):
            p = expit(self._log_odds(weights))
            return -np.inf, p
        log_sum, p_sum = exact.solve(own, self.plan, shares=True)
        if p_sum is None:
            return -np.inf, np.zeros(weights.shape[1])
        return log_sum, p_sum

    def _log_odds(self, log_weights: Reals) -> Reals:
        odds: Reals = log_weights[1] - log_weights[0]
        return odds

    def _by_finding(self, p: Reals, surprisal: Reals) -> Reals:
        sums = np.bincount(self.finding, p[self.cause] * surprisal, self.start.size)
        return sums.astype(np.float64)  # of no links the sums are ints
