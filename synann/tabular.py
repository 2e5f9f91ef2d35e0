"""The public names of `synann_core.tabular`."""

from typing import TYPE_CHECKING

import synann_core.tabular as _core
from synann_core.tabular import __all__ as __all__

if TYPE_CHECKING:
    from synann_core.tabular import *
else:
    # What the core has imported; the estimators, which need scikit-learn, when they are used.
    globals().update({name: value for name, value in vars(_core).items() if name in __all__})

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(_core, name))
