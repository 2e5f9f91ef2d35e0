"""`log_transmission` and its vjp: time, memory, accuracy, and the ratio to `nn.Linear`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import meters, rivals
from .common import (
    BACKENDS,
    BATCHES,
    INPUTS,
    LAYERS,
    MEMORY_BACKENDS,
    SOME_LAYERS,
    Call,
    Prepared,
    Size,
    bind,
    both,
    forward,
    make_problem,
    quiet_threads,
    vjp,
)

MEMORY_PARAMS = (MEMORY_BACKENDS, INPUTS[:1], BATCHES[-1:], SOME_LAYERS)


@functools.lru_cache(maxsize=1)
def prepare(
    function: Callable[..., Any], backend: str, inputs: str, batch: int, layer: str
) -> Call:
    """Make a call on a backend and run it once, for it may have to compile."""
    problem = make_problem(Size.parse(f"{batch}x{layer}"), inputs)
    call = bind(backend, function, *problem)
    call()
    return call


class Forward(Prepared):
    """`log_transmission`."""

    param_names = ("backend", "inputs", "batch", "layer")
    params = (BACKENDS, INPUTS, BATCHES, LAYERS)

    def setup(self, *params: Any) -> None:
        """Prepare the call."""
        self.call = prepare(forward, *params)

    def time_forward(self, *params: Any) -> None:
        """Time one call."""
        self.call()

    def peakmem_forward(self, *params: Any) -> None:
        """Peak memory of the process."""
        self.call()

    peakmem_forward.params = MEMORY_PARAMS


class Vjp(Prepared):
    """`log_transmission_vjp`."""

    param_names = Forward.param_names
    params = Forward.params

    def setup(self, *params: Any) -> None:
        """Prepare the call."""
        self.call = prepare(vjp, *params)

    def time_vjp(self, *params: Any) -> None:
        """Time one call."""
        self.call()

    def peakmem_vjp(self, *params: Any) -> None:
        """Peak memory of the process."""
        self.call()

    peakmem_vjp.params = MEMORY_PARAMS


class Accuracy(Prepared):
    """Errors of float32 against the loop over j in float64."""

    param_names = ("backend", "inputs", "layer")
    params = (BACKENDS, INPUTS, SOME_LAYERS)

    def setup(self, backend: str, inputs: str, layer: str) -> None:
        """Compute both."""
        problem = make_problem(Size.parse(f"{min(BATCHES[-1], 32)}x{layer}"), inputs)
        self.value, *self.gradients = bind(backend, both, *problem)()
        self.exact, *self.exact_gradients = rivals.numpy_loop(problem.astype(np.float64))()

    def track_forward_error(self, *params: Any) -> float:
        """Largest relative error of T."""
        return meters.forward_error(self.value, self.exact)

    def track_vjp_error(self, *params: Any) -> float:
        """Largest error of a gradient, relative to its largest entry."""
        return meters.vjp_error(self.gradients, self.exact_gradients)

    track_forward_error.unit = track_vjp_error.unit = "relative"


class Ratio(Prepared):
    """Forward and backward beside `nn.Linear` of the same size, in one process."""

    param_names = ("backend", "batch", "layer")
    params = (BACKENDS, BATCHES, LAYERS)
    # Ten seconds for a call, which are spent above already.
    skip_params = (("numpy-agnostic", 512, "2048x2048"), ("jax", 512, "2048x2048"))

    def setup(self, backend: str, batch: int, layer: str) -> None:
        """Make both calls."""
        quiet_threads()
        problem = make_problem(Size.parse(f"{batch}x{layer}"))
        self.calls = {
            "ours": bind(backend, both, *problem),
            "linear": rivals.build(rivals.LINEAR, problem),
        }

    def track_ratio_to_linear(self, *params: Any) -> float:
        """Time over that of `nn.Linear`."""
        times = meters.medians(self.calls, range(3))
        return times["ours"] / times["linear"]

    track_ratio_to_linear.unit = "× nn.Linear"
