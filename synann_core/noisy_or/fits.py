"""Fit the links of all findings, each a small problem of its own, in threads or in processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.checks import check_bool, check_int
from synann_core._lib.log import logger
from synann_core._lib.namespaces import numpy_namespace
from synann_core._lib.progress import Progress
from synann_core._lib.threads import blas_threads_for, side_by_side
from synann_core.noisy_or.links import (
    DefiniteLoss,
    ProtectiveLoss,
    UncertainLoss,
    standard_errors,
)
from synann_core.noisy_or.minimum import minimise, minimise_definite
from synann_core.noisy_or.parameters import Floats, is_sparse
from synann_core.noisy_or.samples import Samples, check_prior

_START = 0.1  # surprisal of every link
_PARTS = 16  # of the findings, that processes take in turn

_log = logger("noisy_or")


@dataclass(frozen=True)
class Options:
    """How to learn; `learning.fit_known_causes` says what the fields mean."""

    link_prior: tuple[float, float] = (1.0, 2.0)
    leak_prior: tuple[float, float] = (4.0, 4.0)
    protective: bool = False
    iterations: int = 500
    n_jobs: int | None = None
    verbose: bool | int = False

    def checked(self, link_name: str = "link_prior") -> Options:
        """The same with plain numbers; the name of the links' prior is the caller's."""
        return Options(
            check_prior(link_name, self.link_prior, (0.0, 1.0), "(]"),
            check_prior("leak_prior", self.leak_prior, (1.0, np.inf), "[]"),
            check_bool("protective", self.protective),
            check_int("iterations", self.iterations, 1),
            _check_jobs(self.n_jobs),
            self.verbose,
        )


@dataclass(frozen=True)
class Fitted:
    """What is learned of a finding."""

    unknowns: Floats
    errors: Floats  # of the strengths; NaN: none
    converged: bool


def fit_findings(
    samples: Samples,
    options: Options,
    *,
    errors: bool,
    allowed: NDArray[np.bool_] | None = None,
) -> list[Fitted]:
    """Fit every finding, in threads or in processes.

    Definite causes that do not protect may be kept to the links that are `allowed`, shape
    (findings, causes).
    """
    fit, count = _Findings(samples, options, errors, allowed), samples.present.shape[1]
    by = _in_threads if options.n_jobs is None else _in_processes
    with Progress("noisy-OR links", count, shown=options.verbose, unit="finding") as bar:
        fitted = by(fit, count, bar)
    settled = sum(one.converged for one in fitted)
    _log.info("links of %d findings fitted, of which %d converged", count, settled)
    return fitted


def _in_threads(fit: _Findings, count: int, bar: Progress) -> list[Fitted]:
    def one(finding: int) -> Fitted:
        fitted = fit.one(finding)
        bar.advance()
        return fitted

    size = fit.samples.rows.shape[0] * fit.samples.rows.shape[1]
    with blas_threads_for(size, numpy_namespace):
        return list(side_by_side(one, [(i,) for i in range(count)]))


def _in_processes(fit: _Findings, count: int, bar: Progress) -> list[Fitted]:
    try:
        from joblib import Parallel, delayed
    except ImportError:
        raise ImportError(
            '`n_jobs` needs joblib, which comes with scikit-learn: pip install "synann[noisy-or]"'
        ) from None
    parts = np.array_split(np.arange(count), min(count, _PARTS))
    run = Parallel(n_jobs=fit.options.n_jobs, return_as="generator")
    found: list[Fitted] = []
    for part in run(delayed(fit.some)(part) for part in parts):
        found += part
        bar.advance(len(part))
    return found


def _check_jobs(n_jobs: int | None) -> int | None:
    if n_jobs is None:
        return None
    jobs = check_int("n_jobs", n_jobs, -1)
    if jobs == 0:
        raise ValueError("`n_jobs` must be -1 or positive. Received: 0")
    return jobs


class _Findings:
    """The problems of all findings, and what they share."""

    def __init__(
        self,
        samples: Samples,
        options: Options,
        errors: bool,
        allowed: NDArray[np.bool_] | None,
    ) -> None:
        self.samples, self.options, self.errors = samples, options, errors
        self.allowed = allowed
        if samples.definite and not options.protective:
            # What is linear, of all findings at once: how often a cause was seen without a finding.
            with_cause = samples.rows.T
            absent = (with_cause @ samples.total)[:, None] - _dense(with_cause @ samples.present)
            self.absent = absent - _dense(with_cause @ samples.unknown)

    def some(self, findings: NDArray[np.intp]) -> list[Fitted]:
        """Several findings, one after the other."""
        with np.errstate(all="ignore"):
            return [self.one(int(i)) for i in findings]

    def one(self, finding: int) -> Fitted:
        """Unknowns of a finding, and the standard errors of their strengths (NaN: none)."""
        samples, options = self.samples, self.options
        at, present = samples.column(samples.present, finding)
        out, unknown = samples.column(samples.unknown, finding)
        causes = samples.rows.shape[1]
        loss: Any
        if samples.definite and not options.protective:
            seen = samples.total.sum() - unknown.sum() - present.sum()
            absent = np.r_[self.absent[:, finding], seen]
            loss = DefiniteLoss(samples.rows[at], present, np.maximum(absent, 0.0))
        else:
            with_it, without = np.zeros(len(samples.total)), samples.total.copy()
            with_it[at] = present
            without[at] -= present
            without[out] -= unknown
            kind = ProtectiveLoss if options.protective else UncertainLoss
            loss = kind(samples.rows, with_it, np.maximum(without, 0.0))
        prior, steps = options.link_prior, options.iterations
        if isinstance(loss, DefiniteLoss):
            if self.allowed is None:
                c, converged = minimise_definite(loss, link_prior=prior, iterations=steps)
            else:
                some = np.flatnonzero(self.allowed[finding])
                c = np.zeros(causes + 1)
                c[np.r_[some, -1]], converged = minimise_definite(
                    loss.part(some), link_prior=prior, iterations=steps
                )
        else:
            start = np.full((2 if options.protective else 1) * causes + 1, _START)
            scale = max(1.0, samples.total.sum() - unknown.sum())
            c, converged = minimise(loss, start, link_prior=prior, scale=scale, iterations=steps)
        none = np.full(len(c), np.nan)
        return Fitted(c, standard_errors(loss, c) if self.errors else none, converged)


def _dense(product: Any) -> Floats:
    found: Floats = product.toarray() if is_sparse(product) else product
    return found
