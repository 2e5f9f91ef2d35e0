"""Turn a table's columns into inputs between 0 and 1: numbers scaled, words one-hot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synann_core.models.explanations import summed_by_feature

Floats = NDArray[np.floating[Any]]
Scale = Literal["minmax", "ranks"]
SCALES = ("minmax", "ranks", None)
_KNOTS = 65  # of a distribution function


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column of numbers, by the piecewise linear function from `knots` to `places`."""

    knots: Floats
    places: Floats

    size = 1

    def __call__(self, column: Floats) -> Floats:
        """Inputs, shape (samples, 1); numbers beyond the knots have the places of the last ones."""
        # (The slope between knots that are very near or far is not a number of float64. Scaling by
        # a power of two changes nothing else.)
        power = -int(np.frexp(np.abs(self.knots).max())[1])
        inside = np.clip(column, self.knots[0], self.knots[-1])
        places = np.interp(np.ldexp(inside, power), np.ldexp(self.knots, power), self.places)
        return np.clip(places, self.places[0], self.places[-1])[:, None]


@dataclass(frozen=True, eq=False)
class Words:
    """A column of words, one input for each."""

    levels: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of inputs."""
        return len(self.levels)

    def __call__(self, column: NDArray[Any]) -> Floats:
        """Inputs, shape (samples, levels); a word that is not known has none."""
        same = column[:, None] == np.array(self.levels, dtype=object)
        inputs: Floats = same.astype(np.float64)
        return inputs


@dataclass(frozen=True, eq=False)
class Encoding:
    """Inputs of all columns side by side."""

    parts: list[Numbers | Words]

    @property
    def size(self) -> int:
        """Number of inputs."""
        return sum(part.size for part in self.parts)

    def __call__(self, columns: Sequence[NDArray[Any]]) -> Floats:
        """Inputs in [0, 1], shape (samples, inputs)."""
        return np.hstack([part(column) for part, column in zip(self.parts, columns, strict=True)])

    def by_column(self, values: Floats) -> Floats:
        """Sums over the inputs of each column, along the last axis."""
        return summed_by_feature(values, [part.size for part in self.parts])

    def document(self) -> list[dict[str, Any]]:
        """What JSON can hold of it."""
        return [
            {"levels": list(part.levels)}
            if isinstance(part, Words)
            else {"knots": part.knots.tolist(), "places": part.places.tolist()}
            for part in self.parts
        ]

    @classmethod
    def from_document(cls, document: Any) -> Encoding:
        """The encoding that `document` gave; raises TypeError, KeyError or ValueError."""
        parts: list[Numbers | Words] = []
        for given in document:
            if "levels" in given:
                parts.append(Words(tuple(map(str, given["levels"]))))
                continue
            knots, places = (np.asarray(given[key], np.float64) for key in ("knots", "places"))
            inside = np.isfinite(knots).all() and ((places >= 0) & (places <= 1)).all()
            ordered = (
                knots.ndim == 1 and knots.shape == places.shape and (np.diff(knots) >= 0).all()
            )
            if not (inside and ordered and len(knots)):
                raise ValueError("knots that are not those of a scale")
            parts.append(Numbers(knots, places))
        return cls(parts)


def encoding_of(
    columns: Sequence[NDArray[Any]], names: Sequence[str], scale: Scale | None, weight: Floats
) -> Encoding:
    """Learn how to scale numbers, and the words that there are.

    Parameters
    ----------
    columns : list of ndarray, shape (samples,)
        float64, or objects that are strings.
    names : sequence of str
        Of the columns.
    scale : {"minmax", "ranks"}, optional
        "minmax" goes from the smallest to the largest number, "ranks" by the distribution function;
        without a scale numbers must be in [0, 1].
    weight : ndarray, shape (samples,)
        How often each sample counts, > 0.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """
    parts: list[Numbers | Words] = []
    for name, column in zip(names, columns, strict=True):
        if column.dtype == object:
            parts.append(Words(tuple(sorted(set(column)))))
            continue
        low, high = float(column.min()), float(column.max())
        if scale is None:
            if low < 0.0 or high > 1.0:
                raise ValueError(
                    f"`X` must be in [0, 1] in column {name!r}, or have a scale. "
                    f"Received: numbers from {low} to {high}"
                )
            low, high = 0.0, 1.0
        if low == high:
            parts.append(Numbers(np.array([low]), np.array([0.5])))
        elif scale == "ranks":
            parts.append(_ranks(column, weight))
        else:
            parts.append(Numbers(np.array([low, high]), np.array([0.0, 1.0])))
    return Encoding(parts)


def _ranks(column: Floats, weight: Floats) -> Numbers:
    """The share of smaller numbers, and half of equal ones, at some of the numbers."""
    values, at = np.unique(column, return_inverse=True)
    share = np.bincount(at, weight) / weight.sum()
    places = np.cumsum(share) - share / 2.0
    if len(values) > _KNOTS:
        chosen = np.searchsorted(places, np.linspace(places[0], places[-1], _KNOTS))
        chosen = np.unique(np.clip(chosen, 0, len(values) - 1))
        values, places = values[chosen], places[chosen]
    return Numbers(values, places)
