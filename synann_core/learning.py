"""Learning with synapses: the loss, the local surprisal rule, and initial values that can learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import as_generator, check_int, check_number
from synann_core._lib.numerics import constant
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.contraction.dispatch import log_product
from synann_core.contraction.factors import surprisal_factors
from synann_core.log_odds import logit
from synann_core.tensor import _surprisal_synapse_tensor_vjp
from synann_core.transmission import check_shapes, with_batch

__all__ = ["cross_entropy", "cross_entropy_vjp", "initial_beta", "surprisal_rule"]

# Initial values: each output has a few strong inhibitors, which together take about one nat away
# and, being few, let T differ between samples; all others are nearly silent.
_STRONG_BETA = 0.25
_STRONGEST_BETA = 0.9
_WEAK_TOTAL = 1e-3

_TOGETHER = 1 << 20  # numbers of a part, where a wide layer would fill the memory


def cross_entropy(logits: ArrayT, target: ArrayT, /) -> ArrayT:
    """Cross-entropy of softmax(logits) and a target distribution, per sample, in nats.

    ``L = −Σ_i target_i log softmax(logits)_i`` over the last axis.

    Parameters
    ----------
    logits : array, shape (..., classes)
    target : array, shape (..., classes)
        Probabilities (one-hot for hard labels); need not sum to 1.

    Returns
    -------
    array, shape (...), promoted dtype
        Finite for finite logits whose differences are finite. A class of target 0 adds nothing,
        even where its logit is −∞.

    Raises
    ------
    TypeError
        If an argument is not a real floating-point array, or if the libraries differ.
    ValueError
        If the shapes differ or there is no class.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> float(syn.cross_entropy(np.zeros(2), np.array([1.0, 0.0])))
    0.6931471805599453
    """
    with Arguments(logits=logits, target=target) as given:
        _check_classes(given)
        return given.result(_cross_entropy(*given.arrays, xp=given.xp))


def cross_entropy_vjp(
    logits: ArrayT, target: ArrayT, /, grad: ArrayT | float
) -> tuple[ArrayT, ArrayT]:
    """Gradients of `cross_entropy` for an upstream gradient.

    Parameters
    ----------
    logits, target : array, shape (..., classes)
    grad : array, shape (...), or number
        Gradient of the total with respect to each sample's loss.

    Returns
    -------
    glogits, gtarget : arrays, shape (..., classes)
        ``(τ softmax(logits) − target)·grad`` with τ = Σ target, and ``−log softmax(logits)·grad``.

    Raises
    ------
    TypeError, ValueError
        As for `cross_entropy`; also if `grad` does not fit the result.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> syn.cross_entropy_vjp(np.zeros(2), np.array([1.0, 0.0]), 1.0)[0]
    array([-0.5,  0.5])
    """
    with Arguments(logits=logits, target=target) as given:
        _check_classes(given)
        given.array("grad", grad, given.shape("logits")[:-1])
        glogits, gtarget = given.gradients(_cross_entropy_vjp(*given.arrays, xp=given.xp))
        return glogits, gtarget


def surprisal_rule(
    u: ArrayT | float, v: ArrayT, /, theta: ArrayT | float, gamma: ArrayT, target: ArrayT
) -> tuple[ArrayT, ArrayT]:
    """Local learning rule in surprisal space: error times Bose-Einstein occupation.

    With z = `surprisal_synapse_tensor`, p = softmax(−z) and the cross-entropy of p and the target,
    ``∂L/∂γ_ij = (τ p_i − target_i) n_ij`` and ``∂L/∂θ_i = target_i − τ p_i``, τ = Σ target. Each
    synapse needs only its own occupation n = BE(γ + v) and its output's error. A step is
    ``gamma = max(gamma_min, gamma − rate · ggamma)``.

    Parameters
    ----------
    u : array, shape (..., m), or 0-d or a number
    v : array, shape (..., n)
    theta : array, shape (m,), or 0-d or a number
    gamma : array, shape (m, n)
        As for `surprisal_synapse_tensor`.
    target : array, shape (..., m)
        Probabilities per output.

    Returns
    -------
    gtheta, ggamma : arrays
        Gradients of the loss summed over the batch, in the shapes and dtypes of theta and gamma.

    Raises
    ------
    TypeError, ValueError
        As for `surprisal_synapse_tensor`; also if `target` does not fit the result.

    Notes
    -----
    The published rule (equations 27–28 of the SynaNN paper) has one sign: it can only let β fade.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> v, gamma = np.full(2, 0.7), np.full((2, 2), 0.7)
    >>> gtheta, ggamma = syn.surprisal_rule(v, v, np.zeros(2), gamma, np.array([1.0, 0.0]))
    >>> gtheta, ggamma.round(3)
    (array([ 0.5, -0.5]), array([[-0.164, -0.164],
           [ 0.164,  0.164]]))
    """
    with Arguments(u=u, v=v, theta=theta, gamma=gamma) as given:
        shape = check_shapes(given, "u", "theta", inputs="v", weights="gamma")
        given.array("target", target, shape)
        gtheta, ggamma = given.gradients(_surprisal_rule(*given.arrays, xp=given.xp))[2:]
        return gtheta, ggamma


def initial_beta(
    m: int, n: int, *, mean_input: float = 0.5, rng: int | np.random.Generator
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Initial strengths β with which a synapse tensor passes a signal on and can learn.

    Sparse: every output has a few strong inhibitors (8 of about ¼ at `mean_input` = ½), the rest
    share 1e-3. The mean of T is of order −1 and, other than for β ≈ 2/n everywhere, its standard
    deviation over samples does not fade with n; measured in docs/numerics.md. No choice of β keeps
    it from fading where `mean_input` itself falls like 1/n (the outputs of softmax).

    Parameters
    ----------
    m, n : int
        Outputs and inhibitory inputs, ≥ 0.
    mean_input : float
        Expected value of an input y, in (0, 1].
    rng : int or numpy.random.Generator
        Seed, or the generator to draw from.

    Returns
    -------
    numpy.ndarray, shape (m, n), float64
        In (0, 1). ``xp.asarray`` takes it to another library.

    Raises
    ------
    TypeError
        If `m` or `n` is not an int, `mean_input` not a number, or `rng` neither int nor Generator.
    ValueError
        If `m`, `n` or a seed is negative or `mean_input` is outside (0, 1].

    Examples
    --------
    >>> import synann_core as syn
    >>> beta = syn.initial_beta(64, 64, rng=0)
    >>> beta.shape, int((beta > 0.1).sum(axis=1).max())
    ((64, 64), 8)
    """
    m, n = check_int("m", m, 0), check_int("n", n, 0)
    mean_input = check_number("mean_input", mean_input, 0.0, 1.0, ends="(]")
    generator = as_generator(rng)
    strength = min(_STRONG_BETA * 0.5 / mean_input, _STRONGEST_BETA)
    # At most half the inputs: of softmax's outputs, say, which sum to 1, all would always add up to
    # the same T. What is missing then is made up by strength, as far as that goes.
    wanted = 1.0 / max(strength * mean_input, 1e-300)  # of the smallest means: not infinite
    count = min((n + 1) // 2, max(1, round(wanted)))
    strength = min(1.0 / (max(count, 1) * mean_input), _STRONGEST_BETA)
    beta = generator.uniform(0.5, 1.5, (m, n)) * (_WEAK_TOTAL / max(n, 1))
    strong = _drawn_inputs(generator, m, n, count)
    jitter = generator.uniform(0.9, 1.1, (m, count))
    np.put_along_axis(beta, strong, strength * jitter, axis=1)
    return beta


def initial_beta_logit(
    m: int, n: int, *, mean_input: float, rng: np.random.Generator
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Logits of `initial_beta`, which layers train.

    Parameters
    ----------
    m, n : int
        Outputs and inputs.
    mean_input : float
        As for `initial_beta`.
    rng : numpy Generator

    Returns
    -------
    ndarray of float64, shape (m, n)

    Raises
    ------
    TypeError, ValueError
        As by `initial_beta`.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.layer import initial_beta_logit
    >>> initial_beta_logit(2, 3, mean_input=0.5, rng=np.random.default_rng(0)).shape
    (2, 3)
    """
    values = initial_beta(m, n, mean_input=mean_input, rng=rng)
    for rows in _row_parts(m, n):
        values[rows] = logit(values[rows])  # in the place of β
    return values


def _drawn_inputs(
    rng: np.random.Generator, m: int, n: int, count: int
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The first `count` of a random order of the n inputs, for each of m outputs its own."""
    drawn = np.empty((m, count), np.int64)
    for rows in _row_parts(m if count else 0, n):
        keys = rng.random((rows.stop - rows.start, n))
        least = np.argpartition(keys, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(keys, least, axis=1), axis=1)
        drawn[rows] = np.take_along_axis(least, order, axis=1)
    return drawn


def _row_parts(m: int, n: int) -> list[slice]:
    """Divide m rows of n numbers into parts that may be copied."""
    step = max(1, _TOGETHER // max(n, 1))
    return [slice(start, min(start + step, m)) for start in range(0, m, step)]


def _check_classes(given: Arguments[Any]) -> None:
    given.check_shapes(logits=(..., "classes"))
    shape = given.shape("logits")
    given.check_shapes(target=shape)
    if shape[-1] == 0:
        raise ValueError(f"`logits` must have at least one class. Received: shape {shape}")


def _log_softmax(logits: Array, *, xp: Namespace) -> Array:
    # The largest logit is a constant to the derivative, whatever it is: it cancels.
    shifted = logits - xp.max(logits, axis=-1, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))


def _cross_entropy(logits: Array, target: Array, *, xp: Namespace) -> Array:
    log_p = _log_softmax(logits, xp=xp)
    # 0 · log 0 = 0. Only there: elsewhere the derivative by the target, −log p, must stay.
    nothing = (target == 0.0) & xp.isinf(log_p)
    return 0.0 - xp.sum(target * xp.where(nothing, xp.zeros_like(log_p), log_p), axis=-1)


def _cross_entropy_vjp(
    logits: Array, target: Array, grad: Array, *, xp: Namespace
) -> tuple[Array, Array]:
    log_p = _log_softmax(logits, xp=xp)
    tau = xp.sum(target, axis=-1, keepdims=True)
    grad = grad[..., None]
    return grad * (tau * xp.exp(log_p) - target), -grad * log_p


def _surprisal_rule(
    u: Array, v: Array, theta: Array, gamma: Array, target: Array, *, xp: Namespace
) -> tuple[Array, ...]:
    # Of the guarded sum: were all outputs closed, softmax(−z) would be that of infinities only.
    guarded = log_product(surprisal_factors(v, gamma, xp=xp), xp=xp)[1]
    logits = with_batch(guarded, v, xp) - (theta + u)
    # Nor those of infinite u.
    logits = xp.maximum(logits, constant(-float(xp.finfo(logits.dtype).max) / 4.0, logits, xp))
    glogits = _cross_entropy_vjp(logits, target, xp.ones_like(logits[..., 0]), xp=xp)[0]
    return _surprisal_synapse_tensor_vjp(u, v, theta, gamma, -glogits, xp=xp)
