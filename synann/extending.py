"""The public names of `synann_core.extending`."""

from synann_core.extending import *
from synann_core.extending import __all__ as __all__
