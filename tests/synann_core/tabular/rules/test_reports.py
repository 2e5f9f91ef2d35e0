"""What the estimator says of itself: the parts, and the table."""

import numpy as np
import pytest

from tests.synann_core.tabular.rules.test_c import fitted

OPTIONS = [
    {},
    {"structure": "duel"},
    {"structure": "rrl"},
    {"n_bags": 2},
    {"crisp": True, "penalties": (1e-3,)},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("others", [False, True])
def test_parts_sum_to_the_decision(options, classes, others):
    rules, table, _ = fitted(classes=classes, **options)
    background = table[10:15] if others else None
    found = rules.explain(table[:40], background=background)
    decision = rules.decision_function(table[:40])
    for parts, names in ((found.rules, found.rule_names), (found.features, found.feature_names)):
        assert parts.shape == (*decision.shape, len(names))
        np.testing.assert_allclose(found.constant + parts.sum(axis=-1), decision, atol=1e-9)
    assert found.feature_names == ["x0", "x1", "x2", "x3"]
    assert found.rule_names == [str(rule) for rule in rules.rules_]
    label = rules.predict(table[3:4])[0] if classes > 2 else 1
    last = found.to_text(3, by="features").splitlines()[-1]
    value = decision[3][label] if classes > 2 else decision[3]
    assert last.endswith(f" of {label}: {value:+.2f}")
    if others:
        mean = rules.decision_function(background).mean(axis=0)
        np.testing.assert_allclose(found.constant, mean, atol=1e-9)


def test_a_row_beside_itself_has_no_parts():
    rules, table, _ = fitted()
    found = rules.explain(table[5:6], background=table[5:6])
    assert not found.rules.any()
    assert not found.features.any()


def test_the_text_has_a_line_for_each_rule_the_largest_first():
    rules, _, _ = fitted()
    first, *lines = rules.to_text().splitlines()
    assert first == "log-odds of 1:"
    lines = "\n".join(lines).replace("\n      ", " ").splitlines()  # long ones are folded
    assert len(lines) == len(rules.rules_)
    weights = [abs(float(line.rsplit(": ", 1)[1])) for line in lines if "always" not in line]
    assert weights == sorted(weights, reverse=True)
