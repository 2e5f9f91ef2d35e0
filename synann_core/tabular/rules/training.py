"""Train rules by projected Adam, many members side by side, along a path of penalties.

Rows are few states of few columns, so that ``(1 − y) Wᵀ`` is a product with one-hot states. Rows
that agree in all states and in the class are one row with their weight: weights count exactly as
repetitions do, and the order of the rows does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from synann_core._lib.progress import SILENT, Progress
from synann_core.optim import Adam
from synann_core.tabular.rules.literals import Block
from synann_core.tabular.rules.structures import (
    Array,
    Parameters,
    class_scores,
    log_probabilities,
    score_gradients,
)

_BATCH = 1024
DECAY = {"votes": 1e-4, "against": 1e-3}  # half of the penalty on their squares


Limits = dict[str, tuple[Array, Array]]  # the least and the largest values of parameters


class Penalty(NamedTuple):
    """What is added to the mean log-loss, ``size · W + square · W²/2`` of every weight W."""

    size: float
    square: float = 0.0


class Samples(NamedTuple):
    """Distinct rows.

    Attributes
    ----------
    states : float32 array, shape (states, rows)
        One-hot, for each feature.
    blocks : tuple of Block
        1 − truth of the literals in the states, in float32.
    target : float32 array, shape (members or 1, classes, rows)
        Probabilities of the classes.
    weight : float32 array, shape (members, rows)
        Of which each member's sum to 1.
    """

    states: Array
    blocks: tuple[Block, ...]
    target: Array
    weight: Array

    def part(self, rows: Array) -> Samples:
        """Some of the rows."""
        return self._replace(
            states=self.states[:, rows], target=self.target[..., rows], weight=self.weight[:, rows]
        )


def surprisals(W: Array, samples: Samples) -> Array:
    """``W (1 − y)``, shape (members, rules, rows)."""
    members, rules, literals = W.shape
    by_state = in_states(W.reshape(members * rules, literals), samples.blocks)
    return (by_state @ samples.states).reshape(members, rules, -1)


def in_states(W: Array, blocks: Sequence[Block]) -> Array:
    """What each state adds to the surprisals, from (rules, literals) to (rules, states)."""
    parts = [W[:, block.literals] @ block.untrue.T for block in blocks]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def in_literals(by_state: Array, blocks: Sequence[Block]) -> Array:
    """The transposed map: how far literals are false in states of given weights."""
    parts = [by_state[:, block.states] @ block.untrue for block in blocks]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def loss_and_gradients(
    structure: str, parameters: Parameters, samples: Samples
) -> tuple[Array, Parameters]:
    """Each member's weighted log-loss in nats, and gradients of their sum."""
    W = parameters["W"]
    scores = class_scores(structure, parameters, surprisals(W, samples))
    log_p = log_probabilities(scores.values)
    weight = samples.weight[:, None]
    loss = -(weight * samples.target * log_p).sum(axis=(1, 2))
    grad = weight * (np.exp(log_p) - samples.target)
    by_surprisal, gradients = score_gradients(structure, parameters, scores, grad)
    by_state = by_surprisal.reshape(-1, by_surprisal.shape[-1]) @ samples.states.T
    gradients["W"] = in_literals(by_state, samples.blocks).reshape(W.shape)
    return loss, gradients


def train(
    structure: str,
    parameters: Parameters,
    samples: Samples,
    penalty: Penalty,
    steps: int,
    rate: float,
    limits: Limits,
    rng: np.random.Generator,
    bar: Progress = SILENT,
) -> Parameters:
    """Take some steps of projected Adam; the rate falls over the last 40 % of them."""
    rule, count = Adam(rate), samples.states.shape[1]
    current: Any = dict(parameters)
    state = rule.init(current)
    for step in range(steps):
        batch = samples
        if count > 2 * _BATCH:
            batch = samples.part(rng.choice(count, _BATCH, replace=False))
            batch = batch._replace(weight=batch.weight * np.float32(count / _BATCH))
        found: Any = loss_and_gradients(structure, current, batch)
        gradients = found[1]
        gradients["W"] = gradients["W"] + np.float32(penalty.size)
        if penalty.square:
            gradients["W"] += np.float32(penalty.square) * current["W"]
        for name in DECAY.keys() & current.keys():
            gradients[name] = gradients[name] + np.float32(DECAY[name]) * current[name]
        now = rate * (1.0 if step < 0.6 * steps else 1.0 - 0.9 * (step / steps - 0.6) / 0.4)
        current, state = rule.update(current, gradients, state, now)
        for name, (least, most) in limits.items():
            np.clip(current[name], least, most, out=current[name])
        bar.advance()
    trained: Parameters = current
    return trained
