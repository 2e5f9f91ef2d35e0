"""Parts of scores: they sum to the whole, and are the integrals that they are said to be."""

import numpy as np
import pytest

from synann_core.tabular.rules.crisp_selection import CLOSED
from synann_core.tabular.rules.model import RuleModel, by_feature_on_average, mix_model
from synann_core.tabular.rules.parts import RuleParts, by_feature, centred, parts_of
from synann_core.tabular.rules.structures import STRUCTURES
from tests.synann_core.tabular.rules.tables import mixed_columns, mixed_literals


def model(structure, scale=1.0, seed=0):
    columns = mixed_columns(60)
    literals = mixed_literals(columns)
    rng = np.random.default_rng(seed)
    W = scale * rng.random((4, len(literals.names))) * (rng.random((4, len(literals.names))) < 0.3)
    codes = literals.codes(columns)
    if structure == "mix":
        return mix_model(literals, W, np.array([0, 0, 1, 1]), rng.normal(size=4)), codes
    name = {"rrl": "votes", "duel": "against"}[structure]
    others = {"bias": rng.normal(size=2), name: rng.random((2, 4))}
    return RuleModel(structure, literals, W, others), codes


@pytest.mark.parametrize(
    ("structure", "scale"), [*((s, w) for s in STRUCTURES for w in (0.5, 10.0)), ("rrl", CLOSED)]
)
def test_parts_sum_to_the_difference_of_the_scores(structure, scale):
    rules, codes = model(structure, scale)
    own = by_feature(rules, codes)
    for base in (
        own[:, :, :1],
        by_feature_on_average(rules, np.full(rules.by_state.shape[1], 0.1)),
    ):
        by_rule, parts = parts_of(rules, own, base)
        want = rules.scores(codes) - rules.scores_of(base.sum(axis=0))
        close = {"rtol": 1e-9, "atol": 1e-9}
        np.testing.assert_allclose(by_rule.sum(axis=1), want, **close)
        np.testing.assert_allclose(parts.sum(axis=1), want, **close)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_slopes_are_means_along_the_line(structure):
    rules, codes = model(structure)
    own = by_feature(rules, codes)
    base = own[:, :, 3:4]
    by_rule, parts = parts_of(rules, own, base)
    moved = own - base
    steps = (np.arange(150) + 0.5) / 150
    slope = np.zeros((2, 4, len(codes)))
    for t in steps:
        at = (base + t * moved).sum(axis=0)
        for i in range(4):
            shift = 1e-6 * np.eye(4)[:, i : i + 1]
            change = rules.scores_of(at + shift) - rules.scores_of(at - shift)
            slope[:, i] += change / 2e-6 / len(steps)
    np.testing.assert_allclose(by_rule, slope * moved.sum(axis=0), atol=1e-4)
    np.testing.assert_allclose(parts, np.einsum("crn,frn->cfn", slope, moved), atol=1e-4)


@pytest.mark.parametrize("structure", ["duel", "rrl"])
def test_a_rules_part_is_the_change_of_its_own_term(structure):
    rules, codes = model(structure)
    own = by_feature(rules, codes)
    by_rule, _ = parts_of(rules, own, own[:, :, :1])
    surprisals = own.sum(axis=0)
    for i in range(4):
        alone = np.repeat(surprisals[:, :1], len(codes), axis=1)
        alone[i] = surprisals[i]
        change = rules.scores_of(alone) - rules.scores_of(surprisals[:, :1])
        np.testing.assert_allclose(by_rule[:, i], change, atol=1e-12)


def test_surprisals_are_the_sum_over_features():
    rules, codes = model("mix")
    np.testing.assert_allclose(by_feature(rules, codes).sum(axis=0), rules.surprisals(codes))


def test_centred_scores():
    assert centred(np.array([[1.0], [3.0]])).tolist() == [[2.0]]
    assert centred(np.array([[1.0], [2.0], [6.0]])).tolist() == [[-2.0], [-1.0], [3.0]]


def test_one_row_as_text_sums_to_its_log_odds():
    rules = np.array([[0.0, 0.83, -1.0, 0.002], [0.0, 0.0, 0.0, 0.0]])
    names = ["a", "b > 1", "c", "d"]
    parts = RuleParts(-1.2, rules, rules[:, :2], names, ["x", "y"], ["well", "ill"])
    assert parts.ranked() == [("c", -1.0), ("b > 1", 0.83), ("d", 0.002)]
    assert parts.ranked(1) == []
    assert parts.ranked(0, "ill", by="features") == [("y", 0.83)]
    assert parts.to_text().splitlines() == [
        "  constant: -1.20",
        "  c: -1.00",
        "  b > 1: +0.83",
        "  1 smaller one: +0.00",
        "  = log-odds of 'ill': -1.37",
    ]
    assert parts.to_text(1).splitlines() == ["  constant: -1.20", "  = log-odds of 'ill': -1.20"]
    assert str(parts) == f"row 0:\n{parts.to_text(0)}\nrow 1:\n{parts.to_text(1)}"
    for options in ({"row": 2}, {"row": -1}, {"label": "well"}, {"by": "rows"}):
        (name,) = options
        with pytest.raises(ValueError, match=f"`{name}`"):
            parts.ranked(**options)


def test_of_several_classes_the_text_is_of_the_largest_score():
    rules = np.array([[[1.0], [-2.0], [1.5]]] * 7)
    constant = np.array([0.0, 1.0, -1.0])
    parts = RuleParts(constant, rules, rules, ["r"], ["x"], [3, 4, 5])
    assert parts.to_text().endswith("= score of 3: +1.00")
    assert parts.to_text(label=5).endswith("= score of 5: +0.50")
    assert parts.ranked(0, 4) == [("r", -2.0)]
    assert str(parts).endswith("2 rows more")
