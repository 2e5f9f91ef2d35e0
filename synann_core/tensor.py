"""The synapse tensor, ``s_i = α_i x_i ∏_j (1 − β_ij y_j)``: every input inhibits every output.

In probability space (x, y, α, β) and in surprisal space (u, v, θ, γ = −log of those).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from synann_core._lib.arguments import Arguments
from synann_core._lib.autodiff import attach, stop_gradient
from synann_core._lib.namespaces import numpy_namespace
from synann_core._lib.numerics import known_below, ordered_product
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.contraction import native_layer
from synann_core.contraction.dispatch import log_product, log_product_vjp
from synann_core.contraction.factors import probability_factors, surprisal_factors
from synann_core.transmission import check_shapes, to_rows, with_batch

__all__ = [
    "surprisal_synapse_tensor",
    "surprisal_synapse_tensor_vjp",
    "synapse_tensor",
    "synapse_tensor_vjp",
]


def synapse_tensor(x: ArrayT | float, y: ArrayT, /, alpha: ArrayT | float, beta: ArrayT) -> ArrayT:
    """Fully connected synapses: ``s_i = α_i x_i ∏_j (1 − β_ij y_j)``, each sample on its own.

    Parameters
    ----------
    x : array, shape (..., m), or 0-d or a number for all outputs
        Excitatory inputs, in [0, 1]. ``x = 1`` makes 1 − s a noisy-OR with leak 1 − α.
    y : array, shape (..., n)
        Inhibitory inputs, in [0, 1]; the paper's square layer has y = x. The leading (batch) axes
        of x and y broadcast.
    alpha : array, shape (m,), or 0-d or a number
        Gains, ≥ 0.
    beta : array, shape (m, n)
        Strengths of the inhibition, in [0, 1].

    Returns
    -------
    array, shape (..., m), promoted dtype
        With α ≤ 1 a probability, at most x; 0 where a factor is closed, and where s underflows
        (float32: log s < −103), which `log_transmission` does not. NaN where some β_ij y_j > 1.

    Raises
    ------
    TypeError
        If an argument is not a real floating-point array (or number, where allowed), or if the
        libraries differ.
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Source: "A Synaptic Neural Network and Synapse Learning", section 3; the published layers sum
    over the batch as well, which mixes the samples.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> y = np.array([0.5, 1.0])
    >>> syn.synapse_tensor(y, y, np.ones(2), np.array([[0.5, 0.0], [1.0, 0.5]]))
    array([0.375, 0.25 ])
    """
    with Arguments(x=x, y=y, alpha=alpha, beta=beta) as given:
        check_shapes(given, "x", "alpha")
        return given.result(_with_product(*given.arrays, xp=given.xp)[0])


def synapse_tensor_vjp(
    x: ArrayT | float, y: ArrayT, /, alpha: ArrayT | float, beta: ArrayT, grad: ArrayT | float
) -> tuple[ArrayT, ArrayT, ArrayT, ArrayT]:
    """Gradients of `synapse_tensor` for an upstream gradient g.

    Parameters
    ----------
    x, y, alpha, beta : array or number
        As for `synapse_tensor`.
    grad : array, shape (..., m), or number
        Gradient of the loss with respect to s.

    Returns
    -------
    gx, gy, galpha, gbeta : arrays
        ``g α P``, ``−Σ_i g_i s_i β_ij/f_ij``, ``Σ_b g x P`` and ``−Σ_b g s y/f`` with
        P = ∏_j f_ij, f = 1 − βy; each in its argument's shape and dtype. Where factors are closed
        the product rule holds: with one, f is divided out of s exactly; with two, the gradients of
        y and β are 0 to eps. In the square case (y = x) add gx and gy.

    Raises
    ------
    TypeError, ValueError
        As for `synapse_tensor`; also if `grad` does not fit the result.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> one = np.ones(1)
    >>> grads = syn.synapse_tensor_vjp(one, one, one, np.ones((1, 1)), one)  # a closed factor
    >>> [round(float(g.sum()), 12) for g in grads]
    [0.0, -1.0, 0.0, -1.0]
    """
    with Arguments(x=x, y=y, alpha=alpha, beta=beta) as given:
        given.array("grad", grad, check_shapes(given, "x", "alpha"))
        gradients = _synapse_tensor_vjp(*given.arrays, xp=given.xp)[:4]
        gx, gy, galpha, gbeta = given.gradients(gradients)
        return gx, gy, galpha, gbeta


def surprisal_synapse_tensor(
    u: ArrayT | float, v: ArrayT, /, theta: ArrayT | float, gamma: ArrayT
) -> ArrayT:
    """Synapse tensor in surprisal space: ``z_i = θ_i + u_i + Σ_j G(γ_ij + v_j)``.

    Parameters
    ----------
    u : array, shape (..., m), or 0-d or a number
        Surprisals of the excitatory inputs, −log x, in nats.
    v : array, shape (..., n)
        Surprisals of the inhibitory inputs, −log y, in nats, [0, ∞]. Batch axes broadcast.
    theta : array, shape (m,), or 0-d or a number
        −log α, in nats.
    gamma : array, shape (m, n)
        −log β, in nats, ≥ 0.

    Returns
    -------
    array, shape (..., m), promoted dtype
        −log s, in nats: inf where some γ_ij + v_j = 0. The sum over j is within ``(10 + √n)·eps``
        relative, also near γ + v = 0, where going through y = e^(−v) would lose everything.

    Raises
    ------
    TypeError, ValueError
        As for `synapse_tensor`.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> v = -np.log(np.array([0.5, 0.9]))
    >>> gamma = -np.log(np.array([[0.5, 0.1], [0.9, 0.5]]))
    >>> np.exp(-syn.surprisal_synapse_tensor(v, v, np.zeros(2), gamma)).round(5)
    array([0.34125, 0.27225])
    """
    with Arguments(u=u, v=v, theta=theta, gamma=gamma) as given:
        check_shapes(given, "u", "theta", inputs="v", weights="gamma")
        return given.result(_surprisal_synapse_tensor(*given.arrays, xp=given.xp))


def surprisal_synapse_tensor_vjp(
    u: ArrayT | float, v: ArrayT, /, theta: ArrayT | float, gamma: ArrayT, grad: ArrayT | float
) -> tuple[ArrayT, ArrayT, ArrayT, ArrayT]:
    """Gradients of `surprisal_synapse_tensor` for an upstream gradient h.

    Parameters
    ----------
    u, v, theta, gamma : array or number
        As for `surprisal_synapse_tensor`.
    grad : array, shape (..., m), or number
        Gradient of the loss with respect to z.

    Returns
    -------
    gu, gv, gtheta, ggamma : arrays
        ``h``, ``−Σ_i h_i n_ij``, ``Σ_b h`` and ``−Σ_b h n`` with the Bose-Einstein occupations
        n = BE(γ + v); each in its argument's shape and dtype. n is capped (at eps over the smallest
        normal number), so that no gradient is NaN at γ + v = 0.

    Raises
    ------
    TypeError, ValueError
        As for `surprisal_synapse_tensor`; also if `grad` does not fit the result.

    Examples
    --------
    >>> import math
    >>> import numpy as np
    >>> import synann_core as syn
    >>> zero, gamma = np.zeros(1), np.array([[math.log(2)]])
    >>> grads = syn.surprisal_synapse_tensor_vjp(zero, zero, zero, gamma, np.ones(1))
    >>> [round(float(g.sum()), 12) for g in grads]
    [1.0, -1.0, 1.0, -1.0]
    """
    with Arguments(u=u, v=v, theta=theta, gamma=gamma) as given:
        given.array("grad", grad, check_shapes(given, "u", "theta", inputs="v", weights="gamma"))
        gu, gv, gtheta, ggamma = given.gradients(
            _surprisal_synapse_tensor_vjp(*given.arrays, xp=given.xp)
        )
        return gu, gv, gtheta, ggamma


class Product(NamedTuple):
    """e^(T − θ) as near · far, two normal numbers."""

    near: Array  # (..., m)
    guarded: Array | None  # the same with every factor kept from 0; None where it is `near`
    far: Array | None  # None for 1, nearly always


def _product(
    y: Array, beta: Array, theta: Array | None, *, plain: bool = False, xp: Namespace
) -> Product:
    """`plain`: torch's tensors, and nobody watches what is done with them."""
    exact, guarded = log_product(probability_factors(y, beta, xp=xp), plain=plain, xp=xp)
    open_ = guarded is exact  # no factor is closed
    if y.ndim != 2:
        exact = with_batch(exact, y, xp)
        guarded = exact if open_ else with_batch(guarded, y, xp)
    native = plain and native_layer.serves(exact)
    exponential = native_layer.exponential if native else xp.exp
    if native and open_ and native_layer.is_own(theta, exact.dtype, exact.shape[-1:]):
        near, ordinary = native_layer.transmissions(exact, theta)
        if ordinary:
            return Product(near, None, None)
    if theta is not None:
        exact = exact - theta
        guarded = exact if open_ else guarded - theta
    # e^T is e^(T − rest) · e^rest: two normal numbers, where e^T alone would underflow or overflow,
    # and what it is multiplied by keeps the product an ordinary number. The rest, which is nearly
    # always seen to be 0, has no derivative.
    smallest = float(xp.finfo(exact.dtype).smallest_normal)  # 0 of long doubles
    limit, rest = math.floor(-math.log(max(smallest, 1e-307))), None
    if not ((plain or xp is numpy_namespace) and known_below(limit, guarded)):
        known = stop_gradient(guarded, xp)
        rest = known - xp.clip(known, -limit, limit)
        exact = exact - rest
        guarded = exact if open_ else guarded - rest
    near, far = exponential(exact), None if rest is None else exponential(rest)
    if open_:
        return Product(near, None, far)
    # At a closed factor the derivative is that of the guarded one: docs/theory.md, section 5.4.
    smooth = exponential(guarded)
    return Product(attach(near, lambda: smooth, xp), smooth, far)


