"""How every compiled function is compiled: when first called, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def njit(function: Callable[..., Any]) -> Any:
    """Compile for speed without "fast math"; see `intrinsics`.

    error_model: Python's check for a division by zero would keep loops from being vectorised. Where
    there is no folder to write to, the machine code is not kept.
    """
    try:
        return numba.njit(function, error_model="numpy", nogil=True, cache=True)
    except RuntimeError:  # numba found no place for its cache
        return numba.njit(function, error_model="numpy", nogil=True)
