"""Make the rivals: what one would use instead, and what the library replaces.

Each is made from a problem and gives a call that runs forward and backward and returns
(T, gradient of y, gradient of β); `nn.Linear` and the published layer return their own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .common import Problem, Size, require

# (T, gradient of y, gradient of β) of any library.
Step = Callable[[], tuple[Any, ...]]

MEMORY_LIMIT = 4e9  # bytes


def linear(problem: Problem) -> Step:
    """`torch.nn.Linear`, with the gradients of input, weight and bias."""
    torch = require("torch")
    y, beta, t = map(torch.from_numpy, problem)
    layer = torch.nn.Linear(*problem.size[1:], dtype=beta.dtype)
    with torch.no_grad():
        layer.weight.copy_(beta)
    wanted = (y.requires_grad_(), layer.weight, layer.bias)

    def call() -> tuple[Any, ...]:
        output = layer(y)
        return output, *torch.autograd.grad(output, wanted, t)

    return call


def published(problem: Problem) -> Step:
    """The published layer in torch, as `reference.published` has it: it mixes the samples.

    Its log output and gradients, by a matrix product of all diag(x_b), (batch·n, n), and one by a
    matrix of ones, (batch, batch·n).
    """
    torch = require("torch")
    x, beta, t = map(torch.from_numpy, problem)
    samples, n, m = problem.size
    if m != n:
        raise NotImplementedError("the published layer is square")
    wanted = (x.requires_grad_(), beta.requires_grad_())

    def call() -> tuple[Any, ...]:
        diagonals = torch.diag_embed(x).reshape(samples * n, n)
        log_factors = torch.log1p(-(diagonals @ beta.T))
        ones = torch.ones(samples, samples * n)
        logs = torch.log(x) + ones @ log_factors
        return logs, *torch.autograd.grad(logs, wanted, t)

    return call


def torch_broadcast(problem: Problem, *, compiled: bool = False) -> Step:
    """Broadcasting with log1p in torch, with autograd; or under torch.compile."""
    torch = require("torch")
    y, beta, t = map(torch.from_numpy, problem)
    wanted = (y.requires_grad_(), beta.requires_grad_())
    formula = torch.compile(torch_formula, dynamic=False) if compiled else torch_formula

    def call() -> tuple[Any, ...]:
        value = formula(y, beta)
        return value, *torch.autograd.grad(value, wanted, t)

    return call


def jax_broadcast(problem: Problem) -> Step:
    """Broadcasting with log1p under jax.jit, with autodiff."""
    jax = require("jax")

    @jax.jit
    def formula(y: Any, beta: Any, t: Any) -> Any:
        value, pullback = jax.vjp(
            lambda y, beta: jax.numpy.log1p(-beta * y[:, None, :]).sum(-1), y, beta
        )
        return value, *pullback(t)

    inputs = [jax.numpy.asarray(a) for a in problem]
    return lambda: jax.block_until_ready(formula(*inputs))


def numpy_loop(problem: Problem) -> Step:
    """A careful loop over j in NumPy: two passes, in place, never a (batch, m, n) array.

    In float64 it is what errors are measured against.
    """
    y, beta, t = problem
    floor = np.finfo(y.dtype).eps / 2

    def call() -> tuple[Any, ...]:
        columns, weights = np.ascontiguousarray(y.T), np.ascontiguousarray(beta.T)
        total, f = np.zeros_like(t), np.empty_like(t)
        for y_j, beta_j in zip(columns, weights, strict=True):
            np.multiply(y_j[:, None], -beta_j, out=f)
            total += np.log1p(f, out=f)
        gy, gbeta = np.empty_like(columns), np.empty_like(weights)
        for j, (y_j, beta_j) in enumerate(zip(columns, weights, strict=True)):
            np.multiply(y_j[:, None], -beta_j, out=f)
            f += 1
            np.maximum(f, floor, out=f)
            np.divide(t, f, out=f)
            gy[j] = -(f @ beta_j)
            gbeta[j] = -(y_j @ f)
        return total, gy.T, gbeta.T

    return call


def jax_loop(problem: Problem) -> Step:
    """The same loop in JAX: a scan over j with hand-written gradients, under jit."""
    jax = require("jax")
    jnp = jax.numpy
    floor = float(np.finfo(problem.y.dtype).eps) / 2

    @jax.jit
    def loop(y: Any, beta: Any, t: Any) -> Any:
        def add(total: Any, column: Any) -> Any:
            y_j, beta_j = column
            return total + jnp.log1p(-y_j[:, None] * beta_j), None

        def gradients(_: None, column: Any) -> Any:
            y_j, beta_j = column
            ratio = -t / jnp.maximum(1 - y_j[:, None] * beta_j, floor)
            return None, (ratio @ beta_j, y_j @ ratio)

        columns = (y.T, beta.T)
        total, _ = jax.lax.scan(add, jnp.zeros_like(t), columns)
        _, (gy, gbeta) = jax.lax.scan(gradients, None, columns)
        return total, gy.T, gbeta.T

    inputs = [jnp.asarray(a) for a in problem]
    return lambda: jax.block_until_ready(loop(*inputs))


class Rival(NamedTuple):
    """How a rival is made, and the memory it takes."""

    make: Callable[[Problem], Step]
    memory: Callable[[Size], float]  # bytes of temporaries in float32, estimated
    same: bool = True  # whether it computes log_transmission


def _little(size: Size) -> float:
    return 0.0


def _broadcast(arrays: float) -> Callable[[Size], float]:
    """So many (batch, m, n) arrays at once, as measured."""
    return lambda size: arrays * 4.0 * size.batch * size.n * size.m


def _published(size: Size) -> float:
    return _broadcast(6)(size) + 4.0 * size.batch**2 * size.n


def torch_formula(y: Any, beta: Any) -> Any:
    """Compute T with a (batch, m, n) array."""
    import torch

    return torch.log1p(-beta * y[:, None, :]).sum(-1)


LINEAR = "nn.Linear"
RIVALS = {
    LINEAR: Rival(linear, _little, same=False),
    "published layer, torch": Rival(published, _published, same=False),
    "broadcasting, torch": Rival(torch_broadcast, _broadcast(3)),
    "broadcasting, torch.compile": Rival(partial(torch_broadcast, compiled=True), _little),  # fused
    "broadcasting, jax.jit": Rival(jax_broadcast, _broadcast(5)),
    "loop over j, NumPy": Rival(numpy_loop, _little),
    "loop over j, jax.jit": Rival(jax_loop, _little),
}


def build(name: str, problem: Problem, limit: float = MEMORY_LIMIT) -> Step:
    """Make the call of one of `RIVALS`, forward and backward.

    It raises NotImplementedError, for which asv skips a benchmark, if the rival needs more than
    `limit` bytes, has no such size, or its library is missing.
    """
    rival = RIVALS[name]
    needed = rival.memory(problem.size)
    if needed > limit:
        raise NotImplementedError(f"needs {needed / 1e9:.1f} GB")
    return rival.make(problem)
