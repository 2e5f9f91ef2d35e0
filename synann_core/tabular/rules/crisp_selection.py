"""Choose how many hard rules there are by out-of-fold log-loss."""

from __future__ import annotations

import numpy as np

from synann_core.tabular.rules.crisp import Growth, HardRules, grow, in_points, scores
from synann_core.tabular.rules.literals import Floats, Literals
from synann_core.tabular.rules.model import RuleModel
from synann_core.tabular.rules.selection import Chosen, Rows, Settings, best_of
from synann_core.tabular.rules.structures import Array, log_probabilities

# −log(1 − β) of a literal in a hard rule: e^(−CLOSED) is 0 in float64, and β is 1.
CLOSED = 800.0


def choose_crisp(
    literals: Literals, rows: Rows, sides: Array, settings: Settings, points: int
) -> Chosen:
    """Grow rules on each fold's rows and on all, and keep as many as predict best.

    With `points`, weights are whole numbers of at most so many points. A penalty is the price of
    each literal beyond a rule's first, in nats of the summed log-loss.
    """
    truth = (literals(rows.codes) > 0.5).astype(np.float32)
    target = (rows.label == np.arange(len(sides))[:, None]).astype(np.float64)
    allowed = sides > 0.0
    paths: list[list[list[HardRules]]] = []
    losses: list[Floats] = []
    counts: list[tuple[int, int]] = []
    count = rows.weight.sum()
    for k, cost in enumerate(settings.penalties):
        growth = Growth(settings.max_rules, settings.max_literals, cost=cost)
        grown = []
        for used in (*rows.train, np.ones(len(rows.label), bool)):
            weight = rows.weight * used
            grown.append(
                grow(
                    truth[used],
                    target[:, used],
                    weight[used] * (count / weight.sum()),
                    allowed,
                    growth,
                )
            )
        paths.append(grown)
        for size in range(len(grown[-1])):
            counts.append((k, size))
            loss = np.zeros(len(rows.label))
            for test, path in zip(rows.test, grown[:-1], strict=True):
                log_p = log_probabilities(scores(truth[test], path[min(size, len(path) - 1)]))
                loss[test] -= (target[:, test] * log_p).sum(axis=0)
            losses.append(loss)
    table = np.array(losses)
    judged = rows.weight * rows.test.any(axis=0)
    best = best_of(table, judged, one_standard_error=settings.one_standard_error)
    k, size = counts[best]
    found, unit = paths[k][-1][size], 0.0
    if points:
        found, unit = in_points(truth, target, rows.weight, found, points)
    model = _model(literals, found, unit or 1.0)
    mean = table @ judged / judged.sum()
    return Chosen([model], settings.penalties[k], mean, sum(map(len, paths[k])), unit)


def _model(literals: Literals, found: HardRules, unit: float) -> RuleModel:
    W = np.zeros((len(found.rules), len(literals.names)))
    votes = np.zeros((len(found.bias), len(found.rules)))
    for i, rule in enumerate(found.rules):
        W[i, rule.literals], votes[rule.label, i] = CLOSED, unit * found.weights[i]
    live = votes.any(axis=0)
    parameters = {"votes": votes[:, live], "bias": unit * found.bias}
    return RuleModel("rrl", literals, W[live], parameters)
