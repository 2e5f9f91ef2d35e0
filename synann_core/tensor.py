"""The synapse tensor, ``s_i = α_i x_i ∏_j (1 − β_ij y_j)``: every input inhibits every output.

`log_transmission` is the one expensive operation; everything else here calls it or the contraction
under it, in probability space (x, y, α, β) and in surprisal space (u, v, θ, γ = −log of those).
"""

from __future__ import annotations

from array_api_compat import is_jax_array

from ._contraction import (
    Factors,
    log_complement,
    log_product,
    log_product_jvp,
    log_product_vjp,
    probability_factors,
    surprisal_factors,
)
from ._lib._arguments import (
    Array,
    Call,
    Namespace,
    Shape,
    broadcast_shape,
    constant,
    sum_to_shape,
)
from ._lib._autodiff import attach

__all__ = [
    "contributions",
    "log_transmission",
    "log_transmission_jvp",
    "log_transmission_variant",
    "log_transmission_vjp",
    "surprisal_synapse_tensor",
    "surprisal_synapse_tensor_vjp",
    "synapse_tensor",
    "synapse_tensor_vjp",
]


def log_transmission(y: Array, /, beta: Array) -> Array:
    """Log-probability that no inhibitory channel of an output opens.

    ``T_i = Σ_j log(1 − β_ij y_j)``.

    The log output of the synapse tensor needs no function of its own: it is
    ``log(alpha) + log(x) + log_transmission(y, beta)``, and does not underflow.

    Parameters
    ----------
    y : array, shape (..., n)
        Inhibitory inputs, in [0, 1].
    beta : array, shape (m, n)
        Strengths of the inhibition, in [0, 1].

    Returns
    -------
    array, shape (..., m), promoted dtype
        In [−∞, 0] nats; −inf where a factor is closed (β_ij y_j = 1); NaN where some β_ij y_j > 1.
        Within ``(10 + √n)·eps`` relative in the whole domain. A row's bits do not depend on the
        other rows of the batch.

    Raises
    ------
    TypeError
        If an argument is not a real floating-point array, or if the libraries differ.
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Time O(batch·m·n), memory O(batch·(n + m) + m·n) and a bounded block, also under autodiff.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> beta = np.array([[0.5, 0.0], [1.0, 0.5]])
    >>> np.exp(syn.log_transmission(np.array([0.5, 1.0]), beta))
    array([0.75, 0.25])
    """
    call = Call(y=y, beta=beta)
    _expect(call)
    return call.value(_log_transmission)


def log_transmission_vjp(y: Array, /, beta: Array, grad: Array) -> tuple[Array, Array]:
    """Gradients of `log_transmission` for an upstream gradient t.

    Parameters
    ----------
    y : array, shape (..., n)
    beta : array, shape (m, n)
    grad : array, shape (..., m), or number
        Gradient of the loss with respect to T.

    Returns
    -------
    gy : array, shape (..., n)
        ``−Σ_i t_i β_ij / (1 − β_ij y_j)``. A row's bits do not depend on the rest of the batch.
    gbeta : array, shape (m, n)
        ``−Σ_b t_bi y_bj / (1 − β_ij y_bj)``.
        Reciprocals are of ``max(1 − βy, eps/2)``: finite where a factor is closed.

    Raises
    ------
    TypeError, ValueError
        As for `log_transmission`; also if `grad` does not fit the result.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> gy, gbeta = syn.log_transmission_vjp(np.array([0.5]), np.array([[1.0]]), np.array([1.0]))
    >>> float(gy[0]), float(gbeta[0, 0])
    (-2.0, -1.0)
    """
    call = Call(y=y, beta=beta)
    grad = call.shaped(grad, _expect(call))
    gy, gbeta = call.gradients(_log_transmission_vjp, grad)
    return gy, gbeta


