"""Evaluate the contraction as one recorded operation, with the hand-written gradients.

For torch's plain autograd, and for namespaces that build graphs (tensorflow). Nothing is recorded
inside, so that the compiled kernels may serve.
"""

from __future__ import annotations

from typing import Any

from synann_core._lib.autodiff import builds_graphs, with_torch_gradient
from synann_core._lib.typing import Array, Namespace
from synann_core.contraction.array_api import jvp, vjp
from synann_core.contraction.factors import Factors
from synann_core.contraction.unwatched import choose_inside

__all__ = ["forward", "jvp", "vjp"]  # second derivatives record the operations of the first


def forward(factors: Factors, *, xp: Namespace) -> tuple[Array, Array]:
    """Sum of log f over j, exact and with every f kept from 0; both (rows, m)."""
    # Which arrays stay until the backward pass is for autograd to say, its checkpoints and hooks.
    nothing: Any = (None,) * 4
    kind = factors.of(nothing)

    def value(*arrays: Array) -> tuple[Array, Array]:
        return choose_inside(xp, *arrays).forward(kind.of(arrays), xp=xp)

    def gradients(*arguments: Array) -> tuple[Array | None, ...]:
        *arrays, exact, guarded = arguments
        grad = exact + guarded  # both have the derivatives of the guarded one
        run = choose_inside(xp, *arrays, grad)
        gy, gbeta = run.vjp(kind.of(arrays), grad, xp=xp)
        return gy, None, gbeta, None

    record: Any = xp.with_gradient if builds_graphs(xp) else with_torch_gradient
    exact, guarded = record(value, gradients, *factors[:4])
    return exact, guarded
