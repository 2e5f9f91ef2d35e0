"""Turn the columns of a table into literals: statements that are true of a row or not.

A column of numbers gives thresholds in both directions, categories "equal" and "not equal", truth
values themselves and their negation. A missing value is a state of its own, with two more
literals, or it stands for the training data's mean. Since a column has few states (between two
thresholds, say), all literals are a table of states by literals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from synann_core.tabular.columns import Column, Kind

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

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
    truth : ndarray of float64, shape (states, literals)
        Of each literal in each state, 0 or 1, or means. States are the intervals between
        thresholds, false and true, or the categories and another category; the last is missing.
    names : tuple of str
        Of the literals.
    """

    name: str
    kind: Kind
    values: tuple[float, ...] | tuple[str, ...]
    missing: bool
    means: tuple[float, ...]
    truth: Floats = field(init=False, repr=False, compare=False)
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known, names = _known_truth(self.name, self.kind, self.values)
        unknown = np.asarray(self.means, np.float64)[None, :]
        truth = np.vstack([known, np.zeros_like(unknown) if self.missing else unknown])
        if self.missing:
            state = np.zeros((len(truth), 2))
            state[-1, 0], state[:-1, 1] = 1.0, 1.0
            truth = np.hstack([truth, state])
            names += [f"{self.name} is missing", f"{self.name} is known"]
        object.__setattr__(self, "truth", truth)
        object.__setattr__(self, "names", tuple(names))

    def codes(self, column: Column) -> Codes:
        """State of each row."""
        last = len(self.truth) - 1
        if self.kind == "category":
            place = {value: k for k, value in enumerate(self.values)}
            known = [last if v is None else place.get(v, last - 1) for v in column.values.tolist()]
            return np.array(known, dtype=np.int64)
        if self.kind == "boolean":
            codes = np.where(column.values == 1.0, 1, 0)
        else:
            codes = np.searchsorted(np.asarray(self.values, np.float64), column.values)
        return np.where(np.isnan(column.values), last, codes)


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
    untrue : ndarray of float64, shape (states, literals)
        1 − truth of every literal in each state of its own feature; 0 elsewhere.
    """

    features: tuple[Feature, ...]
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    feature_of: Codes = field(init=False, repr=False, compare=False)
    starts: Codes = field(init=False, repr=False, compare=False)
    untrue: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sizes = np.array([f.truth.shape for f in self.features], np.int64).reshape(-1, 2)
        ends = np.vstack([np.zeros((1, 2), np.int64), np.cumsum(sizes, axis=0)])
        untrue = np.zeros(ends[-1])
        for feature, (row, column), (m, n) in zip(self.features, ends, sizes, strict=False):
            untrue[row : row + m, column : column + n] = 1.0 - feature.truth
        names = tuple(name for feature in self.features for name in feature.names)
        feature_of = np.repeat(np.arange(len(self.features)), sizes[:, 1])
        for key, value in {
            "names": names, "feature_of": feature_of, "starts": ends[:, 0], "untrue": untrue,
        }.items():
            object.__setattr__(self, key, value)

    @classmethod
    def from_training(
        cls, columns: Sequence[Column], weight: Floats, *, bins: int, missing: str
    ) -> Literals:
        """Place thresholds at weighted quantiles, and find categories, in rows of weight > 0."""
        return cls(tuple(_feature(column, weight, bins, missing) for column in columns))

    def codes(self, columns: Sequence[Column]) -> Codes:
        """States of all rows, shape (rows, features), each counted from its feature's start."""
        found = [f.codes(c) for f, c in zip(self.features, columns, strict=True)]
        return np.stack(found, axis=1)

    def __call__(self, codes: Codes) -> Floats:
        """Truth of the literals in rows of given states, shape (rows, literals)."""
        parts = [f.truth[codes[:, j]] for j, f in enumerate(self.features)]
        return np.hstack(parts)


def _known_truth(
    name: str, kind: Kind, values: Sequence[float | str]
) -> tuple[Floats, list[str]]:
    """Truth in the states of a known value, and names, of the literals about it."""
    if kind == "boolean":
        return np.array([[0.0, 1.0], [1.0, 0.0]]), [name, f"not {name}"]
    k = len(values)
    if kind == "number":
        above = np.arange(k + 1)[:, None] > np.arange(k)
        signs, texts = (">", "≤"), [_number(float(value)) for value in values]
    else:  # the last state is that of another category, which equals none
        above = np.arange(k + 1)[:, None] == np.arange(k)
        signs, texts = ("=", "≠"), [str(value) for value in values]
        if k == 2:  # "≠ a" would say what "= b" says
            return above.astype(np.float64), [f"{name} = {text}" for text in texts]
    both = np.stack([above, ~above], axis=-1).reshape(k + 1, 2 * k)
    return both.astype(np.float64), [f"{name} {s} {text}" for text in texts for s in signs]


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
    count = _known_truth(name, kind, values)[0].shape[1]
    draft = Feature(name, kind, values, False, (0.0,) * count)
    truth = draft.truth[draft.codes(Column(name, kind, known))]
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
    """The shortest decimal number t with low ≤ t < high that is near their middle."""
    middle, width = low / 2.0 + high / 2.0, high - low
    if not (math.isfinite(width) and width > 0.0):
        return low
    first = -math.floor(math.log10(width)) - 1
    for digits in range(first, first + 4):
        if not -300 < digits < 300:
            break
        unit = 10.0**-digits
        for number in (math.floor(middle / unit) * unit, middle):
            short = round(number, digits) + 0.0
            if low <= short < high:
                return short
    return low


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
