"""Rank the rare diseases with a model of what is reported.

Findings are not independent given a disease, a paper names some of what was there, and terms are
inexact. The ranking is a conditional logit of a few features, the network's evidence first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import logsumexp

from studies.rare_disease_data import refilled, row_of
from studies.rare_disease_model import Knowledge, gain_over_leak, leak_of, tempered

FEATURES = (
    "findings",
    "blurred findings",
    "findings without overlap",
    "excluded findings",
    "unreported findings",
)
FLOORS = (0.0, 0.003, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.16, 0.2, 0.3)


@dataclass(frozen=True, eq=False)
class Ranking:
    """The features of a ranking, and their weighted sums."""

    knowledge: Knowledge

    @functools.cached_property
    def blurred(self) -> np.ndarray:
        """Evidence with inexact findings, shape (findings, columns).

        The best of a finding's own and that of the terms above it, less for each step up.
        """
        know = self.knowledge
        needed = np.flatnonzero(know.ontology.ancestors[know.vocabulary].sum(axis=0))
        place = np.full(len(know.ontology.names), -1)
        place[needed] = np.arange(len(needed))
        leak = leak_of(know.background[needed], know.settings)
        best = gain_over_leak(know.closed[needed], leak).toarray()
        for term in know.ontology.order[place[know.ontology.order] >= 0]:
            row = best[place[term]]
            for parent in row_of(know.ontology.parents, term):
                np.maximum(row, np.float32(know.settings.blur) * best[place[parent]], out=row)
        return np.maximum(best[place[know.vocabulary]], know.gain)

    @functools.cached_property
    def silence(self) -> sparse.csr_array:
        """log P(not there) of each annotated term over the root of their number in a column."""
        direct = self.knowledge.direct
        size = np.bincount(direct.indices, minlength=direct.shape[1]).astype(np.float32)
        return refilled(direct, np.log1p(-direct.data) / np.sqrt(size[direct.indices]))

    def overlap_weights(self, known: sparse.csr_array) -> sparse.csr_array:
        """Weight of each finding: the share of its information that no other finding tells."""
        information = self.knowledge.information - self.knowledge.information.min()
        above = self.knowledge.ontology.ancestors[self.knowledge.vocabulary]
        told = sparse.csr_array(known @ above)  # how many findings tell of a term
        once = refilled(told, information[told.indices] / told.data)
        places = sparse.coo_array(known)
        own = once[places.row].multiply(above[places.col]).sum(axis=1)
        whole = (above @ information)[places.col]
        weights = np.where(whole > 0, own / np.where(whole > 0, whole, 1.0), 1.0)
        return refilled(known, weights.astype(np.float32))

    def features(self, observed: sparse.csr_array, excluded: sparse.csr_array) -> np.ndarray:
        """What a ranking weighs, in the order of `FEATURES`: (features, patients, columns)."""
        known = self._known(observed)
        result = np.empty((len(FEATURES), observed.shape[0], self.silence.shape[1]), np.float32)
        result[0] = self.knowledge.single(observed)
        result[1] = tempered(known) @ self.blurred
        result[2] = tempered(self.overlap_weights(known)) @ self.knowledge.gain
        result[3] = self.knowledge.excluded(excluded)
        result[4] = self.silence.sum(axis=0) - (self._covered(observed) @ self.silence).toarray()
        return result

    def scorer(
        self, weights: np.ndarray
    ) -> Callable[[sparse.csr_array, sparse.csr_array], np.ndarray]:
        """Function that gives the weighted sum of the features in few products."""
        w = weights.astype(np.float32)
        whole = w[0] * self.knowledge.gain + w[1] * self.blurred
        apart = w[2] * self.knowledge.gain
        told = refilled(self.silence, -w[4] * self.silence.data)
        constant = w[4] * self.silence.sum(axis=0)

        def score(observed: sparse.csr_array, excluded: sparse.csr_array) -> np.ndarray:
            known = self._known(observed)
            result = tempered(known) @ whole
            result += constant
            result += (self._covered(observed) @ told).toarray()
            if w[2]:
                result += tempered(self.overlap_weights(known)) @ apart
            if w[3]:
                result += w[3] * self.knowledge.excluded(excluded)
            return result

        return score

    def parts(
        self,
        observed: sparse.csr_array,
        excluded: sparse.csr_array,
        weights: np.ndarray,
        first: int,
        second: int,
    ) -> dict[str, float]:
        """Log-odds of two columns for one patient, as a sum: by finding, and by other feature."""
        known = self._known(observed)
        whole, apart = tempered(known).data, tempered(self.overlap_weights(known)).data
        gain, blurred = (
            each[known.indices, first] - each[known.indices, second]
            for each in (self.knowledge.gain, self.blurred)
        )
        own = whole * (weights[0] * gain + weights[1] * blurred) + weights[2] * apart * gain
        names, terms = self.knowledge.ontology.names, self.knowledge.vocabulary[known.indices]
        parts = {names[t]: float(v) for t, v in zip(terms, own, strict=True)}
        parts = dict(sorted(parts.items(), key=lambda item: -abs(item[1])))
        features = self.features(observed, excluded)[3:, 0]
        other = weights[3:] * (features[:, first] - features[:, second])
        return parts | dict(zip(FEATURES[3:], other.tolist(), strict=True))

    def _known(self, observed: sparse.csr_array) -> sparse.csr_array:
        return observed[:, self.knowledge.vocabulary]

    def _covered(self, observed: sparse.csr_array) -> sparse.csr_array:
        """1 for the findings and all that they are kinds of."""
        covered = sparse.csr_array(observed @ self.knowledge.ontology.ancestors)
        return refilled(covered, np.ones_like(covered.data))


class Fitted(NamedTuple):
    """A conditional logit: weights (features,), and the share of patients whom it does not know.

    P(disease) = (1 − floor) · softmax(Σ weight · feature) + floor/diseases.
    """

    weights: np.ndarray
    floor: float


def weighted(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum of the features (features, patients, diseases) with their weights."""
    return np.tensordot(weights.astype(np.float32), features, 1)


