"""Synapse graphs: any acyclic connection of synapses, and circuits, which feed back.

`SynapseGraph` builds a graph, by names or from arrays; `CompiledGraph` evaluates it. The ready-made
graphs and circuits are in `motifs`.
"""

from synann_core.graph import motifs
from synann_core.graph.bayes import bayes_graph
from synann_core.graph.builder import SynapseGraph
from synann_core.graph.circuit import Circuit, FixedPoint
from synann_core.graph.compiled import CompiledGraph, Inhibition
from synann_core.graph.dispatch import GraphParameters
from synann_core.graph.explanation import Part, explain
from synann_core.graph.names import Parameter

__all__ = [
    "Circuit",
    "CompiledGraph",
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
