"""Choose the penalty of rules by out-of-fold log-loss, and keep to limits of size.

Models of all folds are trained side by side along a path of growing penalties, and so are some on
all rows, from other starts. The penalty is the one with which the folds' models predict best what
they have not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from synann_core._lib.progress import Progress
from synann_core.tabular.rules.literals import Codes, Floats, Literals
from synann_core.tabular.rules.model import RuleModel, mix_model
from synann_core.tabular.rules.structures import (
    Array,
    Parameters,
    Structure,
    class_scores,
    log_probabilities,
)
from synann_core.tabular.rules.training import (
    DECAY,
    Limits,
    Samples,
    in_literals,
    surprisals,
    train,
)

_TINY = 0.02  # a weight W below is none: β below 2 %
_STRONGEST = 50.0
_LATER = {"mix": 1.0, "duel": 0.5, "rrl": 0.5}  # of the rate, where training goes on
_STARTING = 2.4  # rules that training starts with, for one in the end

# On the mean log-loss in nats, of the weight W of every literal.
PENALTIES = {
    "mix": (5e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2),
    "duel": (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2, 0.128),
    "rrl": (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2, 0.128),
    "crisp": (1.3e-3,),  # of each literal
}
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
    """Train along the path and keep what the choice and the limits leave.

    `sides` is 1 where a literal may be in a rule that speaks for a class, (classes, literals).
    """
    folds, classes = len(rows.train), len(sides)
    rounds = -(-settings.bags // folds) if settings.bags > 1 else 1
    used = [rows.train] * rounds
    if settings.bags == 1:
        used.append(np.ones((settings.restarts, len(rows.label)), bool))
    weight = np.vstack(used) * rows.weight
    samples = _samples(literals, rows, weight / weight.sum(axis=1, keepdims=True), classes)
    parameters, limits = _start(literals, rows, weight, sides, settings, rng)
    seen: list[tuple[Parameters, Array]] = []
    losses = []
    # Without any literals, training starts with what is best.
    first, later = settings.max_iter, max(settings.max_iter // 4, 1)
    steps = [first, *[later] * (len(settings.penalties) - 1)] if literals.names else [0]
    taken = sum(steps)
    with Progress("soft rules", taken, shown=settings.verbose, unit="step") as bar:
        for k, penalty in enumerate(settings.penalties):
            rate = settings.rate * (1.0 if k == 0 else _LATER[settings.structure])
            now = steps[min(k, len(steps) - 1)]
            parameters = train(
                settings.structure, parameters, samples, penalty, now, rate, limits, rng, bar
            )
            # The choice is among models that keep to the limits.
            trimmed = _limited(_trimmed(parameters), samples, penalty, limits, settings, rng)
            log_p = _log_p(settings.structure, trimmed, samples)
            own = np.take_along_axis(log_p, rows.label[None, None], axis=1)[:, 0]
            unseen = -own[: rounds * folds].reshape(rounds, folds, -1) * rows.test
            losses.append(unseen.sum(axis=(0, 1)) / rounds)
            seen.append((trimmed, own))
    judged = rows.weight * rows.test.any(axis=0)
    best = best_of(np.array(losses), judged, one_standard_error=settings.one_standard_error)
    trimmed, own = seen[best]
    penalty = settings.penalties[best]
    if settings.bags == 1:
        penalised = -(samples.weight * own).sum(axis=1) + penalty * trimmed["W"].sum(axis=(1, 2))
        first = rounds * folds
        kept = np.array([first + int(np.argmin(penalised[first:]))])
    else:
        kept = np.arange(settings.bags)
    models = [_model(literals, settings.structure, trimmed, m) for m in kept.tolist()]
    return Chosen(models, penalty, np.array(losses) @ judged / judged.sum(), taken)


def best_of(losses: Floats, weight: Floats, *, one_standard_error: bool) -> int:
    """Place of the least mean; or the last one within a standard error of the difference from it.

    `losses` has shape (choices, rows), `weight` that of the rows.
    """
    mean = losses @ weight / weight.sum()
    best = int(np.argmin(mean))
    if one_standard_error:
        worse = losses - losses[best]
        excess = mean - mean[best]
        error = np.sqrt(((worse - excess[:, None]) ** 2) @ weight**2) / weight.sum()
        best = int(np.flatnonzero(excess <= error)[-1])
    return best


def _samples(literals: Literals, rows: Rows, weight: Floats, classes: int) -> Samples:
    states = np.zeros((int(literals.starts[-1]), len(rows.label)), np.float32)
    for j, start in enumerate(literals.starts[:-1].tolist()):
        states[start + rows.codes[:, j], np.arange(len(rows.label))] = 1.0
    target = (rows.label == np.arange(classes)[:, None])[None]
    return Samples(
        states,
        tuple(b._replace(untrue=b.untrue.astype(np.float32)) for b in literals.blocks()),
        target.astype(np.float32),
        weight.astype(np.float32),
    )


def _log_p(structure: str, parameters: Parameters, samples: Samples) -> Array:
    scores = class_scores(structure, parameters, surprisals(parameters["W"], samples))
    return log_probabilities(scores.values)


def _trimmed(parameters: Parameters) -> Parameters:
    return {**parameters, "W": np.where(parameters["W"] < _TINY, 0.0, parameters["W"])}


def _start(
    literals: Literals,
    rows: Rows,
    weight: Floats,
    sides: Array,
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[Parameters, Limits]:
    """Rules made of some true literals of random rows, of every class as many."""
    structure, (classes, _) = settings.structure, sides.shape
    wanted = min(settings.max_rules, len(rows.label))  # a rule for each distinct row is enough
    each = max(3, round(_STARTING * wanted / classes))
    side = np.repeat(np.arange(classes), each)
    truth = literals(rows.codes)
    few, strength = (6, 0.3) if structure == "mix" else (3, 1.5)
    W = np.zeros((len(weight), len(side), len(literals.names)))
    share = np.zeros((len(weight), classes))
    for m, own in enumerate(weight):
        mass = own * (rows.label == np.arange(classes)[:, None])
        share[m] = mass.sum(axis=1)
        for i, c in enumerate(side.tolist()):
            by_row = mass[c] if share[m, c] else own
            reached = np.cumsum(by_row)
            row = int(np.searchsorted(reached, rng.random() * reached[-1], side="right"))
            true = np.flatnonzero((truth[row] > 0.5) & (sides[c] > 0.0))
            W[m, i, rng.permutation(true)[:few]] = strength
    W += 0.02 * (structure == "mix")
    most = np.broadcast_to(_STRONGEST * sides[side], W.shape)
    limits: Limits = {"W": (_as32(0.0), most.astype(np.float32))}
    share = np.where(share > 0.0, share, 1e-3 * share.sum(axis=1, keepdims=True))
    prior = np.log(share / share.sum(axis=1, keepdims=True))
    others: Parameters = {"bias": prior}
    towards = (side == np.arange(classes)[:, None]) * np.ones((len(W), 1, 1))
    bounded = not bool(np.all(sides))
    if structure == "mix":
        others = {"log_alpha": np.repeat(prior[:, :, None], each, axis=2)}
    elif structure == "rrl":
        others["votes"] = 0.15 * (2.0 * towards - 1.0)
        if bounded:
            limits["votes"] = (
                _as32(np.where(towards, 0, -np.inf)),
                _as32(np.where(towards, np.inf, 0)),
            )
    else:
        others["against"] = 0.3 * (1.0 - towards)
        limits["against"] = (
            _as32(0.0),
            _as32(
                np.where(towards, 0.0, _STRONGEST) if bounded else np.full_like(towards, _STRONGEST)
            ),
        )
    if not literals.names:
        others = {name: value * (name not in DECAY) for name, value in others.items()}
    parameters = {
        name: _as32(value) for name, value in ({"W": np.minimum(W, most)} | others).items()
    }
    return parameters, limits


def _as32(values: Array | float) -> Array:
    return np.asarray(values, dtype=np.float32)


def _limited(
    parameters: Parameters,
    samples: Samples,
    penalty: float,
    limits: Limits,
    settings: Settings,
    rng: np.random.Generator,
) -> Parameters:
    """Leave out the least important rules and literals beyond the limits, and train what stays."""
    keep = parameters["W"] > 0.0
    importance = _importance(settings.structure, parameters, samples)
    for m in range(len(keep)):
        rules = importance[m].sum(axis=1) * keep[m].any(axis=1)
        keep[m, np.argsort(-rules, kind="stable")[settings.max_rules :]] = False
        flat = np.where(keep[m], importance[m], -1.0).ravel()
        keep[m].reshape(-1)[np.argsort(-flat, kind="stable")[settings.max_literals :]] = False
    if keep.sum() < (parameters["W"] > 0.0).sum():
        limits = limits | {"W": (limits["W"][0], limits["W"][1] * keep)}
        parameters = parameters | {"W": parameters["W"] * keep}
        steps = max(settings.max_iter // 4, 1)
        rate = settings.rate * _LATER[settings.structure]
        parameters = _trimmed(
            train(settings.structure, parameters, samples, penalty, steps, rate, limits, rng)
        )
    return parameters


def _importance(structure: str, parameters: Parameters, samples: Samples) -> Array:
    """How far each literal moves its rule, times how far the rule moves the scores."""
    W = parameters["W"]
    scores = class_scores(structure, parameters, surprisals(W, samples))
    weight = samples.weight[:, None]
    if structure == "mix":
        share = scores.kept[0].reshape(*W.shape[:2], -1)
        moved = (weight * share).sum(axis=-1)
    else:
        r = scores.kept[0]
        moved = np.sqrt((weight * (r - (weight * r).sum(-1, keepdims=True)) ** 2).sum(axis=-1))
        moved = moved * np.abs(parameters["votes" if structure == "rrl" else "against"]).max(axis=1)
    untrue = in_literals(samples.weight @ samples.states.T, samples.blocks)  # on average
    spread = np.sqrt(np.maximum(untrue * (1.0 - untrue), 1e-6))[:, None]
    importance: Array = W * spread * moved[..., None]
    return importance


def _model(literals: Literals, structure: Structure, trained: Parameters, member: int) -> RuleModel:
    """One member in float64, without rules that are constant: those are part of one or the bias."""
    own = {name: value[member].astype(np.float64) for name, value in trained.items()}
    W = own.pop("W")
    live = W.any(axis=1)
    if structure == "mix":
        return _mix_model(literals, W, live, own["log_alpha"])
    name = "votes" if structure == "rrl" else "against"
    zero = np.zeros((len(W), 1))
    constant = class_scores(
        structure,
        {key: v[None] for key, v in own.items()} | {name: own[name][None] * ~live},
        zero[None],
    ).values[0, :, 0]
    return RuleModel(structure, literals, W[live], {"bias": constant, name: own[name][:, live]})


def _mix_model(literals: Literals, W: Floats, live: Array, log_alpha: Floats) -> RuleModel:
    classes, each = log_alpha.shape
    label, gain = np.repeat(np.arange(classes), each), log_alpha.ravel()
    for c in range(classes):
        constant = np.flatnonzero(~live & (label == c))
        if constant.size:  # one of them stands for all
            gain[constant[0]] = np.logaddexp.reduce(gain[constant])
            live[constant[0]] = True
    return mix_model(literals, W[live], label[live], gain[live])
