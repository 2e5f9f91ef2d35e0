"""Losses of one finding, in the surprisals of its links, and the errors of their estimates.

The unknowns c are −log(1 − β) of every link, with protective links −log(1 − δ) of every cause
behind them, and at the end −log(1 − leak). A loss returns its value and gradient; `information` is
its second derivative by some of the unknowns.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from synann_core.noisy_or.parameters import Floats, is_sparse
from synann_core.surprisals import bose_einstein, complement
from synann_core.transmission import log_transmission, log_transmission_vjp

# Links that could not fail would make a single contrary sample impossible (log 0), and so would a
# leak of 0; in units of surprisal.
STRONGEST, SMALLEST_LEAK = 12.0, 1e-6
_NEVER = 1e-300  # in place of a division by 0


class Loss(Protocol):
    """The loss of one finding."""

    def __call__(self, c: Floats) -> tuple[float, Floats]:
        """Value and gradient."""

    def information(self, c: Floats, free: NDArray[np.intp]) -> Floats:
        """Second derivatives by the unknowns of these indices, of which the last is the leak."""


class DefiniteLoss:
    """Causes that are 0 or 1: convex, and linear but for the samples with the finding.

    Parameters
    ----------
    rows : dense or CSR array, shape (rows, causes)
        Causes of the rows with the finding.
    present : ndarray, shape (rows,)
        How often they were seen with it.
    absent : ndarray, shape (causes + 1,)
        How often each cause, and at the end any sample, was seen without it.
    """

    def __init__(self, rows: Any, present: Floats, absent: Floats) -> None:
        self.rows, self.columns = rows, rows.T
        self.present, self.absent = present, absent
        self._last: tuple[Floats, Floats, Floats] = (np.empty(0), present, present)

    def _at(self, c: Floats) -> tuple[Floats, Floats]:
        """Surprisals w of the rows, and their occupations: asked for again at the same c."""
        if not np.array_equal(c, self._last[0]):
            w = self.rows @ c[:-1] + c[-1]
            self._last = c.copy(), w, bose_einstein(w)
        return self._last[1:]

    def __call__(self, c: Floats) -> tuple[float, Floats]:
        """Value and gradient."""
        w, occupation = self._at(c)
        upstream = self.present * occupation
        gradient = self.absent.copy()
        gradient[:-1] -= self.columns @ upstream
        gradient[-1] -= upstream.sum()
        return float(self.present @ complement(w) + self.absent @ c), gradient

    def part(self, causes: NDArray[np.intp]) -> DefiniteLoss:
        """The loss with links of these causes only."""
        return DefiniteLoss(self.rows[:, causes], self.present, self.absent[np.r_[causes, -1]])

    def start(self) -> Floats:
        """Leak and links as if each cause were alone; 0 where it does not raise the finding."""
        with_cause = np.r_[self.columns @ self.present, self.present.sum()]
        c = np.log1p(with_cause / np.maximum(self.absent, _NEVER))
        c[-1] = np.clip(c[-1], SMALLEST_LEAK, STRONGEST)
        c[:-1] = np.clip(c[:-1] - c[-1], 0.0, STRONGEST)
        start: Floats = c
        return start

    def leak_beside(self, causes: NDArray[np.bool_]) -> float:
        """Surprisal of the leak as it is where none of these causes is, about."""
        alone = self.rows @ causes.astype(np.float64) == 0.0
        absent = max(self.absent[-1] - self.absent[:-1] @ causes, 0.5 * self.absent[-1], 1.0)
        return float(np.clip(np.log1p(self.present[alone].sum() / absent), 1e-4, STRONGEST))

    def gain(self, c: Floats, gradient: Floats) -> Floats:
        """By how much each link that grows alone lowers the loss, about; shape (causes,)."""
        _, occupation = self._at(c)
        curvature = self.columns @ (self.present * occupation * (1.0 + occupation))
        down = np.maximum(-gradient[:-1], 0.0)
        gain: Floats = down**2 / np.maximum(2.0 * curvature, _NEVER)
        return gain

    def information(self, c: Floats, free: NDArray[np.intp]) -> Floats:
        """Second derivatives."""
        _, occupation = self._at(c)
        weight = self.present * occupation * (1.0 + occupation)
        rows = self.rows[:, free[:-1]] if len(free) < len(c) else self.rows
        if is_sparse(rows):  # of ones
            weighted = type(rows)(
                (np.repeat(weight, np.diff(rows.indptr)), rows.indices, rows.indptr), rows.shape
            )
            inner = (rows.T @ weighted).toarray()
        else:
            inner = rows.T @ (rows * weight[:, None])
        edge = (rows.T @ weight)[:, None]
        return np.block([[inner, edge], [edge.T, np.full((1, 1), weight.sum())]])


class UncertainLoss:
    """Causes known as probabilities: each occurs once in the product, so that its mean counts.

    Parameters
    ----------
    rows : ndarray, shape (rows, causes)
        In [0, 1].
    present, absent : ndarray, shape (rows,)
        How often a row was seen with the finding and without.
    """

    def __init__(self, rows: Floats, present: Floats, absent: Floats) -> None:
        self.inputs = np.c_[rows, np.ones(len(rows))]
        self.present, self.absent = present[:, None], absent[:, None]

    def __call__(self, c: Floats) -> tuple[float, Floats]:
        """Value and gradient."""
        beta = -np.expm1(-c)[None]
        w = 0.0 - log_transmission(self.inputs, beta)
        value = (self.absent * w + self.present * complement(w)).sum()
        upstream = self.present * bose_einstein(w) - self.absent  # the derivative by T = −w
        _, gbeta = log_transmission_vjp(self.inputs, beta, upstream)
        return float(value), (gbeta * (1.0 - beta))[0]

    def information(self, c: Floats, free: NDArray[np.intp]) -> Floats:
        """Second derivatives."""
        beta = -np.expm1(-c)
        w = 0.0 - log_transmission(self.inputs, beta[None])
        occupation = bose_einstein(w)
        y = self.inputs[:, free]
        g = (
            (1.0 - beta[free]) * y / (1.0 - beta[free] * y)
        )  # of w by c; its own slope is −g (1 − g)
        found: Floats = (g.T * (self.present * occupation * (1.0 + occupation))[:, 0]) @ g
        slope = (self.present * occupation - self.absent)[:, 0]
        return found + np.diag(slope @ (g * (1.0 - g)))


class ProtectiveLoss:
    """Causes that are 0 or 1, which bring the finding about or block it.

    Parameters
    ----------
    rows : dense or CSR array, shape (rows, causes)
    present, absent : ndarray, shape (rows,)
        How often a row was seen with the finding and without.

    Notes
    -----
    With w = −log P(not brought about) and v = −log P(not blocked) a present finding costs
    G(w) + v and an absent one −log q, where q = 1 − (1 − e^−w) e^−v = 1 − e^−v + e^−(w + v).
    """

    def __init__(self, rows: Any, present: Floats, absent: Floats) -> None:
        self.rows, self.columns = rows, rows.T
        self.present, self.absent = present, absent

    def _parts(self, c: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """w, v, log q, and −log q's derivatives r by w and −s by v."""
        causes = self.rows.shape[1]
        w, v = self.rows @ c[:causes] + c[-1], self.rows @ c[causes:-1]
        log_q = np.logaddexp(-complement(v), -w - v)
        return w, v, log_q, np.exp(-w - v - log_q), np.exp(-complement(w) - v - log_q)

    def __call__(self, c: Floats) -> tuple[float, Floats]:
        """Value and gradient."""
        w, v, log_q, r, s = self._parts(c)
        value = self.present @ (complement(w) + v) - self.absent @ log_q
        by_w = self.absent * r - self.present * bose_einstein(w)
        by_v = self.present - self.absent * s
        return float(value), np.r_[self.columns @ by_w, self.columns @ by_v, by_w.sum()]

    def information(self, c: Floats, free: NDArray[np.intp]) -> Floats:
        """Second derivatives."""
        w, _, _, r, s = self._parts(c)
        causes, occupation = self.rows.shape[1], bose_einstein(w)
        links, blocks = free[free < causes], free[(free >= causes) & (free < 2 * causes)] - causes
        by_w, by_v = _columns(self.rows, links), _columns(self.rows, blocks)[:, :-1]
        ww = self.present * occupation * (1.0 + occupation) - self.absent * r * (1.0 - r)
        wv, vv = -self.absent * r * (1.0 + s), self.absent * s * (1.0 + s)
        # Links and leak together, then in the order of the unknowns.
        cross = (by_w.T * wv) @ by_v
        found = np.block([[(by_w.T * ww) @ by_w, cross], [cross.T, (by_v.T * vv) @ by_v]])
        order = np.r_[: len(links), len(links) + 1 : len(found), len(links)]
        ordered: Floats = found[np.ix_(order, order)]
        return ordered


def _columns(rows: Any, chosen: NDArray[np.intp]) -> Floats:
    """These columns, dense, and the leak's, which is 1."""
    part = rows[:, chosen]
    dense = part if isinstance(part, np.ndarray) else part.toarray()
    with_leak: Floats = np.c_[dense, np.ones(len(dense))]
    return with_leak


def standard_errors(loss: Loss, c: Floats) -> Floats:
    """Standard errors of 1 − e^−c by the observed information; NaN at a bound."""
    errors = np.full(len(c), np.nan)
    free = np.flatnonzero((c > 0.0) & (c < STRONGEST))
    free = free[free < len(c) - 1]
    information = loss.information(c, np.r_[free, len(c) - 1])
    if c[-1] <= SMALLEST_LEAK or c[-1] >= STRONGEST:
        information = information[:-1, :-1]
    else:
        free = np.r_[free, len(c) - 1]
    if len(free):
        try:
            variance = np.diag(np.linalg.inv(information)).copy()
        except np.linalg.LinAlgError:  # links that the data do not tell apart
            return errors
        variance[~(variance > 0.0)] = np.nan
        errors[free] = np.exp(-c[free]) * np.sqrt(variance)
    return errors
