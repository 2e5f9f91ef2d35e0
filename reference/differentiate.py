"""Derivatives by moving one number at a time, to judge derivatives that were written by hand.

`complex_step` is exact to rounding for functions that are analytic and take complex arguments;
`central_difference` is coarse, but assumes nothing. Both return the gradient of
sum(grad · f(*args)) with respect to args[index], in that argument's shape.
"""

import numpy as np


def complex_step(f, args, index, grad, step=1e-30):
    """Im f(a + i·step)/step, entry by entry: nothing is subtracted, so nothing cancels."""
    return _entry_by_entry(
        args[index],
        lambda moved: np.imag(_total(f, args, index, moved, grad)) / step,
        lambda value: value + 1j * step,
        np.complex128,
    )


def central_difference(f, args, index, grad, step=1e-6):
    """(f(a + step) − f(a − step))/(2·step), entry by entry; error about step² + eps/step."""

    def slope(moved):
        # moved lies above by step; the same entry mirrored lies below
        below = 2.0 * np.asarray(args[index], dtype=np.float64) - moved
        above_total = _total(f, args, index, moved, grad)
        return (above_total - _total(f, args, index, below, grad)) / (2.0 * step)

    return _entry_by_entry(args[index], slope, lambda value: value + step, np.float64)


def _entry_by_entry(argument, slope, move, dtype):
    argument = np.asarray(argument, dtype=np.float64)
    gradient = np.zeros(argument.shape)
    for place in np.ndindex(argument.shape):
        moved = argument.astype(dtype)
        moved[place] = move(argument[place])
        gradient[place] = slope(moved)
    return gradient


def _total(f, args, index, replacement, grad):
    args = [replacement if k == index else argument for k, argument in enumerate(args)]
    return np.sum(np.asarray(grad) * f(*args))
