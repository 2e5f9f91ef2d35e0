"""Write a tariff as a table of text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

_HEAD = ("feature", "level", "factor", "95 % from", "to", "exposure", "counts")
_NORMAL = 1.959964  # 97.5 % of a normal distribution are below


def tariff_table(
    alpha: float,
    names: Sequence[str],
    factors: Sequence[Mapping[Any, float]],
    errors: Sequence[Mapping[Any, float]],
    seen: Sequence[Sequence[tuple[float, float] | None]],
) -> str:
    """Lines for the base rate and every level, with an interval where there is an error.

    Parameters
    ----------
    alpha : float
    names : sequence of str
        Of the features.
    factors, errors : sequences of dicts, one for each feature
        By level: factors, and standard errors of their logarithms.
    seen : sequence of sequences
        Exposure and counts of each level; None for a number's end.
    """
    rows: list[tuple[str, ...]] = [_HEAD]
    for name, levels, uncertain, totals in zip(names, factors, errors, seen, strict=True):
        for (level, factor), counted in zip(levels.items(), totals, strict=True):
            error, ends = uncertain[level], ["", ""]
            if error > 0.0:
                ends = [f"{factor * math.exp(s * _NORMAL * error):.3f}" for s in (-1, 1)]
            words = level if isinstance(level, str) else f"{level:g}"
            both = ("", "") if counted is None else [f"{part:.10g}" for part in counted]
            rows.append((name, words, f"{factor:.3f}", *ends, *both))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"base rate {alpha:.4g}"]
    for row in rows:
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append(" ".join(left + right).rstrip())
    return "\n".join(lines)
