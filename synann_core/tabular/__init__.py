"""Models of tables: odds networks, and thresholds that turn measurements into findings.

NumPy arrays only; `import synann_core` does not import this package.
"""

from synann_core.tabular.odds_network import OddsNetwork, calibrate, fit_odds_network
from synann_core.tabular.thresholds import SoftThresholds

__all__ = ["OddsNetwork", "SoftThresholds", "calibrate", "fit_odds_network"]
