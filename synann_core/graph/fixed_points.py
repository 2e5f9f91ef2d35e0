"""The fixed points of a circuit, by Newton's method from many starts; NumPy only."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from synann_core._lib.arguments import is_number, namespace_of
from synann_core._lib.checks import to_numpy
from synann_core._lib.typing import Array

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

    state: np.ndarray[Any, Any]
    spectral_radius: float

    @property
    def stable(self) -> bool:
        """Whether a small push dies away."""
        return self.spectral_radius < 1.0


def find(
    circuit: Any,
    drive: Array | None,
    params: Any,
    starts: int,
    tolerance: float,
    rng: np.random.Generator,
) -> list[FixedPoint]:
    """What `Circuit.fixed_points` returns."""
    held = _held(drive, len(circuit.drives)) if circuit.drives and drive is not None else drive
    points = _newton(circuit, _starts(len(circuit.states), starts, rng), held, params)
    found: list[np.ndarray[Any, Any]] = []
    for point in points:
        if all(np.abs(point - p).max() > tolerance for p in found):
            found.append(point)
    found.sort(key=lambda point: np.round(point, 9).tolist())
    slopes = (circuit.jacobian(point, held, params) for point in found)
    radii = [float(np.abs(np.linalg.eigvals(slope)).max()) for slope in slopes]
    return [FixedPoint(point, radius) for point, radius in zip(found, radii, strict=True)]


def _held(drive: Array, size: int) -> np.ndarray[Any, Any]:
    """One drive, from any library."""
    namespace_of(drive=drive)
    held = np.asarray(drive) if is_number(drive) else to_numpy(drive)
    if held.shape != (size,):
        raise ValueError(f"`drive` must have shape ({size},). Received: shape {held.shape}")
    return held.astype(np.float64)


def _starts(size: int, count: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    corners = np.indices((2,) * size).reshape(size, -1).T if size <= 8 else np.empty((0, size))
    return np.concatenate([corners, np.full((1, size), 0.5), rng.random((count, size))])


def _newton(circuit: Any, state: Any, drive: Any, params: Any) -> Any:
    """The fixed points in [0, 1] to which Newton's method comes from any of the states."""
    for _ in range(_ROUNDS):
        change = circuit.step(state, drive, params) - state
        slope = np.eye(state.shape[-1]) - circuit.jacobian(state, drive, params)
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
    error = np.abs(circuit.step(state, drive, params) - state).max(axis=-1)
    return state[error < 1e-12]
