"""Leave columns out of wide tables: each model keeps those that tell the most about the class.

A model ends with a few dozen literals, but each step of training costs as much as all that it may
choose from; and in few rows many columns that say nothing look as if they did. What a column tells
is the mutual information of the class and the column's best literal (sure independence screening:
Fan and Lv 2008, doi:10.1111/j.1467-9868.2008.00674.x). Columns that tell something only together
are lost, and one that tells the opposite of what `monotone` lets it say takes a place in vain.

A model keeps columns by its own rows alone. If they were chosen by all rows, out-of-fold losses
would be too small, and the penalty with them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from synann_core.tabular.rules.literals import Codes, Floats, Literals
from synann_core.tabular.rules.model import RuleModel
from synann_core.tabular.rules.training import in_literals

WIDE = 200  # columns; a table with no more of them is as it is
_LITERALS = 22  # of a column of numbers where rows are few; columns with fewer count for less


class Part(NamedTuple):
    """The columns that some members of a bag learn from.

    Attributes
    ----------
    members : ndarray of int64
        Numbers of the members.
    place : ndarray of int64, shape (literals,)
        Numbers of the literals among those of the whole table.
    literals : Literals
    codes : ndarray of int64, shape (rows, features)
    """

    members: Codes
    place: Codes
    literals: Literals
    codes: Codes

    def widened(self, model: RuleModel, literals: Literals) -> RuleModel:
        """A model with the literals of the whole table."""
        if literals is self.literals:
            return model
        W = np.zeros((len(model.W), len(literals.names)))
        W[:, self.place] = model.W
        return RuleModel(model.structure, literals, W, model.parameters)


def parts_of_table(
    literals: Literals, codes: Codes, classes: Floats, weight: Floats, most: int
) -> tuple[Part, ...]:
    """All members with all columns; or of a wide table each member with those that it keeps.

    Parameters
    ----------
    literals : Literals
    codes : ndarray of int64, shape (rows, features)
    classes : ndarray of float64, shape (classes, rows)
        1 for the class of a row.
    weight : ndarray of float64, shape (members, rows)
        How often each row counts for a member, 0 for those that it must not see.
    most : int
        Columns that a member keeps of a wide table; more where they have few literals.
    """
    everyone = np.arange(len(weight))
    if len(literals.features) <= WIDE or len(literals.names) <= _LITERALS * most:
        return (Part(everyone, np.arange(len(literals.names)), literals, codes),)
    counts = np.bincount(literals.feature_of, minlength=len(literals.features))
    found = []
    for m, told in zip(everyone, information(literals, codes, classes, weight), strict=True):
        order = np.argsort(-told, kind="stable")
        within = int(np.sum(np.cumsum(counts[order]) <= _LITERALS * most))
        kept = np.sort(order[: max(within, most)])
        place = np.flatnonzero(np.isin(literals.feature_of, kept))
        own = Literals(tuple(literals.features[j] for j in kept.tolist()))
        found.append(Part(everyone[m : m + 1], place, own, codes[:, kept]))
    return tuple(found)


def information(literals: Literals, codes: Codes, classes: Floats, weight: Floats) -> Floats:
    """What the best literal of each column tells about the class, shape (members, features).

    Nats of mutual information, times the weight of a member's rows, but for the entropy of its
    classes; −∞ where a column has no literal. Parameters are the first of `parts_of_table`.
    """
    mass = (weight[:, None] * classes).reshape(-1, len(codes))
    place, states = (literals.starts[:-1] + codes).ravel(), int(literals.starts[-1])
    by_row = (np.repeat(own, codes.shape[1]) for own in mass)
    by_state = np.stack([np.bincount(place, own, minlength=states) for own in by_row])
    shape = (len(weight), len(classes), -1)
    untrue = in_literals(by_state, literals.blocks()).reshape(shape)
    true = np.maximum(mass.sum(axis=1).reshape(shape) - untrue, 0.0)  # where it is rounded
    told = _certainty(true) + _certainty(untrue)
    best = np.full((len(literals.features), len(weight)), -np.inf)
    np.maximum.at(best, literals.feature_of, told.T)
    return best.T


def _certainty(mass: Floats) -> Floats:
    """``Σ_c m_c log(m_c / Σ m)``, of an array of shape (members, classes, literals)."""
    share = mass / np.maximum(mass.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    certainty: Floats = (mass * np.log(np.where(share > 0.0, share, 1.0))).sum(axis=1)
    return certainty
