"""The rivals of the GPU report, and how one of them is timed: in this process, which is fresh.

python asv_benchmarks/gpu_rivals.py "synann, torch" 512x256x256 cuda 1.0
"""

from __future__ import annotations

import functools
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

# Broadcasting holds the (batch, m, n) array in its backward pass.
LARGEST_BROADCAST = 4 << 30


class Size(NamedTuple):
    """Batch, inputs n and outputs m."""

    batch: int
    n: int
    m: int

    def __str__(self) -> str:
        return "x".join(map(str, self))

    @classmethod
    def parse(cls, text: str) -> Size:
        """Size from text such as 512x256x256."""
        try:
            size = cls(*map(int, text.split("x")))
        except (TypeError, ValueError):
            size = cls(0, 0, 0)
        if min(size) < 1:
            raise ValueError(
                f"sizes are BATCHxINPUTSxOUTPUTS, separated by commas. Received: {text!r}"
            )
        return size


class Skipped(Exception):  # noqa: N818 - no error: a rival that does not apply
    """Why a rival is not measured."""


class Work(NamedTuple):
    """What is timed, and how the time and memory of its library are read."""

    forward: Callable[[], Any]
    both: Callable[[], Any]  # forward and backward
    milliseconds: Callable[[Callable[[], Any]], float]
    peak: Callable[[Callable[[], Any]], float]  # megabytes that a call takes at most
    variant: str


def linear(size: Size, device: str) -> Work:
    """`nn.Linear`, with gradients of input, weight and bias."""
    import torch

    layer = torch.nn.Linear(size.n, size.m, device=device)
    x = _torch_inputs(size, device)[0].requires_grad_()
    t = torch.ones(size.batch, size.m, device=device)
    wanted = (x, layer.weight, layer.bias)
    both = functools.partial(_gradients, lambda: layer(x), wanted, t)
    return Work(
        functools.partial(_no_grad, layer, x), both, *_torch_meters(device), "matrix product"
    )


def compiled_broadcast(size: Size, device: str) -> Work:
    """`torch.compile` of the formula, written with a (batch, m, n) array."""
    import torch

    needed = 4 * size.batch * size.m * size.n
    if needed > LARGEST_BROADCAST:
        raise Skipped(f"{needed / 1e9:.1f} GB")
    y, beta, t = _torch_inputs(size, device)

    formula = torch.compile(lambda y, beta: torch.log1p(-beta * y[:, None, :]).sum(-1))
    wanted = (y.clone().requires_grad_(), beta.clone().requires_grad_())
    both = functools.partial(_gradients, lambda: formula(*wanted), wanted, t)
    forward = functools.partial(_no_grad, formula, y, beta)
    return Work(forward, both, *_torch_meters(device), "inductor")


def ours(size: Size, device: str) -> Work:
    """`log_transmission` and its vjp on torch tensors."""
    return _library(_torch_inputs(size, device), *_torch_meters(device))


def ours_on_cupy(size: Size, device: str) -> Work:
    """`log_transmission` and its vjp on CuPy arrays."""
    if device == "cpu":
        raise Skipped("needs a GPU")
    try:
        import cupy
    except ImportError as error:
        raise Skipped("CuPy is not installed") from error

    inputs = [cupy.asarray(a.cpu().numpy()) for a in _torch_inputs(size, device)]
    return _library(inputs, _cupy_milliseconds, _cupy_peak)


# Name, what makes it, and whether the compiled kernels are switched off.
RIVALS: dict[str, tuple[Callable[[Size, str], Work], bool]] = {
    "nn.Linear": (linear, False),
    "synann, torch": (ours, False),
    "synann, CuPy": (ours_on_cupy, False),
    "array API, torch": (ours, True),
    "array API, CuPy": (ours_on_cupy, True),
    "torch.compile": (compiled_broadcast, False),
}


def _library(inputs: Iterable[Any], milliseconds: Any, peak: Any) -> Work:
    import synann_core as syn

    y, beta, t = inputs

    def both() -> Any:
        return syn.log_transmission(y, beta), syn.log_transmission_vjp(y, beta, t)

    forward = functools.partial(syn.log_transmission, y, beta)
    return Work(forward, both, milliseconds, peak, syn.log_transmission_variant(y, beta))


def _torch_inputs(size: Size, device: str) -> tuple[Any, Any, Any]:
    import torch

    torch.manual_seed(0)
    y = torch.rand(size.batch, size.n).to(device)
    beta = (torch.rand(size.m, size.n) * 0.99).to(device)
    return y, beta, torch.randn(size.batch, size.m).to(device)


def _no_grad(function: Callable[..., Any], *arguments: Any) -> Any:
    import torch

    with torch.no_grad():
        return function(*arguments)


def _gradients(function: Callable[[], Any], wanted: Any, t: Any) -> Any:
    import torch

    return torch.autograd.grad(function(), wanted, t)


def _torch_meters(device: str) -> tuple[Any, Any]:
    if device == "cpu":
        return _cpu_milliseconds, _cpu_peak
    return _torch_milliseconds, _torch_peak


def _torch_milliseconds(function: Callable[[], Any]) -> float:
    import torch

    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    function()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end))


def _torch_peak(function: Callable[[], Any]) -> float:
    import torch

    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    function()
    torch.cuda.synchronize()
    return float(torch.cuda.max_memory_allocated() - before) / 1e6


def _cupy_milliseconds(function: Callable[[], Any]) -> float:
    import cupy

    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    start.record()
    function()
    end.record()
    end.synchronize()
    return float(cupy.cuda.get_elapsed_time(start, end))


def _cupy_peak(function: Callable[[], Any]) -> float:
    # CuPy's pool keeps no maximum, but what it holds after a call from empty is one. What kernels
    # take through torch is counted there.
    import cupy

    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    before = pool.total_bytes()
    through_torch = _torch_peak(function)
    return float(pool.total_bytes() - before) / 1e6 + through_torch


def _cpu_milliseconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - start)


def _cpu_peak(function: Callable[[], Any]) -> float:
    # Grows only: of a process that has run the function before, it may see nothing.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    function()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3


def measure(name: str, size: Size, device: str, seconds: float) -> dict[str, Any]:
    """Median milliseconds of one rival in this process, after a warm-up that compiles kernels."""
    try:
        work = RIVALS[name][0](size, device)
    except Skipped as reason:
        return {"skipped": str(reason)}
    result: dict[str, Any] = {"variant": work.variant}
    for part in ("forward", "both"):
        function = getattr(work, part)
        for _ in range(3):
            function()
        times: list[float] = []
        end = time.perf_counter() + seconds
        while len(times) < 5 or (time.perf_counter() < end and len(times) < 1000):
            times.append(work.milliseconds(function))
        # The first fifth still warms up: clocks rise, caches fill.
        result[part] = statistics.median(times[len(times) // 5 :])
    result["peak"] = work.peak(work.both)
    return result


if __name__ == "__main__":
    name, size, device, seconds = sys.argv[1:]
    print(json.dumps(measure(name, Size.parse(size), device, float(seconds))))
