"""Choose the penalty of rules by out-of-fold log-loss, and distil a bag of models into one.

A bag's models, each without the rows of a fold, are trained side by side along a path of growing
penalties. The penalty is the one with which the mean of the models that have not seen a row
predicts it best. One model learns from the classes and from the bag's probabilities (distillation:
Hinton, Vinyals and Dean 2015, arXiv:1503.02531), which vary less from sample to sample. Penalties
make them too cautious where classes follow from the columns: so the bag's scores are first
multiplied by what makes those of unseen rows the most probable. It starts where the bag's best
models have ended.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from synann_core._lib.progress import Progress
from synann_core.tabular.rules.bag import Bag
from synann_core.tabular.rules.literals import Codes, Floats, Literals
from synann_core.tabular.rules.members import Members
from synann_core.tabular.rules.model import RuleModel
from synann_core.tabular.rules.screening import parts_of_table
from synann_core.tabular.rules.starts import make_samples, start_rules
from synann_core.tabular.rules.structures import Array, Structure, log_probabilities
from synann_core.tabular.rules.training import Penalty

_LATER = {"mix": 1.0, "duel": 0.5, "rrl": 0.5}  # of the rate, where training goes on
TEACHERS = 8  # at least so many models are distilled into one
_TAUGHT = 0.7  # share of their probabilities in what it learns; the rest is classes
_CLEARLY = 2.0  # standard errors of the difference, by which a penalty is worse than another
_STUDENT = 2  # times as many steps, for one that learns
_SHARPEST = 4.0  # factor of the bag's scores, for one that learns from them
_HALVINGS = 20

# On the mean log-loss in nats, of the weight W of every literal.
PENALTIES = {
    "mix": (1e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2),
    "duel": (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2, 0.128),
    "rrl": (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2, 0.128),
    "crisp": (1.3e-3,),  # of each literal
}
# One that learns from a bag has the geometric mean of the bag's penalty and this (or the least to
# choose from, where that is larger). What is taught is smoother than classes are, so that less will
# do; with much less, training ended in worse minima of chess and tic-tac-toe.
LEAST = {"mix": 5e-4, "duel": 2e-3, "rrl": 2e-3}
# How many rules and literals there may be.
SIZES = {"mix": (10, 60), "duel": (10, 60), "rrl": (10, 60), "crisp": (20, 40)}


MOST_PENALTY = 1e12  # far above what leaves a rule, and no trouble to float32


@dataclass(frozen=True)
class Settings:
    """What an estimator asks for, checked."""

    structure: Structure
    penalties: tuple[float, ...]
    one_standard_error: bool
    max_rules: int
    max_literals: int
    max_iter: int
    rate: float
    bags: int
    restarts: int
    verbose: bool | int = False
    limited: bool = True  # whether a bag's models keep to the limits of size
    smooth: bool = True  # whether the penalty on a bag's models is mostly on squares
    columns: int = 60  # of a wide table, that each of the bag's models learns from

    @property
    def members(self) -> int:
        """Models of the bag, at least."""
        return self.bags if self.bags > 1 else TEACHERS

    def of_bag(self, penalty: float) -> Penalty:
        """Many small weights make smooth steps, and few large ones a model that can be read."""
        return Penalty(0.2 * penalty, 2.0 * penalty) if self.smooth else Penalty(penalty)


class Rows(NamedTuple):
    """Distinct rows with their weights, and which of them each fold trains on and judges.

    Attributes
    ----------
    codes : ndarray of int64, shape (rows, features)
    label : ndarray of int64, shape (rows,)
    weight : ndarray of float64, shape (rows,)
    train, test : ndarray of bool, shape (folds, rows)
    """

    codes: Codes
    label: Codes
    weight: Floats
    train: Array
    test: Array


def distinct_rows(codes: Codes, label: Codes, weight: Floats, train: Array, test: Array) -> Rows:
    """Join rows that agree in everything; their order is that of their values."""
    kept = weight > 0.0
    table = np.column_stack([codes, label, train.T, test.T])[kept]
    rows, place = np.unique(table, axis=0, return_inverse=True)
    total = np.zeros(len(rows))
    np.add.at(total, place.ravel(), weight[kept])
    parts = np.split(rows, np.cumsum([codes.shape[1], 1, len(train)]), axis=1)
    return Rows(parts[0], parts[1][:, 0], total, parts[2].T == 1, parts[3].T == 1)


def stratified(label: Codes, folds: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Rows to train on and rows to judge, (folds, rows) each, with classes spread evenly."""
    order = rng.permutation(len(label))
    order = order[np.argsort(label[order], kind="stable")]
    fold = np.empty(len(label), np.int64)
    fold[order] = np.arange(len(label)) % folds
    test = fold == np.arange(folds)[:, None]
    return ~test, test


class Chosen(NamedTuple):
    """Models, and how the penalty was chosen."""

    models: list[RuleModel]
    penalty: float
    losses: Floats
    steps: int
    unit: float = 0.0  # nats of one point, where weights are whole numbers of points


