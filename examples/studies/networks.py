"""Worlds to learn from: random noisy-OR networks of diseases and symptoms, perhaps with protection.

Diseases are the causes of `synann.noisy_or`, symptoms its findings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import synann as syn
from synann.noisy_or import NoisyOr


@dataclass(frozen=True)
class Network:
    """A known world: a noisy-OR, and perhaps diseases that protect.

    Parameters
    ----------
    causes : NoisyOr
        How common the diseases are, and what brings symptoms about.
    protection : ndarray, shape (symptoms, diseases)
        Probability that a disease prevents the symptom; outside the reach of a noisy-OR.
    """

    causes: NoisyOr
    protection: np.ndarray

    def predict(self, y: np.ndarray) -> np.ndarray:
        """True probability of each symptom; y as for `NoisyOr`, 0 or 1 if any disease protects."""
        return self.causes.predict(y) * np.exp(syn.log_transmission(y, self.protection))

    def draw_diseases(self, samples: int, rng: np.random.Generator) -> np.ndarray:
        """Independent diseases, 0.0 or 1.0, shape (samples, diseases)."""
        prevalence = self.causes.prior
        return (rng.random((samples, len(prevalence))) < prevalence).astype(float)

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
    causes = NoisyOr(prevalence, leak, np.where(protects, 0.0, links))
    return Network(causes, np.where(protects, links, 0.0))
