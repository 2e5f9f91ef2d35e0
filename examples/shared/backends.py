"""The option --backend: NumPy arrays as those of another library."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Add the option --backend."""
    parser.add_argument("--backend", choices=("numpy", "torch", "jax", "cupy"), default="numpy")


def backend_array(name: str) -> Callable[[np.ndarray], Any]:
    """Function that takes a NumPy array to the named library (on the GPU where there is one)."""
    module = {"jax": "jax.numpy"}.get(name, name)
    try:
        xp = importlib.import_module(module)
    except ImportError as error:
        raise SystemExit(
            f'--backend {name}: {error}. Install it with: pip install -e ".[{name}]"'
        ) from None
    if name == "torch":
        device = "cuda" if xp.cuda.is_available() else "cpu"
        return lambda a: xp.asarray(a, device=device)
    return xp.asarray
