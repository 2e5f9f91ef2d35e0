"""Score probabilities of an event, on all rows and on rows drawn again and again.

Intervals are percentiles of the bootstrap over rows. The models are those that were fitted: that
other training rows would have made other models is not in the intervals, and neither is that
another hospital or bank has other people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit, xlogy

from studies.rare_disease_scores import DRAWS
from studies.tables import LEAST
from synann import logit
from synann.tabular import BayesRule

BLOCK = 250  # draws at a time
STEPS, CLOSE = 25, 1e-9  # of Newton's method


class Scores(NamedTuple):
    """Measures, each of shape (draws + 1,): that of all rows, then one for each draw.

    Attributes
    ----------
    auc, log_loss, brier : ndarray
        Log-loss in nats; the Brier score is the mean squared error of the event's probability.
    slope : ndarray
        Of a logistic regression of the event on the predicted log-odds: 1 where they are as spread
        as they should be, below 1 where they are too far apart.
    excess : ndarray
        Share of events minus the mean predicted probability.
    """

    auc: np.ndarray
    log_loss: np.ndarray
    brier: np.ndarray
    slope: np.ndarray
    excess: np.ndarray


def draw_weights(rows: int, draws: int = DRAWS) -> np.ndarray:
    """How often each row counts, shape (draws + 1, rows): once, then as often as it is drawn."""
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(rows, np.full(rows, 1.0 / rows), draws)
    return np.concatenate([np.ones((1, rows)), drawn])


def score(event: np.ndarray, p: np.ndarray, weights: np.ndarray) -> Scores:
    """Score the probabilities of an event.

    Parameters
    ----------
    event : ndarray, shape (rows,)
        0 or 1.
    p : ndarray, shape (rows,)
        In [0, 1]; for log-loss and slope between `LEAST` and 1 − `LEAST`.
    weights : ndarray, shape (draws + 1, rows)
        Of `draw_weights`.
    """
    inside = np.clip(p, LEAST, 1 - LEAST)
    loss = -xlogy(event, inside) - xlogy(1 - event, 1 - inside)
    size = weights.sum(axis=1)
    means = [weights @ values / size for values in (loss, (event - p) ** 2, event - p)]
    auc = _in_blocks(lambda w: weighted_auc(event, p, w), weights)
    z = logit(inside)
    # Where the draws' searches begin. A rule without findings has nothing but slope and shift.
    rule = BayesRule(0.5, [0.5], [0.5]).calibrated(z, event)
    start = rule.shift, rule.slope
    slope = _in_blocks(lambda w: calibration_slope(event, z, w, start), weights)
    return Scores(auc, means[0], means[1], slope, means[2])


def _in_blocks(measure: Callable[[np.ndarray], np.ndarray], weights: np.ndarray) -> np.ndarray:
    parts = range(0, len(weights), BLOCK)
    return np.concatenate([measure(weights[k : k + BLOCK]) for k in parts])


def weighted_auc(event: np.ndarray, p: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probability that an event is given more than another row, ties counting half; by draw."""
    order = np.argsort(p, kind="stable")
    starts = np.flatnonzero(np.diff(p[order], prepend=-1.0))
    drawn = weights[:, order]
    events, others = (
        np.add.reduceat(drawn * truth[order], starts, axis=1) for truth in (event, 1 - event)
    )
    below = others.cumsum(axis=1) - others / 2
    return (events * below).sum(axis=1) / (events.sum(axis=1) * others.sum(axis=1))


def calibration_slope(
    event: np.ndarray, z: np.ndarray, weights: np.ndarray, start: tuple[float, float]
) -> np.ndarray:
    """Slope of the logistic regression of the event on log-odds z, by draw, from a guess on.

    The guess, shift and slope, is that of all rows, so that Newton's steps need no line search.
    """
    shift, slope = (np.full(len(weights), value) for value in start)
    for _ in range(STEPS):
        q = expit(np.outer(slope, z) + shift[:, None])
        left, spread = weights * (event - q), weights * q * (1 - q)
        g, gz = left.sum(axis=1), left @ z
        h, hz, hzz = spread.sum(axis=1), spread @ z, spread @ z**2
        known = np.maximum(h * hzz - hz**2, 1e-300)
        step = (h * gz - hz * g) / known
        shift, slope = shift + (hzz * g - hz * gz) / known, slope + step
        if np.abs(step).max() < CLOSE * (1 + np.abs(slope).max()):
            break
    return slope


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """The value of all rows, and the 2.5 % and 97.5 % percentiles of the draws."""
    low, high = np.percentile(values[1:], (2.5, 97.5))
    return float(values[0]), float(low), float(high)


def cell(values: np.ndarray, form: str = ".3f", scale: float = 1.0) -> str:
    """Text such as ``0.853 (0.821–0.881)``, or ``+3 (−8 to +14)`` with signs."""
    texts = [f"{scale * value:{form}}".replace("-", "−") for value in interval(values)]
    return f"{texts[0]} ({texts[1]}{' to ' if '+' in form else '–'}{texts[2]})"


def best(names: Sequence[str], scores: dict[str, Scores]) -> str | None:
    """The one of these models with the smallest log-loss of all rows; None if there is none."""
    there = [name for name in names if name in scores]
    return min(there, key=lambda name: scores[name].log_loss[0], default=None)
