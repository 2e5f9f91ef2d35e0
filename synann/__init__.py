"""Synaptic neural networks on any array library: the name to import.

All functions and classes of `synann_core` are here; ``synann.graph``, ``synann.spiking`` and the
other submodules hold the rest. Layers and models for torch and Keras are in ``synann.torch`` and
``synann.keras``. A submodule is imported when it is first used, so that ``import synann`` imports
no framework. Estimators for tables (``synann.LogLinkRegressor``) are here, too; they import
scikit-learn when they are first used, and ``from synann import *`` leaves them out.

Examples
--------
>>> import synann as syn
>>> float(syn.synapse(0.9, 0.2, beta=0.5))
0.81
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import synann_core as _core
from synann_core import __all__ as __all__
from synann_core._lib.later import has_scikit_learn

__version__ = "0.1.0"  # the build reads it from here

_SUBMODULES = frozenset(
    {"export", "extending", "graph", "keras", "layer", "learning", "models", "noisy_or", "optim"}
    | {"plot", "spiking", "tabular", "torch"}
)
# Estimators, which need scikit-learn.
_ESTIMATORS = ("LogLinkRegressor", "OddsNetwork", "SynapseClassifier", "SynapseRules")

if TYPE_CHECKING:
    from synann import (
        export,
        extending,
        graph,
        keras,
        layer,
        learning,
        models,
        noisy_or,
        optim,
        plot,
        spiking,
        tabular,
        torch,
    )
    from synann_core import *
    from synann_core.tabular import LogLinkRegressor as LogLinkRegressor
    from synann_core.tabular import OddsNetwork as OddsNetwork
    from synann_core.tabular import SynapseClassifier as SynapseClassifier
    from synann_core.tabular import SynapseRules as SynapseRules
else:  # a type checker that saw this function would accept any name
    # What the core has imported; the rest when it is used.
    globals().update({name: value for name, value in vars(_core).items() if name in __all__})

    def __getattr__(name: str) -> object:
        if name in __all__:
            return globals().setdefault(name, getattr(_core, name))
        if name in _ESTIMATORS:
            tabular = importlib.import_module("synann.tabular")
            return globals().setdefault(name, getattr(tabular, name))
        if name not in _SUBMODULES:
            raise AttributeError(f"module 'synann' has no attribute {name!r}")
        return importlib.import_module(f"synann.{name}")


def __dir__() -> list[str]:
    # Completion and `help` ask for every name: that must neither fail nor import a framework.
    away = {name for name in ("keras", "torch") if f"{__name__}.{name}" not in sys.modules}
    estimators = _ESTIMATORS if has_scikit_learn() else ()
    return sorted([*__all__, *estimators, *(_SUBMODULES - away), "__version__"])
