"""Odds and log-odds, and how synapses compute with them.

The ratio of a synapse to its swapped twin is an odds ratio,
``S(x, y)/S(y, x) = odds(βx)/odds(βy)``: a synapse graph read in log-odds is an odds network.
"""

from __future__ import annotations

from synann_core._lib.arguments import Arguments
from synann_core._lib.numerics import constant, transmission
from synann_core._lib.typing import Array, ArrayT, Namespace

__all__ = ["expit", "logit", "odds", "odds_ratio", "swap_ratio"]


def odds(p: ArrayT | float, /) -> ArrayT:
    """Odds of a probability, ``p/(1 − p)``.

    Parameters
    ----------
    p : array or number, any shape
        Probability in [0, 1].

    Returns
    -------
    array, same shape, dtype and device
        In [0, ∞]; ``odds(0)`` is 0 and ``odds(1)`` is inf. Derivative ``1/(1 − p)²``.
        Accurate to 4 ulp (8 on JAX).

    Raises
    ------
    TypeError
        If `p` is neither a real floating-point array nor a Python number.

    Examples
    --------
    >>> import synann_core as syn
    >>> float(syn.odds(0.75))
    3.0
    """
    with Arguments(p=p) as given:
        return given.result(_odds(*given.arrays, xp=given.xp))


def logit(p: ArrayT | float, /) -> ArrayT:
    """Log-odds of a probability, ``log(p/(1 − p))``, in nats.

    Parameters
    ----------
    p : array or number, any shape
        Probability in [0, 1]; outside, the result is NaN.

    Returns
    -------
    array, same shape, dtype and device
        −inf at 0, 0 at ½, inf at 1. Derivative ``1/(p(1 − p))``, inf at 0 and 1.
        Accurate to 4 ulp (8 on JAX), also near ½ where the plain formula cancels.

    Raises
    ------
    TypeError
        If `p` is neither a real floating-point array nor a Python number.

    Examples
    --------
    >>> import synann_core as syn
    >>> float(syn.logit(0.5)), round(float(syn.logit(0.9)), 12)
    (0.0, 2.197224577336)
    """
    with Arguments(p=p) as given:
        return given.result(_logit(*given.arrays, xp=given.xp))


def expit(z: ArrayT | float, /) -> ArrayT:
    """Probability with log-odds z, ``1/(1 + e^(−z))``: the inverse of `logit`.

    Parameters
    ----------
    z : array or number, any shape
        Log-odds in nats.

    Returns
    -------
    array, same shape, dtype and device
        In [0, 1]; never overflows. Derivative ``expit(z)·expit(−z)``. Accurate to 4 ulp (8 on JAX)
        where the result is a normal number.

    Raises
    ------
    TypeError
        If `z` is neither a real floating-point array nor a Python number.

    Examples
    --------
    >>> import synann_core as syn
    >>> float(syn.expit(0.0)), float(syn.expit(-1000.0))
    (0.5, 0.0)
    """
    with Arguments(z=z) as given:
        return given.result(_expit(*given.arrays, xp=given.xp))


def odds_ratio(p: ArrayT | float, q: ArrayT | float, /) -> ArrayT:
    """Odds ratio ``odds(p)/odds(q)``.

    Parameters
    ----------
    p, q : array or number
        Probabilities in [0, 1]; they broadcast.

    Returns
    -------
    array, broadcast shape, promoted dtype
        In [0, ∞]; NaN only where it is 0/0 (p = q = 0 or p = q = 1). Accurate to 4 ulp (8 on JAX)
        where the result is a normal number.

    Raises
    ------
    TypeError
        If an argument is neither a real floating-point array nor a Python number.
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> import synann_core as syn
    >>> float(syn.odds_ratio(0.75, 0.5))
    3.0
    """
    with Arguments(p=p, q=q) as given:
        given.broadcast()
        return given.result(_odds_ratio(*given.arrays, xp=given.xp))


def swap_ratio(x: ArrayT | float, y: ArrayT | float, /, beta: ArrayT | float = 1.0) -> ArrayT:
    """Ratio of a synapse to its swapped twin, ``S(x, y)/S(y, x)``, which is an odds ratio.

    ``x(1 − βy) / (y(1 − βx)) = odds(βx)/odds(βy)``, whatever α; at β = 1 the odds ratio of x and y.

    Parameters
    ----------
    x, y : array or number
        Probabilities in [0, 1].
    beta : array or number
        Strength of the inhibition, in [0, 1]; at 0 the ratio is x/y. All three broadcast.

    Returns
    -------
    array, broadcast shape, promoted dtype
        In [0, ∞]; NaN only where it is 0/0. Accurate to 4 ulp (8 on JAX)
        where the result is a normal number.

    Raises
    ------
    TypeError
        If an argument is neither a real floating-point array nor a Python number.
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> import synann_core as syn
    >>> float(syn.swap_ratio(0.75, 0.5))
    3.0
    """
    with Arguments(x=x, y=y, beta=beta) as given:
        given.broadcast()
        return given.result(_swap_ratio(*given.arrays, xp=given.xp))


def _odds(p: Array, *, xp: Namespace) -> Array:
    return p / (1.0 - p)


def _logit(p: Array, *, xp: Namespace) -> Array:
    # By symmetry the logarithm of odds below 1: above ½ it is negated, and derivatives at p = 1
    # are not 0 · inf; nor are those at 0, as no quotient is taken.
    upper = p >= 0.5
    low = xp.where(upper, 1.0 - p, p)
    middle = low > 0.25
    # There (1 − low)/low − 1 = |2p − 1|/low without cancellation. Not atanh: XLA's is 100 ulp off.
    excess = xp.where(upper, 2.0 * p - 1.0, 1.0 - 2.0 * p)
    near = xp.log1p(xp.where(middle, excess, 0.0) / xp.where(middle, low, 1.0))
    far = xp.log(low) - xp.log1p(-xp.where(middle, 0.0, low))
    value = xp.where(middle, -near, far)
    return xp.where(upper, -value, value)


def _expit(z: Array, *, xp: Namespace) -> Array:
    e = xp.exp(xp.where(z < 0.0, z, -z))
    return xp.where(z < 0.0, e, 1.0) / (1.0 + e)


def _odds_ratio(p: Array, q: Array, *, xp: Namespace) -> Array:
    return _swap_ratio(p, q, constant(1.0, p, xp), xp=xp)


def _swap_ratio(x: Array, y: Array, beta: Array, *, xp: Namespace) -> Array:
    # Both quotients lie on the same side of 1: neither leaves the range unless the ratio does.
    return (x / y) * (transmission(y, beta, xp) / transmission(x, beta, xp))
