"""Noisy-OR networks: causes that act independently, and the findings they bring about.

NumPy arrays only, but for `log_evidence`, which is differentiable. Learning needs SciPy, and the
estimators scikit-learn, which is imported when one of them is first used: ``pip install
"synann[noisy-or]"``. `import synann_core` does not import this package.
"""

from typing import TYPE_CHECKING

from synann_core._lib.later import names_for_later
from synann_core.noisy_or.explanation import CauseSet, NextFinding, Reasons
from synann_core.noisy_or.inference import log_evidence
from synann_core.noisy_or.learning import fit_known_causes
from synann_core.noisy_or.network import NoisyOr
from synann_core.noisy_or.posteriors import Posterior

if TYPE_CHECKING:
    from synann_core.noisy_or.classifier import NoisyOrClassifier
    from synann_core.noisy_or.factors import NoisyOrFactors
else:
    _HOMES = {
        "NoisyOrClassifier": f"{__name__}.classifier",
        "NoisyOrFactors": f"{__name__}.factors",
    }
    __getattr__, __dir__ = names_for_later(__name__, _HOMES, extra="noisy-or")


__all__ = [
    "CauseSet",
    "NextFinding",
    "NoisyOr",
    "NoisyOrClassifier",
    "NoisyOrFactors",
    "Posterior",
    "Reasons",
    "fit_known_causes",
    "log_evidence",
]
