"""The log-transmission T_i = Σ_j log(1 − β_ij y_j), the one expensive operation, and its parts.

Everything else in the library is a cheap function of it.
"""

from __future__ import annotations

from typing import Any

from synann_core._lib.arguments import Arguments, Pattern, broadcast_shape, check_shape
from synann_core._lib.autodiff import attach
from synann_core._lib.loops import mean_over_rows
from synann_core._lib.numerics import (
    constant,
    log_complement,
    row_count,
    sum_to_shape,
    transmission,
)
from synann_core._lib.typing import AnyArray, Array, ArrayT, Namespace, Shape
from synann_core.contraction import native
from synann_core.contraction.dispatch import log_product, log_product_jvp, log_product_vjp, variant
from synann_core.contraction.factors import probability_factors

__all__ = [
    "contributions",
    "log_transmission",
    "log_transmission_jvp",
    "log_transmission_variant",
    "log_transmission_vjp",
]


def log_transmission(y: ArrayT, /, beta: ArrayT) -> ArrayT:
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
        Within ``(10 + √n)·eps`` relative in the whole domain, and for larger y where βy < 1.
        A row's bits do not depend on the other rows of the batch.

    Raises
    ------
    TypeError
        If an argument is not a real floating-point array, or if the libraries differ.
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Time O(batch·m·n), memory O(batch·(n + m) + m·n) and a bounded block, also under autodiff (on
    torch of first order, and not that of torch.func); on JAX, which holds all rows of a block at
    once, a few temporaries of 8·batch·m. Very large negative arguments (βy below about −4e9 in
    float32) overflow to NaN.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> beta = np.array([[0.5, 0.0], [1.0, 0.5]])
    >>> np.exp(syn.log_transmission(np.array([0.5, 1.0]), beta))
    array([0.75, 0.25])
    """
    few: ArrayT | None = native.few_logs(y, beta)
    if few is not None:
        return few
    with Arguments(y=y, beta=beta) as given:
        check_shapes(given)
        return given.result(_log_transmission(*given.arrays, xp=given.xp))


def log_transmission_vjp(y: ArrayT, /, beta: ArrayT, grad: ArrayT | float) -> tuple[ArrayT, ArrayT]:
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
    few: tuple[ArrayT, ArrayT] | None = native.few_gradients(y, beta, grad)
    if few is not None:
        return few
    with Arguments(y=y, beta=beta) as given:
        given.array("grad", grad, check_shapes(given))
        gy, gbeta = given.gradients(_log_transmission_vjp(*given.arrays, xp=given.xp))
        return gy, gbeta


def log_transmission_jvp(
    y: ArrayT, /, beta: ArrayT, dy: ArrayT | float, dbeta: ArrayT | float
) -> ArrayT:
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
    with Arguments(y=y, beta=beta) as given:
        check_shapes(given)
        given.array("dy", dy, given.shape("y"))
        given.array("dbeta", dbeta, given.shape("beta"))
        return given.tangent(_log_transmission_jvp(*given.arrays, xp=given.xp))


def log_transmission_variant(y: ArrayT, /, beta: ArrayT) -> str:
    """Name the branch that `log_transmission` takes for these arguments; computes nothing.

    Parameters
    ----------
    y, beta : array
        As for `log_transmission`.

    Returns
    -------
    str
        ``"native"`` (compiled C; NumPy arrays, and torch's and JAX's on the CPU, if the
        installation has it: built with a compiler or from a wheel, for x86-64-v3 or later, or
        aarch64), ``"triton"`` (compiled; torch and CuPy arrays on a CUDA device), ``"jax-scan"`` (a
        scan over checkpointed blocks, for JAX on other devices) or ``"array-api"`` (blocks of array
        operations, on every other library, and where autodiff must see the operations).

    Notes
    -----
    The environment variable ``SYNANN_KERNELS=off`` turns the compiled branches off; another word in
    it is a ValueError.

    Raises
    ------
    TypeError, ValueError
        As for `log_transmission`.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> syn.log_transmission_variant(np.ones(3), np.ones((2, 3))) in ("native", "array-api")
    True
    """
    with Arguments(y=y, beta=beta) as given:
        check_shapes(given)
        return variant(given.xp, *given.arrays)


def contributions(y: ArrayT, /, beta: ArrayT, *, background: ArrayT | None = None) -> ArrayT:
    """What each input adds to the surprisal of each output, ``c_ij = −log(1 − β_ij y_j) ≥ 0``.

    An exact attribution, with no sampling: the parts add up to ``−log_transmission(y, beta)``. They
    are Shapley values against the baseline y = 0, "nothing is there". Against a background of other
    samples the part of an input is how much more it adds than it does there on average.

    Parameters
    ----------
    y : array, shape (..., n)
        Inhibitory inputs, in [0, 1].
    beta : array, shape (m, n)
        Strengths of the inhibition, in [0, 1].
    background : array, shape (samples, n), optional
        What the inputs are compared with, the training data say: the parts are then the
        interventional Shapley values ``c_ij(y) − mean c_ij(background)``, and add up to the
        difference of the sums. Without it the baseline is 0.

    Returns
    -------
    array, shape (..., m, n)
        In nats. In [0, ∞] without a background; inf at a closed factor. Accurate to 4 ulp (8 on
        JAX). With a background of either sign, and −inf or NaN where a factor is closed in it.

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
    >>> syn.contributions(y, beta, background=np.array([[0.0, 1.0], [0.5, 1.0]])).round(3)
    array([[0.144, 0.   ],
           [0.347, 0.   ]])
    """
    others = {} if background is None else {"background": background}
    with Arguments(y=y, beta=beta, **others) as given:
        check_shapes(given)
        parts = _contributions(given["y"], given["beta"], xp=given.xp)
        if background is not None:
            check_background(given["background"], given.shape("beta")[1])
            parts = parts - _mean_contributions(given["background"], given["beta"], xp=given.xp)
        return given.result(parts)


def check_background(background: AnyArray, inputs: int) -> None:
    """Refuse a background that is not of one or more samples with so many inputs."""
    check_shape("background", background, "samples", inputs)
    check_samples(background)


def check_samples(background: AnyArray) -> None:
    """Refuse a background without samples."""
    if not background.shape[0]:
        raise ValueError("`background` must hold one or more samples. Received: none")


def check_shapes(
    given: Arguments[Any], x: str = "", alpha: str = "", *, inputs: str = "y", weights: str = "beta"
) -> Shape:
    """Check the shapes of a synapse tensor's arguments and return the result's shape."""
    named = given.named
    y, beta = tuple(named[inputs].shape), tuple(named[weights].shape)
    batch, m = y[:-1], beta[0] if beta else 0
    u, theta = (tuple(named[name].shape) if name else () for name in (x, alpha))
    if len(beta) == 2 and y[-1:] == beta[1:] and u in ((), (*batch, m)) and theta in ((), (m,)):
        return (*batch, m)
    patterns: dict[str, Pattern] = {weights: ("m", "n"), inputs: (..., "n")}
    if u:
        patterns[x] = (..., "m")
    if theta:
        patterns[alpha] = ("m",)
    given.check_shapes(**patterns)
    batched = {inputs: y, x: u} if u else {inputs: y}
    return (*broadcast_shape(1, **batched), beta[0])


def with_batch(value: Array, y: Array, xp: Namespace) -> Array:
    """(rows, m) with the batch axes of y."""
    if y.ndim == 2:
        return value
    return xp.reshape(value, (*y.shape[:-1], value.shape[-1]))


def to_rows(grad: Array, y: Array, xp: Namespace) -> Array:
    """Gradient of the result, summed over axes along which y was repeated, as (rows, m)."""
    shape = (*y.shape[:-1], grad.shape[-1])
    if len(shape) == 2 and grad.shape == shape:
        return grad
    return xp.reshape(sum_to_shape(grad, shape, xp), (row_count(y), grad.shape[-1]))


def _log_transmission(y: Array, beta: Array, *, xp: Namespace) -> Array:
    return with_batch(log_product(probability_factors(y, beta, xp=xp), xp=xp)[0], y, xp)


def _log_transmission_vjp(
    y: Array, beta: Array, grad: Array, *, xp: Namespace
) -> tuple[Array, Array]:
    factors = probability_factors(y, beta, xp=xp)
    gy, gbeta = log_product_vjp(factors, to_rows(grad, y, xp), xp=xp)
    return xp.reshape(gy, y.shape), gbeta


def _log_transmission_jvp(
    y: Array, beta: Array, dy: Array, dbeta: Array, *, xp: Namespace
) -> Array:
    factors = probability_factors(y, beta, xp=xp)
    tangent = log_product_jvp(factors, xp.reshape(dy, factors.y.shape), dbeta, xp=xp)
    return with_batch(tangent, y, xp)


def _mean_contributions(background: Array, beta: Array, *, xp: Namespace) -> Array:
    """Mean of the contributions over the rows of a background, (m, n)."""

    def parts(rows: Array) -> Array:
        return _contributions(rows, beta, xp=xp)

    return mean_over_rows(parts, background, beta.shape[0] * beta.shape[1], xp)


def _contributions(y: Array, beta: Array, *, xp: Namespace) -> Array:
    y = y[..., None, :]
    q = y * beta
    f = transmission(y, beta, xp)
    floor = constant(float(xp.finfo(q.dtype).eps) / 2, q, xp)
    floored = attach(xp.maximum(f, floor), lambda: 1.0 - q, xp)
    return 0.0 - log_complement(f, q, floored, xp)
