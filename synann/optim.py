"""The public names of `synann_core.optim`."""

from synann_core.optim import *
from synann_core.optim import __all__ as __all__
