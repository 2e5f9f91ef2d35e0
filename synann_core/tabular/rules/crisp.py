"""Grow hard rules one by one: a few literals that must all be true, with a weight.

A rule is a synapse tensor's row with β = 1 throughout, and the structure is `rrl`. Each new rule
is the conjunction that a Newton step on the log-loss gains most from (a beam search over its
literals); then all weights are fitted again, and older rules are grown anew while that helps.
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
    first: float = 1.0
    rounds: int = 1

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
    truth: NDArray[np.float32]  # (rows, literals), 0 or 1
    target: Floats  # (classes, rows)
    weight: Floats  # (rows,)
    allowed: NDArray[np.bool_]  # (classes, literals): of rules with a weight > 0
    growth: Growth

    @property
    def movable(self) -> range:
        """Classes whose scores rules move: of two, one is enough."""
        return range(1, 2) if len(self.target) == 2 else range(len(self.target))


def grow(
    truth: NDArray[np.float32],
    target: Floats,
    weight: Floats,
    allowed: NDArray[np.bool_],
    growth: Growth,
) -> list[HardRules]:
    """Return the rules after each step of growth, first none, then more and more literals.

    `weight` sums to the number of samples; `allowed` says which literals a rule may have that
    raises a class's score. Where some are not allowed, those of the opposite direction are for
    rules that lower it.
    """
    problem = _Problem(truth, target, weight, allowed, growth)
    found = _fitted(problem, ())
    path = [found]
    while len(found.rules) < growth.max_rules:
        used = sum(len(rule.literals) for rule in found.rules)
        rule = _best_rule(problem, found, growth.max_literals - used)
        if rule is None:
            break
        more = _fitted(problem, (*found.rules, rule))
        if len(more.rules) <= len(found.rules):
            break
        found = more
        for _ in range(growth.rounds):
            found = _grown_anew(problem, found)
        path.append(found)
    return path


def scores(truth: NDArray[np.float32], found: HardRules) -> Floats:
    """Scores of the classes, shape (classes, rows)."""
    total = np.repeat(found.bias[:, None], len(truth), axis=1)
    for rule, weight in zip(found.rules, found.weights, strict=True):
        total[rule.label] += weight * _fires(truth, rule)
    return total


def _fires(truth: NDArray[np.float32], rule: HardRule) -> NDArray[np.float32]:
    fires: NDArray[np.float32] = truth[:, rule.literals].min(axis=1)
    return fires


def _objective(problem: _Problem, found: HardRules) -> float:
    log_p = log_probabilities(scores(problem.truth, found))
    loss = -float((problem.weight * problem.target * log_p).sum())
    growth = problem.growth
    price = sum(growth.price(len(rule.literals)) for rule in found.rules)
    return loss + 0.5 * growth.ridge * float(found.weights @ found.weights) + price


def _grown_anew(problem: _Problem, found: HardRules) -> HardRules:
    """Replace each rule by the best one beside the others, where that lowers the objective."""
    for k in range(len(found.rules) - 1):
        others = found.rules[:k] + found.rules[k + 1 :]
        without = _fitted(problem, others)
        used = sum(len(rule.literals) for rule in others)
        rule = _best_rule(problem, without, problem.growth.max_literals - used)
        if rule is None or rule == found.rules[k]:
            continue
        other = _fitted(problem, (*others[:k], rule, *others[k:]))
        if _objective(problem, other) < _objective(problem, found) - 1e-9:
            found = other
    return found


def _best_rule(problem: _Problem, found: HardRules, room: int) -> HardRule | None:
    """The conjunction with the largest gain of a Newton step, less its literals' cost."""
    p = np.exp(log_probabilities(scores(problem.truth, found)))
    best: tuple[float, HardRule | None] = (0.0, None)
    taken = {(frozenset(rule.literals), rule.label) for rule in found.rules}
    for label in problem.movable:
        g = (problem.weight * (problem.target[label] - p[label])).astype(np.float32)
        h = (problem.weight * p[label] * (1.0 - p[label])).astype(np.float32)
        for sign in (1.0, -1.0):
            able = problem.allowed[label] if sign > 0.0 else _opposite(problem, label)
            beam: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
            for size in range(1, min(_DEPTH, room) + 1):
                grown = _extended(problem, beam, sign * g, h, able)
                beam = [(gain, s) for gain, s in grown if (frozenset(s), label) not in taken]
                for gain, chosen in beam[:1]:
                    net = gain - problem.growth.price(size)
                    if net > best[0] + _EPS:
                        best = (net, HardRule(chosen, label, sign))
    return best[1]


