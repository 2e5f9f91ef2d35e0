"""The public names of `synann_torch.functional`."""

from synann_torch.functional import *
from synann_torch.functional import __all__ as __all__
