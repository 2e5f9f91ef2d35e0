"""Learn an odds network by counting: Bayes' rule for independent findings, in log-odds.

``posterior log-odds = prior log-odds + Σ log likelihood ratios`` is a synapse graph, that of
`synann_core.graph.bayes_graph`. Findings that say the same thing count as if each were news: the
odds are then too far from 1, and `calibrate` takes that back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synann_core._lib.arguments import check_plain, check_shape
from synann_core._lib.checks import as_tuple, check_event, check_number, check_pair, check_range
from synann_core.graph import CompiledGraph, SynapseGraph, bayes_graph
from synann_core.log_odds import expit
from synann_core.surprisals import surprisal

__all__ = ["OddsNetwork", "calibrate", "fit_odds_network"]

Floats = NDArray[np.float64]

# Of the slope in `calibrate`: classes that can be told apart would make it infinite.
_PENALTY = 1e-6
_MOST_STEPS = 100


@dataclass(frozen=True, eq=False)
class OddsNetwork:
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
    >>> from synann_core.tabular import OddsNetwork
    >>> model = OddsNetwork(0.01, given=[0.9, 0.6], otherwise=[0.1, 0.05])
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


def fit_odds_network(
    findings: ArrayLike, event: ArrayLike, /, *, names: Sequence[str] | None = None
) -> OddsNetwork:
    """Count how often each finding comes with the event and without.

    Parameters
    ----------
    findings : array_like, shape (samples, findings)
        Probabilities of the findings, in [0, 1].
    event : array_like, shape (samples,)
        0 or 1, both of them.
    names : sequence of str, optional
        Names of the findings.

    Returns
    -------
    OddsNetwork
        Its likelihoods are the mean findings of either class, as if one sample of the class had
        each finding and one had not; its prior is the share of the event.

    Raises
    ------
    TypeError, ValueError
        If a shape does not fit, a number is out of its range, or a name is taken.

    Examples
    --------
    >>> from synann_core.tabular import fit_odds_network
    >>> model = fit_odds_network([[1], [1], [0], [0]], [1, 1, 1, 0], names=["cough"])
    >>> float(model.prior), model.given, model.otherwise.round(3)
    (0.75, array([0.6]), array([0.333]))
    """
    y, truth = _checked_samples(findings, event)
    given, otherwise = ((y[truth == k].sum(axis=0) + 1) / ((truth == k).sum() + 2) for k in (1, 0))
    return OddsNetwork(float(truth.mean()), given, otherwise, names)


def calibrate(
    network: OddsNetwork,
    findings: ArrayLike,
    event: ArrayLike,
    /,
    folds: Iterable[tuple[NDArray[np.integer], NDArray[np.integer]]],
) -> OddsNetwork:
    """Fit slope and shift of the log-odds (Platt's) on samples that a network had not seen.

    Parameters
    ----------
    network : OddsNetwork
        Fitted to all samples.
    findings, event : array_like
        The samples, as for `fit_odds_network`.
    folds : iterable of pairs of int arrays
        Rows to learn from and rows to judge; every row is judged once. What scikit-learn's
        ``StratifiedKFold(5, shuffle=True).split(findings, event)`` gives.

    Returns
    -------
    OddsNetwork
        The network with another slope and shift.

    Raises
    ------
    TypeError, ValueError
        As for `fit_odds_network`, in a fold too; also if a row is not judged once.

    References
    ----------
    Platt, "Probabilistic outputs for support vector machines", 1999.

    Examples
    --------
    >>> from synann_core.tabular import calibrate, fit_odds_network
    >>> rng = np.random.default_rng(0)
    >>> event = np.arange(600) % 2
    >>> told = np.where(rng.random(600) < 0.8, event, 1 - event)
    >>> findings = np.stack([told, told, told], axis=1)  # the same news three times
    >>> rows = np.arange(600)
    >>> folds = [(rows[rows // 200 != k], rows[rows // 200 == k]) for k in range(3)]
    >>> model = calibrate(fit_odds_network(findings, event), findings, event, folds)
    >>> round(model.slope, 1)
    0.3
    """
    y, truth = _checked_samples(findings, event)
    rows, unseen, judged = np.arange(len(y)), np.empty(len(y)), np.zeros(len(y), dtype=int)
    for fold in as_tuple("folds", folds, "pairs of arrays of rows"):
        check_plain("folds", fold)
        try:
            train, rest = (rows[part] for part in check_pair("folds", fold, "(train, rest)"))
        except IndexError:
            raise ValueError(
                f"`folds` must hold rows from 0 to {len(y) - 1}. Received: {fold!r}"
            ) from None
        unseen[rest] = fit_odds_network(y[train], truth[train]).log_odds(y[rest])
        judged[rest] += 1
    if np.any(judged != 1):
        row = int(np.flatnonzero(judged != 1)[0])
        raise ValueError(
            f"`folds` must judge every row once. Received: row {row}, {judged[row]} times"
        )
    slope, shift = _platt(unseen, truth)
    return replace(network, slope=slope, shift=shift)


def _platt(z: Floats, truth: Floats) -> tuple[float, float]:
    """Slope and shift with the smallest log-loss of ``expit(slope·z + shift)``, by Newton's steps.

    The loss is convex; a step is halved until it does not go up.
    """
    inputs = np.stack([z, np.ones_like(z)], axis=1)
    penalty = np.array([_PENALTY, 0.0])

    def loss(weights: Floats) -> float:
        margins = (1.0 - 2.0 * truth) * (inputs @ weights)
        return float(np.logaddexp(0.0, margins).sum() + 0.5 * (penalty * weights**2).sum())

    weights = np.zeros(2)
    for _ in range(_MOST_STEPS):
        p = expit(inputs @ weights)
        gradient = inputs.T @ (p - truth) + penalty * weights
        curvature = (inputs.T * (p * (1.0 - p))) @ inputs + np.diag(penalty)
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        while loss(weights - step) > loss(weights):
            step = step / 2.0
        weights = weights - step
        if np.abs(step).max() <= 1e-10 * (1.0 + np.abs(weights).max()):
            break
    return float(weights[0]), float(weights[1])


def _checked_samples(findings: ArrayLike, event: ArrayLike) -> tuple[Floats, Floats]:
    y: Floats = check_range("findings", findings, 0.0, 1.0).astype(np.float64)
    check_shape("findings", y, "samples", "findings")
    return y, check_event("event", event, len(y))
