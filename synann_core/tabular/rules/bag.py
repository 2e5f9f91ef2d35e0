"""Train a bag of models: all side by side, or of a wide table each with its own columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from synann_core._lib.progress import SILENT, Progress
from synann_core._lib.threads import side_by_side
from synann_core.tabular.rules.literals import Floats, Literals
from synann_core.tabular.rules.members import Members
from synann_core.tabular.rules.model import RuleModel
from synann_core.tabular.rules.screening import Part
from synann_core.tabular.rules.starts import make_samples
from synann_core.tabular.rules.structures import Array
from synann_core.tabular.rules.training import Penalty


@dataclass(frozen=True, eq=False)
class Bag:
    """Members in groups that share their columns.

    Attributes
    ----------
    parts : tuple of Part
        Columns of each group.
    groups : tuple of Members
        Arrays of all members are in the groups' order.
    """

    parts: tuple[Part, ...]
    groups: tuple[Members, ...]

    def trained(self, penalty: Penalty, steps: int, rate: float, bar: Progress = SILENT) -> Bag:
        """Go on for some steps; groups are shared out among threads, and one moves the bar."""
        bars = [bar, *[SILENT] * (len(self.groups) - 1)]
        return self._each(
            Members.trained,
            [
                (group, penalty, steps, rate, own)
                for group, own in zip(self.groups, bars, strict=True)
            ],
        )

    def trimmed(self) -> Bag:
        """Leave out weights that are next to nothing."""
        return self._each(Members.trimmed, [(group,) for group in self.groups])

    def limited(self, rules: int, literals: int, penalty: Penalty, steps: int, rate: float) -> Bag:
        """Leave out of each member what is beyond limits, and train what stays."""
        limits = rules, literals, penalty, steps, rate
        return self._each(Members.limited, [(group, *limits) for group in self.groups])

    def on_all_rows(self, weight: Floats, target: Floats) -> Bag:
        """The same members, to learn other probabilities of the classes, (classes, rows)."""
        groups = []
        for part, group in zip(self.parts, self.groups, strict=True):
            weights = np.tile(weight, (len(part.members), 1))
            samples = make_samples(part.literals, part.codes, weights, target)
            groups.append(replace(group, samples=samples))
        return Bag(self.parts, tuple(groups))

    def some(self, members: Array) -> Bag:
        """Some of the members, by their places; they stay in their groups."""
        parts, groups, first = [], [], 0
        for part, group in zip(self.parts, self.groups, strict=True):
            count = len(part.members)
            own = members[(members >= first) & (members < first + count)] - first
            if own.size:
                parts.append(part._replace(members=part.members[own]))
                groups.append(group.part(own, group.rng))
            first += count
        return Bag(tuple(parts), tuple(groups))

    def log_p(self) -> Array:
        """Log-probabilities of the classes, shape (members, classes, rows)."""
        return np.concatenate([group.log_p() for group in self.groups])

    def losses(self, penalty: Penalty) -> Array:
        """Each member's log-loss on what it learns, with the penalty."""
        return np.concatenate([group.losses(penalty) for group in self.groups])

    def models(self, literals: Literals) -> list[RuleModel]:
        """All members in float64, with the literals of the whole table."""
        return [
            part.widened(group.model(part.literals, m), literals)
            for part, group in zip(self.parts, self.groups, strict=True)
            for m in range(len(part.members))
        ]

    def _each(self, change: Callable[..., Members], arguments: Sequence[tuple[Any, ...]]) -> Bag:
        if len(arguments) == 1:  # with the warnings of the caller's thread
            return Bag(self.parts, (change(*arguments[0]),))
        return Bag(self.parts, tuple(side_by_side(change, arguments)))
