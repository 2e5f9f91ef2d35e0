"""Minimise smooth functions between bounds: Newton's steps, projected, with a line search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

# Numbers this near to a bound are at it; what of a promise must come true; the shortest step, and
# one that is rounding alone; guesses of what stands at its bound.
_NEAR, _ARMIJO, _SHORTEST, _FINE, _GUESSES = 1e-6, 1e-4, 1e-9, 1e-7, 12


class Function(Protocol):
    """What is minimised."""

    def __call__(self, c: Floats) -> tuple[float, Floats]:
        """Value and gradient."""

    def curvature(self, c: Floats) -> Floats:
        """Second derivatives, or what stands for them: positive semi-definite, no number below 0.

        A new array, which the search changes.
        """


def minimise(
    function: Function,
    c: Floats,
    bounds: Callable[[Floats], tuple[Floats, Floats]],
    *,
    iterations: int,
    close: float,
    ridge: float,
) -> tuple[Floats, int]:
    """Minimise a function between bounds from c on; return the place and the steps taken.

    Parameters
    ----------
    function : Function
    c : ndarray, shape (n,)
        Where to begin, between the bounds.
    bounds : callable
        ``bounds(c)`` gives the lowest and the highest c of the next step.
    iterations : int
        Most steps.
    close : float
        The search ends when a step promises less than that; or less than the value is rounded by,
        as many samples have it, and moves no number by 1e-7.
    ridge : float
        Added to the curvature, relative to it: how well directions that change nothing are kept.
    """
    value, gradient = function(c)
    for step_number in range(iterations):
        low, high = bounds(c)
        information, lowest, highest = function.curvature(c), low - c, high - c
        step = bounded_step(information, gradient, lowest, highest, ridge)
        if -(gradient @ step) < close:
            # It may stop at bounds too soon. This one goes down, as no curvature is negative.
            safe = gradient / (information.sum(axis=0) + ridge)
            step = np.clip(-safe, lowest, highest)
        promised = -(gradient @ step)
        rounding = np.finfo(float).eps * abs(value)
        if promised < close or (promised < rounding and np.abs(step).max() < _FINE):
            return c, step_number
        length = 1.0
        while length > _SHORTEST:
            new = np.clip(c + length * step, low, high)
            there, slope_there = function(new)
            if there <= value - _ARMIJO * length * promised:
                break
            # Where values are rounded by more than a step brings, the slope tells whether it went
            # too far (Hager and Zhang 2005, doi:10.1137/030601880).
            if there <= value + rounding and slope_there @ step <= (1 - 2 * _ARMIJO) * promised:
                break
            length /= 2.0
        else:
            return c, step_number
        c, value, gradient = new, there, slope_there
    return c, iterations


def bounded_step(
    information: Floats, gradient: Floats, lowest: Floats, highest: Floats, ridge: float
) -> Floats:
    """The step to the minimum of the quadratic model between the bounds; adds the ridge in place.

    What stands at a bound is guessed, and guessed again from the solution, until that agrees.
    """
    information.flat[:: len(gradient) + 1] += ridge * (1.0 + information.diagonal())
    # −1 at the lowest, 1 at the highest, and 0 between.
    place = np.where((highest <= _NEAR) & (gradient < 0.0), 1, 0)
    place[(lowest >= -_NEAR) & (gradient > 0.0)] = -1
    for _ in range(_GUESSES):
        free = np.flatnonzero(place == 0)
        step = np.where(place < 0, lowest, np.where(place > 0, highest, 0.0))
        right = (gradient + information @ step)[free]
        # (Rows first: numbers that lie together are copied together.)
        step[free] = -np.linalg.solve(information[free][:, free], right)
        slope = gradient + information @ step
        guess = np.where(place * slope < 0.0, place, 0)  # what would go further, if it could
        guess[free] = np.where(step < lowest, -1, np.where(step > highest, 1, 0))[free]
        if (guess == place).all():
            break
        place = guess
    return np.clip(step, lowest, highest)