def _scaled(t: Array, alpha: Array | None, b: Array | None, xp: Namespace) -> Array:
    """Return tαb. Of two gradients, too, none is lost that αb makes an ordinary number."""
    if alpha is None or b is None:
        only = b if alpha is None else alpha
        return t if only is None else t * only
    return ordered_product(t, alpha, b, xp)


def _synapse_tensor(
    x: Array | None,
    y: Array,
    alpha: Array | None,
    beta: Array,
    theta: Array | None = None,
    *,
    xp: Namespace,
) -> Array:
    """None for x or α stands for 1; with θ it is e^−θ times as large."""
    result: Array = _with_product(x, y, alpha, beta, theta, xp=xp)[0]
    return result


def _with_product(
    x: Array | None,
    y: Array,
    alpha: Array | None,
    beta: Array,
    theta: Array | None = None,
    *,
    plain: bool = False,
    xp: Namespace,
) -> tuple[Any, ...]:
    """`_synapse_tensor`, and the `Product` in it, of which gradients are made."""
    product = _product(y, beta, theta, plain=plain, xp=xp)
    s = _scaled(product.near, alpha, x, xp)
    return s if product.far is None else s * product.far, *product


def _synapse_tensor_vjp(
    x: Array | None,
    y: Array,
    alpha: Array | None,
    beta: Array,
    grad: Array,
    theta: Array | None = None,
    *product: Any,
    xp: Namespace,
) -> tuple[Any, ...]:
    """Gradients of x, y, α, β and θ; the parts of the `Product` may be given."""
    parts: Any = product or _product(y, beta, theta, xp=xp)
    near, guarded, far = parts
    galpha = None if alpha is None else _scaled(near, x, grad, xp)
    gx: Any = _scaled(near, alpha, grad, xp)
    t = _scaled(near if guarded is None else guarded, alpha, x, xp) * grad
    if far is not None:
        t, gx, galpha = t * far, gx * far, None if galpha is None else galpha * far
    factors = probability_factors(y, beta, xp=xp)
    gy, gbeta = log_product_vjp(factors, to_rows(t, y, xp), xp=xp)
    return gx, xp.reshape(gy, y.shape), galpha, gbeta, None if theta is None else -t


def _surprisal_synapse_tensor(
    u: Array | float, v: Array, theta: Array | float, gamma: Array, *, xp: Namespace
) -> Array:
    exact, _ = log_product(surprisal_factors(v, gamma, xp=xp), xp=xp)
    return (theta + u) - with_batch(exact, v, xp)


def _surprisal_synapse_tensor_vjp(
    u: Array, v: Array, theta: Array, gamma: Array, grad: Array, *, xp: Namespace
) -> tuple[Array, Array, Array, Array]:
    factors = surprisal_factors(v, gamma, xp=xp)
    # z = −T, and dy/dv = −y, dβ/dγ = −β: the gradients of the same contraction.
    gy, gbeta = log_product_vjp(factors, -to_rows(grad, v, xp), xp=xp)
    return grad, xp.reshape(-factors.y * gy, v.shape), grad, -factors.beta * gbeta
