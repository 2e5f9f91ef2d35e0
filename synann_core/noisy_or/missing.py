"""Learn from samples some of whose causes are not known, by expectation and maximisation.

A sample counts as every set of causes that it may have, each with its exact posterior probability
under the last network: given the known causes, the findings, and nothing else. The next network is
fitted to these sets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.log import logger
from synann_core._lib.progress import Progress
from synann_core.noisy_or.fits import Options
from synann_core.noisy_or.frames import Names
from synann_core.noisy_or.learning import Learned, learn
from synann_core.noisy_or.network import NoisyOr

_ENTRIES = 1 << 22  # of sets and findings, looked at together
_NEVER = 1e-300  # the logarithm of a probability that underflows is finite

_log = logger("noisy_or")


@dataclass(frozen=True)
class Completed:
    """Every set of causes that a sample may have, the sets of one sample side by side."""

    causes: NDArray[np.float64]  # (sets, causes), 0 or 1
    owner: NDArray[np.intp]  # (sets,), the sample
    starts: NDArray[np.intp]  # (samples,), the first set of each


def complete(causes: NDArray[np.float64]) -> Completed:
    """List all sets of causes that agree with what is known."""
    unknown = np.isnan(causes)
    counts = 1 << unknown.sum(axis=1)
    owner = np.repeat(np.arange(len(causes)), counts)
    starts = np.r_[0, np.cumsum(counts)[:-1]]
    number = np.arange(len(owner)) - starts[owner]
    place = np.cumsum(unknown, axis=1) - 1  # the bit of each unknown cause
    sets = causes[owner]
    row, column = np.nonzero(unknown[owner])
    sets[row, column] = number[row] >> place[owner[row], column] & 1
    return Completed(sets, owner, starts)


def fit_missing_causes(
    causes: NDArray[np.float64],
    findings: Any,
    weight: NDArray[np.float64],
    options: Options,
    *,
    rounds: int,
    tolerance: float,
    names: tuple[Names, Names] = (None, None),
) -> tuple[Learned, list[float]]:
    """Fit a network, and return it with the log-evidence a sample after each round.

    Parameters
    ----------
    causes : ndarray, shape (samples, causes)
        What `check_missing_causes` returned.
    findings : scipy.sparse.csc_array, shape (samples, findings)
    weight : ndarray, shape (samples,)
    options : Options
    rounds : int
        At most so many.
    tolerance : float
        Stop when a round brings less, in nats a sample.
    names : pair
        Of the causes and of the findings.
    """
    sets = complete(causes)
    by_set = findings.tocsr()[sets.owner].tocsc()
    known = ~np.isnan(causes)
    prior = ((weight @ np.where(known, causes, 0.0)) + 1.0) / (weight @ known + 2.0)
    share = _shares(sets, _log_prior(sets.causes, prior))[0]
    history: list[float] = []
    limits: tuple[str, ...] = ()
    shown, options = options.verbose, replace(options, verbose=False)
    with Progress("missing causes", rounds, shown=shown, unit="round") as bar:
        for _ in range(rounds):
            learned = learn(sets.causes, by_set, weight[sets.owner] * share, options, names=names)
            joint = log_joint(learned.network, sets.causes, by_set)
            share, evidence = _shares(sets, joint)
            history.append(float(weight @ evidence / weight.sum()))
            bar.advance(log_evidence=history[-1])
            if len(history) > 1 and abs(history[-1] - history[-2]) < tolerance:
                _log.info("missing causes converged after %d rounds", len(history))
                break
        else:
            limits = (f"Missing causes did not converge in `em_iter`={rounds} rounds",)
            _log.info(*limits)
    learned = learn(
        sets.causes, by_set, weight[sets.owner] * share, options, errors=True, names=names
    )
    return replace(learned, limits=learned.limits + limits), history


def log_joint(network: NoisyOr, causes: NDArray[np.float64], findings: Any) -> NDArray[np.float64]:
    """Logarithm of P(causes, known findings) for every row."""
    found = _log_prior(causes, network.prior)
    rows = findings.tocsr()
    step = max(1, _ENTRIES // findings.shape[1])
    for first in range(0, len(causes), step):
        block = slice(first, first + step)
        p, s = network.predict(causes[block]), rows[block].toarray()
        likelihood = np.where(np.isnan(s), 1.0, np.where(s == 1.0, p, 1.0 - p))
        found[block] += np.log(np.maximum(likelihood, _NEVER)).sum(axis=1)
    return found


def _log_prior(causes: NDArray[np.float64], prior: NDArray[np.floating]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = causes @ np.log(prior) + (1.0 - causes) @ np.log1p(-prior)
    return found


def _shares(
    sets: Completed, joint: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Posterior probability of each set, and log-evidence of each sample."""
    best = np.maximum.reduceat(joint, sets.starts)
    share = np.exp(joint - best[sets.owner])
    total = np.add.reduceat(share, sets.starts)
    return share / total[sets.owner], best + np.log(total)
