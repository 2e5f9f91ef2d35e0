"""Spiking systems on any array library: neurons, surrogate gradients, networks, codes, plasticity.

Arrays are time-first: (steps, batch, neurons).
"""

from .network import Layer, SpikingNetwork
from .neurons import LIF, Gradients, Record, State
from .presets import (
    decay_factor,
    leaky_integrator,
    norse_lif,
    snntorch_leaky,
    snntorch_synaptic,
)
from .surrogates import (
    Surrogate,
    arctan,
    boxcar,
    fast_sigmoid,
    gaussian,
    sigmoid,
    straight_through,
    superspike,
    triangle,
)

__all__ = [
    "LIF",
    "Gradients",
    "Layer",
    "Record",
    "SpikingNetwork",
    "State",
    "Surrogate",
    "arctan",
    "boxcar",
    "decay_factor",
    "fast_sigmoid",
    "gaussian",
    "leaky_integrator",
    "norse_lif",
    "sigmoid",
    "snntorch_leaky",
    "snntorch_synaptic",
    "straight_through",
    "superspike",
    "triangle",
]
