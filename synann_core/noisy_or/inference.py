"""Invert noisy-OR networks: choose how, by planned time and memory, and do it.

Sums over sets of findings (`exact`, one sample after the other) or over sets of causes
(`cause_sets`, samples together), whatever takes less time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_number, check_option
from synann_core._lib.typing import ArrayT
from synann_core.noisy_or import array_api, cause_sets, exact
from synann_core.noisy_or.evidence import check_evidence
from synann_core.noisy_or.parameters import Parameters, is_sparse
from synann_core.noisy_or.plan import Plan
from synann_core.noisy_or.problems import Problem, problems

__all__ = ["Posterior", "log_evidence"]

Reals = NDArray[np.float64]
Method = Literal["auto", "exact"]
MOST_SECONDS, MOST_BYTES = 60.0, 2e9
_NAMED = 8  # findings in an error


@dataclass(frozen=True)
class Posterior:
    """What the findings of some samples say about the causes.

    Attributes
    ----------
    probability : ndarray of float64, shape (samples, causes)
        P(cause | findings), in [0, 1].
    log_evidence : ndarray of float64, shape (samples,)
        Log-probability of the findings, in nats, ≤ 0.
    lower, upper : ndarray of float64, shape (samples, causes)
        Bounds of the probability; the probability itself where it is exact.
    method : tuple of str
        How each sample was computed: ``"exact"``.
    """

    probability: Reals
    log_evidence: Reals
    lower: Reals
    upper: Reals
    method: tuple[str, ...]


def log_evidence(prior: ArrayT, leak: ArrayT, beta: ArrayT, /, X: Any) -> ArrayT:
    """Log-probability of findings in a noisy-OR network, differentiable in all its parameters.

    For torch and JAX; ``NoisyOr.log_evidence`` is much faster and takes larger networks. The
    derivative by a cause's prior log-odds is its posterior minus its prior.

    Parameters
    ----------
    prior : array, shape (causes,)
        In [0, 1].
    leak : array, shape (findings,)
        In [0, 1).
    beta : array, shape (findings, causes)
        In [0, 1].
    X : array_like, shape (samples, findings)
        1 (present), 0 (absent), NaN (not examined), or r between 0 and 1 (uncertain), as in
        ``NoisyOr.posterior``. Its numbers must be known, also under ``jax.jit``.

    Returns
    -------
    array, shape (samples,), promoted dtype
        In nats; −inf where the findings are impossible. There the derivatives are NaN.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit, if `X` is not in [0, 1], or if a sample has more than 40 present
        or uncertain findings.

    Notes
    -----
    Time O(2^k·k·causes) for k present or uncertain findings; under autodiff so is the memory.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core import noisy_or
    >>> prior, leak, beta = np.array([0.5, 0.5]), np.array([0.0]), np.array([[1.0, 0.5]])
    >>> np.exp(noisy_or.log_evidence(prior, leak, beta, [[1.0]]))
    array([0.625])
    """
    with Arguments(prior=prior, leak=leak, beta=beta) as given:
        given.check_shapes(prior=("causes",), leak=("findings",), beta=("findings", "causes"))
        x = check_evidence("X", X, given.shape("leak")[0])
        own = given["prior"], given["leak"], given["beta"]
        return given.result(array_api.log_evidence(*own, x, given.xp))


def infer(
    network: Parameters, X: Any, *, method: Method, most_seconds: float, most_bytes: float
) -> Posterior:
    """Posteriors of all causes; `network.NoisyOr.posterior` has the documentation."""
    check_option("method", method, ("auto", "exact"))
    found, probability = _infer(network, X, most_seconds, most_bytes, shares=True)
    names = ("exact",) * len(found)
    return Posterior(probability, found, probability.copy(), probability.copy(), names)


def evidence(network: Parameters, X: Any, *, most_seconds: float, most_bytes: float) -> Reals:
    """Log-evidence of all samples."""
    return _infer(network, X, most_seconds, most_bytes, shares=False)[0]


def _infer(
    network: Parameters, X: Any, most_seconds: float, most_bytes: float, *, shares: bool
) -> tuple[Reals, Reals]:
    x = check_evidence("X", X, network.leak.size, network.findings)
    limits = (
        check_number("most_seconds", most_seconds, 0.0, ends="()"),
        check_number("most_bytes", most_bytes, 0.0, ends="()"),
    )
    log_evidence = (x == 0.5).sum(axis=1) * np.log(0.5)
    probability = np.repeat(network.prior[None], len(x), axis=0)
    asked = np.flatnonzero(((x != 0.5) & ~np.isnan(x)).any(axis=1))
    x = x[asked]
    ways = _choose(network, x, shares=shares)
    # Here, with method="auto", the samples that exceed the limits will go to bounds and sampling.
    _check_limits(ways, limits, x, asked)
    if ways.together.size:
        own, rows = x[ways.together], asked[ways.together]
        plan = cause_sets.make_plan(network, own)
        log_evidence[rows], probability[rows] = cause_sets.solve(network, own, plan)
    for sample in np.flatnonzero(ways.alone):
        log, posterior = exact.solve(ways.problems[sample], ways.plans[sample], shares=shares)
        log_evidence[asked[sample]] = log
        if posterior is not None:
            probability[asked[sample]] = posterior
    impossible = np.flatnonzero(np.isneginf(log_evidence[asked]))
    if impossible.size:
        _refuse(network, x[impossible[0]], int(asked[impossible[0]]))
    return np.minimum(log_evidence, 0.0), probability


@dataclass(frozen=True)
class _Ways:
    """How samples are to be computed: alone, over sets of findings, or together, over causes'."""

    problems: list[Problem]
    plans: list[Any]
    alone: NDArray[np.bool_]
    together: NDArray[np.int64]
    seconds: Reals  # of each sample
    bytes: Reals


