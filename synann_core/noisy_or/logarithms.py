"""Add up numbers that are given by their logarithms, of which some may be −∞."""

from __future__ import annotations

from typing import Any

import numpy as np

from synann_core.noisy_or.parameters import Reals


def moving_maximum(highest: Any, logs: Any) -> tuple[Any, Any, Any]:
    """Take further logarithms into a sum that is kept relative to the largest so far.

    Parameters
    ----------
    highest, logs : float or ndarray
        The largest logarithm until now, −∞ at first, and that of what is to be added.

    Returns
    -------
    highest, ground, shrink : float or ndarray
        The largest logarithm now; what the logarithms are to be taken relative to, finite also
        where all of them are −∞; and what the sum until now has to be multiplied by.
    """
    now = np.maximum(highest, logs)
    ground = np.where(np.isneginf(now), 0.0, now)
    return now, ground, np.exp(highest - ground)


def sums_of_chosen(chosen: Reals, logs: Reals) -> Reals:
    """Sums of logarithms, of which some may be −∞: 0 · −∞ counts as 0.

    `chosen` has 0 and 1, shape (rows, terms); the logarithms have the shape (sums, terms).
    """
    impossible = np.isneginf(logs)
    if not impossible.any():
        sums: Reals = chosen @ logs.T
        return sums
    sums = chosen @ np.where(impossible, 0.0, logs).T
    sums[chosen @ impossible.astype(np.float64).T > 0.0] = -np.inf
    return sums
