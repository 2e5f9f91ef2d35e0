"""Models of tables: estimators in scikit-learn's form, odds, and thresholds of measurements.

Arrays of NumPy and frames. The estimators need scikit-learn, which is imported when one of them is
first used: ``pip install "synann[tabular]"``. `import synann_core` does not import this package.
"""

from typing import TYPE_CHECKING

from synann_core._lib.later import names_for_later
from synann_core.tabular.odds.bayes_rule import BayesRule
from synann_core.tabular.odds.thresholds import SoftThresholds
from synann_core.tabular.rules.parts import RuleParts
from synann_core.tabular.rules.table import Rule

if TYPE_CHECKING:
    from synann_core.tabular.classifier.estimator import SynapseClassifier
    from synann_core.tabular.odds.estimator import OddsNetwork
    from synann_core.tabular.rules.estimator import SynapseRules
    from synann_core.tabular.tariffs.estimator import LogLinkRegressor
else:
    _HOMES = {
        "LogLinkRegressor": f"{__name__}.tariffs.estimator",
        "OddsNetwork": f"{__name__}.odds.estimator",
        "SynapseClassifier": f"{__name__}.classifier.estimator",
        "SynapseRules": f"{__name__}.rules.estimator",
    }
    __getattr__, __dir__ = names_for_later(__name__, _HOMES, extra="tabular")


__all__ = [
    "BayesRule",
    "LogLinkRegressor",
    "OddsNetwork",
    "Rule",
    "RuleParts",
    "SoftThresholds",
    "SynapseClassifier",
    "SynapseRules",
]
