"""Grow hard rules on what soft rules have learned, and choose how many there are.

Classes are noisy, and greedy rules fit the noise. So soft rules are trained first, one model for
each fold, and hard rules learn a mean of the classes and of the soft rules' probabilities. That
is distillation (Hinton, Vinyals and Dean 2015, arXiv:1503.02531; of trees Breiman and Shang 1996,
"Born again trees").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.progress import Progress
from synann_core.tabular.rules.crisp import Growth, HardRules, grow, in_points, scores
from synann_core.tabular.rules.literals import Codes, Floats, Literals
from synann_core.tabular.rules.model import RuleModel
from synann_core.tabular.rules.selection import (
    PENALTIES,
    SIZES,
    Chosen,
    Rows,
    Settings,
    best_of,
    choose,
    softened,
)
from synann_core.tabular.rules.structures import Array, log_probabilities

# −log(1 − β) of a literal in a hard rule: e^(−CLOSED) is 0 in float64, and β is 1.
CLOSED = 800.0

_TAUGHT = 0.6  # share of the soft rules' probabilities in what is learned; the rest is classes
_COSTS = (0.3, 2.0, 16.0)  # of a literal beyond the first while a rule is grown, in nats


def choose_crisp(
    literals: Literals,
    rows: Rows,
    sides: Array,
    settings: Settings,
    points: int,
    rng: np.random.Generator,
) -> Chosen:
    """Grow rules on all rows, and take as many as the best price leaves.

    A penalty is the price of a literal: by how much it must lower the mean log-loss, on what is
    learned. Several are judged by rules of each fold, whose soft rules have not seen, either, what
    they are judged by. With `points`, weights are whole numbers of at most so many points.
    """
    truth = (literals(rows.codes) > 0.5).astype(np.float32)
    classes = (rows.label == np.arange(len(sides))[:, None]).astype(np.float64)
    soft, steps = _soft_rules(literals, rows, sides, settings, rng)
    allowed = sides > 0.0
    # Of a single price nothing is chosen, and rules of the folds would be four fifths of the time.
    folds = len(rows.train) * (len(settings.penalties) > 1)
    losses = np.full((len(settings.penalties), len(rows.label)), 0.0 if folds else np.nan)
    with Progress("hard rules", folds + 1, shown=settings.verbose, unit="growth") as bar:
        for used, test, model in zip(rows.train[:folds], rows.test, soft, strict=False):
            target = softened(classes[:, used], _probabilities([model], rows.codes[used]), _TAUGHT)
            weight = rows.weight[used] * (rows.weight.sum() / rows.weight[used].sum())
            for k, found in enumerate(_at_prices(truth[used], target, weight, allowed, settings)):
                log_p = log_probabilities(scores(truth[test], found))
                losses[k, test] -= (classes[:, test] * log_p).sum(axis=0)
            bar.advance()
        target = softened(classes, _probabilities(soft, rows.codes), _TAUGHT)
        on_all = _at_prices(truth, target, rows.weight, allowed, settings)
        bar.advance()
    judged = rows.weight * rows.test.any(axis=0)
    best = 0
    if folds:
        best = best_of(losses, judged, one_standard_error=settings.one_standard_error)
    found, unit = on_all[best], 0.0
    if points:
        found, unit = in_points(truth, target, rows.weight, found, points)
    return Chosen(
        [_model(literals, found, unit or 1.0)],
        settings.penalties[best],
        losses @ judged / judged.sum(),
        steps,
        unit,
    )


def _soft_rules(
    literals: Literals, rows: Rows, sides: Array, settings: Settings, rng: np.random.Generator
) -> tuple[list[RuleModel], int]:
    """Soft rules of each fold's rows, and the steps of training.

    Of a single fold there are two models: one alone would be trained on all rows.
    """
    rules, literal_count = SIZES["mix"]
    wanted = replace(
        settings,
        structure="mix",
        penalties=PENALTIES["mix"][1:],  # with which hard rules have been measured
        max_rules=rules,
        max_literals=literal_count,
        bags=max(len(rows.train), 2),
        limited=True,
        smooth=False,
    )
    found = choose(literals, rows, sides, wanted, rng)
    return found.models, found.steps


def _probabilities(models: Sequence[RuleModel], codes: Codes) -> Floats:
    """Of the classes by the mean of the models' scores, shape (classes, rows)."""
    mean = np.mean([model.scores(codes) for model in models], axis=0)
    return np.exp(log_probabilities(mean))


def _at_prices(
    truth: NDArray[np.float32],
    target: Floats,
    weight: Floats,
    allowed: NDArray[np.bool_],
    settings: Settings,
) -> list[HardRules]:
    """For each price of a literal, the rules with the least sum of log-loss and prices."""
    found: list[HardRules] = []
    for cost in _COSTS:
        growth = Growth(settings.max_rules, settings.max_literals, cost=cost)
        found += grow(truth, target, weight, allowed, growth)
    log_p = [log_probabilities(scores(truth, rules)) for rules in found]
    loss = np.array([-float((weight * target * each).sum()) for each in log_p])
    literals = np.array([sum(len(rule.literals) for rule in rules.rules) for rules in found])
    price = float(weight.sum()) * np.array(settings.penalties)
    best = np.argmin(loss + price[:, None] * literals, axis=1)
    return [found[k] for k in best.tolist()]


def _model(literals: Literals, found: HardRules, unit: float) -> RuleModel:
    W = np.zeros((len(found.rules), len(literals.names)))
    votes = np.zeros((len(found.bias), len(found.rules)))
    for i, rule in enumerate(found.rules):
        W[i, rule.literals], votes[rule.label, i] = CLOSED, unit * found.weights[i]
    live = votes.any(axis=0)
    parameters = {"votes": votes[:, live], "bias": unit * found.bias}
    return RuleModel("rrl", literals, W[live], parameters)
