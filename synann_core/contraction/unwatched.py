"""Choose the implementation for arrays whose operations nobody needs to see."""

from __future__ import annotations

from typing import Protocol

from array_api_compat import is_jax_namespace

from synann_core._lib.autodiff import builds_graphs
from synann_core._lib.log import logger
from synann_core._lib.torch_modes import is_torch_namespace, torch_watcher
from synann_core._lib.typing import Array, Namespace
from synann_core.contraction import array_api, host_calls, jax_primitives, native, triton
from synann_core.contraction.factors import Factors
from synann_core.native import host

_log = logger("kernels")


class Implementation(Protocol):
    """What every module that evaluates the contraction offers."""

    __name__: str

    def forward(self, factors: Factors, *, xp: Namespace) -> tuple[Array, Array]:
        """Sum of log f over j, exact and with every f kept from 0; both (rows, m)."""

    def vjp(self, factors: Factors, grad: Array, *, xp: Namespace) -> tuple[Array, Array]:
        """Gradients −Σ_i t β/f and −Σ_b t y/f for the upstream t = `grad` (rows, m)."""

    def jvp(self, factors: Factors, dy: Array, dbeta: Array, *, xp: Namespace) -> Array:
        """Tangent −Σ_j (β dy + y dβ)/f, (rows, m)."""


def choose(xp: Namespace, *arrays: Array | None) -> Implementation:
    """Return the module that runs: compiled loops, GPU kernels, or array operations."""
    if is_jax_namespace(xp):
        module: Implementation = jax_primitives if jax_primitives.serves(*arrays) else array_api
    elif builds_graphs(xp):
        module = host_calls if host_calls.serves(xp, *arrays) else array_api
    else:
        return choose_eager(xp, *arrays)
    _log.debug("contraction by %s", module.__name__)
    return module


def choose_eager(xp: Namespace, *arrays: Array | None) -> Implementation:
    """`choose`, for NumPy, torch and other libraries that compute at once."""
    if host.serves(xp, *arrays):
        module: Implementation = native
    elif host.enabled() and triton.serves(*arrays):
        module = triton
    else:
        module = array_api
    _log.debug("contraction by %s", module.__name__)
    return module


def choose_inside(xp: Namespace, *arrays: Array | None) -> Implementation:
    """`choose`, where torch may watch after all: inside an operation that it records."""
    watched = is_torch_namespace(xp) and torch_watcher(*arrays) != "nobody"
    return array_api if watched else choose(xp, *arrays)
