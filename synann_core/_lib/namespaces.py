"""Find the array namespace of arrays.

NumPy has had the whole of the array API since 2.4. Its arrays go round array_api_compat then, whose
namespace for NumPy imports a good part of it that nobody here needs, in 0.15 s.
"""

from __future__ import annotations

import importlib
from typing import Any

import array_api_compat
import numpy as np

from synann_core._lib.typing import Namespace

_complete = np.lib.NumpyVersion(np.__version__) >= "2.4.0"
numpy_namespace: Namespace = importlib.import_module(
    "numpy" if _complete else "array_api_compat.numpy"
)


def array_namespace(*arrays: Any) -> Namespace:
    """Return the one namespace of some arrays; TypeError if there is none."""
    for a in arrays:
        if not isinstance(a, (np.ndarray, np.generic)):
            namespace: Namespace = array_api_compat.array_namespace(*arrays)
            return namespace
    return numpy_namespace
