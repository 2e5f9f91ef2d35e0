"""Share sizes, inputs and backends among the benchmarks."""

from __future__ import annotations

import functools
import importlib
import os
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np

import synann_core as syn

from .meters import Call

# With SYNANN_BENCH_SMOKE=1 every benchmark runs, on a tiny size and, for memory, one backend.
SMOKE = os.environ.get("SYNANN_BENCH_SMOKE", "") not in ("", "0")

BACKENDS = ("numpy", "numpy-agnostic", "torch", "jax")
MEMORY_BACKENDS = BACKENDS[:1] if SMOKE else BACKENDS
INPUTS = ("uniform",) if SMOKE else ("uniform", "training")
BATCHES = (4,) if SMOKE else (1, 32, 512)
LAYERS = ("8x8",) if SMOKE else ("64x64", "768x768", "2048x2048", "2048x256")
SOME_LAYERS = LAYERS[-1:] if SMOKE else ("768x768", "2048x256")

Inputs = Literal["uniform", "training"]
Array = TypeVar("Array")  # of any library
Result = TypeVar("Result")


class Size(NamedTuple):
    """Batch, inputs n and outputs m."""

    batch: int
    n: int
    m: int

    def __str__(self) -> str:
        return "x".join(map(str, self))

    @property
    def title(self) -> str:
        """The size in words."""
        return f"Batch {self.batch}, {self.n} → {self.m}"

    @classmethod
    def parse(cls, text: str) -> Size:
        """Size from text such as 512x256x256."""
        if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){2}", text):
            raise ValueError(f"a size is BATCHxINPUTSxOUTPUTS. Received: {text!r}")
        batch, n, m = map(int, text.split("x"))
        return cls(batch, n, m)


class Problem(NamedTuple):
    """Inhibitory inputs y (batch, n), strengths β (m, n) and upstream gradient t (batch, m)."""

    y: np.ndarray
    beta: np.ndarray
    t: np.ndarray

    @property
    def size(self) -> Size:
        """Batch, inputs and outputs."""
        return Size(len(self.y), *self.beta.shape[::-1])

    def astype(self, dtype: type[np.floating]) -> Problem:
        """Return the same problem in another precision."""
        return Problem(*(a.astype(dtype) for a in self))


def make_problem(size: Size | str, inputs: Inputs = "uniform") -> Problem:
    """Make a float32 problem of a size, or of a text that `Size.parse` reads.

    With 'uniform' inputs y and β are uniform on (0, 0.98), so that a product of 768 factors is far
    below the smallest float; with 'training' inputs y is uniform on (0, 1) and β as training
    starts, with Σ βy ≈ 1.
    """
    size = Size.parse(size) if isinstance(size, str) else size
    rng = np.random.default_rng(0)
    y = rng.random((size.batch, size.n), dtype=np.float32)
    if inputs == "training":
        beta = syn.initial_beta(size.m, size.n, rng=rng).astype(np.float32)
    elif inputs == "uniform":
        # In place: temporaries would raise the peak above which a call's memory is measured.
        beta = rng.random((size.m, size.n), dtype=np.float32)
        y *= np.float32(0.98)
        beta *= np.float32(0.98)
    else:
        raise ValueError(f"`inputs` must be 'uniform' or 'training'. Received: {inputs!r}")
    return Problem(y, beta, rng.standard_normal((size.batch, size.m), dtype=np.float32))


def forward(y: Array, beta: Array, t: Array) -> Array:
    """Compute T; t is there so that all functions of a problem are called alike."""
    return syn.log_transmission(y, beta)


def vjp(y: Array, beta: Array, t: Array) -> tuple[Array, ...]:
    """Compute both gradients."""
    return syn.log_transmission_vjp(y, beta, t)


def pulled_back(y: Array, beta: Array, t: Array) -> tuple[Array, ...]:
    """Compute both gradients by JAX's autodiff."""
    gradients: tuple[Array, ...] = require("jax").vjp(syn.log_transmission, y, beta)[1](t)
    return gradients


def both(y: Array, beta: Array, t: Array) -> tuple[Array, ...]:
    """Compute T and its gradients, what one step of training takes."""
    return (forward(y, beta, t), *vjp(y, beta, t))


def layer_step(y: Any, alpha: Any, beta: Any, grad: Any, *mixture: Any) -> tuple[Any, ...]:
    """Compute a layer's output and all its gradients.

    A square layer inhibits its own input (x = y); a rectangular one gets its excitation from a
    mixture of the inputs, x = y Mᵀ with M of shape (m, n).
    """
    x = y @ mixture[0].T if mixture else y
    s = syn.synapse_tensor(x, y, alpha, beta)
    gx, gy, galpha, gbeta = syn.synapse_tensor_vjp(x, y, alpha, beta, grad)
    if mixture:
        return s, gy + gx @ mixture[0], galpha, gbeta, gx.T @ y
    return s, gy + gx, galpha, gbeta


def bind(
    backend: str, function: Callable[..., Result], *arrays: np.ndarray
) -> Callable[[], Result]:
    """Bind a function to its arguments on one of `BACKENDS`; the call returns a finished result.

    ``"numpy"`` is what a user gets: the compiled kernels. ``"numpy-agnostic"`` is the array-API
    code on NumPy. JAX runs under jit. A backend that is not installed raises NotImplementedError:
    asv skips the benchmark then.
    """
    if backend == "torch":
        torch = require("torch")
        return functools.partial(function, *map(torch.from_numpy, arrays))
    if backend == "jax":
        jax = require("jax")
        # Arguments, not constants of the compiled function: XLA would compute with those ahead.
        compiled = jax.jit(function)
        inputs = [jax.numpy.asarray(a) for a in arrays]
        return lambda: jax.block_until_ready(compiled(*inputs))
    if backend == "numpy-agnostic":
        return functools.partial(without_kernels, function, *arrays)
    if backend == "numpy":
        return functools.partial(function, *arrays)
    raise ValueError(f"`backend` must be one of {BACKENDS}. Received: {backend!r}")


def require(name: str) -> ModuleType:
    """Import a library, or have asv skip the benchmark."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NotImplementedError(f"{name} is not installed") from error


def without_kernels(function: Callable[..., Result], *arrays: object) -> Result:
    """Call a function with the compiled kernels switched off."""
    before = os.environ.get("SYNANN_KERNELS")
    os.environ["SYNANN_KERNELS"] = "off"
    try:
        return function(*arrays)
    finally:
        if before is None:
            del os.environ["SYNANN_KERNELS"]
        else:
            os.environ["SYNANN_KERNELS"] = before


@functools.lru_cache(maxsize=1)
def prepare(make: Callable[..., Call], *params: object) -> Call:
    """Make a call and run it once, for it may have to compile."""
    call = make(*params)
    call()
    return call


class Prepared:
    """Base of the benchmarks: sampling, and a call that is made once.

    asv repeats `setup` before every sample, so what `make` returns for the parameters is kept. A
    call is timed alone, up to 200 times within a third of a second but at least twice. Peak memory
    is that of the process, libraries included, hence of the largest batch only.
    """

    make: Callable[..., Call]
    call: Call

    number = 1
    rounds = 1
    repeat = (2, 200, 0.3)
    warmup_time = 0
    timeout = 120

    def setup(self, *params: object) -> None:
        """Prepare the call."""
        self.call = prepare(self.make, *params)
