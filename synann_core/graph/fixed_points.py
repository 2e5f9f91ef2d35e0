"""Find the fixed points of a circuit by Newton's method from many starts; NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from synann_core._lib.arguments import check_shape
from synann_core._lib.checks import any_numbers
from synann_core._lib.typing import AnyArray, NumpyArray

_ROUNDS = 100  # of Newton's method from one start; it takes about ten


class FixedPoint(NamedTuple):
    """A state that the circuit leaves as it is.

    Attributes
    ----------
    state : ndarray, shape (states,)
    spectral_radius : float
        Largest magnitude of an eigenvalue of the step's Jacobian there.
    stable : bool
        ``spectral_radius < 1``: the circuit comes back after a small push. At 1, to rounding, the
        linear part does not decide (the comparator, say, comes back slowly from one side).
    """

    state: NumpyArray
    spectral_radius: float

    @property
    def stable(self) -> bool:
        """Whether a small push dies away."""
        return self.spectral_radius < 1.0


def find(
    step: Callable[..., Any], jacobian: Callable[..., Any], starts: NumpyArray, tolerance: float
) -> list[FixedPoint]:
    """Find points in [0, 1] that `step` maps to themselves, farther apart than `tolerance`."""
    found: list[NumpyArray] = []
    for point in _newton(step, jacobian, starts):
        if all(np.abs(point - p).max() > tolerance for p in found):
            found.append(point)
    found.sort(key=lambda point: np.round(point, 9).tolist())
    radii = [float(np.abs(np.linalg.eigvals(jacobian(point))).max()) for point in found]
    return [FixedPoint(point, radius) for point, radius in zip(found, radii, strict=True)]


def one_drive(drive: AnyArray, size: int) -> NumpyArray:
    """Check one drive, from any library."""
    held = any_numbers("drive", drive)
    check_shape("drive", held, size)
    return held.astype(np.float64)


def starting_points(size: int, count: int, rng: np.random.Generator) -> NumpyArray:
    """Corners of up to 8 neurons, the middle, and this many random states."""
    corners = np.indices((2,) * size).reshape(size, -1).T if size <= 8 else np.empty((0, size))
    return np.concatenate([corners, np.full((1, size), 0.5), rng.random((count, size))])


def _newton(
    step: Callable[..., Any], jacobian: Callable[..., Any], state: NumpyArray
) -> NumpyArray:
    """The fixed points in [0, 1] to which Newton's method comes from any of the states."""
    for _ in range(_ROUNDS):
        change = step(state) - state
        slope = np.eye(state.shape[-1]) - jacobian(state)
        if not np.all(np.isfinite(slope)):
            raise ValueError(
                "`drive` and `params` must give a finite Jacobian. Received: infinite or NaN "
                "derivatives"
            )
        # Its pseudoinverse: it may be singular, as where fixed points meet.
        move = (np.linalg.pinv(slope, rcond=1e-12) @ change[..., None])[..., 0]
        state = np.clip(state + move, 0.0, 1.0)
        if np.abs(move).max() < 1e-13:
            break
    settled: NumpyArray = np.abs(step(state) - state).max(axis=-1) < 1e-12
    return state[settled]
