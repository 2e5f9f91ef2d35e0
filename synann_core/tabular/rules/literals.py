"""Turn the columns of a table into literals: statements that are true of a row or not.

A column of numbers gives thresholds in both directions, categories "equal" and "not equal", truth
values themselves and their negation. A missing value is a state of its own, with two more
literals, or it stands for the training data's mean. Since a column has few states (between two
thresholds, say), all literals are a table of states by literals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synann_core.tabular.columns import Column, Kind

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

# States that share a matrix. Large ones are mostly zeros; a product for each feature would be slow.
_BLOCK = 64
MOST_THRESHOLDS = 255  # of a column
MOST_CATEGORIES = 64  # of a column; rarer ones are as an unseen one


@dataclass(frozen=True)
class Feature:
    """What is asked of one column.

    Attributes
    ----------
    name : str
    kind : {"number", "boolean", "category"}
    values : tuple
        Thresholds in ascending order, or categories.
    missing : bool
        Whether a missing value is a state of its own.
    means : tuple of float
        How often each literal was true where the value was known: what a missing value stands for
        if it is not a state of its own.
    names : tuple of str
        Of the literals.
    """

    name: str
    kind: Kind
    values: tuple[float, ...] | tuple[str, ...]
    missing: bool
    means: tuple[float, ...]
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = _names(self.name, self.kind, self.values)
        if self.missing:
            names += [f"{self.name} is missing", f"{self.name} is known"]
        object.__setattr__(self, "names", tuple(names))

    @property
    def states(self) -> int:
        """How many states there are.

        They are the intervals between thresholds, false and true, or the categories and another
        category; the last one is missing.
        """
        return 3 if self.kind == "boolean" else len(self.values) + 2

    def truth(self) -> Floats:
        """Truth of each literal in each state, 0 or 1, or means, shape (states, literals)."""
        unknown = np.asarray(self.means, np.float64)[None, :]
        known = _known_truth(self.kind, len(self.values))
        truth = np.vstack([known, np.zeros_like(unknown) if self.missing else unknown])
        if self.missing:
            state = np.zeros((len(truth), 2))
            state[-1, 0], state[:-1, 1] = 1.0, 1.0
            truth = np.hstack([truth, state])
        return truth

    def codes(self, column: Column) -> Codes:
        """State of each row."""
        last = self.states - 1
        if self.kind == "category":
            place = {value: k for k, value in enumerate(self.values)}
            known = [last if v is None else place.get(v, last - 1) for v in column.values.tolist()]
            return np.array(known, dtype=np.int64)
        if self.kind == "boolean":
            codes = np.where(column.values == 1.0, 1, 0)
        else:
            codes = np.searchsorted(np.asarray(self.values, np.float64), column.values)
        return np.where(np.isnan(column.values), last, codes)


class Block(NamedTuple):
    """Some features' states and literals, and 1 − truth of these in those, 0 across features."""

    states: slice
    literals: slice
    untrue: NDArray[Any]


@dataclass(frozen=True)
class Literals:
    """The literals of all features.

    Attributes
    ----------
    features : tuple of Feature
    names : tuple of str
        Of all literals.
    feature_of : ndarray of int64, shape (literals,)
        Which feature a literal is about.
    starts : ndarray of int64, shape (features + 1,)
        Where each feature's states begin among all.
    """

    features: tuple[Feature, ...]
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    feature_of: Codes = field(init=False, repr=False, compare=False)
    starts: Codes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        counts = [len(feature.names) for feature in self.features]
        states = [feature.states for feature in self.features]
        names = tuple(name for feature in self.features for name in feature.names)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "feature_of", np.repeat(np.arange(len(counts)), counts))
        object.__setattr__(self, "starts", np.cumsum([0, *states]))

    def blocks(self) -> list[Block]:
        """Parts of the table of states by literals in which literals are about the states."""
        result, first, start = [], 0, 0
        group: list[Floats] = []
        for feature in self.features:
            group.append(1.0 - feature.truth())
            if sum(map(len, group)) >= _BLOCK or feature is self.features[-1]:
                rows, columns = (sum(part.shape[axis] for part in group) for axis in (0, 1))
                untrue, row, column = np.zeros((rows, columns)), 0, 0
                for part in group:
                    end, last = row + part.shape[0], column + part.shape[1]
                    untrue[row:end, column:last], row, column = part, end, last
                result.append(
                    Block(slice(start, start + rows), slice(first, first + columns), untrue)
                )
                start, first, group = start + rows, first + columns, []
        return result

    @classmethod
    def from_training(
        cls, columns: Sequence[Column], weight: Floats, *, bins: int, missing: str
    ) -> Literals:
        """Place thresholds at weighted quantiles, and find categories, in rows of weight > 0."""
        return cls(tuple(_feature(column, weight, bins, missing) for column in columns))

    def hardened(self) -> Literals:
        """Return literals that are true or false of an unknown value: what they mostly are."""
        means = [tuple(float(mean > 0.5) for mean in f.means) for f in self.features]
        pairs = zip(self.features, means, strict=True)
        return Literals(tuple(replace(feature, means=hard) for feature, hard in pairs))

    def codes(self, columns: Sequence[Column]) -> Codes:
        """States of all rows, shape (rows, features), each counted from its feature's start."""
        found = [f.codes(c) for f, c in zip(self.features, columns, strict=True)]
        return np.stack(found, axis=1)

    def share(self, codes: Codes, weight: Floats) -> Floats:
        """How often each state is there, shape (states,)."""
        states = int(self.starts[-1])
        places = (self.starts[:-1] + codes).ravel()
        mass = np.repeat(weight / weight.sum(), codes.shape[1])
        share = np.bincount(places, weights=mass, minlength=states)
        found: Floats = np.minimum(share, 1.0)  # the sum of all weights may be rounded up
        return found

    def __call__(self, codes: Codes) -> Floats:
        """Truth of the literals in rows of given states, shape (rows, literals)."""
        parts = [f.truth()[codes[:, j]] for j, f in enumerate(self.features)]
        truth: Floats = np.hstack(parts)
        return truth


