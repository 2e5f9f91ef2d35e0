"""The public names of `synann_core.tabular`."""

from synann_core.tabular import *
from synann_core.tabular import __all__ as __all__
