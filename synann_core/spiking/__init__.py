"""Spiking systems on any array library: neurons, surrogate gradients, networks, codes, plasticity.

Arrays are time-first: (steps, batch, neurons).
"""

from synann_core.spiking.codes.bursts import burst_decode, burst_encode
from synann_core.spiking.codes.camera import event_camera, event_camera_decode, frames_to_events
from synann_core.spiking.codes.contrast import (
    contrast_decode,
    delta_encode,
    moving_window_encode,
    step_forward_encode,
    temporal_contrast_encode,
)
from synann_core.spiking.codes.deconvolution import bsa_encode, convolution_decode, hsa_encode
from synann_core.spiking.codes.events import Events, counts_to_events, events_to_counts
from synann_core.spiking.codes.first_spike import ttfs_decode, ttfs_encode
from synann_core.spiking.codes.latency import (
    first_spike_times,
    latency_decode,
    latency_encode,
    latency_times,
)
from synann_core.spiking.codes.phase import phase_decode, phase_encode
from synann_core.spiking.codes.populations import (
    population_decode,
    population_encode,
    population_response,
    rank_order_activation,
    rank_order_decode,
    rank_order_encode,
)
from synann_core.spiking.codes.random import fold_in, random_key, random_uniform
from synann_core.spiking.codes.rate import (
    deterministic_rate_encode,
    poisson_encode,
    rate_decode,
    rate_encode,
)
from synann_core.spiking.codes.structured import events_from_structured, events_to_structured
from synann_core.spiking.network.layer import Layer
from synann_core.spiking.network.network import SpikingNetwork
from synann_core.spiking.network.operations import Operations
from synann_core.spiking.neurons.lif import LIF, Record
from synann_core.spiking.neurons.presets import (
    decay_factor,
    leaky_integrator,
    norse_lif,
    snntorch_leaky,
    snntorch_synaptic,
)
from synann_core.spiking.neurons.records import Gradients, State
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
from synann_core.spiking.plasticity.competition import WinnerTakeAll, normalise_weights
from synann_core.spiking.plasticity.decolle import local_signal
from synann_core.spiking.plasticity.eprop import eprop_gradient, eprop_init, eprop_step
from synann_core.spiking.plasticity.reward import RewardSTDP
from synann_core.spiking.plasticity.spikeprop import (
    firing_times,
    firing_times_vjp,
    raise_silent,
    spike_response,
    spike_response_derivative,
    spikeprop_gradients,
)
from synann_core.spiking.plasticity.stdp import STDP
from synann_core.spiking.plasticity.superspike import (
    superspike_gradient,
    superspike_init,
    superspike_step,
    van_rossum,
)

__all__ = [  # noqa: RUF022 - by subject
    # neurons and networks
    "LIF", "State", "Record", "Gradients", "Layer", "SpikingNetwork", "Operations",
    "snntorch_leaky", "snntorch_synaptic", "norse_lif", "leaky_integrator", "decay_factor",
    "Surrogate", "fast_sigmoid", "superspike", "arctan", "sigmoid", "triangle", "boxcar",
    "gaussian", "straight_through",
    # codes
    "rate_encode", "poisson_encode", "deterministic_rate_encode", "rate_decode",
    "phase_encode", "phase_decode", "burst_encode", "burst_decode",
    "ttfs_encode", "ttfs_decode",
    "latency_encode", "latency_times", "latency_decode", "first_spike_times",
    "rank_order_encode", "rank_order_decode", "rank_order_activation",
    "population_encode", "population_response", "population_decode",
    "delta_encode", "temporal_contrast_encode", "step_forward_encode", "moving_window_encode",
    "contrast_decode", "hsa_encode", "bsa_encode", "convolution_decode",
    "event_camera", "event_camera_decode", "frames_to_events",
    "Events", "counts_to_events", "events_to_counts",
    "events_from_structured", "events_to_structured",
    "random_uniform", "random_key", "fold_in",
    # plasticity
    "STDP", "RewardSTDP", "WinnerTakeAll", "normalise_weights",
    "firing_times", "firing_times_vjp", "spikeprop_gradients", "raise_silent", "spike_response",
    "spike_response_derivative",
    "eprop_gradient", "eprop_init", "eprop_step", "local_signal",
    "superspike_gradient", "superspike_init", "superspike_step", "van_rossum",
]  # fmt: skip
