"""Grow hard rules one by one: a few literals that must all be true, with a weight.

A rule is a synapse tensor's row with β = 1 throughout, and the structure is `rrl`. Each new rule
is the conjunction that a Newton step on the log-loss gains most from (a beam search over its
literals); then all weights are fitted again. Whenever the number of rules has doubled, each is
grown anew beside the others where that helps. Targets are probabilities, not only classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synann_core.tabular.rules.literals import Floats
from synann_core.tabular.rules.structures import log_probabilities

_BEAM = 6
_DEPTH = 4  # literals of a rule at most
_NEWTON = 8
_EPS = 1e-12


@dataclass(frozen=True)
class Growth:
    """How rules are grown.

    `ridge` is on the weights' squares, `first` the price of a rule with one literal, and `cost`
    that of each further one: all in nats of the summed log-loss of samples of weight 1 on average.
    A dear second literal leaves conjunctions to where they are worth it: greedy ones fit noise.
    """

    max_rules: int
    max_literals: int
    ridge: float = 1.0
    cost: float = 1.0
    first: float = 0.1

    def price(self, literals: int) -> float:
        """Price of a rule with so many literals."""
        return self.first + self.cost * (literals - 1)


class HardRule(NamedTuple):
    """Literals that must be true, the class whose score the rule moves, and which way."""

    literals: tuple[int, ...]
    label: int
    sign: float


class HardRules(NamedTuple):
    """Rules, what each adds to its class's score, and the scores without rules."""

    rules: tuple[HardRule, ...]
    weights: Floats
    bias: Floats


class _Problem(NamedTuple):
    columns: NDArray[np.float32]  # (literals, rows), 0 or 1
    target: Floats  # (classes, rows)
    weight: Floats  # (rows,)
    allowed: NDArray[np.bool_]  # (classes, literals): of rules with a weight > 0
    growth: Growth

    @property
    def movable(self) -> range:
        """Classes whose scores rules move: of two, one is enough."""
        return range(1, 2) if len(self.target) == 2 else range(len(self.target))


class _Beam(NamedTuple):
    """The best conjunctions of one length, for a class and a sign."""

    label: int
    sign: float
    able: NDArray[np.bool_]  # (literals,)
    rules: list[tuple[int, ...]]
    fires: NDArray[np.float32]  # (rules, rows)


def grow(
    truth: NDArray[np.float32],
    target: Floats,
    weight: Floats,
    allowed: NDArray[np.bool_],
    growth: Growth,
) -> list[HardRules]:
    """Return the rules after each step of growth, first none, then more and more.

    `target` has the classes' probabilities in each row, shape (classes, rows). `weight` sums to the
    number of samples. `allowed` says which literals a rule may have that raises a class's score;
    where some are not allowed, those of the opposite direction are for rules that lower it.
    """
    problem = _Problem(np.ascontiguousarray(truth.T), target, weight, allowed, growth)
    found = _fitted(problem, (), HardRules((), np.zeros(0), np.zeros(len(target))))
    path = [found]
    for _ in range(growth.max_rules):
        used = sum(len(rule.literals) for rule in found.rules)
        rule = _best_rule(problem, found, growth.max_literals - used)
        if rule is None:
            break
        more = _fitted(problem, (*found.rules, rule), found)
        if len(more.rules) <= len(found.rules):
            break
        found = more
        count = len(found.rules)
        if count & (count - 1) == 0:  # they have doubled since the last time
            found = _grown_anew(problem, found)
        path.append(found)
    return path


def scores(truth: NDArray[np.float32], found: HardRules) -> Floats:
    """Scores of the classes, shape (classes, rows)."""
    return _scores(truth.T, found)


def _scores(columns: NDArray[np.float32], found: HardRules) -> Floats:
    total = np.repeat(found.bias[:, None], columns.shape[1], axis=1)
    for rule, weight in zip(found.rules, found.weights, strict=True):
        total[rule.label] += weight * _fires(columns, rule)
    return total


def _fires(columns: NDArray[np.float32], rule: HardRule) -> NDArray[np.float32]:
    fires: NDArray[np.float32] = columns[list(rule.literals)].min(axis=0)
    return fires


