"""The public names of `synann_core.graph.motifs`."""

from synann_core.graph.motifs import *
from synann_core.graph.motifs import __all__ as __all__
