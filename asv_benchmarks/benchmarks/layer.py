"""A step of a whole layer: `synapse_tensor`, its vjp, and the mixture where it is rectangular."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .common import (
    BACKENDS,
    BATCHES,
    LAYERS,
    MEMORY_BACKENDS,
    SOME_LAYERS,
    Call,
    Prepared,
    Size,
    bind,
    layer_step,
    make_problem,
)


@functools.lru_cache(maxsize=1)
def prepare(backend: str, batch: int, layer: str) -> Call:
    """Make a step on inputs as in training, and run it once, for it may have to compile."""
    size = Size.parse(f"{batch}x{layer}")
    y, beta, grad = make_problem(size, "training")
    arrays = [y, np.ones(size.m, dtype=np.float32), beta, grad]
    if size.m != size.n:
        mixture = np.random.default_rng(1).random((size.m, size.n), dtype=np.float32)
        arrays.append(mixture / mixture.sum(axis=1, keepdims=True))
    call = bind(backend, layer_step, *arrays)
    call()
    return call


class LayerStep(Prepared):
    """Forward and backward of a layer."""

    param_names = ("backend", "batch", "layer")
    params = (BACKENDS, BATCHES, LAYERS)

    def setup(self, *params: Any) -> None:
        """Prepare the step."""
        self.call = prepare(*params)

    def time_step(self, *params: Any) -> None:
        """Time one step."""
        self.call()

    def peakmem_step(self, *params: Any) -> None:
        """Peak memory of the process."""
        self.call()

    peakmem_step.params = (MEMORY_BACKENDS, BATCHES[-1:], SOME_LAYERS)
