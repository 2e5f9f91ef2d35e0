"""The public names of `synann_core.spiking`."""

from synann_core.spiking import *
from synann_core.spiking import __all__ as __all__
