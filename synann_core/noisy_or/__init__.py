"""Noisy-OR networks: causes that act independently, and the findings they bring about.

NumPy arrays only. Learning needs SciPy, ``pip install "synann[noisy-or]"``; `import synann_core`
does not import this package.
"""

from synann_core.noisy_or.inference import posterior
from synann_core.noisy_or.learning import fit_known_causes
from synann_core.noisy_or.network import NoisyOr

__all__ = ["NoisyOr", "fit_known_causes", "posterior"]
