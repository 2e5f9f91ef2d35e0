"""The public names of `synann_core.plot`."""

from synann_core.plot import *
from synann_core.plot import __all__ as __all__
