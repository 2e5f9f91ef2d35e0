"""The public names of `synann_core.learning`."""

from synann_core.learning import *
from synann_core.learning import __all__ as __all__
