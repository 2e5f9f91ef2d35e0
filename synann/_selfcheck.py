"""Check what is installed: a few results of every active branch, against plain sums, and times.

A branch is an implementation of the log-transmission: compiled kernels, or array operations of a
library. `log_transmission_variant` names the one that serves a library's arrays here. Libraries
that are not installed are not looked for.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import itertools
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synann_core import (
    SynapseGraph,
    log_transmission,
    log_transmission_variant,
    log_transmission_vjp,
    noisy_or,
    spiking,
    synapse,
)

Floats = NDArray[np.float64]

_OUTPUTS, _INPUTS, _ROWS = 5, 67, 3  # of the checks: more than a vector, and not a multiple of one
TIMED = 64, 512, 512  # rows, outputs and inputs
_SECONDS = 0.2  # to repeat a measurement for
_DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Check:
    """A result beside what it should be: the largest error, relative, and what is allowed."""

    what: str
    library: str
    branch: str
    dtype: str
    error: float
    allowed: float

    @property
    def passed(self) -> bool:
        """False for NaN, too."""
        return self.error <= self.allowed


@dataclass(frozen=True)
class Timing:
    """The best time of a call, in seconds, and in nanoseconds a factor 1 − βy."""

    what: str
    library: str
    branch: str
    seconds: float

    @property
    def nanoseconds(self) -> float:
        """Of one factor."""
        return self.seconds / math.prod(TIMED) * 1e9


@dataclass(frozen=True)
class Library:
    """A library whose arrays the formulas take."""

    name: str
    array: Callable[[Floats, str], Any]
    ready: Callable[[Any], Any] = lambda result: result  # waits until the result is there
    dtypes: tuple[str, ...] = _DTYPES


def libraries() -> tuple[list[Library], dict[str, str]]:
    """What can be checked here, and what is installed but cannot be imported, with the reason."""
    found, failed = [Library("numpy", lambda a, dtype: np.asarray(a, dtype))], {}
    for name, make in (("torch", _torch), ("jax", _jax), ("cupy", _cupy)):
        if importlib.util.find_spec(name) is None:
            continue
        try:
            found += make()
        except (Exception, SystemExit) as error:  # whatever is wrong with it
            failed[name] = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return found, failed


def _torch() -> list[Library]:
    torch = importlib.import_module("torch")

    def maker(device: str) -> Callable[[Floats, str], Any]:
        return lambda a, dtype: torch.asarray(a, dtype=getattr(torch, dtype), device=device)

    found = [Library("torch", maker("cpu"))]
    if torch.cuda.is_available():
        found.append(Library("torch cuda", maker("cuda"), lambda _: torch.cuda.synchronize()))
    return found


def _jax() -> list[Library]:
    jax, jnp = importlib.import_module("jax"), importlib.import_module("jax.numpy")
    dtypes = _DTYPES if jax.config.jax_enable_x64 else _DTYPES[1:]
    return [Library("jax", lambda a, dtype: jnp.asarray(a, dtype), jax.block_until_ready, dtypes)]


def _cupy() -> list[Library]:
    cupy = importlib.import_module("cupy")
    cupy.cuda.Device().compute_capability  # noqa: B018 - an error where there is no device
    return [Library("cupy", cupy.asarray, lambda _: cupy.cuda.Device().synchronize())]


@contextlib.contextmanager
def without_kernels() -> Iterator[None]:
    """Let array operations serve meanwhile, as with ``SYNANN_KERNELS=off``."""
    before = os.environ.get("SYNANN_KERNELS")
    os.environ["SYNANN_KERNELS"] = "off"
    try:
        yield
    finally:
        del os.environ["SYNANN_KERNELS"]
        if before is not None:
            os.environ["SYNANN_KERNELS"] = before


def branch_of(library: Library) -> str:
    """Name the branch that serves the library's arrays."""
    y, beta = (library.array(np.full(shape, 0.5), "float32") for shape in ((2,), (1, 2)))
    return log_transmission_variant(y, beta)


class Outcome(NamedTuple):
    """What `run` returns."""

    checks: list[Check]
    timings: list[Timing]
    branches: dict[str, str]  # that serve, by library
    failed: dict[str, str]  # why a library could not be imported


def run() -> Outcome:
    """Check and time every branch: those that serve, and NumPy's without the kernels."""
    found, failed = libraries()
    checks = [_stated()]
    timings: list[Timing] = []
    branches = {library.name: branch_of(library) for library in found}
    cases: list[tuple[Library, contextlib.AbstractContextManager[None]]]
    cases = [(library, contextlib.nullcontext()) for library in found]
    if branches["numpy"] != "array-api":
        cases.insert(1, (found[0], without_kernels()))
    for library, context in cases:
        with context:
            branch = branch_of(library)
            for dtype in library.dtypes:
                checks += _formulas(library, branch, dtype)
            if library.name == "numpy":
                checks += [_graph(branch), _neuron(branch), _posteriors(branch)]
            timings += _timings(library, branch)
    return Outcome(checks, timings, branches, failed)


def _host(result: Any) -> Floats:
    """As NumPy's float64, from any library."""
    for fetch in ("get", "cpu"):  # CuPy's, torch's
        result = getattr(result, fetch, lambda value=result: value)()
    return np.asarray(result, np.float64)


def _error(found: Any, wanted: Any) -> float:
    """Largest relative error; of numbers below 1e-300, absolute."""
    expected = np.asarray(wanted, np.float64)
    return float(np.max(np.abs(_host(found) - expected) / np.maximum(np.abs(expected), 1e-300)))


