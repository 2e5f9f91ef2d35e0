"""Deviance of counts whose rate is a product of synapses, in the surprisals of its factors.

The unknowns c are −log(1 − β) of every synapse, and at the end a = −log α. With T the
log-transmission of the inputs, the surprisal of the rate is ``W = a − T``.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synann_core.surprisals import bose_einstein, complement
from synann_core.transmission import log_transmission, log_transmission_vjp

Floats = NDArray[np.floating[Any]]
Family = Literal["poisson", "binomial"]
# Of factors, in units of surprisal: beyond it they are 0. Of a probability α that would be 1.
LARGEST, SMALLEST = 25.0, 1e-9


def rate_surprisals(inputs: Floats, c: Floats) -> Floats:
    """−log of the rates, shape (samples,)."""
    w: Floats = c[-1] - log_transmission(inputs, -np.expm1(-c[None, :-1]))[:, 0]
    return w


class TariffLoss:
    """Negative log-likelihood of counts, for `_lib.newton`.

    Parameters
    ----------
    family : {"poisson", "binomial"}
    inputs : ndarray, shape (samples, synapses)
        In [0, 1].
    counts, exposure, weight : ndarray, shape (samples,)
        ``counts`` are Poisson with mean ``exposure · rate``, or binomial out of ``exposure``.
    """

    def __init__(
        self, family: Family, inputs: Floats, counts: Floats, exposure: Floats, weight: Floats
    ) -> None:
        self.family, self.inputs = family, inputs
        self.counts, self.exposure, self.weight = counts, exposure, weight

    def __call__(self, c: Floats) -> tuple[float, Floats]:
        """Value and gradient."""
        beta = -np.expm1(-c[None, :-1])
        value, slope, _ = self._of(rate_surprisals(self.inputs, c))
        # dT = −dW, and dβ = (1 − β) dc.
        _, gbeta = log_transmission_vjp(self.inputs, beta, -slope[:, None])
        gradient: Floats = np.r_[(gbeta * (1.0 - beta))[0], slope.sum()]
        return value, gradient

    def _of(self, w: Floats) -> tuple[float, Floats, Floats]:
        """Value, and its first and second derivative by each surprisal of a rate."""
        if self.family == "poisson":
            with np.errstate(over="ignore"):
                mean = self.exposure * np.exp(-w)
            value = float(self.weight @ (mean + self.counts * w))
            return value, self.weight * (self.counts - mean), self.weight * mean
        rest = self.weight * (self.exposure - self.counts)
        n = bose_einstein(w)
        value = float((self.weight * self.counts) @ w + rest @ complement(w))
        return value, self.weight * self.counts - rest * n, rest * n * (1.0 + n)

    def _slopes(self, c: Floats) -> Floats:
        """Derivatives of W by the unknowns, shape (samples, synapses + 1)."""
        beta = -np.expm1(-c[:-1])
        g = (1.0 - beta) * self.inputs / (1.0 - beta * self.inputs)
        slopes: Floats = np.c_[g, np.ones(len(g))]
        return slopes

    def curvature(self, c: Floats) -> Floats:
        """The information but for the curvature of W itself: positive semi-definite."""
        g = self._slopes(c)
        _, _, second = self._of(rate_surprisals(self.inputs, c))
        found: Floats = (g.T * second) @ g
        return found

    def information(self, c: Floats) -> Floats:
        """Second derivatives: the observed information."""
        g = self._slopes(c)
        _, slope, _ = self._of(rate_surprisals(self.inputs, c))
        # (of W by c: g, whose own slope is −g (1 − g))
        information: Floats = self.curvature(c) - np.diag(slope @ (g * (1.0 - g)))
        return information


def deviance(
    family: Family, counts: Floats, mean: Floats, exposure: Floats, weight: Floats
) -> float:
    """Twice the log-likelihood that is missing to that of means equal to the counts, ≥ 0."""
    parts = _log_ratio(counts, mean)
    if family == "poisson":
        parts = parts - (counts - mean)
    else:
        parts = parts + _log_ratio(exposure - counts, exposure - mean)
    return float(2.0 * weight @ parts)


def _log_ratio(counts: Floats, mean: Floats) -> Floats:
    """``counts · log(counts/mean)``, and 0 where there are none."""
    some = counts > 0.0
    ratio = np.where(some, counts, 1.0) / np.where(some, np.maximum(mean, 1e-300), 1.0)
    parts: Floats = counts * np.log(ratio)
    return parts


def covariance(information: Floats, free: NDArray[np.bool_]) -> Floats:
    """Inverse of the information of the free unknowns, 0 for the others, NaN where it has none."""
    result = np.zeros_like(information)
    at = np.flatnonzero(free)
    if not len(at):
        return result
    part = information[np.ix_(at, at)]
    size = np.sqrt(np.maximum(part.diagonal(), 1e-300))
    values, vectors = np.linalg.eigh(part / np.outer(size, size))
    lost = values < 1e-9
    inverse = (vectors / np.where(lost, 1.0, values)) @ vectors.T / np.outer(size, size)
    # An unknown that the data do not tell from others takes part in a direction that is lost.
    unknown = (
        (np.abs(vectors[:, lost]) > 1e-4).any(axis=1) if lost.any() else np.zeros(len(at), bool)
    )
    inverse[unknown] = inverse[:, unknown] = np.nan
    result[np.ix_(at, at)] = inverse
    return result
