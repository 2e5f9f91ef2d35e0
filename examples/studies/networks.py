"""Worlds to learn from: random noisy-OR networks of diseases and symptoms, perhaps with protection.

Diseases are the causes of `synann.noisy_or`, symptoms its findings.
"""

from __future__ import annotations

import numpy as np

from synann.noisy_or import NoisyOr


def draw_diseases(network: NoisyOr, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Independent diseases, 0.0 or 1.0, shape (samples, diseases)."""
    return (rng.random((samples, network.prior.size)) < network.prior).astype(float)


def draw_symptoms(network: NoisyOr, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Symptoms given diseases, 0.0 or 1.0, shape (samples, symptoms)."""
    p = network.predict(y)
    return (rng.random(p.shape) < p).astype(float)


def random_network(
    rng: np.random.Generator,
    *,
    diseases: int = 20,
    symptoms: int = 60,
    protecting: float = 0.0,
) -> NoisyOr:
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
    NoisyOr
        Prevalences 0.02–0.2, link probabilities 0.3–0.95, leaks 0.005–0.1, all uniform.
    """
    prevalence = rng.uniform(0.02, 0.2, diseases)
    links = np.zeros((symptoms, diseases))
    for row in links:
        parents = rng.choice(diseases, rng.integers(2, 6), replace=False)
        row[parents] = rng.uniform(0.3, 0.95, len(parents))
    leak = rng.uniform(0.005, 0.1, symptoms)
    protects = rng.random(links.shape) < protecting
    protection = np.where(protects, links, 0.0) if protecting else None
    return NoisyOr(prevalence, leak, np.where(protects, 0.0, links), protection=protection)