def log_transmission_jvp(y: Array, /, beta: Array, dy: Array, dbeta: Array) -> Array:
    """Tangent of `log_transmission`, ``−Σ_j (β_ij dy_j + y_j dβ_ij) / (1 − β_ij y_j)``.

    Parameters
    ----------
    y, dy : array, shape (..., n)
        Inputs and their tangent (a number stands for a constant array).
    beta, dbeta : array, shape (m, n)
        Strengths and their tangent (likewise).

    Returns
    -------
    array, shape (..., m)
        Guarded like the gradients: finite where a factor is closed.

    Raises
    ------
    TypeError, ValueError
        As for `log_transmission`; also if a tangent does not fit its argument.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> float(syn.log_transmission_jvp(np.array([0.5]), np.array([[1.0]]), np.array([1.0]), 0.0)[0])
    -2.0
    """
    call = Call(y=y, beta=beta)
    _expect(call)
    dy = call.shaped(dy, call.shape("y"), "dy")
    dbeta = call.shaped(dbeta, call.shape("beta"), "dbeta")
    return call.value(_log_transmission_jvp, call["y"], call["beta"], dy, dbeta)


def log_transmission_variant(y: Array, /, beta: Array) -> str:
    """Name the branch that `log_transmission` takes for these arguments; computes nothing.

    Parameters
    ----------
    y, beta : array
        As for `log_transmission`.

    Returns
    -------
    str
        ``"jax-scan"`` (a scan over checkpointed blocks) or ``"array-api"`` (blocks of array
        operations, on every other library).

    Raises
    ------
    TypeError, ValueError
        As for `log_transmission`.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> syn.log_transmission_variant(np.ones(3), np.ones((2, 3)))
    'array-api'
    """
    _expect(Call(y=y, beta=beta))
    return "jax-scan" if is_jax_array(y) else "array-api"


def contributions(y: Array, /, beta: Array) -> Array:
    """What each input adds to the surprisal of each output, ``c_ij = −log(1 − β_ij y_j) ≥ 0``.

    An exact attribution, with no sampling and no baseline: the parts add up to
    ``−log_transmission(y, beta)``.

    Parameters
    ----------
    y : array, shape (..., n)
        Inhibitory inputs, in [0, 1].
    beta : array, shape (m, n)
        Strengths of the inhibition, in [0, 1].

    Returns
    -------
    array, shape (..., m, n)
        In [0, ∞] nats; inf at a closed factor. Accurate to 4 ulp (8 on JAX).

    Raises
    ------
    TypeError, ValueError
        As for `log_transmission`.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> y, beta = np.array([0.5, 1.0]), np.array([[0.5, 0.0], [1.0, 0.5]])
    >>> syn.contributions(y, beta).round(3)
    array([[0.288, 0.   ],
           [0.693, 0.693]])
    """
    call = Call(y=y, beta=beta)
    _expect(call)
    return call.value(_contributions)


def synapse_tensor(x: Array, y: Array, /, alpha: Array, beta: Array) -> Array:
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
    call = Call(x=x, y=y, alpha=alpha, beta=beta)
    _expect(call, "x", "alpha")
    return call.value(_synapse_tensor)


def synapse_tensor_vjp(
    x: Array, y: Array, /, alpha: Array, beta: Array, grad: Array
) -> tuple[Array, Array, Array, Array]:
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
    call = Call(x=x, y=y, alpha=alpha, beta=beta)
    grad = call.shaped(grad, _expect(call, "x", "alpha"))
    gx, gy, galpha, gbeta = call.gradients(_synapse_tensor_vjp, grad)
    return gx, gy, galpha, gbeta


def surprisal_synapse_tensor(u: Array, v: Array, /, theta: Array, gamma: Array) -> Array:
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
    call = Call(u=u, v=v, theta=theta, gamma=gamma)
    _expect(call, "u", "theta", inputs="v", weights="gamma")
    return call.value(_surprisal_synapse_tensor)


def surprisal_synapse_tensor_vjp(
    u: Array, v: Array, /, theta: Array, gamma: Array, grad: Array
) -> tuple[Array, Array, Array, Array]:
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
    call = Call(u=u, v=v, theta=theta, gamma=gamma)
    grad = call.shaped(grad, _expect(call, "u", "theta", inputs="v", weights="gamma"))
    gu, gv, gtheta, ggamma = call.gradients(_surprisal_synapse_tensor_vjp, grad)
    return gu, gv, gtheta, ggamma


def _expect(call: Call, *outputs: str, inputs: str = "y", weights: str = "beta") -> Shape:
    """Check the shapes of a synapse tensor's arguments and return the result's shape."""
    patterns: dict[str, tuple[object, ...]] = {weights: ("m", "n"), inputs: (..., "n")}
    batched = {inputs: call.shape(inputs)}
    if outputs and call.shape(outputs[0]):
        patterns[outputs[0]] = (..., "m")
        batched[outputs[0]] = call.shape(outputs[0])
    if outputs and call.shape(outputs[1]):
        patterns[outputs[1]] = ("m",)
    call.expect(**patterns)
    return (*broadcast_shape(1, **batched), call.shape(weights)[0])


