"""Predict with trained rules: states of a row in, scores of the classes out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from synann_core.tabular.rules.literals import Codes, Floats, Literals
from synann_core.tabular.rules.structures import Parameters, Structure, class_scores
from synann_core.tabular.rules.training import in_states


@dataclass(frozen=True, eq=False)
class RuleModel:
    """Rules of one trained model.

    Attributes
    ----------
    structure : {"mix", "duel", "rrl"}
    literals : Literals
    W : ndarray of float64, shape (rules, literals)
        −log(1 − β) ≥ 0. Of a mix, the rules of each class in turn, as many of each; those that are
        not there have a log α of −∞.
    parameters : dict of ndarray
        The others of the structure, without the axis of members.
    """

    structure: Structure
    literals: Literals
    W: Floats
    parameters: Parameters
    by_state: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # What a state adds to a rule's surprisal, (rules, states).
        object.__setattr__(self, "by_state", in_states(self.W, self.literals.blocks()))

    @property
    def classes(self) -> int:
        """How many classes there are."""
        name = "log_alpha" if self.structure == "mix" else "bias"
        return len(self.parameters[name])

    def surprisals(self, codes: Codes) -> Floats:
        """Surprisals of all rules, shape (rules, rows)."""
        total = np.zeros((len(self.W), len(codes)))
        for j, start in enumerate(self.literals.starts[:-1].tolist()):
            part = self.by_state[:, start : start + self.literals.features[j].states]
            if part.any():
                total += part[:, codes[:, j]]
        return total

    def scores(self, codes: Codes) -> Floats:
        """Scores of the classes, shape (classes, rows): log-probabilities but for a constant."""
        return self.scores_of(self.surprisals(codes))

    def scores_of(self, surprisals: Floats) -> Floats:
        """Scores of the classes from surprisals, shape (rules, rows)."""
        own = {name: value[None] for name, value in self.parameters.items()}
        values: Floats = class_scores(self.structure, own, surprisals[None]).values[0]
        return values


def mix_model(literals: Literals, W: Floats, label: Codes, log_alpha: Floats) -> RuleModel:
    """Return a mix of rules whose labels ascend, with as many places for each class."""
    each = np.bincount(label)
    place = np.arange(len(label)) - (np.cumsum(each) - each)[label]
    gains = np.full((len(each), each.max()), -np.inf)
    weights = np.zeros((*gains.shape, W.shape[1]))
    gains[label, place], weights[label, place] = log_alpha, W
    return RuleModel("mix", literals, weights.reshape(gains.size, W.shape[1]), {"log_alpha": gains})


def by_feature_on_average(model: RuleModel, share: Floats) -> Floats:
    """Surprisals by feature of a row of uncertain states, shape (features, rules, 1)."""
    starts = model.literals.starts[:-1]
    return np.add.reduceat(model.by_state * share, starts, axis=1).T[:, :, None]
