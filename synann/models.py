"""The public names of `synann_core.models`."""

from synann_core.models import *
from synann_core.models import __all__ as __all__
