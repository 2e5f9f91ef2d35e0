"""List the rules of a model, and write them as a table that can be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from synann_core.tabular.literals import Floats
from synann_core.tabular.rule_model import RuleModel
from synann_core.tabular.rule_parts import by_feature_on_average

_FALSE = 1e6  # a surprisal: of a rule that is wholly false


class Rule(NamedTuple):
    """One rule.

    Attributes
    ----------
    literals : tuple of str
        The strongest first; without any, the rule is always true.
    strengths : tuple of float
        β of each, in (0, 1]: what the rule loses where the literal is false.
    weight : float
        What the rule adds to the log-odds (of more than two classes, to the score of `label` less
        the classes' mean), in nats, when it goes from wholly false to wholly true: of `rrl` and
        `duel` always, of `mix` where the other rules are at their training mean.
    label : object
        The class whose score it moves most; of two, always the second.
    member : int
        Of which of the models that are averaged.
    """

    literals: tuple[str, ...]
    strengths: tuple[float, ...]
    weight: float
    label: Any
    member: int

    def __str__(self) -> str:
        pairs = zip(self.literals, self.strengths, strict=True)
        texts = [name if beta > 0.995 else f"{name} ({beta:.2f})" for name, beta in pairs]
        return " and ".join(texts) or "always"


def list_rules(models: Sequence[RuleModel], share: Floats, classes: Sequence[Any]) -> list[Rule]:
    """Return the rules of all models, those that are always true last."""
    rules = []
    for m, model in enumerate(models):
        mean = by_feature_on_average(model, share).sum(axis=0)
        for i in live_rules(model).tolist():
            effect = _effect(model, mean, i)
            label = 1 if len(classes) == 2 else int(np.argmax(np.abs(effect)))
            weight = effect[1] - effect[0] if len(classes) == 2 else effect[label] - effect.mean()
            order = np.argsort(-model.W[i], kind="stable")
            chosen = order[model.W[i][order] > 0.0]
            rules.append(
                Rule(
                    tuple(model.literals.names[j] for j in chosen.tolist()),
                    tuple((-np.expm1(-model.W[i][chosen])).tolist()),
                    float(weight),
                    classes[label],
                    m,
                )
            )
    return rules


def live_rules(model: RuleModel) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Places of the rules that are there, those without literals last."""
    there = np.ones(len(model.W), bool)
    if model.structure == "mix":
        there = np.isfinite(model.parameters["log_alpha"]).ravel()
    empty = ~model.W.any(axis=1)
    return np.concatenate([np.flatnonzero(there & ~empty), np.flatnonzero(there & empty)])


def _effect(model: RuleModel, mean: Floats, i: int) -> Floats:
    """How the scores change when a rule becomes true, the others being at their mean."""
    pair = np.repeat(mean, 2, axis=1)
    pair[i] = 0.0, _FALSE
    true, false = model.scores_of(pair).T
    # (The only rule of a class in a mix: without it the class would be impossible.)
    effect: Floats = true - np.where(false < -0.5 * _FALSE, 0.0, false)
    return effect


def as_text(rules: Sequence[Rule], classes: Sequence[Any], bias: Floats | None) -> str:
    """One line a rule: "age > 54 (0.90) and not smoker: +0.80"."""
    several = len(classes) > 2
    lines = [f"log-odds of {classes[1]!r}:" if not several else "scores of the classes:"]
    for rule in sorted(rules, key=lambda rule: (not rule.literals, -abs(rule.weight))):
        where = f" for {rule.label!r}" if several else ""
        lines.append(f"  {rule}: {rule.weight:+.2f}{where}")
    if bias is not None:
        text = f"{bias[1] - bias[0]:+.2f}" if not several else str(np.round(bias - bias.mean(), 2))
        lines.append(f"  without any rule: {text}")
    return "\n".join(lines)
