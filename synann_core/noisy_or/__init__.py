"""Noisy-OR networks: causes that act independently, and the findings they bring about.

NumPy arrays only, but for `log_evidence`, which is differentiable on every library. Learning needs
SciPy, ``pip install "synann[noisy-or]"``; `import synann_core` does not import this package.
"""

from synann_core.noisy_or.explanation import CauseSet, NextFinding, Reasons
from synann_core.noisy_or.inference import Posterior, log_evidence
from synann_core.noisy_or.learning import fit_known_causes
from synann_core.noisy_or.network import NoisyOr

__all__ = [
    "CauseSet",
    "NextFinding",
    "NoisyOr",
    "Posterior",
    "Reasons",
    "fit_known_causes",
    "log_evidence",
]
