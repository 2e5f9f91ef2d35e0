"""Spiking systems on any array library: neurons, surrogate gradients, networks, codes, plasticity.

Arrays are time-first: (steps, batch, neurons). The modules `eprop`, `random` and `spikeprop` keep
their functions to themselves.
"""

from synann_core.spiking.codes import random
from synann_core.spiking.codes.contrast import (
    contrast_decode,
    delta_encode,
    moving_window_encode,
    step_forward_encode,
    temporal_contrast_encode,
)
from synann_core.spiking.codes.deconvolution import bsa_encode, convolution_decode, hsa_encode
from synann_core.spiking.codes.events import (
    Events,
    counts_to_events,
    event_camera,
    event_camera_decode,
    events_to_counts,
)
from synann_core.spiking.codes.latency import (
    first_spike_times,
    latency_decode,
    latency_encode,
    latency_times,
)
from synann_core.spiking.codes.populations import (
    population_decode,
    population_encode,
    population_response,
    rank_order_activation,
    rank_order_decode,
    rank_order_encode,
)
from synann_core.spiking.codes.rate import deterministic_rate_encode, rate_decode, rate_encode
from synann_core.spiking.network.layer import Layer
from synann_core.spiking.network.network import SpikingNetwork
from synann_core.spiking.neurons.lif import LIF, Record
from synann_core.spiking.neurons.presets import (
    decay_factor,
    leaky_integrator,
    norse_lif,
    snntorch_leaky,
    snntorch_synaptic,
)
from synann_core.spiking.neurons.state import Gradients, State
from synann_core.spiking.neurons.surrogates import (
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
from synann_core.spiking.plasticity import eprop, spikeprop
from synann_core.spiking.plasticity.reward import RewardSTDP
from synann_core.spiking.plasticity.stdp import STDP

__all__ = [
    "LIF",
    "STDP",
    "Events",
    "Gradients",
    "Layer",
    "Record",
    "RewardSTDP",
    "SpikingNetwork",
    "State",
    "Surrogate",
    "arctan",
    "boxcar",
    "bsa_encode",
    "contrast_decode",
    "convolution_decode",
    "counts_to_events",
    "decay_factor",
    "delta_encode",
    "deterministic_rate_encode",
    "eprop",
    "event_camera",
    "event_camera_decode",
    "events_to_counts",
    "fast_sigmoid",
    "first_spike_times",
    "gaussian",
    "hsa_encode",
    "latency_decode",
    "latency_encode",
    "latency_times",
    "leaky_integrator",
    "moving_window_encode",
    "norse_lif",
    "population_decode",
    "population_encode",
    "population_response",
    "random",
    "rank_order_activation",
    "rank_order_decode",
    "rank_order_encode",
    "rate_decode",
    "rate_encode",
    "sigmoid",
    "snntorch_leaky",
    "snntorch_synaptic",
    "spikeprop",
    "step_forward_encode",
    "straight_through",
    "superspike",
    "temporal_contrast_encode",
    "triangle",
]