def with_floor(log_probability: np.ndarray, floor: float, diseases: int) -> np.ndarray:
    """Log-probability of a disease when a share of the patients may have any of them."""
    with np.errstate(divide="ignore"):
        return np.logaddexp(np.log1p(-floor) + log_probability, np.log(floor / diseases))


def fit_logit(
    features: np.ndarray,
    disease: np.ndarray,
    weight: np.ndarray,
    *,
    penalty: float = 1e-3,
) -> Fitted:
    """Fit the weights without the floor, which is a convex problem, then choose the floor.

    No weight may be negative: what speaks for a disease must not speak against it.

    Parameters
    ----------
    features : ndarray, shape (features, patients, diseases)
    disease : ndarray of int, shape (patients,)
    weight : ndarray, shape (patients,)
        Of the patients; scaled to the sum 1.
    penalty : float
        Of the squared weights.
    """
    weight = weight / weight.sum()
    patients = np.arange(len(disease))
    true = features[:, patients, disease].astype(float)

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        score = weighted(features, w)
        total = logsumexp(score, axis=1)
        p = np.exp(score - total[:, None]) * weight[:, None].astype(np.float32)
        expected = features.reshape(len(w), -1) @ p.ravel()
        value = weight @ (total - score[patients, disease]) + penalty * w @ w
        return float(value), expected - true @ weight + 2 * penalty * w

    start, bounds = np.full(len(features), 0.5), [(0.0, None)] * len(features)
    enough = {"ftol": 1e-7}  # features are float32
    w = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=enough).x
    score = weighted(features, w)
    known = score[patients, disease] - logsumexp(score, axis=1)
    losses = [-weight @ with_floor(known, floor, features.shape[2]) for floor in FLOORS]
    return Fitted(w, FLOORS[int(np.argmin(losses))])
