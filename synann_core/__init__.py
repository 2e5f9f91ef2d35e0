"""Synaptic neural networks on any array library.

x excites and y inhibits, everywhere; the last axis is the synapse's, leading axes are batch axes.
"""

from .odds import expit, logit, odds, odds_ratio, swap_ratio
from .surprisal import bose_einstein, complement, probability, surprisal
from .synapse import surprisal_synapse, surprisal_synapse_vjp, synapse, synapse_vjp
from .tensor import (
    contributions,
    log_transmission,
    log_transmission_jvp,
    log_transmission_variant,
    log_transmission_vjp,
    surprisal_synapse_tensor,
    surprisal_synapse_tensor_vjp,
    synapse_tensor,
    synapse_tensor_vjp,
)
