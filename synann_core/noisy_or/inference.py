"""Invert noisy-OR networks: choose how, by planned time and memory, and do it.

Sums over sets of findings (`exact`, one sample after the other) or over sets of causes
(`cause_sets`, samples together), whichever takes less time. Beyond the limits, bounds or samples
(`approximate`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import as_generator, check_number, check_option
from synann_core._lib.log import logger
from synann_core._lib.progress import SILENT, Progress
from synann_core._lib.typing import ArrayT
from synann_core.noisy_or import array_api, cause_sets, exact
from synann_core.noisy_or.approximate import approximate
from synann_core.noisy_or.contradictions import check_possible
from synann_core.noisy_or.evidence import check_evidence
from synann_core.noisy_or.parameters import Parameters, Reals, counted
from synann_core.noisy_or.plan import Plan
from synann_core.noisy_or.posteriors import METHODS, Posterior
from synann_core.noisy_or.problems import Problem, problems

__all__ = ["log_evidence"]

Method = Literal["auto", "exact", "bounds", "sampling"]
MOST_SECONDS, MOST_BYTES = 60.0, 2e9
_log = logger("noisy_or")
_NUMBERS = ("probability", "log_evidence", "lower", "upper", "log_lower", "log_upper")


def log_evidence(prior: ArrayT, leak: ArrayT, beta: ArrayT, /, X: Any) -> ArrayT:
    """Log-probability of findings in a noisy-OR network, differentiable in all its parameters.

    For torch and JAX; ``NoisyOr.log_evidence`` is much faster and takes larger networks. The
    derivative by a cause's prior log-odds is its posterior minus its prior, and the only way to
    posteriors that are differentiable themselves.

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
    As in all array functions the values of parameters are not checked. Outside their ranges the
    sums have terms of either sign: the result means nothing, and may be NaN.

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
    network: Parameters,
    X: Any,
    *,
    method: Method,
    width: float,
    most_seconds: float,
    most_bytes: float,
    rng: object,
    possible: bool = True,
    verbose: bool | int = False,
) -> Posterior:
    """Posteriors of all causes; `questions.Questions.posterior` has the documentation.

    A sample of probability 0 is an error, unless samples need not be `possible`.
    """
    check_option("method", method, ("auto", *METHODS))
    check_number("width", width, 0.0, 1.0, "(]")
    generator, limits = as_generator(rng), _limits(most_seconds, most_bytes)
    x, asked, found = _nothing_known(network, X)
    own = x[asked]
    with Progress("posteriors", len(own), shown=verbose, unit="sample") as bar:
        if method in ("auto", "exact"):
            ways = _choose(network, own, limits[0], shares=True)
            within = _within(ways, limits)
            if method == "exact":
                _check_limits(ways, limits, own, asked, shares=True)
                within[:] = True
            failed: list[int] | None = [] if method == "auto" else None
            _sum(network, own, asked, ways.only(within), found, bar, shares=True, failed=failed)
            within[failed or []] = False
            seconds = limits[0] - float(ways.seconds[within].sum())
            left, given = np.flatnonzero(~within), ways.problems
            if left.size:
                text = "%d of %d samples are beyond the limits of exact sums, %d of float64"
                _log.info(text, len(left), len(own), len(failed or []))
        else:
            seconds, left, given = limits[0], np.arange(len(own)), list(problems(network, own))
        # (Each sample has random numbers of its own; how many are drawn, the clock decides.)
        seeds, methods = generator.integers(2**63, size=len(x)), list(found.method)
        for at in left:
            sample = asked[at]
            one = approximate(
                given[at],
                method=method,
                width=width,
                seconds=seconds / len(left),
                rng=np.random.default_rng(seeds[sample]),
            )
            for name in _NUMBERS:
                getattr(found, name)[sample] = getattr(one, name)
            methods[sample] = one.method
            widest = float(np.max(one.upper - one.lower, initial=0.0))
            _log.info("sample %d by %s, a posterior within %.3g", sample, one.method, widest)
            bar.advance()
    if possible:
        check_possible(network, x, found.log_upper)
    return replace(found, method=tuple(methods))


def evidence(
    network: Parameters,
    X: Any,
    *,
    most_seconds: float = MOST_SECONDS,
    most_bytes: float = MOST_BYTES,
    possible: bool = True,
) -> Reals:
    """Log-evidence of all samples, exactly; −∞ is an error unless they need not be possible."""
    limits = _limits(most_seconds, most_bytes)
    x, asked, found = _nothing_known(network, X)
    ways = _choose(network, x[asked], limits[0], shares=False)
    _check_limits(ways, limits, x[asked], asked, shares=False)
    _sum(network, x[asked], asked, ways, found, shares=False)
    if possible:
        check_possible(network, x, found.log_evidence)
    return found.log_evidence


def _limits(most_seconds: float, most_bytes: float) -> tuple[float, float]:
    return (
        check_number("most_seconds", most_seconds, 0.0, ends="()"),
        check_number("most_bytes", most_bytes, 0.0, ends="()"),
    )