def _choose(network: Parameters, x: Reals, *, shares: bool) -> _Ways:
    """The cheaper way for every sample, by planned time."""
    samples = len(x)
    sets = cause_sets.make_plan(network, x)
    open_count = ((x > 0.0) & (x < 1.0)).sum(axis=1)
    base = sets.seconds(0, 0)
    by_sets = np.array([sets.seconds(1, int(n)) - base for n in open_count]).reshape(samples)
    each = by_sets + base / max(samples, 1)
    own, plans = list(problems(network, x)), []
    seconds, memory = np.full(samples, np.inf), np.zeros(samples)
    for sample, problem in enumerate(own):
        plan = exact.plan_of(problem, seconds=float(each[sample]))
        plans.append(plan)
        if isinstance(plan, Plan):
            seconds[sample] = exact.planned_seconds(problem, plan, shares=shares)
            memory[sample] = exact.planned_bytes(problem, plan, shares=shares)
    better = seconds > by_sets
    gain = float((seconds - by_sets)[better].sum()) if better.any() else 0.0
    alone = ~better if gain > base else np.isfinite(seconds)
    together = np.flatnonzero(~alone)
    if together.size:
        seconds[together] = by_sets[together] + base / together.size
        memory[together] = sets.bytes(together.size)
    return _Ways(own, plans, alone, together, seconds, memory)


def _check_limits(
    ways: _Ways, limits: tuple[float, float], x: Reals, asked: NDArray[np.intp]
) -> None:
    """Refuse what the plans say is too much."""
    seconds, memory = float(ways.seconds.sum()), float(np.max(ways.bytes, initial=0.0))
    if seconds <= limits[0] and memory <= limits[1]:
        return
    worst = int(np.argmax(ways.seconds))
    count = int((x[worst] > 0.0).sum())
    raise ValueError(
        "`X` must have exact posteriors within `most_seconds` and `most_bytes`, "
        f"{limits[0]:.3g} s and {limits[1]:.3g} bytes. Received: {len(x)} samples that take about "
        f"{seconds:.2g} s and {memory:.2g} bytes, most of it sample {asked[worst]} with {count} "
        "findings that are not absent"
    )


def _refuse(network: Parameters, own: Reals, sample: int) -> None:
    """Raise an error that names the findings of a sample which cannot be together."""
    culprits = _contradiction(network, own)
    names = [_stated(network, i, own[i]) for i in culprits[:_NAMED].tolist()]
    more = f" and {culprits.size - _NAMED} more" if culprits.size > _NAMED else ""
    raise ValueError(
        "`X` must have findings that the network can bring about. "
        f"Received: sample {sample}, of probability 0 with {', '.join(names)}{more}"
    )


def _stated(network: Parameters, finding: int, x: float) -> str:
    name = f"finding {finding}" if network.findings is None else repr(network.findings[finding])
    return f"{name} {'present' if x == 1.0 else 'absent'}"


def _contradiction(network: Parameters, x: Reals) -> NDArray[np.intp]:
    """The findings of a contradiction: a present one and those that rule out its causes, say."""
    beta = network.beta.toarray() if is_sparse(network.beta) else network.beta
    absent, present = np.flatnonzero(x == 0.0), np.flatnonzero(x == 1.0)
    forced = (beta[absent] == 1.0) & (network.prior == 1.0)
    if network.protection is None:
        if forced.any():
            return np.asarray(absent[forced.any(axis=1)])
        possible = (network.prior > 0.0) & ~(beta[absent] == 1.0).any(axis=0)
        for i in present:
            causes = (beta[i] > 0.0) & (network.prior > 0.0)
            if network.leak[i] == 0.0 and not (causes & possible).any():
                ruling = absent[(beta[absent][:, causes] == 1.0).any(axis=1)]
                return np.concatenate([[i], ruling])
    return np.flatnonzero((x == 0.0) | (x == 1.0))