def _objective(problem: _Problem, found: HardRules) -> float:
    log_p = log_probabilities(_scores(problem.columns, found))
    loss = -float((problem.weight * problem.target * log_p).sum())
    growth = problem.growth
    price = sum(growth.price(len(rule.literals)) for rule in found.rules)
    return loss + 0.5 * growth.ridge * float(found.weights @ found.weights) + price


def _grown_anew(problem: _Problem, found: HardRules) -> HardRules:
    """Replace each rule by the best one beside the others, where that lowers the objective."""
    for k in range(len(found.rules) - 1):
        if k >= len(found.rules):  # a fit has left some out
            break
        others = found.rules[:k] + found.rules[k + 1 :]
        without = _fitted(problem, others, found)
        used = sum(len(rule.literals) for rule in others)
        rule = _best_rule(problem, without, problem.growth.max_literals - used)
        if rule is None or rule == found.rules[k]:
            continue
        other = _fitted(problem, (*others[:k], rule, *others[k:]), without)
        if _objective(problem, other) < _objective(problem, found) - 1e-9:
            found = other
    return found


def _best_rule(problem: _Problem, found: HardRules, room: int) -> HardRule | None:
    """The conjunction with the largest gain of a Newton step, less its literals' cost."""
    p = np.exp(log_probabilities(_scores(problem.columns, found)))
    g = (problem.weight * (problem.target - p)).astype(np.float32)
    h = (problem.weight * p * (1.0 - p)).astype(np.float32)
    taken = {(frozenset(rule.literals), rule.label) for rule in found.rules}
    everywhere = np.ones((1, g.shape[1]), np.float32)
    beams = [
        _Beam(label, sign, able, [()], everywhere)
        for label in problem.movable
        for sign, able in ((1.0, problem.allowed[label]), (-1.0, _opposite(problem, label)))
    ]
    best: tuple[float, HardRule | None] = (0.0, None)
    for size in range(1, min(_DEPTH, room) + 1):
        grown = []
        for beam, gains in zip(beams, _gains(problem, beams, g, h), strict=True):
            more = _extended(problem, beam, gains, taken)
            if more is None:
                continue
            gain, beam = more
            net = gain - problem.growth.price(size)
            if net > best[0] + _EPS:
                best = (net, HardRule(beam.rules[0], beam.label, beam.sign))
            grown.append(beam)
        beams = grown
        if not beams:
            break
    return best[1]


def _opposite(problem: _Problem, label: int) -> NDArray[np.bool_]:
    """Literals of rules that lower a class's score: those that may raise the others'."""
    rest = np.delete(problem.allowed, label, axis=0)
    return np.asarray(np.logical_and.reduce(rest, axis=0), dtype=bool)


