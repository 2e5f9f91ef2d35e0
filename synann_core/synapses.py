"""One synapse: S(x, y; α, β) = α x (1 − β y), and the same in surprisal space.

x is the open probability of all excitatory channels, y that of all inhibitory ones. Everything
here is element-wise and broadcasts.
"""

from __future__ import annotations

from synann_core._lib.arguments import Arguments
from synann_core._lib.numerics import add_with_error, ordered_product, transmission
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.surprisals import _bose_einstein_slope, _complement

__all__ = ["surprisal_synapse", "surprisal_synapse_vjp", "synapse", "synapse_vjp"]


def synapse(
    x: ArrayT | float, y: ArrayT | float, /, alpha: ArrayT | float = 1.0, beta: ArrayT | float = 1.0
) -> ArrayT:
    """Probability that an excitatory channel opens and the inhibition does not.

    ``S(x, y; α, β) = α x (1 − β y)``.

    Parameters
    ----------
    x, y : array or number
        Excitatory and inhibitory open probabilities, in [0, 1].
    alpha : array or number
        Gain, ≥ 0. With ``alpha ≤ 1`` the result is a probability.
    beta : array or number
        Strength of the inhibition, in [0, 1].
        The four broadcast against each other.

    Returns
    -------
    array, broadcast shape, promoted dtype (NumPy float64 if all are Python numbers)
        Within 4 ulp, also where βy comes close to 1. Outside the domain the formula is followed.

    Raises
    ------
    TypeError
        If an argument is neither a real floating-point array nor a Python number, or if the arrays
        come from different libraries.
    ValueError
        If the shapes do not broadcast.

    Notes
    -----
    At α = β = 1 and inputs 0 or 1 it is ``x AND NOT y``, from which every Boolean function follows.
    Source: "A Synaptic Neural Network and Synapse Learning", equation 1.

    Examples
    --------
    >>> import synann_core as syn
    >>> float(syn.synapse(0.9, 0.2, beta=0.5))
    0.81
    """
    with Arguments(x=x, y=y, alpha=alpha, beta=beta) as given:
        given.broadcast()
        return given.result(_synapse(*given.arrays, xp=given.xp))


def synapse_vjp(
    x: ArrayT | float,
    y: ArrayT | float,
    /,
    alpha: ArrayT | float,
    beta: ArrayT | float,
    grad: ArrayT | float,
) -> tuple[ArrayT, ArrayT, ArrayT, ArrayT]:
    """Gradients of `synapse` for an upstream gradient.

    Parameters
    ----------
    x, y, alpha, beta : array or number
        As for `synapse`.
    grad : array of the broadcast shape, or number
        Gradient of the loss with respect to the result.

    Returns
    -------
    gx, gy, galpha, gbeta : arrays
        ``α(1 − βy)``, ``−αβx``, ``x(1 − βy)`` and ``−αxy``, times `grad`, each summed to its
        argument's shape and in its argument's dtype. Infinite only where the gradient overflows.

    Raises
    ------
    TypeError, ValueError
        As for `synapse`; ValueError also if `grad` has another shape than the result.

    Examples
    --------
    >>> import synann_core as syn
    >>> [round(float(g), 3) for g in syn.synapse_vjp(0.9, 0.2, 1.0, 0.5, 1.0)]
    [0.9, -0.45, 0.81, -0.18]
    """
    with Arguments(x=x, y=y, alpha=alpha, beta=beta) as given:
        given.array("grad", grad, given.broadcast())
        gx, gy, galpha, gbeta = given.gradients(_synapse_vjp(*given.arrays, xp=given.xp))
        return gx, gy, galpha, gbeta


