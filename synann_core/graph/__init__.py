"""Build and evaluate synapse graphs, any acyclic connection of synapses, and circuits.

`SynapseGraph` builds a graph by names or from arrays, `CompiledGraph` evaluates it, and a `Circuit`
feeds it back. Ready-made ones are in `motifs`.
"""

from synann_core.graph import motifs
from synann_core.graph.bayes import bayes_graph
from synann_core.graph.builder import SynapseGraph
from synann_core.graph.circuit import Circuit
from synann_core.graph.compiled import CompiledGraph, Inhibition
from synann_core.graph.dependence import DependentPair
from synann_core.graph.explanation import Part, explain
from synann_core.graph.fixed_points import FixedPoint
from synann_core.graph.names import Parameter
from synann_core.graph.parameters import GraphParameters

__all__ = [
    "Circuit",
    "CompiledGraph",
    "DependentPair",
    "FixedPoint",
    "GraphParameters",
    "Inhibition",
    "Parameter",
    "Part",
    "SynapseGraph",
    "bayes_graph",
    "explain",
    "motifs",
]
