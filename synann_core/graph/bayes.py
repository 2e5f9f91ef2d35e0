"""Build Bayes' rule as a synapse graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from synann_core._lib.checks import as_tuple, check_number, check_range
from synann_core.graph.builder import SynapseGraph

__all__ = ["bayes_graph"]


def bayes_graph(
    prior: float, given: ArrayLike, otherwise: ArrayLike, *, names: Sequence[str] | None = None
) -> SynapseGraph:
    """Build Bayes' rule for an event and independent findings, as a synapse graph.

    Its outputs are the joint probabilities of the findings with the event and without, whose ratio
    is the posterior odds. In surprisal space their difference is the posterior log-odds, ``prior
    log-odds + Σ log likelihood ratios``, one synapse a finding and output.

    Parameters
    ----------
    prior : float
        Probability of the event, in [0, 1].
    given, otherwise : sequence of float, shape (findings,)
        Probability, in [0, 1], of each finding with the event and without.
    names : sequence of str, optional
        Names of the findings; by default ``f0``, ``f1``, …

    Returns
    -------
    SynapseGraph
        Inputs: the findings, 1 if present and 0 if absent; between them, uncertain evidence, whose
        likelihood is the mean ``p·y + (1 − p)(1 − y)`` (at ½ it says nothing). Outputs: ``"for"``
        and ``"against"``.

    Raises
    ------
    TypeError, ValueError
        If the shapes or the number of names do not fit, if a name is taken, or if a probability is
        not a number in [0, 1].

    Notes
    -----
    For p ≤ ½ the likelihood is ``(1 − p)(1 − βy)`` with ``β = (1 − 2p)/(1 − p)``; for p > ½ the
    same with 1 − p and 1 − y. All the gains (1 − p) of an output are one α, which underflows at
    some thousand findings.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> from synann_core.graph import bayes_graph
    >>> graph = bayes_graph(0.01, given=[0.9], otherwise=[0.1])  # a test, of 90 % either way
    >>> against_for = graph.compile()(np.array([[1.0], [0.5]]))[:, ::-1]
    >>> against_for[:, 0] / against_for[:, 1]  # odds against: 99 to 9, and 99 to 1 without a test
    array([11., 99.])
    """
    prior = check_number("prior", prior, 0.0, 1.0)
    p = check_range("given", given, 0.0, 1.0).astype(np.float64)
    q = check_range("otherwise", otherwise, 0.0, 1.0).astype(np.float64)
    if p.ndim != 1 or p.shape != q.shape:
        raise ValueError(
            "`given` and `otherwise` must be one-dimensional, of one length. "
            f"Received: shapes {p.shape} and {q.shape}"
        )
    if names is None:
        names = [f"f{j}" for j in range(len(p))]
    names = as_tuple("names", names, "a sequence of names")
    if len(names) != len(p):
        raise ValueError(f"`names` must be {len(p)} names. Received: {len(names)}")
    graph = SynapseGraph()
    graph.input(*names)
    for j in np.flatnonzero((p > 0.5) | (q > 0.5)):
        graph.synapse(f"not {names[j]}", inhibitory=names[j])
    for output, share, likelihood in (("for", prior, p), ("against", 1.0 - prior, q)):
        likely = likelihood > 0.5
        gains = np.where(likely, likelihood, 1.0 - likelihood)
        strengths = (2.0 * gains - 1.0) / gains
        sources = [f"not {n}" if x else n for n, x in zip(names, likely, strict=True)]
        alpha = float(share * np.prod(gains))
        inhibitory = zip(sources, strengths.tolist(), strict=True)
        graph.synapse(output, inhibitory=dict(inhibitory), alpha=alpha)
    graph.output("for", "against")
    return graph
