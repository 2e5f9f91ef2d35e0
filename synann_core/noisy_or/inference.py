"""Invert a noisy-OR network: the probability of each cause, given the findings."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synann_core._lib.arguments import check_shape
from synann_core._lib.checks import check_binary, check_int
from synann_core.noisy_or.network import NoisyOr
from synann_core.surprisals import complement

__all__ = ["posterior"]

_MOST_CAUSES = 24  # there are 2^causes sets of them


def posterior(model: NoisyOr, findings: ArrayLike, /, *, block: int = 2**14) -> NDArray[np.float64]:
    """Return P(cause | all findings), by Bayes' rule over every set of causes: exact.

    ``log P(s | y) = Σ_i s_i·log P(present_i | y) + (1 − s_i)·log P(absent_i | y)`` is affine in the
    findings s, so that a block of sets costs one matrix product for all samples together.

    Parameters
    ----------
    model : NoisyOr
        With at most 24 causes, leaks above 0 and strengths below 1: no finding may be certain.
    findings : array_like, shape (samples, findings)
        0 or 1.
    block : int
        Sets at a time, ≥ 1.

    Returns
    -------
    ndarray of float64, shape (samples, causes)
        To about 1e-5: the sums are of float32 numbers.

    Raises
    ------
    TypeError, ValueError
        If the model has too many causes or certain findings, or if `findings` does not fit it.

    Examples
    --------
    >>> from synann_core.noisy_or import NoisyOr, posterior
    >>> model = NoisyOr(prior=[0.1, 0.1], leak=[0.01], beta=[[0.9, 0.9]])
    >>> posterior(model, [[1], [0]]).round(2)
    array([[0.5 , 0.5 ],
           [0.01, 0.01]])
    """
    if not isinstance(model, NoisyOr):
        raise TypeError(f"`model` must be a NoisyOr. Received: {model!r}")
    count = model.prior.size
    if count > _MOST_CAUSES:
        raise ValueError(f"`model` must have at most {_MOST_CAUSES} causes. Received: {count}")
    if not (np.all(model.leak > 0) and np.all(model.beta < 1)):
        raise ValueError(
            "`model` must have leaks above 0 and strengths below 1. Received: "
            f"leaks from {model.leak.min()} and strengths up to {model.beta.max()}"
        )
    s = check_binary("findings", findings).astype(np.float32)
    check_shape("findings", s, "samples", model.leak.size)
    check_int("block", block, 1)
    log_odds = np.log(model.prior) - np.log1p(-model.prior)
    best = np.full(len(s), -np.inf)  # log of the largest term so far; sums are relative to it
    total, with_cause = np.zeros(len(s)), np.zeros((len(s), count))
    for first in range(0, 2**count, block):
        sets = np.arange(first, min(first + block, 2**count))
        y = (sets[:, None] >> np.arange(count) & 1).astype(np.float64)
        # In float64: a strength close to 1 and a leak close to 0 would become certain in float32.
        w = model._absence_surprisal(y)
        joint = s @ (w - complement(w)).astype(np.float32).T
        joint += (y @ log_odds - w.sum(axis=1)).astype(np.float32)
        highest = np.maximum(best, joint.max(axis=1))
        joint -= highest[:, None].astype(np.float32)
        weight = np.exp(joint, out=joint)
        shrink = np.exp(best - highest)
        total = total * shrink + weight.sum(axis=1, dtype=float)
        with_cause = with_cause * shrink[:, None] + weight @ y.astype(np.float32)
        best = highest
    probability: NDArray[np.float64] = with_cause / total[:, None]
    return probability
