"""Synaptic neural networks for torch: layers, models, and the formulas as functions.

The formulas are those of `synann_core`; compiled kernels serve them, also under torch.compile.
"""

try:
    import torch as _torch
except ImportError as error:
    raise ImportError(
        'synann_torch needs torch. Install it with: pip install "synann[torch]"'
    ) from error

from synann_core.extending import register_torch_operators

from . import functional
from .block import OddsBlock, SynapseBlock
from .convolution import SynapseConv2d
from .layer import Synapse
from .lazy import LazySynapse
from .models import SynaCNN, SynaMLP
from .parameters import parameter_groups
from .recurrent import SynaRNN, SynaRNNCell

register_torch_operators()
del _torch, register_torch_operators

__all__ = [
    "LazySynapse",
    "OddsBlock",
    "SynaCNN",
    "SynaMLP",
    "SynaRNN",
    "SynaRNNCell",
    "Synapse",
    "SynapseBlock",
    "SynapseConv2d",
    "functional",
    "parameter_groups",
]
