"""Take scores apart, exactly, by rule and by feature.

Scores are a function of the rules' surprisals, and a surprisal is a sum over features. Along the
straight line from a baseline's surprisals to a row's, each of these addends gets its integrated
gradient [1]_: its own change times the mean slope on the way. Of `duel` and `rrl` a rule's part is
the change of its own term. The parts sum to the difference of the scores: to rounding, of `mix`
with the error of a quadrature that is of the same size.

.. [1] M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML 2017.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np

from synann_core._lib.checks import check_int, check_option
from synann_core.tabular.rules.literals import Codes, Floats
from synann_core.tabular.rules.model import RuleModel
from synann_core.tabular.rules.structures import class_share
from synann_core.tabular.rules.table import folded

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_WIDTH = 6.0  # nats to a panel of the quadrature: its error is about 1e-13 of a part


class RuleParts(NamedTuple):
    """What each rule, and what each feature, adds to the log-odds.

    Attributes
    ----------
    constant : float, or ndarray of shape (classes,)
        Of the baseline, or of the background on average.
    rules : ndarray, shape (samples, rules) or (samples, classes, rules)
        ``decision_function(X) = constant + rules.sum(axis=-1)``.
    features : ndarray, shape (samples, features) or (samples, classes, features)
        ``decision_function(X) = constant + features.sum(axis=-1)``.
    rule_names, feature_names : list of str
    classes : list
        Of two, the log-odds are those of the second.
    """

    constant: float | Floats
    rules: Floats
    features: Floats
    rule_names: list[str]
    feature_names: list[str]
    classes: list[Any]

    def ranked(
        self, row: int = 0, label: Any = None, *, by: Literal["rules", "features"] = "rules"
    ) -> list[tuple[str, float]]:
        """Names and parts of one row, the largest parts of either sign first, without those of 0.

        Parameters
        ----------
        row : int
            Number of the sample.
        label : object, optional
            Of more than two classes, the one whose score it is; by default that of the row's
            largest score.
        by : {"rules", "features"}

        Raises
        ------
        ValueError
            If there is no such row or class, or `by` is another word.
        """
        check_option("by", by, ("rules", "features"))
        names, parts = self.rule_names, self.rules
        if by == "features":
            names, parts = self.feature_names, self.features
        own, _, _ = self._of(parts, row, label)
        order = np.argsort(-np.abs(own), kind="stable")
        return [(names[k], float(own[k])) for k in order.tolist() if own[k]]

    def to_text(
        self, row: int = 0, label: Any = None, *, by: Literal["rules", "features"] = "rules"
    ) -> str:
        """Return one row's sum as a table: the constant, the parts by size, and the log-odds.

        Parameters and errors are those of `ranked`. Parts below 0.005 are one line.
        """
        ranked = self.ranked(row, label, by=by)
        own, constant, chosen = self._of(self.rules, row, label)
        shown = [(name, part) for name, part in ranked if abs(part) >= 0.005]
        lines = [f"  constant: {constant:+.2f}"]
        for name, part in shown:
            lines += folded(f"{name}: {part:+.2f}", "  ")
        if len(shown) < len(ranked):
            small = [part for _, part in ranked[len(shown) :]]
            ones = "one" if len(small) == 1 else "ones"
            lines.append(f"  {len(small)} smaller {ones}: {sum(small):+.2f}")
        what = "log-odds" if len(self.classes) == 2 else "score"
        lines.append(f"  = {what} of {chosen!r}: {constant + own.sum():+.2f}")
        return "\n".join(lines)

    def __str__(self) -> str:
        """Return the text of the first rows, at most five."""
        count = len(self.rules)
        texts = [f"row {row}:\n{self.to_text(row)}" for row in range(min(count, 5))]
        return "\n".join(texts + [f"... {count - 5} rows more"] * (count > 5))

    def _of(self, parts: Floats, row: int, label: Any) -> tuple[Floats, float, Any]:
        """Parts of one row and class, its constant, and the class."""
        count, several = len(parts), len(self.classes) > 2
        place = check_int("row", row, 0)
        if place >= count:
            raise ValueError(f"`row` must be below {count}. Received: {row}")
        known = self.classes if several else self.classes[1:]
        if label is not None and label not in known:
            raise ValueError(f"`label` must be one of {known}. Received: {label!r}")
        constant = np.atleast_1d(self.constant)
        own = parts[place] if several else parts[place][None]
        best = int(np.argmax(constant + own.sum(axis=-1)))
        k = best if label is None else known.index(label)
        return own[k], float(constant[k]), known[k]


def centred(scores: Floats) -> Floats:
    """Log-odds of two classes, the first axis then being one; of more, less their mean."""
    if len(scores) == 2:
        return scores[1:] - scores[:1]
    centre: Floats = scores - scores.mean(axis=0)
    return centre


def parts_of(model: RuleModel, own: Floats, base: Floats) -> tuple[Floats, Floats]:
    """Parts by rule, (classes, rules, rows), and by feature, (classes, features, rows).

    `own` and `base` are surprisals by feature, (features, rules, rows) and (features, rules, 1).
    """
    moved = own - base
    start, change = base.sum(axis=0), moved.sum(axis=0)
    slope = _mean_slopes(model, start, change)
    by_rule = slope * change
    by_feature = np.einsum("crn,frn->cfn", slope, moved)
    return by_rule, by_feature


def by_feature(model: RuleModel, codes: Codes) -> Floats:
    """Surprisals of the rules by feature, shape (features, rules, rows)."""
    starts = model.literals.starts[:-1]
    return np.stack([model.by_state[:, start + codes[:, j]] for j, start in enumerate(starts)])


def _mean_slopes(model: RuleModel, start: Floats, change: Floats) -> Floats:
    """∫ ∂scores/∂surprisals along the line, shape (classes, rules, rows)."""
    if model.structure == "mix":
        return _mix_slopes(model.parameters["log_alpha"], start, change)
    # e^(−end) − e^(−start), without overflow and without cancellation
    more = np.maximum(change, 0.0)
    fall = np.exp(-(start + change - more)) * np.where(change > 0.0, 1.0, -1.0)
    difference = fall * np.expm1(-np.abs(change))
    here = np.exp(-start)
    safe = np.where(change == 0.0, 1.0, change)
    if model.structure == "rrl":
        slope = np.where(change == 0.0, -here, difference / safe)
        return model.parameters["votes"][..., None] * slope
    share = class_share(model.parameters["against"])[..., None]
    ratio = -share / (1.0 - share * here)
    return np.where(change == 0.0, -ratio * here, np.log1p(ratio * difference) / safe)


def _mix_slopes(log_alpha: Floats, start: Floats, change: Floats) -> Floats:
    classes, each = log_alpha.shape
    rows = max(start.shape[1], change.shape[1])
    first = log_alpha[..., None] - start.reshape(classes, each, -1)
    step = -change.reshape(classes, each, -1)
    spread = float(np.max(step.max(axis=1) - step.min(axis=1), initial=0.0))
    panels = max(1, math.ceil(spread / _WIDTH))
    total = np.zeros((classes, each, rows))
    for k in range(panels):
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            z = first + (k + 0.5 + 0.5 * node) / panels * step
            e = np.exp(z - z.max(axis=1, keepdims=True))
            total += 0.5 * weight / panels * (e / e.sum(axis=1, keepdims=True))
    slopes = np.zeros((classes, classes, each, rows))
    for c in range(classes):
        slopes[c, c] = -total[c]
    return slopes.reshape(classes, classes * each, rows)
