"""The public names of `synann_core.export`."""

from synann_core.export import *
from synann_core.export import __all__ as __all__
