"""Plan exact inference over sets of findings: an order, and two programs that meet.

Causes are taken one by one. What must be kept is a number for every set of the findings that are
under way: those that have entered and not left. A finding leaves as soon as no later one shares a
cause with it. The forward program starts at the beginning, the backward one at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core.noisy_or import native

Integers = NDArray[np.int64]
ENTER, LEAVE, CAUSE = range(3)  # as in noisy_or.h
MOST_BITS = 40
_ROUNDS, _MOST_SEARCHED, _NUMBERS_A_LINK = 3, 64, 32.0  # a round takes findings² trials
# Causes are taken present and absent in turn only where a run takes longer than looking for them.
_WORTH_CONDITIONING, _LEAST_GAIN = 2e8, 0.8
_PATIENCE, _CANDIDATES, MOST_CONDITIONED = 3, 6, 16
_PAIRS_AT_A_TIME = 1 << 20


@dataclass(frozen=True)
class Structure:
    """Which causes have links to the findings that are summed over; sorted by cause."""

    findings: int
    cause: Integers
    finding: Integers


@dataclass(frozen=True)
class Program:
    """Operations for noisy_or.h: kind, place, first link, number of links, whether for shares."""

    ops: Integers
    items: Integers  # the finding or the cause of each operation
    links: Integers  # of the structure, in the order of the operations
    places: Integers
    transposed: bool


@dataclass(frozen=True)
class Plan:
    """How to sum over sets of findings.

    For each of 2^`conditioned` settings, `units` numbers are written or so.
    """

    conditioned: tuple[int, ...]
    single: Integers  # the links of causes that have no other: part of their findings
    forward: Program
    backward: Program
    order: Integers  # a finding at place q of the backward program's state is at order[q]
    units: float

    @property
    def total_units(self) -> float:
        """Numbers of all settings."""
        return self.units * 2.0 ** len(self.conditioned)


def make_plan(
    structure: Structure,
    fixed: tuple[int, ...] = (),
    forced: tuple[int, ...] = (),
    *,
    split: bool = True,
    merge: bool = True,
    most_conditioned: int = MOST_CONDITIONED,
    most_units: float = np.inf,
) -> Plan | float:
    """Plan a sum; or, where it is out of the question, return the numbers it would take.

    `fixed` causes are known, `forced` ones must be conditioned on. Without `split` there is one
    program only, without `merge` a cause with one link is taken as the others are. No plan is
    looked for that surely takes more than `most_units`.
    """
    degree = np.bincount(structure.cause, minlength=1)
    single = degree[structure.cause] == 1 if merge else np.zeros(structure.cause.size, bool)
    apart = np.isin(structure.cause, [*fixed, *forced])
    within = ~(single | apart)
    conditioned = forced
    if merge:
        least = _least_units(structure, within, most_conditioned)
        if least > most_units:
            return least * 2.0 ** len(forced)
        place, units, more = _with_conditioning(structure, within, most_conditioned)
        conditioned += more
        within &= ~np.isin(structure.cause, more)
    else:
        place, units = np.arange(structure.findings), 0.0
    events = _Events(structure, within, place)
    if events.most > MOST_BITS:
        return units * 2.0 ** len(conditioned)
    merged = np.flatnonzero(single & ~apart)
    shares = np.bincount(structure.finding[merged], minlength=structure.findings) > 0
    return events.plan(conditioned, merged, shares, split=split)


def _least_units(structure: Structure, within: NDArray[np.bool_], most: int) -> float:
    """Numbers that every plan takes: all findings of a cause are under way when it is taken."""
    degree = np.sort(np.bincount(structure.cause[within], minlength=1))[::-1].astype(np.float64)
    kept = degree[: most + 1]  # the widest one left, with more and more causes conditioned on
    return float(np.exp2(np.minimum(kept + np.arange(kept.size), 900.0)).min())


def _with_conditioning(
    structure: Structure, within: NDArray[np.bool_], most: int
) -> tuple[Integers, float, tuple[int, ...]]:
    """The best order found, its cost, and the causes to condition on for it."""
    degree = np.bincount(structure.cause[within], minlength=1)
    # A cause with more links than a state has bits is never taken otherwise.
    conditioned = tuple(np.flatnonzero(degree > MOST_BITS).tolist()[:most])
    left = within & ~np.isin(structure.cause, conditioned)
    place, units = _best_order(structure, left)
    best = (place, units, conditioned)
    failures = 0
    while units > _WORTH_CONDITIONING and len(conditioned) < most:
        degree = np.bincount(structure.cause[left])
        trials = []
        for cause in np.argsort(-degree, kind="stable")[:_CANDIDATES]:
            search = _Search(structure, left & (structure.cause != cause))
            trials.append((search.improved(place, search=False)[1], int(cause)))
        least, cause = min(trials)
        if least > _LEAST_GAIN * units:
            break
        left &= structure.cause != cause
        conditioned += (cause,)
        place, units = _best_order(structure, left, place)
        total = units * 2.0 ** len(conditioned)
        if total < best[1] * 2.0 ** len(best[2]):
            best, failures = (place, units, conditioned), 0
        else:
            failures += 1
        if failures == _PATIENCE or not left.any():
            break
    return best


def _best_order(
    structure: Structure, within: NDArray[np.bool_], *known: Integers
) -> tuple[Integers, float]:
    """The best order found, from the known ones or from scratch, and its cost."""
    k = structure.findings
    finding = structure.finding[within]
    # Findings with few causes at either end: little has to wait for them.
    by_links = np.argsort(np.bincount(finding, minlength=k), kind="stable")
    ends = np.concatenate([by_links[::2], by_links[1::2][::-1]])
    orders = [ends]
    near = _neighbours(k, structure.cause[within], finding)
    if near.sum() < 0.8 * near.size:
        orders.append(_along(near))
    search = _Search(structure, within)
    found = [search.improved(place) for place in (*known, *map(np.argsort, orders))]
    return min(found, key=lambda one: one[1])


def _neighbours(k: int, cause: Integers, finding: Integers) -> NDArray[np.bool_]:
    """Which findings share a cause, (findings, findings)."""
    near = np.zeros((k, k), bool)
    count = np.bincount(cause, minlength=1)
    first, partners = (np.cumsum(count) - count)[cause], count[cause]
    step = max(1, _PAIRS_AT_A_TIME // max(1, int(count.max())))
    for block in (slice(i, i + step) for i in range(0, cause.size, step)):
        many = partners[block]
        others = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many - first[block], many)
        near[np.repeat(finding[block], many), finding[others]] = True
    return near


def _along(near: NDArray[np.bool_]) -> Integers:
    """Always next: the finding that brings the fewest new neighbours with it."""
    k = len(near)
    reached, left, order = np.zeros(k, bool), np.ones(k, bool), []
    unreached = near.sum(axis=1)  # neighbours of each
    for _ in range(k):
        one = int(np.argmin(np.where(left, unreached - 0.5 * reached, np.inf)))
        order.append(one)
        left[one] = False
        new = near[one] & ~reached
        new[one] = not reached[one]
        unreached = unreached - near[:, new].sum(axis=1)
        reached |= new
    return np.array(order, np.int64)


class _Search:
    """Orders of findings by their costs; causes with the same findings count as one."""

    def __init__(self, structure: Structure, within: NDArray[np.bool_]) -> None:
        self.structure, self.within = structure, within
        cause, finding = structure.cause[within], structure.finding[within]
        starts = np.r_[0, np.flatnonzero(np.diff(cause)) + 1, cause.size][
            : None if cause.size else 1
        ]
        count = np.diff(starts)
        # A number for every set of findings; two sets with one number would only be planned badly.
        marks = np.random.default_rng(0).integers(2**63, size=structure.findings)
        sets = np.add.reduceat(marks[finding], starts[:-1]) if cause.size else starts[:-1]
        _, kept, same = np.unique(sets, return_index=True, return_inverse=True)
        order = np.argsort(kept)
        self.weights = np.bincount(same, 2.0 + count, kept.size)[order].astype(np.float64)
        self.findings = finding[np.isin(np.repeat(np.arange(count.size), count), kept)]
        self.starts = np.r_[0, np.cumsum(count[kept[order]])]

    def improved(self, place: Integers, *, search: bool = True) -> tuple[Integers, float]:
        """An order at least as good, and its cost; without the kernels the same order."""
        if not native.serves():
            return place, _Events(self.structure, self.within, place).units
        found = native.improve(self.starts, self.findings, self.weights, place, 0)
        if not search or place.size > _MOST_SEARCHED:
            return found
        # A trial takes nanoseconds a link, a number of the sum less: half as much time as for it.
        trials = found[1] / (_NUMBERS_A_LINK * (1 + self.findings.size + place.size))
        most = _ROUNDS * place.size**2
        return native.improve(
            self.starts, self.findings, self.weights, place, int(min(trials, most))
        )


class _Events:
    """What enters, is taken and leaves, in this order; by places in the order of entry."""

    def __init__(self, structure: Structure, within: NDArray[np.bool_], place: Integers) -> None:
        k = structure.findings
        self.k, self.place = k, place
        self.links = np.flatnonzero(within)
        at = place[structure.finding[self.links]]
        self.cause, owner = np.unique(structure.cause[self.links], return_inverse=True)
        count = np.bincount(owner, minlength=self.cause.size)
        self.starts, self.at = np.r_[0, np.cumsum(count)], at
        places = np.arange(k)
        last = np.full(self.cause.size, -1)
        np.maximum.at(last, owner, at)
        until = places.copy()
        np.maximum.at(until, at, last[owner])
        self.leaving = np.lexsort((places, until))  # places in the order of leaving
        self.rank = np.empty(k, np.int64)
        self.rank[self.leaving] = places
        gone = np.searchsorted(until[self.leaving], np.arange(k + 1))
        first = np.full(self.cause.size, k)
        np.minimum.at(first, owner, self.rank[at])
        step = until[self.leaving[first]] if k else first
        left = np.where(step == last, first, gone[last + 1])
        early = last + 1 - left <= step + 1 - first
        taken_at, taken_left = np.where(early, last, step), np.where(early, left, first)
        key = np.concatenate(
            [
                places * (2 * k + 4),
                until[self.leaving] * (2 * k + 4) + 2 + 2 * places,
                taken_at * (2 * k + 4) + 1 + 2 * taken_left,
            ]
        )
        order = np.argsort(key, kind="stable")
        causes = np.arange(self.cause.size)
        self.kind = np.repeat([ENTER, LEAVE, CAUSE], [k, k, causes.size])[order]
        # A place of what enters or leaves; the number of a cause.
        self.item = np.concatenate([places, self.leaving, causes])[order]
        self.entered = np.cumsum(self.kind == ENTER) - (self.kind == ENTER)  # before each event
        self.left = np.cumsum(self.kind == LEAVE) - (self.kind == LEAVE)
        self.width = self.entered - self.left
        self.most = int(np.max(self.width + (self.kind == ENTER), initial=0))
        self.count = count
        weight = np.ones(key.size)
        weight[self.kind == CAUSE] = 2.0 + count[self.item[self.kind == CAUSE]]
        self.costs = weight * np.exp2(np.minimum(self.width + (self.kind == ENTER), 900))
        self.units = float(self.costs.sum())

    def plan(
        self,
        conditioned: tuple[int, ...],
        single: Integers,
        shares: NDArray[np.bool_],
        *,
        split: bool,
    ) -> Plan:
        """Cut the events in two halves of the same cost, and number the places of states."""
        k, places = self.k, np.arange(self.k)
        middle = self.kind.size
        if split and middle:
            before = np.r_[0.0, np.cumsum(self.costs)]
            meets = np.exp2(np.minimum(np.r_[self.width, 0], 900))
            middle = int(np.argmin(np.maximum(before, before[-1] - before) + 2.0 * meets))
        # How many lower places have left after L leaves; how many late leavers have not entered.
        left = np.zeros((k + 1, k), np.int64)
        np.cumsum(places > self.leaving[:, None], axis=0, out=left[1:])
        absent = np.zeros((k + 1, k), np.int64)
        later = self.rank[:, None] > places
        absent[:k] = np.cumsum(later[::-1], axis=0)[::-1]
        finding = np.argsort(self.place)  # by place

        def forward_place(place: Any, gone: Any) -> Any:
            return place - left[gone, place]

        def backward_place(place: Any, entered: Any) -> Any:
            return k - 1 - self.rank[place] - absent[entered, self.rank[place]]

        def program(events: Integers, transposed: bool) -> Program:
            kind, item = self.kind[events], self.item[events]
            ops = np.zeros((events.size, 5), np.int64)
            ops[:, 0] = kind if not transposed else np.array([LEAVE, ENTER, CAUSE])[kind]
            causes, moves = kind == CAUSE, np.flatnonzero(kind != CAUSE)
            members = item[causes]
            count = self.count[members]
            ends = np.cumsum(count)
            ops[causes, 2], ops[causes, 3] = ends - count, count
            flat = np.repeat(self.starts[members] - (ends - count), count) + np.arange(count.sum())
            time = self.entered[events] if transposed else self.left[events]
            where = backward_place if transposed else forward_place
            leaves = moves[ops[moves, 0] == LEAVE]
            ops[leaves, 1] = where(item[leaves], time[leaves] + transposed)
            initial = moves[kind[moves] == ENTER]
            ops[initial, 4] = shares[finding[item[initial]]]
            items = item.copy()
            items[moves], items[causes] = finding[item[moves]], self.cause[members]
            links = where(self.at[flat], np.repeat(time[causes], count))
            return Program(ops, items, self.links[flat], links.astype(np.int64), transposed)

        events = np.arange(self.kind.size)
        entered = int((self.kind[:middle] == ENTER).sum())
        gone = int((self.kind[:middle] == LEAVE).sum())
        alive = np.flatnonzero((places < entered) & (self.rank >= gone))
        order = np.empty(alive.size, np.int64)
        order[backward_place(alive, entered)] = forward_place(alive, gone)
        return Plan(
            conditioned=conditioned,
            single=single,
            forward=program(events[:middle], False),
            backward=program(events[middle:][::-1], True),
            order=order,
            units=self.units,
        )
