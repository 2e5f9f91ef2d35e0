"""Noisy-OR networks: causes that act independently, and the findings they bring about.

NumPy arrays only, but for `log_evidence`, which is differentiable. Learning needs SciPy, and the
estimators scikit-learn, which is imported when one of them is first used: ``pip install
"synann[noisy-or]"``. `import synann_core` does not import this package.
"""

import importlib
from typing import TYPE_CHECKING

from synann_core.noisy_or.explanation import CauseSet, NextFinding, Reasons
from synann_core.noisy_or.inference import log_evidence
from synann_core.noisy_or.learning import fit_known_causes
from synann_core.noisy_or.network import NoisyOr
from synann_core.noisy_or.posteriors import Posterior

if TYPE_CHECKING:
    from synann_core.noisy_or.classifier import NoisyOrClassifier
    from synann_core.noisy_or.factors import NoisyOrFactors
else:
    _LATER = {"NoisyOrClassifier": "classifier", "NoisyOrFactors": "factors"}

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            module = importlib.import_module(f"{__name__}.{_LATER[name]}")
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "sklearn":
                raise
            raise ImportError(
                f'`{name}` needs scikit-learn: pip install "synann[noisy-or]"'
            ) from None
        return globals().setdefault(name, getattr(module, name))

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LATER})


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
