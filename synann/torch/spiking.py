"""The public names of `synann_torch.spiking`."""

from synann_torch.spiking import *
from synann_torch.spiking import __all__ as __all__
