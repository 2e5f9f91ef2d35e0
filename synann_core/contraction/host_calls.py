"""The contraction as calls out of a graph, to the compiled kernels, where it runs on a CPU.

For namespaces that build graphs and offer `call_host`, as that of `synann_keras` for tensorflow
does. Where a graph runs is known when it runs, not when it is built: the array-API branch, in the
same graph, stands for the kernels wherever they cannot serve, and is what second derivatives are
taken of.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from synann_core._lib.namespaces import numpy_namespace
from synann_core._lib.typing import Array, Namespace
from synann_core.contraction import array_api, native
from synann_core.contraction.array_api import jvp
from synann_core.contraction.factors import Factors
from synann_core.native import host

__all__ = ["forward", "jvp", "serves", "vjp"]


def serves(xp: Namespace, *arrays: Any) -> bool:
    """Whether a graph can call the kernels, and they take arrays of these dtypes."""
    if not (hasattr(xp, "call_host") and host.enabled() and host.installed()):
        return False
    return all(xp.finfo(a.dtype).bits in (32, 64) for a in arrays if a is not None)


def forward(factors: Factors, *, xp: Namespace) -> tuple[Array, Array]:
    """Sum of log f over j, exact and with every f kept from 0; both (rows, m)."""
    exact, guarded = _call("forward", factors, *factors[:4], xp=xp)
    return exact, guarded


def vjp(factors: Factors, grad: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Gradients −Σ_i t β/f and −Σ_b t y/f for the upstream t = `grad` (rows, m)."""

    def gradients(*arrays: Array) -> Any:
        return _call("vjp", factors, *arrays, xp=xp)

    def second(*arguments: Array) -> Any:
        *arrays, of_gy, of_gbeta = arguments
        return xp.pull_back(_operations("vjp", factors, xp), arrays, (of_gy, of_gbeta))

    names: Any = xp
    gy, gbeta = names.with_gradient(gradients, second, *factors[:4], grad)
    return gy, gbeta


def _call(name: str, factors: Factors, *arrays: Array | None, xp: Any) -> Any:
    kernels = _kernels(name, factors.floor, factors.group)
    return xp.call_host(kernels, _operations(name, factors, xp), *arrays)


def _operations(name: str, factors: Factors, xp: Namespace) -> Callable[..., Any]:
    def operations(*arrays: Array) -> Any:
        return getattr(array_api, name)(factors.of(arrays[:4]), *arrays[4:], xp=xp)

    return operations


@functools.cache  # a graph may call it as long as the process lives, and knows it by its identity
def _kernels(name: str, floor: float, group: int) -> Callable[..., Any]:
    def kernels(*arrays: Any) -> Any:
        y, y_bar, beta, beta_bar, *grad = arrays
        factors = Factors(y, y_bar, beta, beta_bar, floor, group)
        return getattr(native, name)(factors, *grad, xp=numpy_namespace)

    return kernels
