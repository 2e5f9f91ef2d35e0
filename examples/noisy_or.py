"""Noisy-OR networks of diseases and symptoms: drawn, learned by one synapse layer, and inverted.

A symptom is absent if its leak and the links of all present diseases stay silent, each on its own:
``P(absent_i | y) = (1 − leak_i) ∏_j (1 − β_ij y_j)``. That is a synapse tensor whose last input is
always 1, and `synann_core.log_transmission` is its logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

import synann_core as syn

# Links that could not fail would make a single contrary sample impossible (log 0), and so would a
# leak of 0; in units of surprisal.
STRONGEST, SMALLEST_LEAK = 12.0, 1e-6
# Chosen on networks of other seeds than the example reports: with less weight, false links of a few
# hundredths take the place of the leak.
PRIOR, LEAK_PRIOR = (1.0, 2.0), (4.0, 4.0)
SPARSER_PRIOR = (0.5, 2.0)
# Of the sparser prior: its slope is infinite at β = 0, from where no link would come back.
LASSOS, SMOOTHING = 4, 0.02


@dataclass(frozen=True)
class NoisyOr:
    """Strengths of the links and leaks: one synapse layer.

    Parameters
    ----------
    beta : ndarray, shape (symptoms, diseases)
        Probability, in [0, 1], that a disease alone causes the symptom.
    leak : ndarray, shape (symptoms,)
        Probability, in [0, 1), that the symptom appears without any cause.
    """

    beta: np.ndarray
    leak: np.ndarray

    def absence(self, y: np.ndarray) -> np.ndarray:
        """Surprisal of each symptom's absence, −log P(absent | y).

        Exact for findings that are known (y = 0 or 1) and for independent uncertain ones (y their
        probabilities): every finding occurs once in the product, so that its factor takes the mean.

        Parameters
        ----------
        y : ndarray, shape (..., diseases)
            In [0, 1].

        Returns
        -------
        ndarray, shape (..., symptoms)
            In nats, ≥ 0.
        """
        return 0.0 - syn.log_transmission(
            _with_leak(y), np.c_[self.beta, self.leak].astype(y.dtype)
        )

    def predict(self, y: np.ndarray) -> np.ndarray:
        """Probability of each symptom, shape (..., symptoms)."""
        return -np.expm1(-self.absence(y))


def _with_leak(y: np.ndarray) -> np.ndarray:
    """Findings and one that is always present: the leak is the strength of its link."""
    return np.concatenate([y, np.ones((*y.shape[:-1], 1), y.dtype)], axis=-1)


@dataclass(frozen=True)
class Network:
    """A known world: prevalences, a noisy-OR, and perhaps findings that protect.

    Parameters
    ----------
    prevalence : ndarray, shape (diseases,)
        In (0, 1).
    causes : NoisyOr
        What brings symptoms about.
    protection : ndarray, shape (symptoms, diseases)
        Probability that a finding prevents the symptom; outside the reach of a noisy-OR.
    """

    prevalence: np.ndarray
    causes: NoisyOr
    protection: np.ndarray

    def predict(self, y: np.ndarray) -> np.ndarray:
        """True probability of each symptom; y as for `NoisyOr.absence`, 0 or 1 if any protects."""
        return self.causes.predict(y) * np.exp(syn.log_transmission(y, self.protection))

    def draw_diseases(self, samples: int, rng: np.random.Generator) -> np.ndarray:
        """Independent diseases, 0.0 or 1.0, shape (samples, diseases)."""
        return (rng.random((samples, len(self.prevalence))) < self.prevalence).astype(float)

    def draw_symptoms(self, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Symptoms given diseases, 0.0 or 1.0, shape (samples, symptoms)."""
        p = self.predict(y)
        return (rng.random(p.shape) < p).astype(float)


