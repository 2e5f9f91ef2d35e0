"""Make and time the rivals of the GPU report, one in a process."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import synann_core as syn
from asv_benchmarks.benchmarks import meters
from asv_benchmarks.benchmarks.common import Size, require
from asv_benchmarks.benchmarks.rivals import LINEAR, MEMORY_LIMIT, torch_formula

if TYPE_CHECKING:
    from torch import Tensor

Meter = Callable[[meters.Call], float]


class Work(NamedTuple):
    """What is timed, and how the time and memory of its library are read."""

    forward: meters.Call
    both: meters.Call  # forward and backward
    milliseconds: Meter
    peak: Meter  # megabytes that a call takes at most
    variant: str


def linear(size: Size, device: str) -> Work:
    """`nn.Linear`, with gradients of input, weight and bias."""
    torch = require("torch")
    layer = torch.nn.Linear(size.n, size.m, device=device)
    x = _inputs(size, device)[0].requires_grad_()
    t = torch.ones(size.batch, size.m, device=device)
    wanted = (x, layer.weight, layer.bias)
    both = functools.partial(_gradients, lambda: layer(x), wanted, t)
    forward = functools.partial(_no_grad, layer, x)
    return Work(forward, both, *_torch_meters(device), "matrix product")


def compiled_broadcast(size: Size, device: str) -> Work:
    """`torch.compile` of the formula; its backward pass holds a (batch, m, n) array."""
    torch = require("torch")
    needed = 4 * size.batch * size.m * size.n
    if needed > MEMORY_LIMIT:
        raise NotImplementedError(f"{needed / 1e9:.1f} GB")
    y, beta, t = _inputs(size, device)
    formula = torch.compile(torch_formula)
    wanted = (y.clone().requires_grad_(), beta.clone().requires_grad_())
    both = functools.partial(_gradients, lambda: formula(*wanted), wanted, t)
    forward = functools.partial(_no_grad, formula, y, beta)
    return Work(forward, both, *_torch_meters(device), "inductor")


def ours(size: Size, device: str) -> Work:
    """`log_transmission` and its vjp on torch tensors."""
    return _library(_inputs(size, device), *_torch_meters(device))


def ours_on_cupy(size: Size, device: str) -> Work:
    """`log_transmission` and its vjp on CuPy arrays."""
    if device == "cpu":
        raise NotImplementedError("needs a GPU")
    cupy = require("cupy")
    inputs = [cupy.asarray(a.cpu().numpy()) for a in _inputs(size, device)]
    return _library(inputs, _cupy_milliseconds, _cupy_peak)


class Rival(NamedTuple):
    """How a rival is made, and whether the compiled kernels are switched on."""

    make: Callable[[Size, str], Work]
    kernels: bool = True


RIVALS = {
    LINEAR: Rival(linear),
    "synann, torch": Rival(ours),
    "synann, CuPy": Rival(ours_on_cupy),
    "array API, torch": Rival(ours, kernels=False),
    "array API, CuPy": Rival(ours_on_cupy, kernels=False),
    "torch.compile": Rival(compiled_broadcast),
}


def _library(inputs: Iterable[Any], milliseconds: Meter, peak: Meter) -> Work:
    y, beta, t = inputs

    def both() -> object:
        return syn.log_transmission(y, beta), syn.log_transmission_vjp(y, beta, t)

    forward = functools.partial(syn.log_transmission, y, beta)
    return Work(forward, both, milliseconds, peak, syn.log_transmission_variant(y, beta))


def _inputs(size: Size, device: str) -> tuple[Tensor, Tensor, Tensor]:
    torch = require("torch")
    torch.manual_seed(0)
    y = torch.rand(size.batch, size.n).to(device)
    beta = (torch.rand(size.m, size.n) * 0.99).to(device)
    return y, beta, torch.randn(size.batch, size.m).to(device)


def _no_grad(function: Callable[..., Tensor], *arguments: Tensor) -> Tensor:
    with require("torch").no_grad():
        return function(*arguments)


def _gradients(function: Callable[[], Tensor], wanted: tuple[Tensor, ...], t: Tensor) -> object:
    return require("torch").autograd.grad(function(), wanted, t)


def _torch_meters(device: str) -> tuple[Meter, Meter]:
    if device == "cpu":
        return lambda call: 1e3 * meters.seconds(call), lambda call: 1e-6 * meters.growth(call)
    return _torch_milliseconds, _torch_peak


def _run_between(start: Any, end: Any, call: meters.Call) -> None:
    start.record()
    call()
    end.record()
    end.synchronize()


def _torch_milliseconds(call: meters.Call) -> float:
    event = require("torch").cuda.Event
    start, end = event(enable_timing=True), event(enable_timing=True)
    _run_between(start, end, call)
    return float(start.elapsed_time(end))


def _torch_peak(call: meters.Call) -> float:
    cuda = require("torch").cuda
    cuda.synchronize()
    cuda.reset_peak_memory_stats()
    before = cuda.memory_allocated()
    call()
    cuda.synchronize()
    return float(cuda.max_memory_allocated() - before) / 1e6


def _cupy_milliseconds(call: meters.Call) -> float:
    cuda = require("cupy").cuda
    start, end = cuda.Event(), cuda.Event()
    _run_between(start, end, call)
    return float(cuda.get_elapsed_time(start, end))


def _cupy_peak(call: meters.Call) -> float:
    # CuPy's pool keeps no maximum, but what it holds after a call from empty is one. What kernels
    # take through torch is counted there.
    pool = require("cupy").get_default_memory_pool()
    pool.free_all_blocks()
    before = pool.total_bytes()
    through_torch = _torch_peak(call)
    return float(pool.total_bytes() - before) / 1e6 + through_torch


def measure(name: str, size: str, device: str, seconds: str) -> dict[str, float | str]:
    """Median milliseconds of one rival in this process, after a warm-up that compiles kernels."""
    try:
        work = RIVALS[name].make(Size.parse(size), device)
    except NotImplementedError as reason:
        return {"skipped": str(reason)}
    result: dict[str, float | str] = {"variant": work.variant}
    for part, call in (("forward", work.forward), ("both", work.both)):
        for _ in range(3):
            call()
        times: list[float] = []
        end = time.perf_counter() + float(seconds)
        while len(times) < 5 or (time.perf_counter() < end and len(times) < 1000):
            times.append(work.milliseconds(call))
        # The first fifth still warms up: clocks rise, caches fill.
        result[part] = statistics.median(times[len(times) // 5 :])
    result["peak"] = work.peak(work.both)
    return result
