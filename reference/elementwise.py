"""Element-wise formulas of docs/theory.md, sections 1 to 4; real and complex, all broadcast.

Values on the boundary (a surprisal of 0, odds of 1) are part of the domain, so the warnings that
NumPy gives for them are off.
"""

import functools

import numpy as np

LOG_2 = np.log(2.0)


def quiet(function):
    """Without NumPy's warnings for values on the boundary and outside the domain."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return wrapper


@quiet
def surprisal(p):
    """I(p) = −log p."""
    return -np.log(p)


@quiet
def probability(u):
    """I⁻¹(u) = e^(−u)."""
    return np.exp(-np.asarray(u))[()]


@quiet
def complement(w):
    """G(w) = −log(1 − e^(−w)), the surprisal of 1 − p."""
    w = np.asarray(w)
    below = -np.log(-np.expm1(-w))
    above = -np.log1p(-np.exp(-w))
    # Each form loses its digits at the other's end. Only the real part decides, so that a complex
    # step stays on one of them.
    return np.where(w.real < LOG_2, below, above)[()]


@quiet
def bose_einstein(energy, chemical_potential=0.0):
    """BE(w) = 1/(e^w − 1) at w = energy − chemical potential."""
    return 1.0 / np.expm1(np.subtract(energy, chemical_potential))


@quiet
def odds(p):
    """p/(1 − p)."""
    return np.divide(p, np.subtract(1.0, p))


@quiet
def logit(p):
    """Logarithm of the odds; loses relative accuracy near p = ½, where it is 0."""
    return np.log(odds(p))


@quiet
def expit(z):
    """1/(1 + e^(−z))."""
    return 1.0 / (1.0 + np.exp(-np.asarray(z)))[()]


@quiet
def odds_ratio(p, q):
    """odds(p)/odds(q)."""
    return odds(p) / odds(q)


@quiet
def swap_ratio(x, y, beta=1.0):
    """S(x, y)/S(y, x), in which α cancels."""
    return synapse(x, y, 1.0, beta) / synapse(y, x, 1.0, beta)


def synapse(x, y, alpha=1.0, beta=1.0):
    """S(x, y; α, β) = α x (1 − β y)."""
    return np.multiply(alpha, x) * (1.0 - np.multiply(beta, y))


def synapse_vjp(x, y, alpha, beta, grad):
    """Gradients of sum(grad · S), each summed to its argument's shape."""
    x, y, alpha, beta, grad = (np.asarray(a) for a in (x, y, alpha, beta, grad))
    gx = grad * alpha * (1.0 - beta * y)
    gy = -grad * alpha * beta * x
    galpha = grad * x * (1.0 - beta * y)
    gbeta = -grad * alpha * x * y
    return (
        sum_to_shape(gx, x.shape),
        sum_to_shape(gy, y.shape),
        sum_to_shape(galpha, alpha.shape),
        sum_to_shape(gbeta, beta.shape),
    )


def surprisal_synapse(u, v, theta=0.0, gamma=0.0):
    """LS(u, v; θ, γ) = (θ + u) + G(γ + v)."""
    return np.add(theta, u) + complement(np.add(gamma, v))


def surprisal_synapse_vjp(u, v, theta, gamma, grad):
    """Gradients of sum(grad · LS): ∇LS = (1, −BE(γ + v), 1, −BE(γ + v))."""
    u, v, theta, gamma, grad = (np.asarray(a) for a in (u, v, theta, gamma, grad))
    occupation = bose_einstein(gamma + v)
    shape = np.broadcast_shapes(u.shape, v.shape, theta.shape, gamma.shape)
    through = np.broadcast_to(grad, shape)
    return (
        sum_to_shape(through, u.shape),
        sum_to_shape(-through * occupation, v.shape),
        sum_to_shape(through, theta.shape),
        sum_to_shape(-through * occupation, gamma.shape),
    )


def sum_to_shape(value, shape):
    """Sum over the axes along which an argument of this shape was repeated."""
    value = np.asarray(value)
    while value.ndim > len(shape):
        value = value.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1:
            value = value.sum(axis=axis, keepdims=True)
    return np.array(np.broadcast_to(value, shape))
