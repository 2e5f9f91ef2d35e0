"""Scores of the structures: their formulas, and gradients against complex steps."""

import numpy as np
import pytest

import synann_core as syn
from synann_core.tabular.structures import (
    MOST,
    STRUCTURES,
    class_scores,
    class_share,
    log_probabilities,
    score_gradients,
)


def parameters(structure, rng, members=2, classes=3, each=2):
    rules = classes * each
    if structure == "mix":
        return {"log_alpha": rng.normal(size=(members, classes, each))}
    bias = rng.normal(size=(members, classes))
    if structure == "rrl":
        return {"votes": rng.normal(size=(members, classes, rules)), "bias": bias}
    return {"against": rng.random((members, classes, rules)), "bias": bias}


def by_hand(structure, given, r, member):
    """Scores of one row from its rules r, without their gains."""
    if structure == "mix":
        gains = np.exp(given["log_alpha"][member])
        return np.log((gains * r.reshape(gains.shape)).sum(axis=1))
    bias = given["bias"][member]
    if structure == "rrl":
        return bias + given["votes"][member] @ r
    gamma = MOST * (1.0 - np.exp(-given["against"][member]))
    return bias + np.log(np.prod(1.0 - gamma * r, axis=1))


@pytest.mark.parametrize("structure", STRUCTURES)
def test_scores_are_the_formulas_on_synapses(structure):
    rng = np.random.default_rng(0)
    given = parameters(structure, rng)
    beta = rng.random((2, 6, 4)) * 0.9
    y = rng.integers(0, 2, (5, 4)).astype(float)
    W = -np.log1p(-beta)
    surprisal = np.stack([w @ (1.0 - y).T for w in W])
    values = class_scores(structure, given, surprisal).values
    for m in range(2):
        # r is the synapse tensor of the library, with false literals as its inhibitors.
        r = np.exp(syn.log_transmission(1.0 - y, beta[m]))
        for row in range(5):
            want = by_hand(structure, given, r[row], m)
            np.testing.assert_allclose(values[m, :, row], want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_gradients_agree_with_complex_steps(structure):
    rng = np.random.default_rng(1)
    given = parameters(structure, rng)
    surprisal, t = rng.random((2, 6, 7)), rng.normal(size=(2, 3, 7))
    scores = class_scores(structure, given, surprisal)
    by_surprisal, by_parameter = score_gradients(structure, given, scores, t)

    def total(arguments):
        rest = {k: v for k, v in arguments.items() if k != "u"}
        return (t * class_scores(structure, rest, arguments["u"]).values).sum()

    arguments = given | {"u": surprisal}
    for name, gradient in (by_parameter | {"u": by_surprisal}).items():
        assert gradient.shape == arguments[name].shape
        for place in np.ndindex(arguments[name].shape):
            moved = {k: v.astype(complex) for k, v in arguments.items()}
            moved[name][place] += 1e-30j
            assert gradient[place] == pytest.approx(total(moved).imag / 1e-30, rel=1e-10, abs=1e-12)


def test_a_rule_takes_no_class_away_for_good():
    assert class_share(np.array([0.0, 1e9])).tolist() == [0.0, MOST]


def test_log_probabilities_do_not_overflow():
    log_p = log_probabilities(np.array([[1000.0], [0.0], [-1000.0]]))
    assert log_p.ravel().tolist() == [0.0, -1000.0, -2000.0]
