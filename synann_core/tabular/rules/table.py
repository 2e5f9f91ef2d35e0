"""List the rules of a model, and write them as a table that can be read."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from synann_core.tabular.rules.literals import Floats
from synann_core.tabular.rules.model import RuleModel, by_feature_on_average

_FALSE = 1e6  # a surprisal: of a rule that is wholly false
_LINE = 100  # characters


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
        """Return the literals, of which thresholds of one column in one direction are one phrase.

        "age > 54 (0.30), 60 (0.80)" are two literals. Those that another one implies, where it
        makes the rule false by itself, are left out.
        """
        return " and ".join(_phrases(self.literals, self.strengths)) or "always"

    def __repr__(self) -> str:
        text = textwrap.shorten(str(self), 72, placeholder=" ...")
        return f"<Rule {text}: {self.weight:+.2f} for {self.label!r}>"


def _phrases(literals: Sequence[str], strengths: Sequence[float]) -> list[str]:
    runs: dict[tuple[str, str], list[tuple[float, str, float]]] = {}
    for name, beta in zip(literals, strengths, strict=True):
        start, sign, text = _parts_of_name(name)
        runs.setdefault((start, sign), []).append((float(text) if sign else 0.0, text, beta))
    phrases = []
    for (start, sign), run in runs.items():
        # The sharpest threshold comes first; where it is hard, it says all.
        run.sort(reverse=sign == ">")
        hard = next((k for k, part in enumerate(run) if part[2] == 1.0), len(run))
        shown = sorted(run[: hard + 1])
        texts = [
            text if beta > 0.995 else f"{text} ({beta:.2f})".strip() for _, text, beta in shown
        ]
        phrases.append(" ".join(part for part in (start, sign, ", ".join(texts)) if part))
    return phrases


def _parts_of_name(literal: str) -> tuple[str, str, str]:
    """Column, sign and threshold of a literal about a number; of any other, itself and nothing."""
    for sign in (">", "≤"):
        column, found, text = literal.rpartition(f" {sign} ")
        if found and " = " not in column and " ≠ " not in column:
            try:
                float(text)
            except ValueError:
                continue
            return column, sign, text
    return literal, "", ""


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
        lines += folded(f"{rule}: {rule.weight:+.2f}{where}", "  ")
    if bias is not None:
        text = f"{bias[1] - bias[0]:+.2f}" if not several else str(np.round(bias - bias.mean(), 2))
        lines.append(f"  without any rule: {text}")
    return "\n".join(lines)


def folded(text: str, indent: str = "", width: int = _LINE, lines: int | None = None) -> list[str]:
    """Lines of a text that is too long for one, broken between literals where they are short."""
    parts = text.split(" and ")
    kept = [part.replace(" ", "\xa0") if len(part) < width // 2 else part for part in parts]
    options: Any = {"break_long_words": False, "break_on_hyphens": False, "max_lines": lines}
    later = f"{indent}    " if indent else ""
    found = textwrap.wrap(
        " and ".join(kept), width, initial_indent=indent, subsequent_indent=later, **options
    )
    return [line.replace("\xa0", " ") for line in found]
