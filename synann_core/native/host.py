"""Hand arrays to the compiled kernels: NumPy arrays, and torch tensors on the CPU."""

from __future__ import annotations

import ctypes
import functools
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from synann_core._lib.log import logger
from synann_core._lib.threads import thread_count
from synann_core._lib.torch_modes import is_torch_namespace, torch_watcher
from synann_core._lib.typing import Array, Namespace, NumpyArray

try:
    from synann_core.native import _kernels
except ImportError as _error:  # installed where there is no compiler
    _kernels = None  # type: ignore[assignment]
    logger("kernels").info("no compiled kernels, array operations serve: %s", _error)
kernels: Any = _kernels


def enabled() -> bool:
    """Whether compiled kernels may serve at all; ``SYNANN_KERNELS=off`` turns them off.

    Any other word is a ValueError: whoever misspells it would measure or test the wrong branch.
    """
    if kernels is not None:
        return not kernels.off()
    value = os.environ.get("SYNANN_KERNELS", "")
    if value not in ("", "off"):
        raise ValueError(f"`SYNANN_KERNELS` must be off, or not set. Received: {value[:100]!r}")
    return not value


def installed() -> bool:
    """Whether there are kernels that this processor can run."""
    return kernels is not None and kernels.variants != ()


def serves(xp: Namespace, *arrays: Any) -> bool:
    """Whether the compiled kernels take these arrays (None stands for none), float32 or float64.

    Tensors whose operations somebody watches are not asked about: see `torch_watcher`.
    """
    if not (enabled() and installed()):
        return False
    torch = None
    for a in arrays:
        if isinstance(a, np.ndarray):
            if a.dtype.itemsize > 8:  # they have no long doubles
                return False
        elif a is not None:
            torch = is_torch_namespace(xp) if torch is None else torch
            if not (torch and a.is_cpu):
                return False
    return True


def serves_unwatched(xp: Namespace, *arrays: Any) -> bool:
    """Whether the kernels take these arrays, and nobody watches what is done with them."""
    if is_torch_namespace(xp) and torch_watcher(*arrays) != "nobody":
        return False
    return serves(xp, *arrays)


def threads_for(like: Array) -> int:
    """Return the threads to use for such an array: for a tensor, at most those of torch."""
    count = thread_count()
    if isinstance(like, np.ndarray):
        return count
    import torch

    return min(count, int(torch.get_num_threads()))


def contiguous(a: Any) -> NumpyArray:
    """Return the array as NumPy's, without a copy where it is contiguous."""
    if not isinstance(a, np.ndarray):
        a = a.numpy(force=True)  # torch's, perhaps recorded or a negated view
    flags = a.flags
    ready = flags.c_contiguous and flags.aligned
    return a if ready else np.require(a, requirements=["C", "A"])


def lent(a: Any, *shape: int) -> Any:
    """Return a plain tensor as a C-contiguous buffer of this shape, for a call while it is held.

    It is the tensor's own memory, if that is as it should be. `numpy` takes twice as long, and
    torch then refuses to free the memory before the tensor, as FSDP does between the passes.
    """
    made, count = _buffer_at(a.dtype, shape)
    if a.numel() != count:  # a kernel would read past the end
        raise ValueError(f"a tensor must have shape {shape}. Received: shape {tuple(a.shape)}")
    address = a.data_ptr()
    if address and address % a.itemsize == 0 and a.is_contiguous() and not a.is_neg():
        return made(address)
    import torch

    return contiguous(a.clone(memory_format=torch.contiguous_format)).reshape(shape)


@functools.lru_cache(maxsize=256)
def _buffer_at(dtype: Any, shape: tuple[int, ...]) -> tuple[Callable[[int], Any], int]:
    """What makes a buffer of an address, and how many numbers it has."""
    import torch

    kinds: Any = {torch.float32: ctypes.c_float, torch.float64: ctypes.c_double}
    kind = ctypes.c_bool if dtype == torch.bool else kinds[dtype]
    for size in reversed(shape):
        kind = kind * size
    return kind.from_address, math.prod(shape)


def wrap(a: NumpyArray, like: Array) -> Array:
    """Return a result in the library of `like`: NumPy or torch."""
    if isinstance(like, np.ndarray):
        return a
    import torch

    tensor: Array = torch.from_numpy(a)
    return tensor
