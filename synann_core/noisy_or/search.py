"""Search for the most probable sets of causes: exact, by branch and bound.

The score of a set is its log-odds against the empty set: the prior log-odds of its causes and the
log-likelihoods of the findings. What one more cause gains for a present finding only shrinks as
causes are added, which bounds every larger set.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core.log_odds import logit
from synann_core.noisy_or.evidence import likelihood
from synann_core.noisy_or.parameters import Parameters, Reals, dense_rows


@dataclass(frozen=True)
class Scores:
    """What a set of causes scores, as a function of sums over its causes.

    `own` is what a cause adds to every set that it joins: its prior log-odds, the absent findings,
    and its protection of findings that are surely present. The other findings have a row each in
    `silence`, −log(1 − β), and in `spared`, −log(1 − δ), where δ protects; `start` has the sums of
    both over what is always there, leaks and causes of prior 1.
    """

    own: Reals  # (causes,)
    silence: Reals  # (rows, causes)
    spared: Reals  # (rows, causes)
    start: tuple[Reals, Reals]  # (rows,) each
    known: Reals  # (rows,), how surely each finding is present

    def rows(self, silence: Reals, spared: Reals) -> Reals:
        """Log-likelihood of each row's finding, by its sums over a set; (rows, …)."""
        r = self.known.reshape(-1, *(1,) * (silence.ndim - 1))
        with np.errstate(divide="ignore"):
            logs: Reals = np.log(
                np.exp(-spared) * likelihood(1.0 - r, r, silence) - (1.0 - r) * np.expm1(-spared)
            )
        return logs

    def diminishing(self) -> NDArray[np.bool_]:
        """Rows of which each further cause gains less: probably present, and nothing protects."""
        return (self.known >= 0.5) & ~self.spared.any(axis=1)


def scores_of(network: Parameters, x: Reals) -> Scores:
    """The scores of all sets for one sample's findings x; causes of prior 0 and 1 join none."""
    known = np.flatnonzero(~np.isnan(x))
    r = x[known]
    silence = _surprisals(network.beta, known)
    spared = np.zeros(silence.shape)
    if network.protection is not None:
        spared = _surprisals(network.protection, known)
    own = logit(network.prior)
    always = own == np.inf
    own[always] = -np.inf
    absent = (r == 0.0) & ~spared.any(axis=1)
    own = own - silence[absent].sum(axis=0)
    start = 0.0 - np.log1p(-network.leak[known]) + silence[:, always].sum(axis=1)
    blocked = spared[:, always].sum(axis=1)
    sure = r == 1.0  # of these, protection is a factor of its own
    own = own - spared[sure].sum(axis=0)
    spared[sure] = 0.0
    rows = ~absent
    return Scores(own, silence[rows], spared[rows], (start[rows], blocked[rows]), r[rows])


def best_sets(
    scores: Scores, at_most: int, count: int, most_sets: int
) -> list[tuple[float, tuple[int, ...]]]:
    """The `count` best sets of at most so many causes, with their scores, best first.

    ValueError if more than `most_sets` sets would have to be extended.
    """
    silence, spared = scores.start
    found = _Best(count)
    first = scores.rows(silence, spared)
    found.offer(float(first.sum()), ())
    # Only causes after the last one, in the order of promise, join a set: each set comes once.
    with np.errstate(invalid="ignore"):
        rows = scores.rows(silence[:, None] + scores.silence, spared[:, None] + scores.spared)
        promise = _gains(scores, scores.own, rows, first)
    order = np.argsort(-promise, kind="stable")
    # Sets by the best that they or a larger set can reach, the greatest first.
    queue: list[tuple[float, int, tuple[int, ...], Reals, Reals, float]] = []
    heapq.heappush(queue, (-np.inf, 0, (), silence, spared, 0.0))
    made = 1
    done = 0
    while queue:
        bound, _, places, silence, spared, own = heapq.heappop(queue)
        if -bound < found.worst():
            break
        if done == most_sets:
            raise ValueError(
                "`most_sets` must be enough for an exact search; fewer or smaller sets are easier. "
                f"Received: {most_sets}"
            )
        done += 1
        after = places[-1] + 1 if places else 0
        rest = order[after:]
        more_silence = silence[:, None] + scores.silence[:, rest]
        more_spared = spared[:, None] + scores.spared[:, rest]
        rows = scores.rows(more_silence, more_spared)
        owns = own + scores.own[rest]
        totals = owns + rows.sum(axis=0)
        for k in np.argsort(-totals, kind="stable")[:count]:
            found.offer(float(totals[k]), tuple(int(order[p]) for p in (*places, after + k)))
        left = at_most - len(places) - 1
        if left == 0 or not rest.size:
            continue
        gains = _gains(scores, scores.own[rest], rows, scores.rows(silence, spared))
        with np.errstate(invalid="ignore"):
            # What does not diminish gains at most all that is missing to certainty.
            missing = 0.0 - rows[~scores.diminishing()].sum(axis=0)
            by_gain = totals + missing + _most_of_later(gains, left)
            # Or all rows are certain, and the causes' own terms are left.
            bounds = np.fmin(by_gain, owns + _most_of_later(scores.own[rest], left))
        for k in np.flatnonzero((bounds >= found.worst()) & (bounds > -np.inf)):
            sums = more_silence[:, k].copy(), more_spared[:, k].copy()
            set_ = (*places, after + int(k))
            heapq.heappush(queue, (-float(bounds[k]), made, set_, *sums, float(owns[k])))
            made += 1
    return found.sets()


class _Best:
    """The best sets so far; of equal ones those that were offered first."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[float, int, tuple[int, ...]]] = []
        self._offered = 0

    def worst(self) -> float:
        """The score that another set has to beat."""
        return self._heap[0][0] if len(self._heap) == self._count else -np.inf

    def offer(self, score: float, members: tuple[int, ...]) -> None:
        entry = (score, -self._offered, tuple(sorted(members)))
        self._offered += 1
        if score == -np.inf:
            return
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def sets(self) -> list[tuple[float, tuple[int, ...]]]:
        return [(score, members) for score, _, members in sorted(self._heap, reverse=True)]


def _gains(scores: Scores, own: Reals, rows: Reals, now: Reals) -> Reals:
    """Most that each cause adds to any larger set, but for the rows that do not diminish.

    From an impossible row, everything that helps gains without a limit.
    """
    simple = scores.diminishing()
    with np.errstate(invalid="ignore"):
        gain = np.fmax(rows[simple] - now[simple, None], 0.0).sum(axis=0) + own
    return np.where(np.isnan(gain), -np.inf, gain)  # it explains all and cannot be


def _most_of_later(gains: Reals, left: int) -> Reals:
    """Most that up to `left` causes after each one add together."""
    gains = np.maximum(gains, 0.0)
    later = np.append(np.maximum.accumulate(gains[::-1])[::-1][1:], 0.0)
    most = np.sort(gains)[-left:].sum()
    return np.minimum(left * later, most)  # type: ignore[no-any-return]


def _surprisals(links: Any, rows: NDArray[np.intp]) -> Reals:
    """−log(1 − links) of some findings, dense."""
    with np.errstate(divide="ignore"):
        return 0.0 - np.log1p(-dense_rows(links, rows))
