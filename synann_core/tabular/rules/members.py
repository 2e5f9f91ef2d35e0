"""Train members side by side, and leave out of them what is beyond limits of size."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from synann_core._lib.progress import SILENT, Progress
from synann_core._lib.threads import SMALL_PRODUCT, side_by_side, thread_count
from synann_core.tabular.rules.literals import Floats, Literals
from synann_core.tabular.rules.model import RuleModel, mix_model
from synann_core.tabular.rules.structures import (
    Array,
    Parameters,
    Structure,
    class_scores,
    log_probabilities,
)
from synann_core.tabular.rules.training import (
    Limits,
    Penalty,
    Samples,
    in_literals,
    surprisals,
    train,
)

_TINY = 0.02  # a weight W below is none: β below 2 %


@dataclass(frozen=True, eq=False)
class Members:
    """Models of one structure that are trained side by side, each on its own weights of the rows.

    Attributes
    ----------
    structure : {"mix", "duel", "rrl"}
    parameters : Parameters
    limits : Limits
        Between what training stays.
    samples : Samples
    rng : numpy Generator
        Of batches.
    """

    structure: Structure
    parameters: Parameters
    limits: Limits
    samples: Samples
    rng: np.random.Generator

    def trained(self, penalty: Penalty, steps: int, rate: float, bar: Progress = SILENT) -> Members:
        """Go on for some steps, with some members on each thread where these are worth it."""
        count, rules, _ = self.parameters["W"].shape
        work = count * rules * self.samples.states.size
        threads = min(thread_count(), count) if work > SMALL_PRODUCT else 1
        generators = [self.rng, *(copy.deepcopy(self.rng) for _ in range(threads - 1))]
        places = np.array_split(np.arange(count), threads)
        parts = [self.part(*part) for part in zip(places, generators, strict=True)]
        bars = [bar, *[SILENT] * (threads - 1)]
        done = side_by_side(
            train,
            [
                (self.structure, p.parameters, p.samples, penalty, steps, rate, p.limits, p.rng, b)
                for p, b in zip(parts, bars, strict=True)
            ],
        )
        names = self.parameters
        found = {name: np.concatenate([each[name] for each in done]) for name in names}
        return replace(self, parameters=found)

    def part(self, members: Array, rng: np.random.Generator) -> Members:
        """Some of the members; generators in the same state give all the same batches."""
        limits = {
            name: tuple(each[members] if each.ndim else each for each in pair)
            for name, pair in self.limits.items()
        }
        weight = self.samples.weight[members]
        return Members(
            self.structure,
            {name: value[members] for name, value in self.parameters.items()},
            cast(Limits, limits),
            self.samples._replace(weight=weight),
            rng,
        )

    def trimmed(self) -> Members:
        """Leave out weights that are next to nothing."""
        W = self.parameters["W"]
        return replace(self, parameters=self.parameters | {"W": np.where(W < _TINY, 0.0, W)})

    def limited(
        self, rules: int, literals: int, penalty: Penalty, steps: int, rate: float
    ) -> Members:
        """Leave out the least important rules and literals beyond limits, and train what stays."""
        W = self.parameters["W"]
        keep, importance = W > 0.0, self._importance()
        for m in range(len(keep)):
            by_rule = importance[m].sum(axis=1) * keep[m].any(axis=1)
            keep[m, np.argsort(-by_rule, kind="stable")[rules:]] = False
            flat = np.where(keep[m], importance[m], -1.0).ravel()
            keep[m].reshape(-1)[np.argsort(-flat, kind="stable")[literals:]] = False
        if keep.sum() == (W > 0.0).sum():
            return self
        least, most = self.limits["W"]
        within = self.limits | {"W": (least, most * keep)}
        fewer = replace(self, parameters=self.parameters | {"W": W * keep}, limits=within)
        return fewer.trained(penalty, steps, rate).trimmed()

    def log_p(self) -> Array:
        """Log-probabilities of the classes, shape (members, classes, rows)."""
        scores = class_scores(
            self.structure, self.parameters, surprisals(self.parameters["W"], self.samples)
        )
        return log_probabilities(scores.values)

    def losses(self, penalty: Penalty) -> Array:
        """Each member's log-loss on what it learns, with the penalty."""
        samples, W = self.samples, self.parameters["W"]
        loss = -(samples.weight[:, None] * samples.target * self.log_p()).sum(axis=(1, 2))
        cost = penalty.size * W + 0.5 * penalty.square * W**2
        total: Array = loss + cost.sum(axis=(1, 2))
        return total

    def model(self, literals: Literals, member: int) -> RuleModel:
        """One in float64, without rules that are constant: those are part of one or the bias."""
        own = {name: v[member].astype(np.float64) for name, v in self.parameters.items()}
        W = own.pop("W")
        live = W.any(axis=1)
        if self.structure == "mix":
            return _mix_model(literals, W, live, own["log_alpha"])
        name = "votes" if self.structure == "rrl" else "against"
        zero = np.zeros((len(W), 1))
        constant = class_scores(
            self.structure,
            {key: v[None] for key, v in own.items()} | {name: own[name][None] * ~live},
            zero[None],
        ).values[0, :, 0]
        others = {"bias": constant, name: own[name][:, live]}
        return RuleModel(self.structure, literals, W[live], others)

    def _importance(self) -> Array:
        """How far each literal moves its rule, times how far the rule moves the scores."""
        samples, W = self.samples, self.parameters["W"]
        scores = class_scores(self.structure, self.parameters, surprisals(W, samples))
        weight = samples.weight[:, None]
        if self.structure == "mix":
            share = scores.kept[0].reshape(*W.shape[:2], -1)
            moved = (weight * share).sum(axis=-1)
        else:
            r = scores.kept[0]
            away = r - (weight * r).sum(-1, keepdims=True)
            votes = self.parameters["votes" if self.structure == "rrl" else "against"]
            moved = np.sqrt((weight * away**2).sum(axis=-1)) * np.abs(votes).max(axis=1)
        untrue = in_literals(samples.weight @ samples.states.T, samples.blocks)  # on average
        spread = np.sqrt(np.maximum(untrue * (1.0 - untrue), 1e-6))[:, None]
        importance: Array = W * spread * moved[..., None]
        return importance


def _mix_model(literals: Literals, W: Floats, live: Array, log_alpha: Floats) -> RuleModel:
    classes, each = log_alpha.shape
    label, gain = np.repeat(np.arange(classes), each), log_alpha.ravel()
    for c in range(classes):
        constant = np.flatnonzero(~live & (label == c))
        if constant.size:  # one of them stands for all
            gain[constant[0]] = np.logaddexp.reduce(gain[constant])
            live[constant[0]] = True
    return mix_model(literals, W[live], label[live], gain[live])
