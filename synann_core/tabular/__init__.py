"""Models of tables: rules, odds networks, and thresholds that turn measurements into findings.

NumPy arrays and frames. Estimators need scikit-learn, which is imported when one of them is first
used: ``pip install "synann[tabular]"``. `import synann_core` does not import this package.
"""

import importlib
from typing import TYPE_CHECKING

from synann_core.tabular.odds_network import OddsNetwork, calibrate, fit_odds_network
from synann_core.tabular.rule_parts import RuleParts
from synann_core.tabular.rule_table import Rule
from synann_core.tabular.thresholds import SoftThresholds

if TYPE_CHECKING:
    from synann_core.tabular.rules import SynapseRules
else:
    _LATER = {"SynapseRules": "rules"}

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
    "OddsNetwork",
    "Rule",
    "RuleParts",
    "SoftThresholds",
    "SynapseRules",
    "calibrate",
    "fit_odds_network",
]
