"""The factors of the contraction T_bi = Σ_j log f_bij, in probability and in surprisal space.

A factor f = ȳ_bj + y_bj β̄_ij serves both spaces (docs/theory.md, section 5.1): it is 1 − βy with
ȳ = 1 − y and β̄ = 1 − β, in surprisal space with ȳ = −expm1(−v) and β̄ = −expm1(−γ). All terms are
positive, so f keeps its relative accuracy where βy comes close to 1; q = yβ = 1 − f is carried
beside it for where βy is small.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from synann_core._lib.numerics import expm1, row_count, surprisal_floor
from synann_core._lib.typing import Array, Namespace

# log of so many factors at once in probability space: (eps/2)**4 is still a normal number.
_GROUP = 4


class Factors(NamedTuple):
    """The factors ȳ + y β̄ of the contraction; y, ȳ (rows, n) and β, β̄ (m, n)."""

    y: Array
    y_bar: Array | None  # None stands for 1 − y
    beta: Array
    beta_bar: Array | None  # None stands for 1 − β
    floor: float  # gradients divide by max(f, floor)
    group: int  # factors multiplied before a logarithm is taken

    def of(self, arrays: Sequence[Array]) -> Factors:
        """The same factors of four other arrays."""
        y, y_bar, beta, beta_bar = arrays
        return self._replace(y=y, y_bar=y_bar, beta=beta, beta_bar=beta_bar)

    def complete(self) -> tuple[Array, Array, Array, Array]:
        """The four arrays, none of them None."""
        y_bar = 1.0 - self.y if self.y_bar is None else self.y_bar
        beta_bar = 1.0 - self.beta if self.beta_bar is None else self.beta_bar
        return self.y, y_bar, self.beta, beta_bar


def probability_factors(y: Array, beta: Array, *, xp: Namespace) -> Factors:
    """Factors 1 − βy; y (..., n) loses its batch axes."""
    y = y if y.ndim == 2 else xp.reshape(y, (row_count(y), y.shape[-1]))
    return Factors(y, None, beta, None, float(xp.finfo(y.dtype).eps) / 2, _GROUP)


def surprisal_factors(v: Array, gamma: Array, *, xp: Namespace) -> Factors:
    """Factors 1 − e^(−γ−v), which may be as small as the smallest normal number."""
    v = xp.reshape(v, (row_count(v), v.shape[-1]))
    floor = surprisal_floor(v.dtype, xp)
    v_bar, gamma_bar = -expm1(-v, xp), -expm1(-gamma, xp)
    return Factors(xp.exp(-v), v_bar, xp.exp(-gamma), gamma_bar, floor, 1)