def surprisal_synapse(
    u: ArrayT | float,
    v: ArrayT | float,
    /,
    theta: ArrayT | float = 0.0,
    gamma: ArrayT | float = 0.0,
) -> ArrayT:
    """Surprisal of a synapse: ``LS(u, v; θ, γ) = (θ + u) + G(γ + v)``.

    With u = −log x, v = −log y, θ = −log α, γ = −log β this is ``−log synapse(x, y, α, β)``:
    excitatory surprisal plus conjugate inhibitory surprisal.

    Parameters
    ----------
    u, v : array or number
        Surprisals of the excitatory and the inhibitory input, in nats, [0, ∞].
    theta : array or number
        Surprisal of the gain, in nats.
    gamma : array or number
        Surprisal of the inhibition's strength, in nats, ≥ 0.
        The four broadcast against each other.

    Returns
    -------
    array, broadcast shape, promoted dtype
        In nats; inf where γ + v = 0. Accurate to 4 ulp where no term is negative (8 on JAX).

    Raises
    ------
    TypeError, ValueError
        As for `synapse`.

    Examples
    --------
    >>> import math, synann_core as syn
    >>> round(float(syn.surprisal_synapse(-math.log(0.9), -math.log(0.2), 0.0, math.log(2))), 12)
    0.210721031316
    """
    with Arguments(u=u, v=v, theta=theta, gamma=gamma) as given:
        given.broadcast()
        return given.result(_surprisal_synapse(*given.arrays, xp=given.xp))


def surprisal_synapse_vjp(
    u: ArrayT | float,
    v: ArrayT | float,
    /,
    theta: ArrayT | float,
    gamma: ArrayT | float,
    grad: ArrayT | float,
) -> tuple[ArrayT, ArrayT, ArrayT, ArrayT]:
    """Gradients of `surprisal_synapse`: (1, −BE(γ + v), 1, −BE(γ + v)) times `grad`.

    Parameters
    ----------
    u, v, theta, gamma : array or number
        As for `surprisal_synapse`.
    grad : array of the broadcast shape, or number
        Gradient of the loss with respect to the result.

    Returns
    -------
    gu, gv, gtheta, ggamma : arrays
        Each summed to its argument's shape and in its argument's dtype. At γ + v = 0, where BE is
        infinite, BE is taken at the smallest normal number over eps: large, and never NaN.

    Raises
    ------
    TypeError, ValueError
        As for `synapse_vjp`.

    Examples
    --------
    >>> import math, synann_core as syn
    >>> [float(g) for g in syn.surprisal_synapse_vjp(0.3, 0.0, 0.0, math.log(2), 1.0)]
    [1.0, -1.0, 1.0, -1.0]
    """
    with Arguments(u=u, v=v, theta=theta, gamma=gamma) as given:
        given.array("grad", grad, given.broadcast())
        gu, gv, gtheta, ggamma = given.gradients(_surprisal_synapse_vjp(*given.arrays, xp=given.xp))
        return gu, gv, gtheta, ggamma


def _synapse(x: Array, y: Array, alpha: Array, beta: Array, *, xp: Namespace) -> Array:
    return ordered_product(transmission(y, beta, xp), alpha, x, xp)


def _synapse_vjp(
    x: Array, y: Array, alpha: Array, beta: Array, grad: Array, *, xp: Namespace
) -> tuple[Array, Array, Array, Array]:
    open_ = transmission(y, beta, xp)
    return (
        ordered_product(open_, alpha, grad, xp),
        -grad * ordered_product(beta, alpha, x, xp),
        ordered_product(open_, x, grad, xp),
        -grad * ordered_product(y, alpha, x, xp),
    )


def _surprisal_synapse(u: Array, v: Array, theta: Array, gamma: Array, *, xp: Namespace) -> Array:
    w, error = add_with_error(gamma, v, xp)
    return (theta + u) + _complement(w, error=error, xp=xp)


def _surprisal_synapse_vjp(
    u: Array, v: Array, theta: Array, gamma: Array, grad: Array, *, xp: Namespace
) -> tuple[Array, Array, Array, Array]:
    inhibition = -grad * _bose_einstein_slope(gamma + v, xp=xp)
    return grad, inhibition, grad, inhibition