def _gains(
    problem: _Problem, beams: list[_Beam], g: NDArray[np.float32], h: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """What each literal more would make of the beams' conjunctions, (rules, literals) each."""
    fires = np.concatenate([beam.fires for beam in beams])
    counts = [len(beam.rules) for beam in beams]
    label = np.repeat([beam.label for beam in beams], counts)
    sign = np.repeat([beam.sign for beam in beams], counts).astype(np.float32)[:, None]
    sums = np.concatenate([fires * g[label], fires * h[label], fires]) @ problem.columns.T
    first, second, count = sums.reshape(3, len(fires), -1)
    # A literal that is true wherever the rule fires would change nothing.
    idle = count >= fires.sum(axis=1, keepdims=True) - 0.5
    first = np.where(idle, np.float32(0.0), np.maximum(sign * first, 0.0))
    gains = 0.5 * first**2 / (second + np.float32(problem.growth.ridge))
    return np.split(gains, np.cumsum(counts)[:-1])


def _extended(
    problem: _Problem,
    beam: _Beam,
    gains: NDArray[np.float32],
    taken: set[tuple[frozenset[int], int]],
) -> tuple[float, _Beam] | None:
    """The best conjunctions with one literal more, and the gain of the first of them."""
    flat = np.where(beam.able, gains, np.float32(0.0)).ravel()
    if not flat.any():
        return None
    # Each may be there once for each of its literals, or be taken.
    wanted = min(len(flat), _BEAM * (len(beam.rules[0]) + 1) + len(taken))
    places = np.argpartition(-flat, wanted - 1)[:wanted]
    found: dict[tuple[int, ...], tuple[float, int, int]] = {}
    for place in places[flat[places] > 0.0].tolist():
        parent, literal = divmod(place, gains.shape[1])
        rule = tuple(sorted((*beam.rules[parent], literal)))
        if (frozenset(rule), beam.label) not in taken:
            found[rule] = (float(flat[place]), parent, literal)
    if not found:
        return None
    rules = sorted(found, key=lambda rule: (-found[rule][0], rule))[:_BEAM]
    parents = [found[rule][1] for rule in rules]
    literals = [found[rule][2] for rule in rules]
    fires = beam.fires[parents] * problem.columns[literals]
    return found[rules[0]][0], beam._replace(rules=rules, fires=fires)


def _fitted(problem: _Problem, rules: tuple[HardRule, ...], start: HardRules) -> HardRules:
    """Fit weights and biases by Newton's steps; rules that would change their sign are left out."""
    while True:
        found = _newton(problem, rules, start)
        signs = np.array([rule.sign for rule in rules])
        right = found.weights * signs > 0.0
        if right.all():
            return found
        rules = tuple(rule for rule, stays in zip(rules, right, strict=True) if stays)


def _newton(problem: _Problem, rules: tuple[HardRule, ...], start: HardRules) -> HardRules:
    """Weights and biases with the least penalised log-loss, from those of other rules."""
    classes, ridge = len(problem.target), problem.growth.ridge
    movable = list(problem.movable)
    own = np.array([*movable, *(rule.label for rule in rules)])
    ones = [np.ones(problem.columns.shape[1], np.float32)] * len(movable)
    fires = [_fires(problem.columns, rule) for rule in rules]
    design = np.stack(ones + fires).astype(np.float64)
    penalty = np.where(np.arange(len(own)) < len(movable), 1e-3, ridge)
    known = dict(zip(start.rules, start.weights.tolist(), strict=True))
    w = np.array([*start.bias[movable], *(known.get(rule, 0.0) for rule in rules)])
    moves = own == np.arange(classes)[:, None]
    same = own[:, None] == own

    def at(w: Floats) -> tuple[float, Floats]:
        log_p = log_probabilities((moves * w) @ design)
        loss = -float((problem.weight * (problem.target * log_p).sum(axis=0)).sum())
        return loss + 0.5 * float(penalty @ w**2), log_p

    value, log_p = at(w)
    for _ in range(_NEWTON):
        p = np.exp(log_p)
        residual = problem.weight * (p - problem.target)
        gradient = (moves * (residual @ design.T)).sum(axis=0) + penalty * w
        share = design * p[own]
        mass = share * problem.weight
        curvature = np.diag(penalty) + same * (mass @ design.T) - mass @ share.T
        step = np.linalg.solve(curvature, gradient)
        while (after := at(w - step))[0] > value + 1e-12 and np.abs(step).max() > 1e-9:
            step = step / 2.0
        w, (value, log_p) = w - step, after
        if np.abs(step).max() < 1e-4:
            break
    bias = np.zeros(classes)
    bias[movable] = w[: len(movable)]
    return HardRules(rules, w[len(movable) :], bias)


def in_points(
    truth: NDArray[np.float32], target: Floats, weight: Floats, found: HardRules, most: int
) -> tuple[HardRules, float]:
    """Round weights and biases to whole points, and return these and the nats of one point.

    Of all units in which the largest weight has at most `most` points, the one with the least
    log-loss. Stretching the unit makes up for what rounding takes from the weights; a shift rounds
    the constant to the other side.
    """
    largest = float(np.abs(found.weights).max(initial=0.0)) or 1.0
    least, best = np.inf, (found, 1.0)
    for points in range(1, most + 1):
        for stretch in (0.85, 0.92, 1.0, 1.08):
            unit = largest / points
            rounded = np.round(found.weights / unit)
            for shift in (-0.5, 0.0, 0.5):
                bias = np.round(found.bias / unit + shift * (np.arange(len(found.bias)) == 1))
                trial = found._replace(weights=rounded, bias=bias)
                scale = unit * stretch
                log_p = log_probabilities(scale * scores(truth, trial))
                loss = -float((weight * target * log_p).sum())
                if loss < least - 1e-9:
                    least, best = loss, (trial, scale)
    return best
