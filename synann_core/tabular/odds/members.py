"""Learn Bayes' rule for one class of a table: how its columns become findings, and their counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core.tabular.odds.bayes_rule import BayesRule
from synann_core.tabular.odds.thresholds import SoftThresholds
from synann_core.tabular.tables import MISSING

Floats = NDArray[np.floating[Any]]
Columns = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Member:
    """A rule, and what its findings are made of.

    Attributes
    ----------
    levels : list of tuple of str, or None
        By column: the words of a category, a finding each; None for numbers.
    soft : list of SoftThresholds, or None
        By column: what makes a finding of a measurement; None for categories and findings.
    rule : BayesRule
    """

    levels: list[tuple[str, ...] | None]
    soft: list[SoftThresholds | None]
    rule: BayesRule

    def findings(self, columns: Columns) -> Floats:
        """Findings, shape (samples, findings); ½ for what says nothing."""
        return _findings(self.levels, self.soft, columns, counted=False)

    def log_odds(self, columns: Columns) -> Floats:
        """Log-odds of the class, shape (samples,)."""
        log_odds: Floats = self.rule.log_odds(self.findings(columns))
        return log_odds

    def sizes(self) -> list[int]:
        """Number of findings of each column."""
        return [1 if levels is None else len(levels) for levels in self.levels]

    def calibrated(self, log_odds: Floats, event: Floats, weight: Floats) -> Member:
        """Return the member with slope and shift by log-odds of its rule without any."""
        rule = self.rule.calibrated(log_odds, event, sample_weight=weight)
        return replace(self, rule=rule)

    def plain(self) -> Member:
        """Return the member without slope and shift."""
        return replace(self, rule=replace(self.rule, slope=1.0, shift=0.0))


def learn(
    names: Sequence[str], columns: Columns, event: Floats, weight: Floats, *, thresholds: bool
) -> Member:
    """Count, without a calibration.

    Parameters
    ----------
    names : sequence of str
        Of the columns.
    columns : sequence of ndarray, shape (samples,)
        Floats, NaN where missing, or objects, `MISSING` where missing.
    event : ndarray, shape (samples,)
        0 or 1, both of them.
    weight : ndarray, shape (samples,)
        How often each sample counts.
    thresholds : bool
        Whether numbers other than 0 and 1 are measurements.
    """
    all_levels: list[tuple[str, ...] | None] = []
    all_soft: list[SoftThresholds | None] = []
    findings: list[str] = []
    for name, column in zip(names, columns, strict=True):
        levels, soft = None, None
        if column.dtype == object:
            levels = tuple(sorted(set(column) - {MISSING}))
            findings += [f"{name} = {level}" for level in levels]
        else:
            findings.append(name)
            known = column[~np.isnan(column)]
            if thresholds and not np.isin(known, (0.0, 1.0)).all():
                soft = SoftThresholds.from_training(column[:, None], event, sample_weight=weight)
        all_levels.append(levels)
        all_soft.append(soft)
    counted = _findings(all_levels, all_soft, columns, counted=True)
    rule = BayesRule.from_counts(counted, event, names=findings, sample_weight=weight)
    return Member(all_levels, all_soft, rule)


def _findings(
    all_levels: Sequence[tuple[str, ...] | None],
    all_soft: Sequence[SoftThresholds | None],
    columns: Columns,
    *,
    counted: bool,
) -> Floats:
    """Findings with ½ for what is missing and for words other than the one that is there.

    To be counted, these are NaN and 0.
    """
    nothing, parts = np.nan if counted else 0.5, []
    for levels, soft, column in zip(all_levels, all_soft, columns, strict=True):
        if levels is not None:
            there = column[:, None] == np.array(levels, dtype=object)
            found = np.where(there, 1.0, 0.0 if counted else 0.5)
            found[column == MISSING] = nothing
            parts.append(found)
            continue
        missing = np.isnan(column)
        found = np.where(missing, 0.0, column)[:, None]
        found = found if soft is None else soft(found)
        parts.append(np.where(missing[:, None], nothing, found))
    return np.hstack(parts)
