"""A step of a whole layer: `synapse_tensor`, its vjp, and the mixture where it is rectangular."""

from __future__ import annotations

import numpy as np

from . import common
from .meters import Call


def make(backend: str, batch: int, layer: str) -> Call:
    """Make a step on inputs as in training."""
    problem = common.make_problem(f"{batch}x{layer}", "training")
    (y, beta, grad), size = problem, problem.size
    arrays = [y, np.ones(size.m, dtype=np.float32), beta, grad]
    if size.m != size.n:
        mixture = np.random.default_rng(1).random((size.m, size.n), dtype=np.float32)
        arrays.append(mixture / mixture.sum(axis=1, keepdims=True))
    return common.bind(backend, common.layer_step, *arrays)


class LayerStep(common.Prepared):
    """Forward and backward of a layer."""

    param_names = ("backend", "batch", "layer")
    params = (common.BACKENDS, common.BATCHES, common.LAYERS)
    make = staticmethod(make)

    def time_step(self, *params: object) -> None:
        """Time one step."""
        self.call()

    time_step.pretty_name = "Synapse layer: a training step"

    def peakmem_step(self, *params: object) -> None:
        """Peak memory of the process."""
        self.call()

    peakmem_step.pretty_name = "Synapse layer: peak memory of a training step"

    peakmem_step.params = (common.MEMORY_BACKENDS, common.BATCHES[-1:], common.SOME_LAYERS)
