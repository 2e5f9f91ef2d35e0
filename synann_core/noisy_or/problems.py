"""Reduce a sample to what exact inference over sets of findings needs.

Findings that are surely absent go into the weights of their causes; so does what causes leave
unblocked of a present one. What remains are a few findings, the bits of noisy_or.h. Weights are
logarithms.

A finding that is not surely present, and that causes may block, is a sum of two positive terms: it
is absent if it was never brought about nor blocked, or if it was blocked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core.noisy_or.parameters import Floats, Parameters, Reals, dense_rows, link_surprisal
from synann_core.noisy_or.plan import Structure

# Weights below this count as 0, unless nothing else explains a finding (see `needed`).
_LEAST_LOG, _LEAST_ON = -600.0, 1e-200


@dataclass(frozen=True)
class Term:
    """One of the positive terms of a finding: what its links do then."""

    log_constant: float
    strength: Reals  # of its links, in the structure's order
    log_factor: Reals  # what its links do to the weights of their causes
    log_off: float
    final: tuple[float, float]  # weights of the finding off and on


@dataclass(frozen=True)
class Problem:
    """What is left of one sample."""

    structure: Structure
    log_constant: float
    log_weights: Reals  # (2, causes), of the cause absent and present
    strength: Reals  # of links
    log_off: Reals  # of findings: that none of what is left out of the links brought it about
    final: Reals  # (findings, 2)
    terms: tuple[tuple[NDArray[np.int64], tuple[Term, Term]], ...]  # with the findings' links

    @property
    def fixed(self) -> tuple[int, ...]:
        """Causes that are certainly there."""
        return tuple(np.flatnonzero(np.isneginf(self.log_weights[0])).tolist())

    def with_terms(self, chosen: list[int]) -> Problem:
        """Choose the first or the second term of every finding that has two."""
        own = [terms[one] for (_, terms), one in zip(self.terms, chosen, strict=True)]
        log_weights, strength = self.log_weights.copy(), self.strength.copy()
        log_off, final = self.log_off.copy(), self.final.copy()
        for (links, _), term in zip(self.terms, own, strict=True):
            strength[links] = term.strength
            log_weights[1, self.structure.cause[links]] += term.log_factor
            finding = self.structure.finding[links[0]]
            log_off[finding], final[finding] = term.log_off, term.final
        return replace(
            self,
            log_constant=self.log_constant + sum(t.log_constant for t in own),
            log_weights=log_weights,
            strength=strength,
            log_off=log_off,
            final=final,
            terms=(),
        )


def problems(network: Parameters, X: Reals) -> Iterator[Problem]:
    """One problem a sample."""
    present, absent = X == 1.0, X == 0.0
    half = X == 0.5  # as likely with the finding as without it
    uncertain = ~(present | absent | half | np.isnan(X))
    blocks, protected = network.protection is not None, network.protected()
    folded = absent & ~protected
    with np.errstate(divide="ignore"):
        log_weights = np.stack([np.log1p(-network.prior), np.log(network.prior)])
    present_logs: Floats = log_weights[1] - _surprisal_of(network.beta, folded)
    if blocks:
        present_logs -= _surprisal_of(network.protection, present & protected)
    constants = folded @ np.log1p(-network.leak) + half.sum(axis=1) * np.log(0.5)
    open_findings = present | uncertain | (absent & protected)
    for sample in range(len(X)):
        findings = np.flatnonzero(open_findings[sample])
        logs = np.stack([log_weights[0], present_logs[sample]])
        yield _problem(
            network, X[sample, findings], findings, protected[findings], logs, constants[sample]
        )


def _surprisal_of(links: Any, chosen: NDArray[np.bool_]) -> Floats:
    """Σ −log(1 − links_ij) over the chosen findings, (samples, causes)."""
    some = np.flatnonzero(chosen.any(axis=0))  # a small part of a large network
    if not some.size:
        return np.zeros((len(chosen), links.shape[1]))
    return link_surprisal(links[some].T, None, chosen[:, some].astype(np.float64))


def _problem(
    network: Parameters,
    x: Reals,
    findings: NDArray[np.int64],
    protected: NDArray[np.bool_],
    log_weights: Reals,
    constant: float,
) -> Problem:
    beta = dense_rows(network.beta, findings)
    delta = np.zeros_like(beta) if network.protection is None else beta
    termed = protected & (x < 1.0)
    if termed.any():
        delta = dense_rows(network.protection, findings)
    linked = (beta > 0.0) | (termed[:, None] & (delta > 0.0))
    linked &= ~np.isneginf(log_weights[1])
    cause, finding = np.nonzero(linked.T)
    structure = Structure(findings.size, cause, finding)
    b, log_off = beta[finding, cause], np.log1p(-network.leak[findings])
    terms = []
    for i in np.flatnonzero(termed):
        links = np.flatnonzero(finding == i)
        d = delta[i, cause[links]]
        if links.size:
            terms.append((links, _terms(float(x[i]), b[links], d, float(log_off[i]))))
    return Problem(
        structure=structure,
        log_constant=float(constant),
        log_weights=log_weights,
        strength=b,
        log_off=log_off,
        final=np.stack([1.0 - x, x], axis=1),
        terms=tuple(terms),
    )


def _terms(r: float, b: Reals, d: Reals, log_off: float) -> tuple[Term, Term]:
    """r·P(present) + (1 − r)·P(absent) of a finding that causes may block, as positive terms."""
    nothing = np.zeros_like(b)
    with np.errstate(divide="ignore"):
        silent, unblocked = np.log1p(-b), np.log1p(-d)
    off: Any = {"strength": nothing, "log_off": 0.0, "final": (1.0, 0.0)}
    if r < 0.5:  # r + (1 − 2r)·P(blocked) + (1 − 2r)·P(neither brought about nor blocked)
        neither = float(np.log1p(-2.0 * r)) + log_off
        return (
            Term(log_constant=neither, log_factor=silent + unblocked, **off),
            Term(0.0, d, nothing, 0.0, (r, 1.0 - r)),
        )
    return (
        Term(log_constant=float(np.log1p(-r)), log_factor=nothing, **off),
        Term(float(np.log(2.0 * r - 1.0)), b, unblocked, log_off, (0.0, 1.0)),
    )


def needed(problem: Problem) -> tuple[int, ...]:
    """Causes with a weight too small for a float that alone explain a finding."""
    structure, logs = problem.structure, problem.log_weights
    with np.errstate(all="ignore"):
        log_present = logs[1] - np.logaddexp(*logs)
        tiny = (log_present < _LEAST_LOG)[structure.cause]
        if not tiny.any():
            return ()
        links = np.log1p(-np.exp(log_present[structure.cause]) * problem.strength)
        log_off = problem.log_off + np.bincount(
            structure.finding, np.where(tiny, 0.0, links), structure.findings
        )
        needed = (problem.final[:, 0] == 0.0) & (-np.expm1(log_off) < _LEAST_ON)
    causes = np.unique(structure.cause[tiny & needed[structure.finding]])
    return tuple(causes.tolist())
