"""Infer what is out of reach for exact sums: by bounds where they are close, else by sampling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from synann_core.noisy_or.bounds import Bounds, bound
from synann_core.noisy_or.parameters import Reals
from synann_core.noisy_or.problems import Problem
from synann_core.noisy_or.sampling import estimate

_ERROR = 0.2  # of a sampled posterior, at most, as a share of the width that is asked for
_MOST_SETS = 100_000_000
_MOST_TERMS = 8  # each doubles the cases
_ERRORS = 2.0  # standard errors to either side


@dataclass(frozen=True)
class Approximation:
    """What is known of one sample. Bounds are sure, sampling has two standard errors either way."""

    probability: Reals
    lower: Reals
    upper: Reals
    log_evidence: float
    log_lower: float
    log_upper: float
    method: Literal["bounds", "sampling"]


def approximate(
    problem: Problem,
    *,
    method: str,
    width: float,
    seconds: float,
    rng: np.random.Generator,
) -> Approximation:
    """Bounds, for a quarter of the time if samples may have to follow; or samples."""
    if len(problem.terms) > _MOST_TERMS:
        raise ValueError(
            f"`X` must have at most {_MOST_TERMS} findings a sample that causes protect from and "
            "that are not present, unless `most_seconds` and `most_bytes` allow an exact sum. "
            f"Received: {len(problem.terms)}"
        )
    share = {"auto": 0.25, "bounds": 1.0, "sampling": 0.1}[method]
    found = bound(problem, width=width, seconds=share * seconds)
    close = bool((found.upper - found.lower <= width).all())
    if method == "bounds" or (method == "auto" and close) or math.isinf(found.log_upper):
        return _between(found)
    drawn = estimate(
        found.cases,
        seconds=(1.0 - share) * seconds,
        error=_ERROR * width,
        most=_MOST_SETS,
        rng=rng,
    )
    if not math.isfinite(drawn.log_evidence):  # nothing that was drawn is possible
        return _between(found)
    # What is sure stays sure.
    p = np.clip(drawn.probability, found.lower, found.upper)
    margin, log_margin = _ERRORS * drawn.error, _ERRORS * drawn.log_evidence_error
    log_evidence = float(np.clip(drawn.log_evidence, found.log_lower, found.log_upper))
    return Approximation(
        probability=p,
        lower=np.maximum(p - margin, found.lower),
        upper=np.minimum(p + margin, found.upper),
        log_evidence=log_evidence,
        log_lower=max(log_evidence - log_margin, found.log_lower),
        log_upper=min(log_evidence + log_margin, found.log_upper),
        method="sampling",
    )


def _between(found: Bounds) -> Approximation:
    """The middle of what is possible, by log-odds where both bounds have them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = found.lower / (1.0 - found.lower), found.upper / (1.0 - found.upper)
        middle = np.sqrt(odds[0] * odds[1])
        p = middle / (1.0 + middle)
    p = np.where(np.isfinite(middle) & (middle > 0.0), p, 0.5 * (found.lower + found.upper))
    low, high = found.log_lower, found.log_upper
    return Approximation(
        probability=np.clip(p, found.lower, found.upper),
        lower=found.lower,
        upper=found.upper,
        log_evidence=0.5 * (low + high) if math.isfinite(low) else high,
        log_lower=low,
        log_upper=high,
        method="bounds",
    )
