"""Derivatives by perturbing one entry at a time."""

import numpy as np


def complex_step(function, arguments, index, grad, step=1e-30):
    """Gradient of Σ grad·f(*arguments) in argument `index`: no cancellation, exact to rounding."""
    result = np.zeros(np.shape(arguments[index]))
    for entry in np.ndindex(*result.shape):
        moved = [np.array(a, dtype=np.complex128) for a in arguments]
        moved[index][entry] += 1j * step
        result[entry] = np.sum(grad * np.imag(function(*moved))) / step
    return result


def central_difference(function, arguments, index, grad, step=1e-6):
    """The same for real functions, to about step²."""
    result = np.zeros(np.shape(arguments[index]))
    for entry in np.ndindex(*result.shape):
        up = [np.array(a, dtype=np.float64) for a in arguments]
        down = [np.array(a, dtype=np.float64) for a in arguments]
        up[index][entry] += step
        down[index][entry] -= step
        result[entry] = np.sum(grad * (function(*up) - function(*down))) / (2 * step)
    return result