def random_network(
    rng: np.random.Generator,
    *,
    diseases: int = 20,
    symptoms: int = 60,
    protecting: float = 0.0,
) -> Network:
    """Draw a network.

    Parameters
    ----------
    rng : numpy.random.Generator
    diseases, symptoms : int
        At least 5 diseases: a symptom has 2 to 5 parents.
    protecting : float
        Share of the links, in [0, 1], that prevent their symptom instead of causing it.

    Returns
    -------
    Network
        Prevalences 0.02–0.2, link probabilities 0.3–0.95, leaks 0.005–0.1, all uniform.
    """
    prevalence = rng.uniform(0.02, 0.2, diseases)
    links = np.zeros((symptoms, diseases))
    for row in links:
        parents = rng.choice(diseases, rng.integers(2, 6), replace=False)
        row[parents] = rng.uniform(0.3, 0.95, len(parents))
    leak = rng.uniform(0.005, 0.1, symptoms)
    protects = rng.random(links.shape) < protecting
    causes = NoisyOr(np.where(protects, 0.0, links), leak)
    return Network(prevalence, causes, np.where(protects, links, 0.0))


def fit(
    y: np.ndarray,
    s: np.ndarray,
    *,
    prior: tuple[float, float] = PRIOR,
    leak_prior: tuple[float, float] = LEAK_PRIOR,
    iterations: int = 500,
) -> NoisyOr:
    """Most probable noisy-OR for the data, by full-batch L-BFGS on the library's gradients.

    The variables are the surprisals c = −log(1 − β) ≥ 0. In them, for definite findings, the
    problem is convex (a generalised linear model with a log link and coefficients of one sign),
    and the prior Beta(1, b) on β, whose −log density is (b − 1)·c, is a lasso: links become 0.
    A prior Beta(a, b) with a < 1 adds (1 − a)·log β, concave: solved as a few lassos, each with the
    slopes at the last solution. Symptoms share nothing: each is a small problem of its own.

    Parameters
    ----------
    y : ndarray, shape (samples, diseases)
        Findings, or the probabilities of independent uncertain findings, in [0, 1].
    s : ndarray, shape (samples, symptoms)
        Symptoms, 0 or 1.
    prior : tuple of float
        (a, b) with 0 < a ≤ 1 ≤ b of the prior Beta(a, b) on every β: (1, 1) is flat, a smaller a or
        a larger b is sparser.
    leak_prior : tuple of float
        (a, b), both ≥ 1, of the prior Beta(a, b) on every leak: as if a − 1 healthy people with the
        symptom and b − 1 without had been seen beside the data.
    iterations : int
        Most steps of L-BFGS.

    Returns
    -------
    NoisyOr
    """
    y, s = _checked(y, s)
    if not 0 < prior[0] <= 1 <= prior[1] < np.inf:
        raise ValueError(f"`prior` must be (a, b) with 0 < a <= 1 <= b. Received: {prior!r}")
    if not (min(leak_prior) >= 1 and max(leak_prior) < np.inf):
        raise ValueError(f"`leak_prior` must be two numbers >= 1. Received: {leak_prior!r}")
    # Equal rows are counted once: of definite findings there are many.
    rows, which = np.unique(y, axis=0, return_inverse=True)
    present = np.zeros((len(rows), s.shape[1]))
    np.add.at(present, which.ravel(), s)
    absent = np.bincount(which.ravel(), minlength=len(rows))[:, None] - present
    healthy = np.zeros((1, y.shape[1]))  # the imagined people
    findings = _with_leak(np.r_[rows, healthy])
    present = np.r_[present, np.full((1, s.shape[1]), leak_prior[0] - 1.0)]
    absent = np.r_[absent, np.full((1, s.shape[1]), leak_prior[1] - 1.0)]
    fitted = [
        _fit_symptom(findings, present[:, i : i + 1], absent[:, i : i + 1], prior, iterations)
        for i in range(s.shape[1])
    ]
    return NoisyOr(np.array([beta[:-1] for beta in fitted]), np.array([b[-1] for b in fitted]))