def choose(
    literals: Literals, rows: Rows, sides: Array, settings: Settings, rng: np.random.Generator
) -> Chosen:
    """Train a bag along the path of penalties; where one model is asked for, distil it.

    `sides` is 1 where a literal may be in a rule that speaks for a class, (classes, literals).
    """
    rounds = -(-settings.members // len(rows.train))
    used, unseen = (np.tile(part, (rounds, 1)) for part in (rows.train, rows.test))
    classes = (rows.label == np.arange(len(sides))[:, None]).astype(np.float64)
    bag = _start(literals, rows, used, classes, sides, settings, rng)
    # Without any literals, training starts with what is best.
    first, later = settings.max_iter, max(settings.max_iter // 4, 1)
    steps = [first, *[later] * (len(settings.penalties) - 1)] if literals.names else [0]
    own = _STUDENT * steps[0] * (settings.bags == 1)
    seen, losses = [], []
    judged = rows.weight * unseen.any(axis=0)
    again = settings.rate * _LATER[settings.structure]
    with Progress("soft rules", sum(steps) + own, shown=settings.verbose, unit="step") as bar:
        for k, value in enumerate(settings.penalties):
            penalty = settings.of_bag(value)
            rate = again if k else settings.rate
            bag = bag.trained(penalty, steps[min(k, len(steps) - 1)], rate, bar)
            found = bag.trimmed()
            if settings.limited:  # the choice is among models that keep to the limits
                found = _limited(found, penalty, settings)
            log_p = found.log_p()
            losses.append(-(classes * mean_log_p(log_p, unseen)).sum(axis=0))
            seen.append((found, log_p))
            excess, error = _excess(np.array(losses), judged)
            if excess[-1] > _CLEARLY * error[-1]:
                break  # larger penalties are no better
        best = best_of(np.array(losses), judged, one_standard_error=settings.one_standard_error)
        found, log_p = seen[best]
        chosen = settings.penalties[best]
        if settings.bags > 1:
            models = found.some(np.arange(settings.bags)).models(literals)
        else:
            scale = sharpness(mean_log_p(log_p, unseen), classes, judged)
            taught = log_probabilities(scale * mean_log_p(log_p, np.ones_like(unseen)))
            target = softened(classes, np.exp(taught), _TAUGHT)
            least = max(settings.penalties[0], LEAST[settings.structure])
            penalty = Penalty(math.sqrt(least * chosen))
            one = _learners(found, literals, rows, target, sides, settings)
            one = one.trained(penalty, own, settings.rate, bar).trimmed()
            one = _limited(one, penalty, settings)
            models = one.some(np.argmin(one.losses(penalty), keepdims=True)).models(literals)
    tried = np.full(len(settings.penalties), np.nan)
    tried[: len(losses)] = np.array(losses) @ judged / judged.sum()
    return Chosen(models, chosen, tried, sum(steps[: len(losses)]) + own)


def softened(classes: Floats, taught: Floats, share: float) -> Floats:
    """What one model learns of others: a mean of the classes and of their probabilities."""
    return (1.0 - share) * classes + share * taught


def sharpness(log_p: Floats, classes: Floats, weight: Floats) -> float:
    """Factor of scores, from 1/4 to 4, with the least log-loss: by halving, as that is convex.

    `log_p` and `classes` have shape (classes, rows), `weight` that of the rows.
    """
    low, high = 1.0 / _SHARPEST, _SHARPEST
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        p = np.exp(log_probabilities(middle * log_p))
        slope = float(((p - classes) * log_p).sum(axis=0) @ weight)
        low, high = (low, middle) if slope > 0.0 else (middle, high)
    return math.sqrt(low * high)


def mean_log_p(log_p: Array, counts: Array) -> Floats:
    """Log-probabilities by the mean of the scores of the members that count, for each row.

    Shapes are (members, classes, rows) and (members, rows). Where none counts all classes are
    equally probable.
    """
    total = np.einsum("mcn,mn->cn", log_p, counts, dtype=np.float64)
    return log_probabilities(total / np.maximum(counts.sum(axis=0), 1))


def best_of(losses: Floats, weight: Floats, *, one_standard_error: bool) -> int:
    """Place of the least mean; or the last one within a standard error of the difference from it.

    `losses` has shape (choices, rows), `weight` that of the rows.
    """
    excess, error = _excess(losses, weight)
    within = excess <= error * one_standard_error
    return int(np.flatnonzero(within)[-1 if one_standard_error else 0])


def _excess(losses: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """How far means are above the least, and standard errors of that."""
    mean = losses @ weight / weight.sum()
    best = int(np.argmin(mean))
    excess = mean - mean[best]
    away = losses - losses[best] - excess[:, None]
    return excess, np.sqrt(away**2 @ weight**2) / weight.sum()


def _start(
    literals: Literals,
    rows: Rows,
    used: Array,
    target: Floats,
    sides: Array,
    settings: Settings,
    rng: np.random.Generator,
) -> Bag:
    weight, structure, most = used * rows.weight, settings.structure, settings.max_rules
    parts, groups = parts_of_table(literals, rows.codes, target, weight, settings.columns), []
    # Groups that are trained on several threads cannot share a generator.
    for part, own in zip(parts, rng.spawn(len(parts)) if len(parts) > 1 else [rng], strict=True):
        mass, may = weight[part.members], sides[:, part.place]
        samples = make_samples(part.literals, part.codes, mass, target)
        start = start_rules(part.literals, part.codes, rows.label, mass, may, structure, most, own)
        groups.append(Members(structure, *start, samples, own))
    return Bag(parts, tuple(groups))


def _learners(
    bag: Bag, literals: Literals, rows: Rows, target: Floats, sides: Array, settings: Settings
) -> Bag:
    """Return where training on all rows starts: at those of the bag's models that know the most.

    From a random start, a small table of many columns makes a different model each time.
    """
    able = bag.on_all_rows(rows.weight, target)
    losses = able.losses(Penalty(0.0))
    if not literals.names:
        everywhere = np.ones((len(losses), len(rows.label)), bool)
        return _start(literals, rows, everywhere, target, sides, settings, bag.groups[0].rng)
    return able.some(np.argsort(losses, kind="stable")[: settings.restarts])


def _limited(bag: Bag, penalty: Penalty, settings: Settings) -> Bag:
    steps = max(settings.max_iter // 4, 1)
    rate = settings.rate * _LATER[settings.structure]
    return bag.limited(settings.max_rules, settings.max_literals, penalty, steps, rate)