def _known_truth(kind: Kind, k: int) -> Floats:
    """Truth of the literals in the states of a known value."""
    if kind == "boolean":
        return np.array([[0.0, 1.0], [1.0, 0.0]])
    if kind == "number":
        said = np.arange(k + 1)[:, None] > np.arange(k)
    else:  # the last state is that of another category, which equals none
        said = np.arange(k + 1)[:, None] == np.arange(k)
        if k == 2:  # "≠ a" would say what "= b" says
            return np.asarray(said, dtype=np.float64)
    both = np.stack([said, ~said], axis=-1).reshape(k + 1, 2 * k)
    return np.asarray(both, dtype=np.float64)


def _names(name: str, kind: Kind, values: Sequence[float | str]) -> list[str]:
    if kind == "boolean":
        return [name, f"not {name}"]
    if kind == "number":
        texts = [_number(float(value)) for value in values]
        return [f"{name} {sign} {text}" for text in texts for sign in ">≤"]
    signs = "=" if len(values) == 2 else "=≠"
    return [f"{name} {sign} {value}" for value in values for sign in signs]


def _feature(column: Column, weight: Floats, bins: int, missing: str) -> Feature:
    name, kind, all_values = column
    is_category = kind == "category"
    lost = np.array([v is None for v in all_values]) if is_category else np.isnan(all_values)
    used = weight > 0.0
    own_state = missing == "state" and bool(np.any(lost & used))
    known, mass = all_values[used & ~lost], weight[used & ~lost]
    values: tuple[float, ...] | tuple[str, ...] = ()
    if is_category:
        values = _categories(known, mass)
    elif kind == "number":
        values = _thresholds(known, mass, bins)
    # The means of the literals need the states, and so the feature without them.
    count = _known_truth(kind, len(values)).shape[1]
    draft = Feature(name, kind, values, False, (0.0,) * count)
    truth = draft.truth()[draft.codes(Column(name, kind, known))]
    total = float(mass.sum())
    means = (mass @ truth / total if total else np.zeros(count)).tolist()
    return Feature(name, kind, values, own_state, tuple(means))


def _categories(known: NDArray[np.object_], mass: Floats) -> tuple[str, ...]:
    weights: dict[str, float] = {}
    for value, w in zip(known.tolist(), mass.tolist(), strict=True):
        weights[value] = weights.get(value, 0.0) + w
    common = sorted(weights, key=lambda value: (-weights[value], value))[:MOST_CATEGORIES]
    return tuple(sorted(common)) if len(weights) > 1 else ()


def _thresholds(known: Floats, mass: Floats, bins: int) -> tuple[float, ...]:
    """Between neighbours among the values: at quantiles, or at all of them if they are few."""
    values, place = np.unique(known, return_inverse=True)
    if len(values) <= bins:
        below = np.arange(len(values) - 1)
    else:
        reached = np.cumsum(np.bincount(place, weights=mass))
        wanted = reached[-1] * np.arange(1, bins) / bins
        # (less by what summing fractions may add)
        below = np.unique(np.searchsorted(reached, wanted * (1.0 - 1e-12)))
        below = below[below < len(values) - 1]
    return tuple(_between(float(values[i]), float(values[i + 1])) for i in below)


def _between(low: float, high: float) -> float:
    """The shortest decimal number between neighbours, near their middle.

    A whole number may be the lower one itself, ``x > 54``; other ones would be on the wrong side
    of what float32 makes of them.
    """
    middle, width = low / 2.0 + high / 2.0, high - low
    if not (math.isfinite(width) and width > 0.0):
        return low
    first = -math.floor(math.log10(width)) - 1
    for digits in range(max(first, -300), min(first + 4, 300)):
        unit = 10.0**-digits
        for number in (math.floor(middle / unit) * unit, middle):
            short = round(number, digits) + 0.0
            if low < short < high or (short == low and short.is_integer()):
                return short
    return middle if middle < high else low


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