def _formulas(library: Library, branch: str, dtype: str) -> list[Check]:
    """The log-transmission and its gradients against sums of Python's, rounded once."""
    rng = np.random.default_rng(0)
    y, beta = rng.random((_ROWS, _INPUTS)), 0.98 * rng.random((_OUTPUTS, _INPUTS))
    grad = rng.random((_ROWS, _OUTPUTS))
    given = [library.array(a, dtype) for a in (y, beta, grad)]
    y, beta, grad = (_host(a) for a in given)  # rounded to the dtype
    rows, outputs, inputs = range(_ROWS), range(_OUTPUTS), range(_INPUTS)
    logs = [[math.fsum(np.log1p(-beta[i] * y[b])) for i in outputs] for b in rows]
    shares = grad[:, :, None] / (1.0 - beta * y[:, None])
    of_y = [[-math.fsum(shares[b, :, j] * beta[:, j]) for j in inputs] for b in rows]
    of_beta = [[-math.fsum(shares[:, i, j] * y[:, j]) for j in inputs] for i in outputs]
    # What the docstring of `log_transmission` promises.
    allowed = (10.0 + math.sqrt(_INPUTS)) * float(np.finfo(dtype).eps)
    found = log_transmission(*given[:2]), *log_transmission_vjp(*given)
    names = "log_transmission", "gradient by y", "gradient by beta"
    return [
        Check(name, library.name, branch, dtype, _error(a, b), allowed)
        for name, a, b in zip(names, found, (logs, of_y, of_beta), strict=True)
    ]


def _stated() -> Check:
    """A synapse: 0.9 (1 − ½ · 0.2) = 0.81."""
    error = _error(synapse(0.9, 0.2, beta=0.5), 0.81)
    return Check("synapse", "numpy", "formula", "float64", error, 4e-16)


def _graph(branch: str) -> Check:
    """A graph: s = 0.9 (1 − ½ · 0.2) = 0.81 and r = s (1 − 0.9) = 0.081."""
    graph = SynapseGraph()
    graph.input("x", "y")
    graph.synapse("s", excitatory="x", inhibitory={"y": 0.5})
    graph.synapse("r", excitatory="s", inhibitory="x")
    graph.output("s", "r")
    compiled, x = graph.compile(), np.array([[0.9, 0.2]])
    gradient = compiled.vjp(x, grad=np.array([[1.0, 0.0]]))[0]
    found = [*compiled(x)[0], *_host(gradient)[0]]
    wanted = [0.81, 0.081, 0.9, -0.45]
    return Check("graph and its gradient", "numpy", branch, "float64", _error(found, wanted), 2e-15)


def _neuron(branch: str) -> Check:
    """A leaky neuron of decay ½ and threshold 1 with the input ½: ½, ¾, ⅞, … and no spike."""
    spikes, record = spiking.LIF(0.5).run(np.array([0.5, 0.0]), steps=8)
    wanted = [[1.0 - 0.5**k, 0.0] for k in range(1, 9)]
    found = np.concatenate([_host(record.membrane), 1.0 + _host(spikes)])
    expected = np.concatenate([np.array(wanted), np.ones((8, 2))])
    return Check("leaky neuron", "numpy", branch, "float64", _error(found, expected), 4e-16)


def _posteriors(branch: str) -> Check:
    """Posteriors of a noisy-OR network against the sum over all sets of causes."""
    rng = np.random.default_rng(0)
    prior, leak, beta = 0.3 * rng.random(7), 0.1 * rng.random(9), rng.random((9, 7))
    present = np.arange(9) % 2 == 0
    total: list[float] = []
    with_cause: list[list[float]] = [[] for _ in prior]
    for causes in itertools.product((0.0, 1.0), repeat=7):
        y = np.array(causes)
        absent = (1.0 - leak) * np.prod(1.0 - beta * y, axis=1)
        joint = math.prod(np.where(y == 1.0, prior, 1.0 - prior))
        joint *= math.prod(np.where(present, 1.0 - absent, absent))
        total.append(joint)
        for k in np.flatnonzero(y):
            with_cause[k].append(joint)
    wanted = [math.fsum(parts) / math.fsum(total) for parts in with_cause]
    found = noisy_or.NoisyOr(prior, leak, beta).posterior(present[None].astype(float))
    error = _error(found.probability[0], wanted)
    return Check("noisy-OR posteriors", "numpy", branch, "float64", error, 1e-12)


def _timings(library: Library, branch: str) -> list[Timing]:
    rng = np.random.default_rng(0)
    rows, outputs, inputs = TIMED
    shapes = (rows, inputs), (outputs, inputs), (rows, outputs)
    y, beta, grad = (library.array(0.9 * rng.random(shape), "float32") for shape in shapes)
    calls: dict[str, Callable[[], Any]] = {
        "log_transmission": lambda: log_transmission(y, beta),
        "its gradients": lambda: log_transmission_vjp(y, beta, grad),
    }
    return [
        Timing(what, library.name, branch, _best(call, library.ready))
        for what, call in calls.items()
    ]


def _best(call: Callable[[], Any], ready: Callable[[Any], Any]) -> float:
    """The best of some repetitions; the first call warms up, and is none of them."""
    ready(call())
    best, until = math.inf, time.perf_counter() + _SECONDS
    while True:
        start = time.perf_counter()
        ready(call())
        best = min(best, time.perf_counter() - start)
        if time.perf_counter() > until:
            return best
