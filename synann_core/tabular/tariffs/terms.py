"""Make synapse inputs of a tariff's features: which levels inhibit, beside which base.

Every feature is one term of the product. Its base has the factor 1, and each other level a synapse
of its own; a number inhibits by its place between its ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.checks import check_option
from synann_core.tabular.columns import text_of
from synann_core.tabular.tables import by_place

Floats = NDArray[np.floating[Any]]
Constraint = Literal["highest", "nonnegative", "decreasing", "increasing", "free"]
CONSTRAINTS = ("highest", "nonnegative", "decreasing", "increasing", "free")


@dataclass(frozen=True)
class Term:
    """One feature of a tariff.

    Parameters
    ----------
    name : str
    levels : tuple
        Words in their order, or the two ends of a number.
    numeric : bool
    constraint : str
        One of `CONSTRAINTS`.
    base : int
        Position of the level with the factor 1.
    """

    name: str
    levels: tuple[Any, ...]
    numeric: bool
    constraint: Constraint
    base: int = 0
    _places: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.constraint in ("decreasing", "increasing"):
            base = 0 if self.constraint == "decreasing" else len(self.levels) - 1
            object.__setattr__(self, "base", base)
        object.__setattr__(self, "_places", {word: k for k, word in enumerate(self.levels)})

    @property
    def monotone(self) -> bool:
        """Whether each level has a factor of its own beside the level before."""
        return self.constraint in ("decreasing", "increasing") and not self.numeric

    @property
    def others(self) -> list[int]:
        """Positions of the levels that have a synapse, in its order."""
        return [k for k in range(len(self.levels)) if k != self.base]

    def with_base(self, base: int) -> Term:
        """The term beside another level."""
        return replace(self, base=base)

    def inputs(self, values: NDArray[Any]) -> Floats:
        """What the synapses see, in [0, 1], shape (samples, levels − 1).

        Numbers beyond the ends count as the ends.
        """
        if self.numeric:
            place = self._between_ends(values)
            column: Floats = 1.0 - place if self.base else place
            return column[:, None] * (1.0 if self.levels[0] < self.levels[1] else 0.0)
        places = self.places(values)
        return self.synapses()[places]

    def _between_ends(self, values: NDArray[Any]) -> Floats:
        """Places of numbers between the ends, in [0, 1]; 0 if these are the same."""
        low, high = self.levels
        inside = np.clip(values, low, high)
        if low == high:
            return np.zeros(len(values))
        if not math.isfinite(high - low):
            low, high, inside = low / 2.0, high / 2.0, inside / 2.0
        place: Floats = (inside - low) / (high - low)
        return place

    def places(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """Positions of the levels of words; a word that is not a level is an error."""
        known = np.array([self._places.get(value, -1) for value in values], dtype=np.intp)
        if (known < 0).any():
            raise ValueError(
                f"`X` must hold known levels of {self.name!r}: {list(self.levels)}. "
                f"Received: {values[int(np.flatnonzero(known < 0)[0])]!r}"
            )
        return known

    def synapses(self) -> Floats:
        """Which synapses each level excites: 0 or 1, shape (levels, levels − 1).

        The surprisal of a level's factor is the sum of those of its synapses.
        """
        if not self.monotone:
            return np.eye(len(self.levels))[:, self.others]
        steps = np.tri(len(self.levels), len(self.levels) - 1, -1)
        return steps if self.constraint == "decreasing" else steps[::-1, ::-1]


def first_terms(
    names: Sequence[str],
    columns: Sequence[NDArray[Any]],
    words: Sequence[bool],
    orders: Sequence[Sequence[str] | None],
    constraints: Any,
    base: Any,
    levels: Any,
    family: str,
    counts: Floats,
    exposure: Floats,
) -> list[Term]:
    """Terms of all features, with the bases that were asked for or those to begin with.

    Parameters
    ----------
    names, columns, words, orders
        Of each feature: its name, its values, whether these are categories, and their order where
        the table has one.
    constraints, base, levels, family
        As `LogLinkRegressor` documents them.
    counts, exposure : ndarray, shape (samples,)
    """
    if len(set(names)) < len(names):
        raise ValueError(f"`X` must have one column a name. Received: {list(names)}")
    everywhere = isinstance(constraints, str)
    chosen = {} if everywhere else by_place("constraints", constraints, names)
    bases, given = by_place("base", base, names), by_place("levels", levels, names)
    terms = []
    parts = zip(names, columns, words, orders, strict=True)
    for j, (name, column, is_words, order) in enumerate(parts):
        kind = constraints if everywhere else chosen.get(j, "highest")
        check_option("constraints", kind, CONSTRAINTS)
        if kind == "free" and family == "binomial":
            raise ValueError(
                "`constraints` must keep factors of probabilities at most 1. Received: 'free'"
            )
        found: tuple[Any, ...]
        if is_words:
            asked = given.get(j, order)
            found = _levels(
                name, column, None if asked is None else [text_of(one) for one in asked]
            )
        else:
            found = float(column.min()), float(column.max())
        term = Term(name, found, not is_words, kind)
        if kind == "highest":
            term = term.with_base(_highest(term, column, counts, exposure))
        elif j in bases and kind in ("nonnegative", "free"):
            level = text_of(bases[j]) if is_words else bases[j]
            if level not in found:
                raise ValueError(
                    f"`base` of {name!r} must be one of {list(found)}. Received: {level!r}"
                )
            term = term.with_base(found.index(level))
        terms.append(term)
    return terms


def _highest(term: Term, column: NDArray[Any], counts: Floats, exposure: Floats) -> int:
    """The level, or the end of a number, with the highest rate: where the search begins."""
    if term.numeric:
        place = term.inputs(column)[:, 0]
        return int(counts @ (place - (exposure @ place) / exposure.sum()) > 0.0)
    at, most = term.places(column), len(term.levels)
    seen = np.bincount(at, exposure, most)  # (a level occurs, so that there is some)
    return int(np.argmax(np.bincount(at, counts, most) / seen))


def _levels(name: str, words: NDArray[Any], order: Sequence[str] | None) -> tuple[str, ...]:
    """The levels that occur, in the given order or the alphabet's."""
    found = set(words)
    if order is None:
        return tuple(sorted(found))
    missing = sorted(found - set(order))
    if missing:
        raise ValueError(
            f"`levels` must hold all levels of {name!r}. Received: none for {missing[0]!r}"
        )
    return tuple(level for level in order if level in found)
