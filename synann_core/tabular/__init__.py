"""Models of tables: estimators in scikit-learn's form, odds, and thresholds of measurements.

Arrays of NumPy and frames. The estimators need scikit-learn, which is imported when one of them is
first used: ``pip install "synann[tabular]"``. `import synann_core` does not import this package.
"""

import importlib
from typing import TYPE_CHECKING

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
    _LATER = {
        "LogLinkRegressor": "tariffs.estimator",
        "OddsNetwork": "odds.estimator",
        "SynapseClassifier": "classifier.estimator",
        "SynapseRules": "rules.estimator",
    }

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            module = importlib.import_module(f"{__name__}.{_LATER[name]}")
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "sklearn":
                raise
            raise ImportError(
                f'`{name}` needs scikit-learn: pip install "synann[tabular]"'
            ) from None
        return globals().setdefault(name, getattr(module, name))

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LATER})


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
