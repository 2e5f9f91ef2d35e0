"""What all benchmarks share: sizes, inputs, and how a call is made on each backend."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

import synann_core as syn

# With SYNANN_BENCH_SMOKE=1 every benchmark runs, on a tiny size and, for memory, one backend.
SMOKE = os.environ.get("SYNANN_BENCH_SMOKE", "") not in ("", "0")

BACKENDS = ("numpy", "numpy-agnostic", "torch", "jax")
MEMORY_BACKENDS = BACKENDS[:1] if SMOKE else BACKENDS
INPUTS = ("uniform",) if SMOKE else ("uniform", "training")
BATCHES = (4,) if SMOKE else (1, 32, 512)
LAYERS = ("8x8",) if SMOKE else ("64x64", "768x768", "2048x2048", "2048x256")
SOME_LAYERS = LAYERS[-1:] if SMOKE else ("768x768", "2048x256")

Call = Callable[[], Any]


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
            raise ValueError(f"a size is BATCHxINPUTSxOUTPUTS. Received: {text!r}")
        return size


class Problem(NamedTuple):
    """Inhibitory inputs y (batch, n), strengths β (m, n) and upstream gradient t (batch, m)."""

    y: np.ndarray
    beta: np.ndarray
    t: np.ndarray

    @property
    def size(self) -> Size:
        """Batch, inputs and outputs."""
        return Size(*self.y.shape, self.beta.shape[0])

    def astype(self, dtype: Any) -> Problem:
        """Return the same problem in another precision."""
        return Problem(*(a.astype(dtype) for a in self))


def make_problem(size: Size, inputs: str = "uniform") -> Problem:
    """Make a float32 problem.

    Parameters
    ----------
    size : Size
    inputs : {'uniform', 'training'}
        y and β uniform on (0, 0.98), so that a product of 768 factors is far below the smallest
        float; or y uniform on (0, 1) and β as training starts, with Σ βy ≈ 1.

    Returns
    -------
    Problem
    """
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


def forward(y: Any, beta: Any, t: Any) -> Any:
    """T alone; takes t so that all functions of a problem are called alike."""
    return syn.log_transmission(y, beta)


def vjp(y: Any, beta: Any, t: Any) -> tuple[Any, ...]:
    """Both gradients."""
    return syn.log_transmission_vjp(y, beta, t)


def both(y: Any, beta: Any, t: Any) -> tuple[Any, ...]:
    """T and its gradients, what one step of training takes."""
    return (forward(y, beta, t), *vjp(y, beta, t))


def layer_step(y: Any, alpha: Any, beta: Any, grad: Any, *mixture: Any) -> tuple[Any, ...]:
    """A layer's output and all its gradients.

    A square layer inhibits its own input (x = y); a rectangular one gets its excitation from a
    mixture of the inputs, x = y Mᵀ with M of shape (m, n).
    """
    x = y @ mixture[0].T if mixture else y
    s = syn.synapse_tensor(x, y, alpha, beta)
    gx, gy, galpha, gbeta = syn.synapse_tensor_vjp(x, y, alpha, beta, grad)
    if mixture:
        return s, gy + gx @ mixture[0], galpha, gbeta, gx.T @ y
    return s, gy + gx, galpha, gbeta


def bind(backend: str, function: Callable[..., Any], *arrays: np.ndarray) -> Call:
    """Bind a function to its arguments on a backend.

    Parameters
    ----------
    backend : str
        One of `BACKENDS`. ``"numpy"`` is what a user gets: compiled kernels where Numba is
        installed. ``"numpy-agnostic"`` is the array-API code on NumPy. JAX runs under jit.
    function : callable
        Function of arrays.
    *arrays : numpy.ndarray
        Its arguments.

    Returns
    -------
    callable
        Without arguments; returns when the result is there.

    Raises
    ------
    NotImplementedError
        If the backend is not installed: asv skips the benchmark then.
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


def without_kernels(function: Callable[..., Any], *arrays: Any) -> Any:
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


def quiet_threads() -> None:
    """Let idle threads sleep, where libraries with pools of their own are timed in one process.

    To be called before any of them is imported. With libgomp's own choice the idle pools of some
    take the cores from the others (`nn.Linear` read 40 ms instead of 9); with no spinning at all,
    `nn.Linear` at 512x256x256 takes a third longer than alone, waking its threads. A short spin has
    neither fault.
    """
    os.environ["OMP_WAIT_POLICY"] = "passive"
    os.environ["GOMP_SPINCOUNT"] = "1000"


class Prepared:
    """Base of the benchmarks: sampling, and a call that is prepared once.

    asv repeats `setup` before every sample, so subclasses keep what they make, warmed up, in a
    cached function. A call is timed alone, up to 200 times within a third of a second but at least
    twice. Peak memory is that of the process, libraries included, hence of the largest batch only.
    """

    number = 1
    rounds = 1
    repeat = (2, 200, 0.3)
    warmup_time = 0
    timeout = 120
