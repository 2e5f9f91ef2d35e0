"""Models that train themselves by hand-written backpropagation, on any array library."""

from synann_core.models.explanations import Explanation
from synann_core.models.mlp import SynaMLP

__all__ = ["Explanation", "SynaMLP"]
