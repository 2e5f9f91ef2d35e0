"""Means over seeds, splits or folds, with their spread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def mean_and_spread(values: Sequence) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sample standard deviation along the first axis; of a single value the latter is NaN.

    Parameters
    ----------
    values : sequence of float, or of rows of floats
    """
    mean = np.mean(values, axis=0)
    return mean, np.std(values, axis=0, ddof=1) if len(values) > 1 else np.full_like(mean, np.nan)


def plus_minus(values: Sequence[Sequence[float]], formats: Iterable[str]) -> list[str]:
    """Cells such as ``0.25 ± 0.03``: each column's mean and spread, as far as there are formats.

    Of one row the means alone.
    """
    columns = zip(*mean_and_spread(values), formats, strict=False)
    return [f"{mean:{f}}{known(spread, f, ' ± ')}" for mean, spread, f in columns]


def known(number: float, form: str, before: str = "") -> str:
    """The number with what stands before it; nothing for NaN, as the spread of one value."""
    return "" if np.isnan(number) else f"{before}{number:{form}}"
