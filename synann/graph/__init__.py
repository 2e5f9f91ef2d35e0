"""The public names of `synann_core.graph`."""

from synann_core.graph import *
from synann_core.graph import __all__ as __all__
