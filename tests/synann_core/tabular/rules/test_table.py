"""Lists of rules, and the text of them."""

import numpy as np
import pytest

from synann_core.tabular.rules.model import RuleModel, mix_model
from synann_core.tabular.rules.table import Rule, as_text, list_rules, live_rules
from tests.synann_core.tabular.rules.tables import mixed_columns, mixed_literals


def literals():
    return mixed_literals(mixed_columns())


def test_a_signed_rule_weighs_what_it_adds_to_the_log_odds():
    known = literals()
    W = np.zeros((2, len(known.names)))
    W[0, known.names.index("pain = none")], W[0, 1], W[1, 0] = np.log(2.0), 20.0, 1.0
    model = RuleModel(
        "rrl", known, W, {"bias": np.array([0.0, 0.5]), "votes": np.array([[0, 0], [1.5, -2.0]])}
    )
    share = np.full(int(known.starts[-1]), 0.1)
    first, second = list_rules([model], share, ["well", "ill"])
    assert first.literals == (known.names[1], "pain = none")
    assert first.strengths == pytest.approx((1.0, 0.5))
    assert (first.weight, second.weight) == pytest.approx((1.5, -2.0))
    assert first.label == "ill"
    text = as_text([first, second], ["well", "ill"], model.parameters["bias"]).splitlines()
    assert text == [
        "log-odds of 'ill':",
        f"  {known.names[0]} (0.63): -2.00",
        f"  {known.names[1]} and pain = none (0.50): +1.50",
        "  without any rule: +0.50",
    ]


def test_a_mix_has_rules_that_are_always_true():
    known = literals()
    W = np.zeros((3, len(known.names)))
    W[0, 2] = 3.0
    model = mix_model(known, W, np.array([0, 0, 1]), np.log([0.5, 0.2, 0.3]))
    assert live_rules(model).tolist() == [0, 1, 2]
    share = np.full(int(known.starts[-1]), 0.1)
    rules = list_rules([model], share, [0, 1])
    assert [str(rule) for rule in rules] == [f"{known.names[2]} (0.95)", "always", "always"]
    assert rules[0].weight == pytest.approx(-np.log(0.7 / 0.2))
    assert all(np.isfinite(rule.weight) for rule in rules)


def test_of_several_classes_a_rule_names_the_one_it_moves():
    known = literals()
    W = np.zeros((1, len(known.names)))
    W[0, 0] = 9.0
    votes = np.array([[0.0], [0.0], [3.0]])
    model = RuleModel("rrl", known, W, {"bias": np.zeros(3), "votes": votes})
    (rule,) = list_rules([model], np.full(int(known.starts[-1]), 0.1), ["a", "b", "c"])
    assert rule.label == "c"
    assert rule.weight == pytest.approx(2.0)  # 3 less the mean of 0, 0, 3
    assert "for 'c'" in as_text([rule], ["a", "b", "c"], None)


def test_thresholds_of_one_column_are_one_phrase():
    names = ("a > 5", "b", "a > 1", "a ≤ 9", "a > 20", "kind = x > 3", "kind = x > 4")
    soft = Rule(names, (0.9, 1.0, 0.3, 0.999, 0.5, 1.0, 1.0), 1.0, 1, 0)
    text = "a > 1 (0.30), 5 (0.90), 20 (0.50) and b and a ≤ 9 and kind = x > 3 and kind = x > 4"
    assert str(soft) == text
    # What x > 5 says, or a harder x ≤ 2, is said by no other literal.
    hard = Rule(("a > 1", "a > 5", "a > 20"), (1.0, 1.0, 0.5), 1.0, 1, 0)
    assert str(hard) == "a > 5, 20 (0.50)"
    falling = Rule(("a ≤ 1", "a ≤ 5", "a ≤ -3.5"), (1.0, 0.4, 0.2), 1.0, 1, 0)
    assert str(falling) == "a ≤ -3.5 (0.20), 1"


def test_long_rules_are_folded_and_short_in_lists():
    names = tuple(f"column {k} = some value" for k in range(12))
    rule = Rule(names, (0.5,) * 12, -0.7, "ill", 0)
    lines = as_text([rule], ["well", "ill"], None).splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) > 3
    assert " ".join(line.strip() for line in lines[1:]) == f"{rule}: -0.70"
    assert not any(line.endswith((" =", "value")) for line in lines)
    assert len(repr([rule])) < 120
    assert repr(rule).endswith("...: -0.70 for 'ill'>")
