"""The public names of `synann_torch`."""

from synann_torch import *
from synann_torch import __all__ as __all__

from . import exchange as exchange
from . import spiking as spiking
