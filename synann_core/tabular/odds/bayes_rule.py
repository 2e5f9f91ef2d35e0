"""Bayes' rule for independent findings in log-odds, learned by counting.

``posterior log-odds = prior log-odds + Σ log likelihood ratios`` is a synapse graph, that of
`synann_core.graph.bayes_graph`. Findings that say the same thing count as if each were news: the
odds are then too far from 1, and `BayesRule.calibrated` takes that back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synann_core._lib.arguments import check_shape
from synann_core._lib.checks import as_numbers, check_event, check_number, check_range
from synann_core.graph import CompiledGraph, SynapseGraph, bayes_graph
from synann_core.log_odds import expit
from synann_core.models.samples import check_weights
from synann_core.surprisals import surprisal

__all__ = ["BayesRule"]

Floats = NDArray[np.float64]

# Of the slope in `calibrated`: classes that can be told apart would make it infinite.
_PENALTY = 1e-6
_MOST_STEPS = 100


@dataclass(frozen=True, eq=False)
class BayesRule:
    """Bayes' rule for an event and independent findings, as a graph of synapses.

    Parameters
    ----------
    prior : float
        Probability of the event, in [0, 1].
    given, otherwise : array_like, shape (findings,)
        Probability, in [0, 1], of each finding with the event and without.
    names : sequence of str, optional
        Names of the findings; by default ``f0``, ``f1``, …
    slope, shift : float
        The log-odds are ``slope·z + shift``, with z those of Bayes' rule.

    Attributes
    ----------
    graph : SynapseGraph
        The network as synapses; its outputs are the joint probabilities "for" and "against".

    Raises
    ------
    TypeError, ValueError
        As for `synann_core.graph.bayes_graph`; also if slope or shift is not a finite number.

    Examples
    --------
    >>> from synann_core.tabular import BayesRule
    >>> model = BayesRule(0.01, given=[0.9, 0.6], otherwise=[0.1, 0.05])
    >>> model.predict([[1.0, 1.0], [1.0, 0.0], [1.0, 0.5]]).round(3)  # ½ says nothing
    array([0.522, 0.037, 0.083])
    """

    prior: float
    given: ArrayLike
    otherwise: ArrayLike
    names: Sequence[str] | None = None
    slope: float = 1.0
    shift: float = 0.0
    graph: SynapseGraph = field(init=False, repr=False)
    _compiled: CompiledGraph = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("slope", "shift"):
            object.__setattr__(self, name, check_number(name, getattr(self, name)))
        graph = bayes_graph(self.prior, self.given, self.otherwise, names=self.names)
        for name in ("given", "otherwise"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))
        object.__setattr__(self, "graph", graph)
        object.__setattr__(self, "_compiled", graph.compile())

    def log_odds(self, findings: ArrayLike, /) -> Floats:
        """Return the log-odds of the event: the difference of two surprisals.

        Parameters
        ----------
        findings : array_like, shape (..., findings)
            Probabilities of the findings, in [0, 1]; ½ says nothing.

        Returns
        -------
        ndarray of float64, shape (...)

        Raises
        ------
        ValueError
            If `findings` has another shape or a number out of its range.
        """
        y: Floats = check_range("findings", findings, 0.0, 1.0).astype(np.float64)
        check_shape("findings", y, ..., len(self._compiled.inputs))
        surprisals = self._compiled(surprisal(y), space="surprisal")
        log_odds: Floats = self.slope * (surprisals[..., 1] - surprisals[..., 0]) + self.shift
        return log_odds

    def predict(self, findings: ArrayLike, /) -> Floats:
        """Return the probability of the event, with the arguments and errors of `log_odds`."""
        probability: Floats = expit(self.log_odds(findings))
        return probability

    @classmethod
    def from_counts(
        cls,
        findings: ArrayLike,
        event: ArrayLike,
        /,
        *,
        names: Sequence[str] | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> BayesRule:
        """Count how often each finding comes with the event and without.

        Parameters
        ----------
        findings : array_like, shape (samples, findings)
            Probabilities of the findings, in [0, 1]; NaN where one is not known.
        event : array_like, shape (samples,)
            0 or 1, both of them.
        names : sequence of str, optional
            Names of the findings.
        sample_weight : array_like, shape (samples,), optional
            How often each sample counts, from 0 to 1e100 and not all 0.

        Returns
        -------
        BayesRule
            Its likelihoods are the mean findings of either class, as if one sample of the class had
            each finding and one had not; its prior is the share of the event.

        Raises
        ------
        TypeError, ValueError
            If a shape does not fit, a number is out of its range, or a name is taken.

        Examples
        --------
        >>> from synann_core.tabular import BayesRule
        >>> model = BayesRule.from_counts([[1], [1], [0], [0]], [1, 1, 1, 0], names=["cough"])
        >>> float(model.prior), model.given, model.otherwise.round(3)
        (0.75, array([0.6]), array([0.333]))
        """
        y, truth, weight = _checked_samples(findings, event, sample_weight)
        known = weight[:, None] * ~np.isnan(y)
        y = np.where(np.isnan(y), 0.0, y)
        given, otherwise = (
            ((known * y)[truth == k].sum(axis=0) + 1.0) / (known[truth == k].sum(axis=0) + 2.0)
            for k in (1, 0)
        )
        return cls(float(weight @ truth / weight.sum()), given, otherwise, names)

    def explain(self, findings: ArrayLike, /) -> tuple[float, Floats]:
        """Take the log-odds apart: what is known without findings, and what each of them adds.

        Parameters
        ----------
        findings : array_like, shape (samples, findings)
            As for `log_odds`, with the same errors.

        Returns
        -------
        constant : float
        parts : ndarray of float64, shape (samples, findings)
            ``log_odds(findings) = constant + parts.sum(-1)`` to rounding.
        """
        y: Floats = check_range("findings", findings, 0.0, 1.0).astype(np.float64)
        count = len(self._compiled.inputs)
        check_shape("findings", y, "samples", count)
        nothing = np.full(count, 0.5)
        constant = float(self.log_odds(nothing))
        alone = np.eye(count, dtype=bool)
        parts = [self.log_odds(np.where(alone, row, nothing)) - constant for row in y]
        return constant, np.reshape(parts, y.shape)

    def calibrated(
        self, log_odds: ArrayLike, event: ArrayLike, /, *, sample_weight: ArrayLike | None = None
    ) -> BayesRule:
        """Fit slope and shift (Platt's) on log-odds of samples that had not been counted.

        Parameters
        ----------
        log_odds : array_like, shape (samples,)
            Of a rule without slope and shift: out of fold, say.
        event : array_like, shape (samples,)
            0 or 1, both of them.
        sample_weight : array_like, shape (samples,), optional
            How often each sample counts, from 0 to 1e100 and not all 0.

        Returns
        -------
        BayesRule
            This one with another slope and shift.

        Raises
        ------
        TypeError, ValueError
            If a shape does not fit or a number is out of its range.

        References
        ----------
        Platt, "Probabilistic outputs for support vector machines", 1999.

        Examples
        --------
        >>> from synann_core.tabular import BayesRule
        >>> rng = np.random.default_rng(0)
        >>> event = np.arange(6000) % 2
        >>> told = np.where(rng.random(6000) < 0.8, event, 1 - event)
        >>> findings = np.stack([told, told, told], axis=1)  # the same news three times
        >>> model = BayesRule.from_counts(findings[:3000], event[:3000])
        >>> round(model.calibrated(model.log_odds(findings[3000:]), event[3000:]).slope, 1)
        0.3
        """
        z: Floats = check_range("log_odds", log_odds).astype(np.float64)
        check_shape("log_odds", z, "samples")
        truth = check_event("event", event, len(z))
        slope, shift = _platt(z, truth, check_weights(sample_weight, len(z)))
        return replace(self, slope=slope, shift=shift)


def _platt(z: Floats, truth: Floats, weight: Floats) -> tuple[float, float]:
    """Slope and shift with the smallest log-loss of ``expit(slope·z + shift)``, by Newton's steps.

    The loss is convex; a step is halved until it does not go up.
    """
    inputs = np.stack([z, np.ones_like(z)], axis=1)
    penalty = np.array([_PENALTY, 0.0])

    def loss(weights: Floats) -> float:
        margins = (1.0 - 2.0 * truth) * (inputs @ weights)
        return float(weight @ np.logaddexp(0.0, margins) + 0.5 * (penalty * weights**2).sum())

    weights = np.zeros(2)
    for _ in range(_MOST_STEPS):
        p = expit(inputs @ weights)
        gradient = inputs.T @ (weight * (p - truth)) + penalty * weights
        curvature = (inputs.T * (weight * p * (1.0 - p))) @ inputs + np.diag(penalty)
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        while loss(weights - step) > loss(weights):
            step = step / 2.0
        weights = weights - step
        if np.abs(step).max() <= 1e-10 * (1.0 + np.abs(weights).max()):
            break
    return float(weights[0]), float(weights[1])


def _checked_samples(
    findings: ArrayLike, event: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    y: Floats = as_numbers("findings", findings).astype(np.float64)
    missing = np.isnan(y)
    check_range("findings", np.where(missing, 0.0, y), 0.0, 1.0)
    check_shape("findings", y, "samples", "findings")
    return y, check_event("event", event, len(y)), check_weights(sample_weight, len(y))
