"""Sum exactly over all sets of causes, for all samples together.

``log P(findings | causes)`` is affine in which findings are present and which absent, so that a
block of sets costs two matrix products for all samples. Where there are few causes and many
findings that are not surely absent, this is cheaper than sums over sets of findings.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.arguments import silence
from synann_core._lib.namespaces import numpy_namespace
from synann_core._lib.threads import blas_threads_for, side_by_side, thread_count
from synann_core.log_odds import logit
from synann_core.noisy_or.logarithms import moving_maximum, sums_of_chosen
from synann_core.noisy_or.parameters import Parameters, Reals, dense_rows

_PARTS = 4  # fixed, and added up in order: the bits do not depend on the number of threads
_BLOCK_NUMBERS = 1 << 21  # of all arrays of a block together
# Seconds of one thread: a logarithm and an exponential, a multiplication in a product of matrices.
_SECONDS_A_FUNCTION, _SECONDS_A_PRODUCT = 2.5e-8, 1.5e-10


@dataclass(frozen=True)
class Plan:
    """What is summed over, for some samples of a network."""

    findings: NDArray[np.int64]  # those that are known in some sample
    free: NDArray[np.int64]  # causes that are linked to them and neither certain nor impossible

    def seconds(self, samples: int, uncertain: int) -> float:
        """The time for some samples, roughly; `uncertain` findings in all of them."""
        m, n = self.findings.size, self.free.size
        a_set = m * (_SECONDS_A_FUNCTION + n * _SECONDS_A_PRODUCT)
        a_set += samples * (_SECONDS_A_FUNCTION + 2 * (m + n) * _SECONDS_A_PRODUCT)
        a_set += uncertain * _SECONDS_A_FUNCTION
        return 1e-3 + 2.0 ** min(n, 900) * a_set / thread_count()

    def bytes(self, samples: int) -> float:
        """The memory for some samples, roughly."""
        least = 64 * (samples + 6 * self.findings.size + self.free.size)
        return 8.0 * thread_count() * max(_BLOCK_NUMBERS, least)


def make_plan(network: Parameters, X: Reals) -> Plan:
    """Plan the sum for all samples together."""
    findings = np.flatnonzero(~np.isnan(X).all(axis=0))
    linked = (dense_rows(network.beta, findings) > 0.0).any(axis=0)
    if network.protection is not None:
        linked |= (dense_rows(network.protection, findings) > 0.0).any(axis=0)
    free = linked & (network.prior > 0.0) & (network.prior < 1.0)
    return Plan(findings, np.flatnonzero(free))


def solve(network: Parameters, X: Reals, plan: Plan) -> tuple[Reals, Reals]:
    """Return log-evidence (samples,), −∞ where it is 0, and posteriors (samples, causes)."""
    with blas_threads_for(0, numpy_namespace), silence(numpy_namespace):
        return _solve(network, X[:, plan.findings], plan)


def _solve(network: Parameters, x: Reals, plan: Plan) -> tuple[Reals, Reals]:
    free, prior = plan.free, network.prior[plan.free]
    sums = _Sums(network, plan, x)
    step = max(64, _BLOCK_NUMBERS // (len(x) + 6 * plan.findings.size + free.size + 1))
    bounds = np.linspace(0, 2**free.size, _PARTS + 1).astype(np.int64)
    parts = [(*ends, step) for ends in itertools.pairwise(bounds.tolist())]
    found = list(side_by_side(sums.over, parts))
    best: Reals = np.full(len(x), -np.inf)
    total, present = np.zeros(len(x)), np.zeros((len(x), free.size))
    for highest, part, part_present in found:
        best, ground, shrink = moving_maximum(best, highest)
        weight = np.exp(highest - ground)
        total = total * shrink + weight * part
        present = present * shrink[:, None] + weight[:, None] * part_present
    evidence = np.log(total) + ground + np.log1p(-prior).sum()
    posterior = np.repeat(network.prior[None], len(x), axis=0)
    posterior[:, free] = np.minimum(present / total[:, None], 1.0)
    return evidence, posterior


class _Sums:
    """The sums over sets of causes, relative to their largest terms."""

    def __init__(self, network: Parameters, plan: Plan, x: Reals) -> None:
        prior = network.prior
        self.log_odds = logit(prior[plan.free])
        certain = np.flatnonzero(prior == 1.0)
        beta = dense_rows(network.beta, plan.findings)
        self.silent = _Logs(beta, plan.free, certain, np.log1p(-network.leak[plan.findings]))
        self.spared = None
        if network.protection is not None:
            delta = dense_rows(network.protection, plan.findings)
            self.spared = _Logs(delta, plan.free, certain, np.zeros(plan.findings.size))
        self.present, self.absent = (x == 1.0).astype(np.float64), (x == 0.0).astype(np.float64)
        self.uncertain = np.argwhere((x > 0.0) & (x < 1.0))
        self.r = x[tuple(self.uncertain.T)]

    def over(self, first: int, end: int, step: int) -> tuple[Reals, Reals, Reals]:
        """Return the largest logarithm, and the sums of all sets and of those with a cause."""
        samples, count = len(self.present), self.log_odds.size
        best = np.full(samples, -np.inf)
        total, with_cause = np.zeros(samples), np.zeros((samples, count))
        for start in range(first, end, step):
            sets = np.arange(start, min(start + step, end))
            y = (sets[:, None] >> np.arange(count) & 1).astype(np.float64)
            joint = self._joint(y)
            best, ground, shrink = moving_maximum(best, joint.max(axis=1))
            joint -= ground[:, None]
            weight = np.exp(joint, out=joint)
            total = total * shrink + weight.sum(axis=1)
            with_cause = with_cause * shrink[:, None] + weight @ y
        return best, total, with_cause

    def _joint(self, y: Reals) -> Reals:
        """Joint log-probability of findings and causes, up to a constant, (samples, sets)."""
        log_silent = self.silent(y)
        log_present = _log_complement(log_silent)
        log_absent = log_silent
        if self.spared is not None:
            log_spared = self.spared(y)
            log_present = log_present + log_spared
            log_absent = np.logaddexp(_log_complement(log_spared), log_spared + log_silent)
        joint: Reals = y @ self.log_odds + sums_of_chosen(self.present, log_present)
        joint += sums_of_chosen(self.absent, log_absent)
        for (sample, finding), r in zip(self.uncertain, self.r, strict=True):
            joint[sample] += np.logaddexp(
                np.log(r) + log_present[:, finding], np.log1p(-r) + log_absent[:, finding]
            )
        return joint


class _Logs:
    """Σ_j log(1 − links_ij y_j) of sets of causes."""

    def __init__(
        self, links: Reals, free: NDArray[np.int64], certain: NDArray[np.int64], start: Reals
    ) -> None:
        own = links[:, free]
        self.logs = np.log1p(-np.where(own == 1.0, 0.0, own)).T
        self.closed = (own == 1.0).astype(np.float64).T if (own == 1.0).any() else None
        self.start = start + np.log1p(-links[:, certain]).sum(axis=1)

    def __call__(self, y: Reals) -> Reals:
        sums: Reals = y @ self.logs + self.start
        if self.closed is not None:
            sums[y @ self.closed > 0.0] = -np.inf
        return sums


def _log_complement(logs: Reals) -> Reals:
    """Logarithm of the complement, log(1 − e^logs)."""
    complement: Reals = np.log(-np.expm1(logs))
    return complement
