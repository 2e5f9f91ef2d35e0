"""The public names of `synann_core.noisy_or`."""

from typing import TYPE_CHECKING

import synann_core.noisy_or as _core
from synann_core._lib.later import names_for_later
from synann_core.noisy_or import __all__ as __all__

if TYPE_CHECKING:
    from synann_core.noisy_or import *
else:
    # What the core has imported; the estimators, which need scikit-learn, when they are used.
    globals().update({name: value for name, value in vars(_core).items() if name in __all__})
    __getattr__, _ = names_for_later(__name__, dict.fromkeys(__all__, _core.__name__))
