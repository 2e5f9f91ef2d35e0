"""The public names of `synann_torch.exchange`."""

from synann_torch.exchange import *
from synann_torch.exchange import __all__ as __all__