def _fit_symptom(
    findings: np.ndarray,
    present: np.ndarray,
    absent: np.ndarray,
    prior: tuple[float, float],
    iterations: int,
) -> np.ndarray:
    """Strengths for one symptom that was `present` and `absent` so often, shapes (rows, 1)."""
    samples = present.sum() + absent.sum()

    def loss(c: np.ndarray, slope: np.ndarray) -> tuple[float, np.ndarray]:
        beta = -np.expm1(-c)[None]
        w = 0.0 - syn.log_transmission(findings, beta)
        value = (absent * w + present * syn.complement(w)).sum() + c @ slope
        upstream = present * syn.bose_einstein(w) - absent  # the derivative by T = −w
        _, gbeta = syn.log_transmission_vjp(findings, beta, upstream)
        return value / samples, ((gbeta * (1.0 - beta))[0] + slope) / samples

    size = findings.shape[1]
    bounds = np.c_[np.r_[np.zeros(size - 1), SMALLEST_LEAK], np.full(size, STRONGEST)]
    options = {"maxiter": iterations, "maxcor": 20, "ftol": 1e-9, "gtol": 1e-6}
    c, slope = np.full(size, 0.1), np.r_[np.full(size - 1, prior[1] - 1.0), 0.0]
    for lasso in range(1 if prior[0] == 1 else LASSOS):
        if lasso:
            beta = -np.expm1(-c[:-1])
            slope[:-1] = prior[1] - 1.0 + (1.0 - prior[0]) * (1.0 - beta) / (beta + SMOOTHING)
        found = minimize(
            loss, c, (slope,), jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
        c = found.x
    return -np.expm1(-c)


def _checked(y: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y, s = np.asarray(y, float), np.asarray(s, float)
    if y.ndim != 2 or s.ndim != 2 or len(y) != len(s) or not y.size or not s.size:
        raise ValueError(
            "`y` and `s` must have the shapes (samples, diseases) and (samples, symptoms). "
            f"Received: {y.shape} and {s.shape}"
        )
    if not np.all((y >= 0) & (y <= 1)):
        raise ValueError(f"`y` must be in [0, 1]. Received: values {y.min()} to {y.max()}")
    if not np.all((s == 0) | (s == 1)):
        raise ValueError("`s` must be 0 or 1. Received: other values")
    return y, s


def posterior(
    model: NoisyOr, prevalence: np.ndarray, s: np.ndarray, *, block: int = 2**14
) -> np.ndarray:
    """P(disease | all symptoms) by Bayes' rule over every set of diseases: exact.

    log P(s | y) = Σ_i s_i·log P(present_i | y) + (1 − s_i)·log P(absent_i | y) is affine in s, so
    that a block of sets costs one matrix product for all patients together.

    Parameters
    ----------
    model : NoisyOr
    prevalence : ndarray, shape (diseases,)
        In (0, 1); at most 24 diseases, as there are 2^diseases sets.
    s : ndarray, shape (patients, symptoms)
        0 or 1.
    block : int
        Sets at a time.

    Returns
    -------
    ndarray, shape (patients, diseases)
        To about 1e-5: the sums are of float32 numbers.
    """
    diseases = len(prevalence)
    if diseases > 24:
        raise ValueError(f"`prevalence` must have at most 24 entries. Received: {diseases}")
    s = np.asarray(s, np.float32)
    log_odds = np.log(prevalence) - np.log1p(-prevalence)
    best = np.full(len(s), -np.inf)  # log of the largest term so far; sums are relative to it
    total, with_disease = np.zeros(len(s)), np.zeros((len(s), diseases))
    for first in range(0, 2**diseases, block):
        sets = np.arange(first, min(first + block, 2**diseases))
        y = (sets[:, None] >> np.arange(diseases) & 1).astype(np.float32)
        w = model.absence(y)
        joint = s @ (w - syn.complement(w)).T
        joint += (y @ log_odds - w.sum(axis=1, dtype=float)).astype(np.float32)
        highest = np.maximum(best, joint.max(axis=1))
        joint -= highest[:, None].astype(np.float32)
        weight = np.exp(joint, out=joint)
        shrink = np.exp(best - highest)
        total = total * shrink + weight.sum(axis=1, dtype=float)
        with_disease = with_disease * shrink[:, None] + weight @ y
        best = highest
    return with_disease / total[:, None]
