"""Explain a diagnosis: weights of evidence, sets of causes, and what to examine next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.checks import check_int
from synann_core.log_odds import expit, logit
from synann_core.noisy_or.evidence import likelihood
from synann_core.noisy_or.frames import Names, examples_of
from synann_core.noisy_or.inference import evidence, infer
from synann_core.noisy_or.parameters import Reals, is_sparse
from synann_core.noisy_or.search import best_sets, scores_of

if TYPE_CHECKING:
    from synann_core.noisy_or.questions import Questions

Label = str | int
_WITHOUT = "probability without it"  # the last column of a table of reasons


@dataclass(frozen=True, repr=False)
class CauseSet:
    """These causes are present and all others are absent.

    Attributes
    ----------
    causes : tuple of str or int
        Names, or numbers where the network has no names; without causes of prior 1, which are in
        every set.
    probability : float
        Of exactly this set, given all findings.
    alone, together : tuple of float
        Of each cause the log-odds, in nats, that it is present: where no other cause is, and where
        the rest of the set is. A cause that others explain away has less together.
    """

    causes: tuple[Label, ...]
    probability: float
    alone: tuple[float, ...]
    together: tuple[float, ...]

    def __repr__(self) -> str:
        alone, together = (", ".join(map(_signed, odds)) for odds in (self.alone, self.together))
        return (
            f"CauseSet({self.causes}, probability={self.probability:.4g}, "
            f"alone=({alone}), together=({together}))"
        )


@dataclass(frozen=True, repr=False)
class Reasons:
    """What each known finding adds to the log-odds of a cause.

    Attributes
    ----------
    cause : str or int
    probability, log_odds, prior : float
        Of the cause, given all findings; log-odds and the prior's log-odds are in nats.
    findings : tuple of str or int
        The known ones, of the greatest weight first.
    weight : tuple of float
        Weight of evidence in nats: by how much the log-odds fall if the finding is taken away. The
        other findings are known to both, so that weights of findings that share causes do not add
        up to the whole.
    alone : tuple of float
        The same were it the only finding. What falls short of it is explained away.
    without : tuple of float
        Probability of the cause if the finding is taken away.
    in_turn : tuple of float
        How much the log-odds grow with the finding, given those before it in this order. With the
        prior they add up to the log-odds, exactly. They are those of this order: in another one,
        findings that share causes divide what they say together otherwise.
    """

    cause: Label
    probability: float
    log_odds: float
    prior: float
    findings: tuple[Label, ...]
    weight: tuple[float, ...]
    alone: tuple[float, ...]
    without: tuple[float, ...]
    in_turn: tuple[float, ...]

    def __str__(self) -> str:
        start, end = _signed(self.prior), _signed(self.log_odds)
        width = max([7, *(len(str(f)) for f in self.findings)])
        lines = [
            f"{self.cause}: probability {self.probability:.4g}, log-odds {start} before, {end} now",
            f"{'finding':{width}}  in turn  weight   alone  {_WITHOUT}",
        ]
        parts = zip(self.in_turn, self.weight, self.alone, strict=True)
        for finding, numbers, p in zip(self.findings, parts, self.without, strict=True):
            turn, weight, alone = map(_signed, numbers)
            lines.append(f"{finding!s:{width}}  {turn:>7}  {weight:>6}  {alone:>6}  {p:.4g}")
        return "\n".join(lines)

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class NextFinding:
    """A finding not yet known, and what to expect of it.

    Attributes
    ----------
    finding : str or int
    information : float
        Expected information about the causes, in nats: how much the entropy of the cause asked
        about is expected to fall, or the sum of that over all causes.
    probability : float
        That the finding is present, given those that are known.
    """

    finding: Label
    information: float
    probability: float

    def __repr__(self) -> str:
        return (
            f"NextFinding({self.finding!r}, information={self.information:.4g}, "
            f"probability={self.probability:.4g})"
        )


def most_probable(
    network: Questions, x: Reals, at_most: int, count: int, most_sets: int, **limits: Any
) -> list[CauseSet]:
    """The most probable sets of causes; `NoisyOr.most_probable` documents it."""
    log_evidence = float(evidence(network, x[None], **limits)[0])
    scores = scores_of(network, x)
    sets = best_sets(scores, at_most, count, most_sets)
    # Log-odds against the empty set, whose probability is that of all that is in no score.
    constant = _log_constant(network, x) - log_evidence
    scored: dict[tuple[int, ...], float] = {}

    def score(members: tuple[int, ...]) -> float:
        if members not in scored:
            columns = list(members)
            silence, spared = scores.start
            rows = scores.rows(
                silence + scores.silence[:, columns].sum(axis=1),
                spared + scores.spared[:, columns].sum(axis=1),
            )
            scored[members] = float(scores.own[columns].sum() + rows.sum())
        return scored[members]

    result = []
    for total, members in sets:
        rests = [tuple(m for m in members if m != j) for j in members]
        with np.errstate(invalid="ignore"):
            alone = tuple(float(np.subtract(score((j,)), score(()))) for j in members)
            together = tuple(float(np.subtract(total, score(rest))) for rest in rests)
        names = tuple(_label(network.causes, j) for j in members)
        probability = min(float(np.exp(constant + total)), 1.0)
        result.append(CauseSet(names, probability, alone, together))
    return result


def explain(network: Questions, x: Reals, cause: int, **limits: Any) -> Reasons:
    """Weights of evidence for a cause; `NoisyOr.explain` documents it."""
    known = np.flatnonzero(~np.isnan(x))
    rows = np.tile(x, (len(known) + 1, 1))
    rows[np.arange(len(known)), known] = np.nan  # the last row keeps all
    log_odds = _log_odds(network, rows, cause, limits)
    if np.isnan(log_odds[-1]):  # impossible with the cause and without it
        evidence(network, x[None], **limits)  # which is an error
    prior = np.where(np.arange(network.prior.size) == cause, [[1.0], [0.0]], network.prior)
    silence = network.absence_surprisal(prior)[:, known].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        single = np.log(likelihood(1.0 - x[known], x[known], silence))
        alone = single[0] - single[1]
        weight = log_odds[-1] - log_odds[:-1]
    weight[np.isnan(weight)] = 0.0  # the cause is as certain without the finding
    probability = expit(log_odds)
    order = np.argsort(-np.abs(np.nan_to_num(weight, posinf=np.inf)), kind="stable")
    ends = log_odds[[*order[-1:], -1]]
    turns = _in_turn(network, x, known[order], cause, ends, limits)
    return Reasons(
        _label(network.causes, cause),
        float(probability[-1]),
        float(log_odds[-1]),
        float(_logit(network.prior[cause])),
        tuple(_label(network.findings, int(known[k])) for k in order),
        tuple(weight[order].tolist()),
        tuple(alone[order].tolist()),
        tuple(probability[:-1][order].tolist()),
        tuple(turns.tolist()),
    )


def _in_turn(
    network: Questions,
    x: Reals,
    findings: NDArray[np.intp],
    cause: int,
    ends: Reals,
    limits: dict[str, Any],
) -> Reals:
    """Growth of the log-odds with each finding, given those before it.

    `ends` are the log-odds with all findings but the last, if there is one, and with all.
    """
    path = np.full(len(findings) + 1, _logit(network.prior[cause]))
    path[-len(ends) :] = ends
    rows = np.full((max(len(findings) - 2, 0), x.size), np.nan)
    for k, row in enumerate(rows, start=1):
        row[findings[:k]] = x[findings[:k]]
    if len(rows):
        path[1:-2] = _log_odds(network, rows, cause, limits)
    with np.errstate(invalid="ignore"):
        growth = np.diff(path)
    return np.where(np.isnan(growth), 0.0, growth)  # as certain as before


def next_findings(
    network: Questions,
    x: Reals,
    count: int,
    cause: int | None,
    screened: int,
    **limits: Any,
) -> list[NextFinding]:
    """The findings of most expected information; `NoisyOr.next_findings` documents it."""
    options: Any = {"method": "exact", "width": 1.0, "rng": 0, **limits}
    now = infer(network, x[None], **options)
    q, log_evidence = now.probability[0], float(now.log_evidence[0])
    unknown = np.flatnonzero(np.isnan(x))
    expected, present = _independent_information(network, q, cause)
    # What is certain already tells nothing.
    unknown = unknown[(present[unknown] > 0.0) & (present[unknown] < 1.0)]
    if not unknown.size:
        return []
    chosen = unknown[np.argsort(-expected[unknown], kind="stable")[:screened]]
    rows = np.tile(x, (2 * len(chosen), 1))
    rows[np.arange(len(chosen)), chosen] = 1.0
    rows[len(chosen) + np.arange(len(chosen)), chosen] = 0.0
    after = infer(network, rows, **options, possible=False)
    weight = np.exp(after.log_evidence - log_evidence).reshape(2, -1)
    open_ = (weight > 0.0).all(axis=0)  # the others are certain after all
    chosen, weight = chosen[open_], weight[:, open_] / weight[:, open_].sum(axis=0)
    entropies = _entropy(after.probability.reshape(2, open_.size, -1)[:, open_])
    before = _entropy(q)
    if cause is not None:
        entropies, before = entropies[..., cause, None], before[cause]
    left = (weight[..., None] * entropies).sum(axis=0)
    information = (before - left).sum(axis=-1)
    information = np.maximum(information, 0.0)
    order = np.argsort(-information, kind="stable")[:count]
    return [
        NextFinding(
            _label(network.findings, int(chosen[k])), float(information[k]), float(weight[0, k])
        )
        for k in order
    ]


def index_of(name: str, label: Any, names: Names, count: int) -> int:
    """The number of a cause or finding, given by its name or its number."""
    if isinstance(label, str):
        if names is None or label not in names:
            known = "without names" if names is None else f"such as {examples_of(names, label)}"
            raise ValueError(f"`{name}` must be one of the network's, {known}. Received: {label!r}")
        return names.index(label)
    if check_int(name, label, 0) >= count:
        raise ValueError(f"`{name}` must be below {count}. Received: {label}")
    return int(label)


def _signed(x: float) -> str:
    """A number with its sign, to two digits; 0 has a plus."""
    return f"{round(x, 2) + 0.0:+.2f}"


def _label(names: Names, k: int) -> Label:
    return int(k) if names is None else names[k]


def _logit(p: float) -> Any:
    """Log-odds of a probability, infinite at 0 and 1."""
    with np.errstate(divide="ignore"):
        return logit(p)


def _log_odds(network: Questions, rows: Reals, cause: int, limits: dict[str, Any]) -> Reals:
    """Log-odds of a cause by rows of findings: of two evidences, so that no digit is lost."""
    with np.errstate(divide="ignore", invalid="ignore"):
        prior = _logit(network.prior[cause])
        there, gone = (
            evidence(network.with_cause(cause, value), rows, possible=False, **limits)
            for value in (1.0, 0.0)
        )
        return prior + (there - gone)  # type: ignore[no-any-return]


def _log_constant(network: Questions, x: Reals) -> float:
    """Log-probability of what no score has: absent causes, and findings absent without them."""
    always = network.prior == 1.0
    constant = np.log1p(-network.prior[~always]).sum()
    absent = (x == 0.0) & ~network.protected()
    constant -= network.absence_surprisal(always.astype(np.float64))[absent].sum()
    return float(constant)


def _independent_information(
    network: Questions, q: Reals, cause: int | None
) -> tuple[Reals, Reals]:
    """Expected information of each finding were the causes independent, and its probability.

    Only a guess at which findings are worth an exact look: protection is left out.
    """
    rows, columns = network.beta.nonzero()
    beta = network.beta.data if is_sparse(network.beta) else network.beta[rows, columns]
    present: Reals = network.predict(q).astype(np.float64)
    found = np.zeros(len(present))
    keep = slice(None) if cause is None else columns == cause
    rows, columns, beta = rows[keep], columns[keep], beta[keep]
    mean = q[columns]
    with np.errstate(divide="ignore", invalid="ignore"):
        silent = (1.0 - present[rows]) / (1.0 - beta * mean)  # without this cause
        silent = np.nan_to_num(silent, nan=0.0, posinf=0.0)
    there, gone = 1.0 - silent * (1.0 - beta), 1.0 - silent
    entropy = _entropy(mean * there + (1.0 - mean) * gone)
    np.add.at(found, rows, entropy - mean * _entropy(there) - (1.0 - mean) * _entropy(gone))
    return found, present


def _entropy(p: Reals) -> Reals:
    """Entropy of an event, in nats."""
    p = np.clip(p, 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = p * np.log(p), (1.0 - p) * np.log1p(-p)
    return 0.0 - sum(np.where(np.isnan(t), 0.0, t) for t in terms)  # type: ignore[return-value]