def _opposite(problem: _Problem, label: int) -> NDArray[np.bool_]:
    """Literals of rules that lower a class's score: those that may raise the others'."""
    rest = np.delete(problem.allowed, label, axis=0)
    return np.asarray(np.logical_and.reduce(rest, axis=0), dtype=bool)


def _extended(
    problem: _Problem,
    beam: list[tuple[float, tuple[int, ...]]],
    g: NDArray[np.float32],
    h: NDArray[np.float32],
    able: NDArray[np.bool_],
) -> list[tuple[float, tuple[int, ...]]]:
    """The best conjunctions with one literal more: gains of weights > 0, and literals."""
    found: dict[tuple[int, ...], float] = {}
    if not beam:
        return []
    none = np.ones(len(g), np.float32)
    fires = np.stack([problem.truth[:, s].min(axis=1) if s else none for _, s in beam])
    sums = np.concatenate([fires * g, fires * h, fires]) @ problem.truth
    first, second, count = sums.reshape(3, len(beam), -1)
    gains = np.where(able & (first > 0.0), 0.5 * first**2 / (second + problem.growth.ridge), 0.0)
    # A literal that is true wherever the rule fires would change nothing.
    gains = np.where(count >= fires.sum(axis=1, keepdims=True) - 0.5, 0.0, gains)
    for (_, literals), gain in zip(beam, gains, strict=True):
        for j in np.argsort(-gain, kind="stable")[:_BEAM].tolist():
            if gain[j] > 0.0 and j not in literals:
                found[tuple(sorted((*literals, j)))] = float(gain[j])
    return sorted(((v, k) for k, v in found.items()), key=lambda pair: (-pair[0], pair[1]))[:_BEAM]


def _fitted(problem: _Problem, rules: tuple[HardRule, ...]) -> HardRules:
    """Fit weights and biases by Newton's steps; rules that would change their sign are left out."""
    while True:
        found = _newton(problem, rules)
        signs = np.array([rule.sign for rule in rules])
        right = found.weights * signs > 0.0
        if right.all():
            return found
        rules = tuple(rule for rule, stays in zip(rules, right, strict=True) if stays)


def _newton(problem: _Problem, rules: tuple[HardRule, ...]) -> HardRules:
    """Weights and biases with the least penalised log-loss."""
    classes, ridge = len(problem.target), problem.growth.ridge
    moved = [*problem.movable, *(rule.label for rule in rules)]
    ones = [np.ones(len(problem.truth), np.float32)] * len(problem.movable)
    fires = [_fires(problem.truth, rule) for rule in rules]
    design = np.stack(ones + fires).astype(np.float64)
    own = np.array(moved)
    biases = len(problem.movable)
    penalty = np.where(np.arange(len(own)) < biases, 1e-3, ridge)
    w = np.zeros(len(own))

    def all_scores(w: Floats) -> Floats:
        total: Floats = (own == np.arange(classes)[:, None]) * w @ design
        return total

    def loss(w: Floats) -> float:
        log_p = log_probabilities(all_scores(w))
        return -float((problem.weight * problem.target * log_p).sum()) + 0.5 * float(penalty @ w**2)

    value = loss(w)
    for _ in range(_NEWTON):
        p = np.exp(log_probabilities(all_scores(w)))
        gradient = ((problem.weight * (p - problem.target))[own] * design).sum(axis=1) + penalty * w
        share = design * p[own]
        mass = share * problem.weight
        curvature = np.diag(penalty) + (own[:, None] == own) * (mass @ design.T) - mass @ share.T
        step = np.linalg.solve(curvature, gradient)
        while (next_value := loss(w - step)) > value + 1e-12 and np.abs(step).max() > 1e-9:
            step = step / 2.0
        w, value = w - step, next_value
        if np.abs(step).max() < 1e-4:
            break
    bias = np.zeros(classes)
    bias[list(problem.movable)] = w[:biases]
    return HardRules(rules, w[biases:], bias)


def in_points(
    truth: NDArray[np.float32], target: Floats, weight: Floats, found: HardRules, most: int
) -> tuple[HardRules, float]:
    """Round weights and biases to whole points, and return these and the nats of one point.

    Of all units in which the largest weight has at most `most` points, the one with the least
    log-loss.
    """
    largest = float(np.abs(found.weights).max(initial=0.0)) or 1.0
    best: tuple[float, HardRules, float] | None = None
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
                if best is None or loss < best[0] - 1e-9:
                    best = (loss, trial, scale)
    if best is None:
        return found, 1.0
    return best[1], best[2]
