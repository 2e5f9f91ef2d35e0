"""Odds and log-odds, and how synapses compute with them.

The ratio of a synapse to its swapped twin is an odds ratio,
``S(x, y)/S(y, x) = odds(βx)/odds(βy)``: a synapse graph read in log-odds is an odds network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._lib._arguments import Array, Call, Namespace
from .graph import SynapseGraph
from .synapse import _transmission

__all__ = ["bayes_graph", "expit", "logit", "odds", "odds_ratio", "swap_ratio"]


def odds(p: Array, /) -> Array:
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
    return Call(p=p).value(_odds)


def logit(p: Array, /) -> Array:
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
    return Call(p=p).value(_logit)


def expit(z: Array, /) -> Array:
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
    return Call(z=z).value(_expit)


def odds_ratio(p: Array, q: Array, /) -> Array:
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
    call = Call(p=p, q=q)
    call.broadcast()
    return call.value(_odds_ratio)


def swap_ratio(x: Array, y: Array, /, beta: Array = 1.0) -> Array:
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
    call = Call(x=x, y=y, beta=beta)
    call.broadcast()
    return call.value(_swap_ratio)


def bayes_graph(
    prior: float, given: Any, otherwise: Any, *, names: Sequence[str] | None = None
) -> SynapseGraph:
    """Bayes' rule for an event and independent findings, as a synapse graph.

    Its outputs are the joint probabilities of the findings with the event and without, whose ratio
    is the posterior odds. In surprisal space their difference is the posterior log-odds, ``prior
    log-odds + Σ log likelihood ratios``, one synapse a finding and output.

    Parameters
    ----------
    prior : float
        Probability of the event, in [0, 1].
    given, otherwise : sequence of float, shape (findings,)
        Probability, in [0, 1], of each finding with the event and without.
    names : sequence of str, optional
        Names of the findings; by default ``f0``, ``f1``, …

    Returns
    -------
    SynapseGraph
        Inputs: the findings, 1 if present and 0 if absent; between them, uncertain evidence, whose
        likelihood is the mean ``p·y + (1 − p)(1 − y)`` (at ½ it says nothing). Outputs: ``"for"``
        and ``"against"``.

    Raises
    ------
    TypeError, ValueError
        If the shapes or the number of names do not fit, if a name is taken, or if a probability is
        no number in [0, 1].

    Notes
    -----
    For p ≤ ½ the likelihood is ``(1 − p)(1 − βy)`` with ``β = (1 − 2p)/(1 − p)``; for p > ½ the
    same with 1 − p and 1 − y. All the gains (1 − p) of an output are one α, which underflows at
    some thousand findings.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> from synann_core.odds import bayes_graph
    >>> graph = bayes_graph(0.01, given=[0.9], otherwise=[0.1])  # a test, of 90 % either way
    >>> against_for = graph.compile()(np.array([[1.0], [0.5]]))[:, ::-1]
    >>> against_for[:, 0] / against_for[:, 1]  # odds against: 99 to 9, and 99 to 1 without a test
    array([11., 99.])
    """
    p, q = np.asarray(given, dtype=np.float64), np.asarray(otherwise, dtype=np.float64)
    if p.ndim != 1 or p.shape != q.shape:
        raise ValueError(
            "`given` and `otherwise` must be one-dimensional, of one length. "
            f"Received: shapes {p.shape} and {q.shape}"
        )
    for name, values in (("prior", np.asarray(prior)), ("given", p), ("otherwise", q)):
        if not np.all((values >= 0) & (values <= 1)):
            raise ValueError(f"`{name}` must be in [0, 1]. Received: {values[()]}")
    names = [f"f{j}" for j in range(len(p))] if names is None else list(names)
    if len(names) != len(p):
        raise ValueError(f"`names` must be {len(p)} names. Received: {len(names)}")
    graph = SynapseGraph()
    graph.input(*names)
    for j in np.flatnonzero((p > 0.5) | (q > 0.5)):
        graph.synapse(f"not {names[j]}", inhibitory=names[j])
    for output, share, likelihood in (("for", prior, p), ("against", 1.0 - prior, q)):
        likely = likelihood > 0.5
        gains = np.where(likely, likelihood, 1.0 - likelihood)
        strengths = (2.0 * gains - 1.0) / gains
        sources = [f"not {n}" if x else n for n, x in zip(names, likely, strict=True)]
        alpha = float(share * np.prod(gains))
        inhibitory = zip(sources, strengths.tolist(), strict=True)
        graph.synapse(output, inhibitory=dict(inhibitory), alpha=alpha)
    graph.output("for", "against")
    return graph


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
    return _swap_ratio(p, q, 1.0, xp=xp)


def _swap_ratio(x: Array, y: Array, beta: Array, *, xp: Namespace) -> Array:
    # Both quotients lie on the same side of 1: neither leaves the range unless the ratio does.
    return (x / y) * (_transmission(y, beta) / _transmission(x, beta))
