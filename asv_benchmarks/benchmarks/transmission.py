"""`log_transmission` and its vjp: time, memory, accuracy, and the ratio to `nn.Linear`."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from . import common, meters, rivals

# Batch, inputs and outputs.
NARROW = ("1x64x64", "1x768x768", "1x600x4600", "8192x600x1", "8192x64x10", "64x600x8192")
SHAPES = ("4x8x8",) if common.SMOKE else (*NARROW, "3000x17x3", "512x768x768")
MEMORY_PARAMS = (common.MEMORY_BACKENDS, common.INPUTS[:1], common.BATCHES[-1:], common.SOME_LAYERS)


def make(
    function: Callable[..., object], backend: str, inputs: common.Inputs, batch: int, layer: str
) -> meters.Call:
    """Make a call on a backend."""
    return common.bind(backend, function, *common.make_problem(f"{batch}x{layer}", inputs))


class Forward(common.Prepared):
    """`log_transmission`."""

    param_names = ("backend", "inputs", "batch", "layer")
    params = (common.BACKENDS, common.INPUTS, common.BATCHES, common.LAYERS)
    make = staticmethod(functools.partial(make, common.forward))

    def time_forward(self, *params: object) -> None:
        """Time one call."""
        self.call()

    time_forward.pretty_name = "log_transmission: forward"

    def peakmem_forward(self, *params: object) -> None:
        """Peak memory of the process."""
        self.call()

    peakmem_forward.pretty_name = "log_transmission: peak memory, forward"

    peakmem_forward.params = MEMORY_PARAMS


class Vjp(common.Prepared):
    """`log_transmission_vjp`."""

    param_names = Forward.param_names
    params = Forward.params
    make = staticmethod(functools.partial(make, common.vjp))

    def time_vjp(self, *params: object) -> None:
        """Time one call."""
        self.call()

    time_vjp.pretty_name = "log_transmission: gradients"

    def peakmem_vjp(self, *params: object) -> None:
        """Peak memory of the process."""
        self.call()

    peakmem_vjp.pretty_name = "log_transmission: peak memory of the gradients"

    peakmem_vjp.params = MEMORY_PARAMS


class Shape(common.Prepared):
    """Shapes with few rows, few outputs or few of everything, on NumPy; beside the square one."""

    param_names = ("call", "dtype", "size")
    params = (("forward", "vjp"), ("float32", "float64"), SHAPES)

    @staticmethod
    def make(call: str, dtype: str, size: str) -> meters.Call:
        """Make one call."""
        problem = common.make_problem(size).astype(np.dtype(dtype))
        return common.bind("numpy", getattr(common, call), *problem)

    def time_call(self, *params: object) -> None:
        """Time it."""
        self.call()

    time_call.pretty_name = "log_transmission: narrow shapes"


class Accuracy(common.Prepared):
    """Errors of float32 against the loop over j in float64."""

    param_names = ("backend", "inputs", "layer")
    params = (common.BACKENDS, common.INPUTS, common.SOME_LAYERS)

    def setup(self, backend: str, inputs: common.Inputs, layer: str) -> None:
        """Compute both."""
        problem = common.make_problem(f"{min(common.BATCHES[-1], 32)}x{layer}", inputs)
        self.value, *self.gradients = common.bind(backend, common.both, *problem)()
        self.exact, *self.exact_gradients = rivals.numpy_loop(problem.astype(np.float64))()

    def track_forward_error(self, *params: object) -> float:
        """Largest relative error of T."""
        return meters.forward_error(self.value, self.exact)

    track_forward_error.pretty_name = "log_transmission: largest error of float32"

    def track_vjp_error(self, *params: object) -> float:
        """Largest error of a gradient, relative to its largest entry."""
        return meters.vjp_error(self.gradients, self.exact_gradients)

    track_vjp_error.pretty_name = "log_transmission: largest error of the gradients"

    track_forward_error.unit = track_vjp_error.unit = "relative"


class Ratio(common.Prepared):
    """Forward and backward beside `nn.Linear` of the same size, in one process."""

    param_names = ("backend", "batch", "layer")
    params = (common.BACKENDS, common.BATCHES, common.LAYERS)
    # Ten seconds for a call, which are spent above already.
    skip_params = (("numpy-agnostic", 512, "2048x2048"), ("jax", 512, "2048x2048"))

    def setup(self, backend: str, batch: int, layer: str) -> None:
        """Make both calls."""
        meters.quiet_threads()
        problem = common.make_problem(f"{batch}x{layer}")
        self.calls = {
            "ours": common.bind(backend, common.both, *problem),
            "linear": rivals.build(rivals.LINEAR, problem),
        }

    def track_ratio_to_linear(self, *params: object) -> float:
        """Time over that of `nn.Linear`."""
        times = meters.medians(self.calls, range(3))
        return times["ours"] / times["linear"]

    track_ratio_to_linear.pretty_name = "log_transmission: time over that of nn.Linear"

    track_ratio_to_linear.unit = "× nn.Linear"


class OnJax(common.Prepared):
    """jax.jit of the function, and of its gradient by JAX's autodiff, beside NumPy's arrays."""

    param_names = ("batch", "layer")
    params = (common.BATCHES, common.LAYERS)

    def setup(self, batch: int, layer: str) -> None:
        """Make all four calls."""
        problem = common.make_problem(f"{batch}x{layer}")
        self.forward = {
            "jax": common.bind("jax", common.forward, *problem),
            "numpy": common.bind("numpy", common.forward, *problem),
        }
        self.gradient = {
            "jax": common.bind("jax", common.pulled_back, *problem),
            "numpy": common.bind("numpy", common.vjp, *problem),
        }

    def track_forward_ratio(self, *params: object) -> float:
        """Time over that with NumPy's arrays."""
        times = meters.medians(self.forward, range(5))
        return times["jax"] / times["numpy"]

    track_forward_ratio.pretty_name = "log_transmission: JAX's time over NumPy's, forward"

    def track_gradient_ratio(self, *params: object) -> float:
        """Time over that with NumPy's arrays."""
        times = meters.medians(self.gradient, range(5))
        return times["jax"] / times["numpy"]

    track_gradient_ratio.pretty_name = "log_transmission: JAX's time over NumPy's, gradients"

    track_forward_ratio.unit = track_gradient_ratio.unit = "× NumPy"