def _nothing_known(network: Parameters, X: Any) -> tuple[Reals, NDArray[np.intp], Posterior]:
    """The findings, the samples that say something, and what the posteriors are without that."""
    x = check_evidence("X", X, network.leak.size, network.findings)
    logs = (x == 0.5).sum(axis=1) * np.log(0.5)
    p = np.repeat(network.prior[None], len(x), axis=0)
    copies = p, logs, p.copy(), p.copy(), logs.copy(), logs.copy()
    asked = np.flatnonzero(((x != 0.5) & ~np.isnan(x)).any(axis=1))
    return x, asked, Posterior(*copies, ("exact",) * len(x), network.causes)


def _sum(
    network: Parameters,
    x: Reals,
    asked: NDArray[np.intp],
    ways: _Ways,
    found: Posterior,
    bar: Progress = SILENT,
    *,
    shares: bool,
    failed: list[int] | None = None,
) -> None:
    """Exact sums, of the samples that `ways` has one for; −∞ where the findings are impossible.

    Samples whose sums float64 cannot hold are an error, or join those that `failed`.
    """
    if ways.together.size:
        own, rows = x[ways.together], asked[ways.together]
        plan = cause_sets.make_plan(network, own)
        found.log_evidence[rows], found.probability[rows] = cause_sets.solve(network, own, plan)
        bar.advance(len(own))
        _log.debug("%d samples by sums over sets of causes", len(own))
    for sample in np.flatnonzero(ways.alone):
        try:
            log, posterior = exact.solve(ways.problems[sample], ways.plans[sample], shares=shares)
        except exact.OutOfScaleError:
            if failed is None:
                raise
            failed.append(int(sample))
            continue
        found.log_evidence[asked[sample]] = log
        if posterior is not None:
            found.probability[asked[sample]] = posterior
        bar.advance()
        _log.debug("sample %d by sums over sets of findings", asked[sample])
    np.minimum(found.log_evidence, 0.0, out=found.log_evidence)
    found.lower[:], found.upper[:] = found.probability, found.probability
    found.log_lower[:], found.log_upper[:] = found.log_evidence, found.log_evidence


@dataclass(frozen=True)
class _Ways:
    """How samples are to be computed: alone, over sets of findings, or together, over causes'."""

    problems: list[Problem]
    plans: list[Any]
    alone: NDArray[np.bool_]
    together: NDArray[np.int64]
    seconds: Reals  # of each sample
    bytes: Reals

    def only(self, within: NDArray[np.bool_]) -> _Ways:
        """The ways of some samples."""
        together = self.together[within[self.together]]
        return replace(self, alone=self.alone & within, together=together)


def _choose(network: Parameters, x: Reals, most_seconds: float, *, shares: bool) -> _Ways:
    """The cheaper way for every sample, by planned time; no longer looked for than makes sense."""
    samples = len(x)
    sets = cause_sets.make_plan(network, x)
    open_count = ((x > 0.0) & (x < 1.0)).sum(axis=1)
    base = sets.seconds(0, 0)
    by_sets = np.array([sets.seconds(1, int(n)) - base for n in open_count]).reshape(samples)
    each = by_sets + base / max(samples, 1)
    own, plans = list(problems(network, x)), []
    seconds, memory = np.full(samples, np.inf), np.zeros(samples)
    for sample, problem in enumerate(own):
        plan = exact.plan_of(problem, seconds=min(float(each[sample]), most_seconds))
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


def _within(ways: _Ways, limits: tuple[float, float]) -> NDArray[np.bool_]:
    """The samples that can be summed exactly, if all have a fair share of the time."""
    within, left = np.zeros(ways.seconds.size, bool), limits[0]
    order = np.argsort(ways.seconds, kind="stable")
    for done, sample in enumerate(order):
        seconds = float(ways.seconds[sample])
        if seconds <= left / (order.size - done) and ways.bytes[sample] <= limits[1]:
            within[sample] = True
            left -= seconds
    return within


def _check_limits(
    ways: _Ways,
    limits: tuple[float, float],
    x: Reals,
    asked: NDArray[np.intp],
    shares: bool,
) -> None:
    """Refuse what the plans say is too much."""
    seconds, memory = float(ways.seconds.sum()), float(np.max(ways.bytes, initial=0.0))
    if seconds <= limits[0] and memory <= limits[1]:
        return
    worst = int(np.argmax(ways.seconds))
    count = int((x[worst] > 0.0).sum())
    plan = ways.plans[worst]
    if isinstance(plan, float):  # too wide, and still less than over all sets of causes
        seconds = min(seconds, exact.seconds_of(plan, shares=shares))
    raise ValueError(
        "`most_seconds` and `most_bytes` must allow an exact sum, which takes "
        f"{seconds:.2g} s and {memory:.2g} bytes for {counted(len(x), 'sample')}, most for sample "
        f"{asked[worst]} with {count} present or uncertain findings. "
        f"Received: {limits[0]:.3g} s and {limits[1]:.3g} bytes"
    )
