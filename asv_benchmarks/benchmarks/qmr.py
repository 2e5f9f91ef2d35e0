"""Make networks of the size of QMR-DT at random: 600 diseases, 4,000 findings, and patients."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array, vstack

from synann_core.noisy_or import NoisyOr

CAUSES, FINDINGS = 600, 4000
_PRIORS, _LEAKS = (1e-3, 2e-2), (1e-3, 3e-2)
_LINKS = (0.05, 0.95)
_AT_A_TIME = 4000  # patients


def make_qmr(
    causes: int = CAUSES, findings: int = FINDINGS, *, linked: float = 0.02, rng: int = 0
) -> NoisyOr:
    """Make a sparse network.

    Priors and leaks are log-uniform on 0.001–0.02 and 0.001–0.03: a patient has about four diseases
    of 600. A cause is linked to a finding with probability `linked`, and every finding to one cause
    at least, with strengths uniform on 0.05–0.95.
    """
    random = np.random.default_rng(rng)
    links = random.random((findings, causes)) < linked
    links[np.arange(findings), random.integers(0, causes, findings)] = True
    beta = np.where(links, random.uniform(*_LINKS, links.shape), 0.0)
    prior, leak = (
        np.exp(random.uniform(*np.log(ends), size))
        for ends, size in ((_PRIORS, causes), (_LEAKS, findings))
    )
    return NoisyOr(prior, leak, csr_array(beta))


def draw_patients(network: NoisyOr, patients: int, *, rng: int = 1) -> tuple[csr_array, csr_array]:
    """Draw sparse causes and findings, of so many patients."""
    random = np.random.default_rng(rng)
    parts = []
    for first in range(0, patients, _AT_A_TIME):
        drawn = network.sample(min(_AT_A_TIME, patients - first), rng=random)
        parts.append([csr_array(part) for part in drawn])
    causes, findings = (vstack(blocks, format="csr") for blocks in zip(*parts, strict=True))
    return causes, findings
