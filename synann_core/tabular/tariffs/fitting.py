"""Find the most likely factors of a tariff, and the bases beside which they are at most 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib import newton
from synann_core.tabular.tariffs.loss import LARGEST, SMALLEST, Family, TariffLoss, covariance
from synann_core.tabular.tariffs.terms import Floats, Term

# Nats: what a step must promise, and another base bring. What directions that the data do not
# know are held with, relative to the others' curvature.
_CLOSE, _SMALL_GAIN, _RIDGE = 1e-10, 1e-8, 1e-7
_HUGE = 700.0  # surprisal of a rate
_MOST = 1e300  # of a variance
_BITS = 60  # samples count as at most 2 to this power


@dataclass(frozen=True)
class Tariff:
    """Terms with their surprisals.

    Attributes
    ----------
    terms : list of Term
    c : ndarray, shape (synapses + 1,)
        −log(1 − β) of every synapse, and −log α.
    covariance : ndarray, shape (synapses + 1, synapses + 1)
        Of c, by the observed information; 0 for what is at a bound, NaN where the data do not tell.
    steps : int
        Newton's steps.
    converged : bool
        Whether the last search ended before its limit.
    """

    terms: list[Term]
    c: Floats
    covariance: Floats
    steps: int
    converged: bool

    def inputs(self, columns: Sequence[NDArray[Any]]) -> Floats:
        """Inputs of all synapses, shape (samples, synapses)."""
        return inputs_of(self.terms, columns)

    def log_factors(self) -> list[tuple[Floats, Floats]]:
        """Logarithms of each term's factors, and their standard errors, level by level.

        An error is NaN for a factor that stands at a bound, and 0 for the base.
        """
        found: list[tuple[Floats, Floats]] = []
        start = 0
        for term in self.terms:
            stop = start + len(term.levels) - 1
            synapses = term.synapses()
            c, part = self.c[start:stop], self.covariance[start:stop, start:stop]
            variance = np.einsum("lj,jk,lk->l", synapses, part, synapses)
            variance[(synapses @ np.abs(c) >= LARGEST - 1e-6) | (variance <= 0.0)] = np.nan
            variance[term.base] = 0.0
            found.append((0.0 - synapses @ c, np.sqrt(variance)))
            start = stop
        return found


def inputs_of(terms: Sequence[Term], columns: Sequence[NDArray[Any]]) -> Floats:
    """Inputs of the synapses of all terms, shape (samples, synapses)."""
    return np.hstack([term.inputs(column) for term, column in zip(terms, columns, strict=True)])


def search(
    terms: list[Term],
    columns: Sequence[NDArray[Any]],
    family: Family,
    counts: Floats,
    exposure: Floats,
    weight: Floats,
    *,
    iterations: int,
) -> Tariff:
    """Maximise the likelihood; where a term's base may be any level, until it is the highest.

    A level that would rise above the base becomes the base: nothing changes but that it may. The
    deviance falls with each such step, so that they end: with factors that no bound holds back.
    """
    # Where the search ends is a matter of nats: weights of which all are less than one sample would
    # have none to gain, and with too many samples rounding alone would promise some.
    size = int(np.frexp(weight.sum())[1]) - 1
    unit = float(np.ldexp(1.0, min(size, max(size - _BITS, 0))))
    weight = weight / unit
    start = -np.log((weight @ counts) / (weight @ exposure))
    floor = SMALLEST if family == "binomial" else -_HUGE
    c = np.r_[np.zeros(sum(len(term.levels) - 1 for term in terms)), max(start, floor)]
    best: tuple[float, list[Term], Floats, TariffLoss] | None = None
    total = 0
    while True:
        low, high = _bounds(terms, floor)
        loss = TariffLoss(family, inputs_of(terms, columns), counts, exposure, weight)
        c, steps = _minimum(loss, c, low, high, iterations)
        value, gradient = loss(c)
        total += steps
        if best is not None and value > best[0] - 0.1 * _SMALL_GAIN:
            break
        best = value, terms, c, loss
        curvature = loss.curvature(c).diagonal()
        gain = np.where((c <= 0.0) & (gradient > 0.0), gradient, 0.0) ** 2
        gain = gain[:-1] / np.maximum(2.0 * curvature[:-1], 1e-300)
        terms, c = _with_other_bases(terms, c, gain)
        if terms is best[1]:
            break
    _, terms, c, loss = best
    low, high = _bounds(terms, floor)
    free = (c > low) & (c < high)
    with np.errstate(over="ignore"):
        variance = np.clip(covariance(loss.information(c), free) / unit, -_MOST, _MOST)
    return Tariff(terms, c, variance, total, converged=steps < iterations)


def _minimum(
    loss: TariffLoss, c: Floats, low: Floats, high: Floats, iterations: int
) -> tuple[Floats, int]:
    """The minimum by Newton's steps, with a last one too small for a line search to judge."""
    c, steps = newton.minimise(
        loss, c, lambda _: (low, high), iterations=iterations, close=_CLOSE, ridge=_RIDGE
    )
    for _ in range(2):
        step = newton.bounded_step(loss.curvature(c), loss(c)[1], low - c, high - c, _RIDGE)
        if not np.abs(step).max(initial=0.0) < 1e-3:
            break  # a search that ended for another reason
        c = np.clip(c + step, low, high)
    return c, steps


def _bounds(terms: Sequence[Term], floor: float) -> tuple[Floats, Floats]:
    low = [
        np.full(len(term.levels) - 1, -LARGEST if term.constraint == "free" else 0.0)
        for term in terms
    ]
    lowest = np.r_[np.concatenate(low), floor]
    return lowest, np.r_[np.full(len(lowest) - 1, LARGEST), _HUGE]


def _with_other_bases(terms: list[Term], c: Floats, gain: Floats) -> tuple[list[Term], Floats]:
    """The same factors beside the levels that would rise above the bases; the same list if none."""
    changed, found, start = list(terms), c.copy(), 0
    for k, term in enumerate(terms):
        stop = start + len(term.levels) - 1
        part = gain[start:stop]
        if term.constraint == "highest" and part.size and part.max() > _SMALL_GAIN:
            surprisals = term.synapses() @ c[start:stop]
            changed[k] = term.with_base(term.others[int(part.argmax())])
            found[start:stop] = surprisals[changed[k].others]
        start = stop
    return (terms if changed == terms else changed), found
