"""The public names of `synann_core.layer`."""

from synann_core.layer import *
from synann_core.layer import __all__ as __all__
