"""Surprisal space: probabilities as information content, and Bose-Einstein statistics.

With I(x) = −log x and F(x) = 1 − x, the complement G = I ∘ F ∘ I⁻¹ makes the diagram
``I(F(x)) = G(I(x))`` commute: it is "not" for surprisals.
"""

from __future__ import annotations

from synann_core._lib.arguments import Arguments
from synann_core._lib.autodiff import attach, stop_gradient
from synann_core._lib.numerics import add_with_error, expm1, log_one_minus, surprisal_floor
from synann_core._lib.typing import Array, ArrayT, Namespace

__all__ = ["bose_einstein", "complement", "probability", "surprisal"]

LOG_2 = 0.6931471805599453

# From here on 1/expm1(w) and e^(−w)(1 + e^(−w)) agree to e^(−80); below, e^w and its square are
# finite in float32, so that neither branch nor its derivative overflows.
_LARGE_ENERGY = 40.0


def surprisal(p: ArrayT | float, /) -> ArrayT:
    """Information content of a probability, ``I(p) = −log p``, in nats.

    Parameters
    ----------
    p : array or number, any shape
        Probabilities in [0, 1]. Outside, the formula is followed: negative p gives NaN.

    Returns
    -------
    array, same shape, dtype and device
        In [0, ∞]; ``surprisal(0)`` is inf and ``surprisal(1)`` is 0.
        Derivative ``−1/p``; at 0 it is −inf. Accurate to 4 ulp (8 on JAX).

    Raises
    ------
    TypeError
        If `p` is neither a real floating-point array nor a Python number.

    Examples
    --------
    >>> import synann_core as syn
    >>> float(syn.surprisal(0.5))
    0.6931471805599453
    """
    with Arguments(p=p) as given:
        return given.result(_surprisal(*given.arrays, xp=given.xp))


def probability(u: ArrayT | float, /) -> ArrayT:
    """Probability with the given surprisal, ``I⁻¹(u) = e^(−u)``: the inverse of `surprisal`.

    Parameters
    ----------
    u : array or number, any shape
        Surprisal in nats, [0, ∞].

    Returns
    -------
    array, same shape, dtype and device
        In [0, 1]; ``probability(0)`` is 1 and ``probability(inf)`` is 0. Derivative ``−e^(−u)``.
        Accurate to 4 ulp (8 on JAX) where the result is a normal number.

    Raises
    ------
    TypeError
        If `u` is neither a real floating-point array nor a Python number.

    Examples
    --------
    >>> import synann_core as syn
    >>> float(syn.probability(syn.surprisal(0.25)))
    0.25
    """
    with Arguments(u=u) as given:
        return given.result(_probability(*given.arrays, xp=given.xp))


def complement(w: ArrayT | float, /) -> ArrayT:
    """Surprisal of the complementary event, ``G(w) = −log(1 − e^(−w))``.

    If w is the surprisal of p, G(w) is the surprisal of 1 − p. G is its own inverse, with fixed
    point log 2.

    Parameters
    ----------
    w : array or number, any shape
        Surprisal in nats, [0, ∞]. Negative w gives NaN.

    Returns
    -------
    array, same shape, dtype and device
        In [0, ∞]; ``complement(0)`` is inf and ``complement(inf)`` is 0. Derivative
        ``−bose_einstein(w)`` (autodiff keeps it finite at w = 0). Accurate to 4 ulp (8 on JAX);
        G(G(w)) = w to ``(4 + |log w|)·eps``, which is its conditioning.

    Raises
    ------
    TypeError
        If `w` is neither a real floating-point array nor a Python number.

    Examples
    --------
    >>> import synann_core as syn
    >>> round(float(syn.complement(1e-16)), 10)      # the one-line formula loses this to rounding
    36.8413614879
    >>> f"{float(syn.complement(100.0)):.10g}"       # ... and this altogether
    '3.720075976e-44'
    """
    with Arguments(w=w) as given:
        return given.result(_complement(*given.arrays, xp=given.xp))


def bose_einstein(energy: ArrayT | float, /, *, chemical_potential: ArrayT | float = 0.0) -> ArrayT:
    """Bose-Einstein occupation ``1/(e^w − 1)`` of ``w = energy − chemical_potential``.

    It is an odds: with p = e^(−w), ``p/(1 − p)``; and it is the slope of the complement,
    ``dG/dw = −BE(w)``.

    Parameters
    ----------
    energy : array or number, any shape
        Energy in units of kT; surprisal v of the inhibitory input.
    chemical_potential : array or number, broadcasts with `energy`
        In units of kT; −γ, so that a negative value is exactly β < 1.

    Returns
    -------
    array, broadcast shape, promoted dtype
        In [0, ∞] for w ≥ 0: inf at w = 0, 0 at w = inf. Derivative ``−BE(1 + BE)``, −inf at 0.
        Accurate to 4 ulp (8 on JAX), also where w is not a floating-point number.

    Raises
    ------
    TypeError
        If an argument is neither a real floating-point array nor a Python number.
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> import math, synann_core as syn
    >>> float(syn.bose_einstein(math.log(2)))
    1.0
    """
    with Arguments(energy=energy, chemical_potential=chemical_potential) as given:
        given.broadcast()
        return given.result(_bose_einstein_between(*given.arrays, xp=given.xp))


def _surprisal(p: Array, *, xp: Namespace) -> Array:
    return 0.0 - xp.log(p)  # not −log p: surprisal(1) is 0, not −0


def _probability(u: Array, *, xp: Namespace) -> Array:
    return xp.exp(-u)


def _complement(w: Array, *, xp: Namespace, error: Array | float = 0.0) -> Array:
    """G(w + error) for an error of at most half an ulp, which costs w/2 ulp where w is large."""
    small = w < LOG_2
    # Each branch sees only arguments that it is made for (the other ones are replaced by log 2), so
    # that neither value nor derivative of the branch not taken can spoil the result.
    p = -expm1(-xp.where(small, w, LOG_2), xp)
    floor = surprisal_floor(w.dtype, xp)
    floored = attach(xp.where(p < floor, floor, p), lambda: p, xp)
    log_p = attach(xp.log(p), lambda: xp.log(floored), xp)
    q = xp.exp(-xp.where(small, LOG_2, w)) * (1.0 - error)
    return 0.0 - xp.where(small, log_p, log_one_minus(q, xp))


def _bose_einstein_between(energy: Array, mu: Array, *, xp: Namespace) -> Array:
    w, error = add_with_error(energy, -mu, xp)
    value = _bose_einstein(w, xp=xp)
    # As for G, only a large w is sensitive to its rounding error.
    return value * (1.0 - xp.where(w > 1.0, error * (1.0 + stop_gradient(value, xp)), 0.0))


def _bose_einstein(w: Array, *, xp: Namespace) -> Array:
    large = w > _LARGE_ENERGY
    tail = xp.exp(-xp.where(large, w, _LARGE_ENERGY))
    return xp.where(large, tail * (1.0 + tail), 1.0 / expm1(xp.where(large, 1.0, w), xp))


def _bose_einstein_slope(w: Array, *, xp: Namespace) -> Array:
    """Bose-Einstein occupation for use in gradients: finite at w = 0."""
    floor = surprisal_floor(w.dtype, xp)
    return _bose_einstein(xp.where(w < floor, floor, w), xp=xp)
