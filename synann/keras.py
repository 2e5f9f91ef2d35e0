"""The public names of `synann_keras`."""

from synann_keras import *
from synann_keras import __all__ as __all__
