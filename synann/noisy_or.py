"""The public names of `synann_core.noisy_or`."""

from synann_core.noisy_or import *
from synann_core.noisy_or import __all__ as __all__
