"""Synaptic neural networks on any array library.

x excites and y inhibits, everywhere; the last axis is the synapse's, leading axes are batch axes.
The optimizers and schedules for `SynaMLP.fit` are in `synann_core.optim`; circuits, explanations,
exports, pictures and spiking neurons in modules of their own. Graphs and models are imported when
they are first used: formulas alone load in half the time.
"""

import importlib
from typing import TYPE_CHECKING

from synann_core.learning import cross_entropy, cross_entropy_vjp, initial_beta, surprisal_rule
from synann_core.log_odds import expit, logit, odds, odds_ratio, swap_ratio
from synann_core.surprisals import bose_einstein, complement, probability, surprisal
from synann_core.synapses import surprisal_synapse, surprisal_synapse_vjp, synapse, synapse_vjp
from synann_core.tensor import (
    surprisal_synapse_tensor,
    surprisal_synapse_tensor_vjp,
    synapse_tensor,
    synapse_tensor_vjp,
)
from synann_core.transmission import (
    contributions,
    log_transmission,
    log_transmission_jvp,
    log_transmission_variant,
    log_transmission_vjp,
)

if TYPE_CHECKING:
    from synann_core.graph import (
        CompiledGraph,
        GraphParameters,
        Parameter,
        SynapseGraph,
        bayes_graph,
    )
    from synann_core.models import SynaMLP
else:  # a type checker that saw this function would accept any name
    _MODULES = ("graph", "models", "optim")
    _GRAPHS = ("CompiledGraph", "GraphParameters", "Parameter", "SynapseGraph", "bayes_graph")
    _HOMES = {**dict.fromkeys(_GRAPHS, "graph"), "SynaMLP": "models"}

    def __getattr__(name: str) -> object:
        if name in _HOMES:
            module = importlib.import_module(f"synann_core.{_HOMES[name]}")
            return globals().setdefault(name, getattr(module, name))
        if name in _MODULES:
            return importlib.import_module(f"synann_core.{name}")
        raise AttributeError(f"module 'synann_core' has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOMES, *_MODULES})


__all__ = [
    "CompiledGraph",
    "GraphParameters",
    "Parameter",
    "SynaMLP",
    "SynapseGraph",
    "bayes_graph",
    "bose_einstein",
    "complement",
    "contributions",
    "cross_entropy",
    "cross_entropy_vjp",
    "expit",
    "initial_beta",
    "log_transmission",
    "log_transmission_jvp",
    "log_transmission_variant",
    "log_transmission_vjp",
    "logit",
    "odds",
    "odds_ratio",
    "probability",
    "surprisal",
    "surprisal_rule",
    "surprisal_synapse",
    "surprisal_synapse_tensor",
    "surprisal_synapse_tensor_vjp",
    "surprisal_synapse_vjp",
    "swap_ratio",
    "synapse",
    "synapse_tensor",
    "synapse_tensor_vjp",
    "synapse_vjp",
]