def _with_batch(value: Array, y: Array, xp: Namespace) -> Array:
    """(rows, m) with the batch axes of y."""
    return xp.reshape(value, (*y.shape[:-1], value.shape[-1]))


def _to_rows(grad: Array, y: Array, xp: Namespace) -> Array:
    """Gradient of the result, summed over axes along which y was repeated, as (rows, m)."""
    shape = (*y.shape[:-1], grad.shape[-1])
    rows = 1
    for size in y.shape[:-1]:
        rows *= size
    return xp.reshape(sum_to_shape(grad, shape, xp), (rows, grad.shape[-1]))


def _log_transmission(y: Array, beta: Array, *, xp: Namespace) -> Array:
    return _with_batch(log_product(probability_factors(y, beta, xp=xp), xp=xp)[0], y, xp)


def _log_transmission_vjp(
    y: Array, beta: Array, grad: Array, *, xp: Namespace
) -> tuple[Array, Array]:
    factors = probability_factors(y, beta, xp=xp)
    gy, gbeta = log_product_vjp(factors, _to_rows(grad, y, xp), xp=xp)
    return xp.reshape(gy, y.shape), gbeta


def _log_transmission_jvp(
    y: Array, beta: Array, dy: Array, dbeta: Array, *, xp: Namespace
) -> Array:
    factors = probability_factors(y, beta, xp=xp)
    tangent = log_product_jvp(factors, xp.reshape(dy, factors.y.shape), dbeta, xp=xp)
    return _with_batch(tangent, y, xp)


def _contributions(y: Array, beta: Array, *, xp: Namespace) -> Array:
    y = y[..., None, :]
    q = y * beta
    f = (1.0 - y) + y * (1.0 - beta)
    floor = constant(float(xp.finfo(q.dtype).eps) / 2, q, xp)
    floored = attach(xp.maximum(f, floor), lambda: 1.0 - q, xp)
    return 0.0 - log_complement(f, q, floored, xp)


def _synapse_tensor(x: Array, y: Array, alpha: Array, beta: Array, *, xp: Namespace) -> Array:
    exact, guarded = log_product(probability_factors(y, beta, xp=xp), xp=xp)
    # The derivative of the product at a closed factor is that of exp(guarded), see THEORY.
    transmission = attach(xp.exp(exact), lambda: xp.exp(guarded), xp)
    return alpha * x * _with_batch(transmission, y, xp)


def _synapse_tensor_vjp(
    x: Array, y: Array, alpha: Array, beta: Array, grad: Array, *, xp: Namespace
) -> tuple[Array, Array, Array, Array]:
    factors = probability_factors(y, beta, xp=xp)
    exact, guarded = log_product(factors, xp=xp)
    transmission = _with_batch(xp.exp(exact), y, xp)
    t = grad * (alpha * x * _with_batch(xp.exp(guarded), y, xp))
    gy, gbeta = log_product_vjp(factors, _to_rows(t, y, xp), xp=xp)
    gx, galpha = grad * (alpha * transmission), grad * (x * transmission)
    return gx, xp.reshape(gy, y.shape), galpha, gbeta


def _surprisal_synapse_tensor(
    u: Array, v: Array, theta: Array, gamma: Array, *, xp: Namespace
) -> Array:
    exact, _ = log_product(surprisal_factors(v, gamma, xp=xp), xp=xp)
    return (theta + u) - _with_batch(exact, v, xp)


def _surprisal_synapse_tensor_vjp(
    u: Array, v: Array, theta: Array, gamma: Array, grad: Array, *, xp: Namespace
) -> tuple[Array, Array, Array, Array]:
    factors: Factors = surprisal_factors(v, gamma, xp=xp)
    # z = −T, and dy/dv = −y, dβ/dγ = −β: the gradients of the same contraction.
    gy, gbeta = log_product_vjp(factors, -_to_rows(grad, v, xp), xp=xp)
    return grad, xp.reshape(-factors.y * gy, v.shape), grad, -factors.beta * gbeta
