"""Literals: thresholds, categories, missing values, and their names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synann_core.tabular.columns import Column
from synann_core.tabular.literals import MOST_CATEGORIES, Literals, _between
from tests.synann_core.tabular.tables import mixed_columns, mixed_literals


def truth_by_hand(name, columns, row):
    """Truth of a literal from its own name; None where the value is missing."""
    for column in columns:
        if not name.removeprefix("not ").startswith(column.name):
            continue
        value = column.values[row]
        unknown = value is None or (isinstance(value, float) and np.isnan(value))
        if name.endswith(("is missing", "is known")):
            return float(unknown == name.endswith("missing"))
        if unknown:
            return None
        if column.kind == "boolean":
            return float((value == 1) != name.startswith("not "))
        _, sign, text = name.rsplit(" ", 2)
        if column.kind == "category":
            return float((value == text) == (sign == "="))
        return float(value > float(text)) if sign == ">" else float(value <= float(text))
    raise AssertionError(name)


@pytest.mark.parametrize("missing", ["state", "marginal"])
def test_literals_are_what_their_names_say(missing):
    columns = mixed_columns(120)
    literals = mixed_literals(columns, missing)
    found = literals(literals.codes(columns))
    assert found.shape == (120, len(literals.names))
    for j, name in enumerate(literals.names):
        wanted = [truth_by_hand(name, columns, row) for row in range(120)]
        unknown = 0.0
        if missing == "marginal":
            unknown = np.mean([truth for truth in wanted if truth is not None])
        wanted = [unknown if truth is None else truth for truth in wanted]
        np.testing.assert_allclose(found[:, j], wanted, err_msg=name)


def test_only_missing_states_that_were_seen_have_literals():
    literals = mixed_literals(mixed_columns())
    assert "pressure is missing" in literals.names
    assert "age is missing" not in literals.names


def test_unseen_categories_equal_none():
    columns = mixed_columns()
    literals = mixed_literals(columns)
    other = [Column("pain", "category", np.array(["new", None], dtype=object))]
    feature = literals.features[1]
    truth = feature.truth()[feature.codes(other[0])]
    assert truth[0].tolist() == [0.0, 1.0] * 3  # "=" and "≠" of each
    assert truth[1] == pytest.approx(feature.means)  # none was missing in training


def test_rare_categories_beyond_the_limit_are_as_unseen_ones():
    values = np.array([f"c{min(k % 100, 99)}" for k in range(1000)] + ["often"] * 90, dtype=object)
    literals = Literals.from_training(
        [Column("c", "category", values)], np.ones(len(values)), bins=8, missing="state"
    )
    assert len(literals.features[0].values) == MOST_CATEGORIES
    assert "c = often" in literals.names


def test_weights_count_as_repetitions_do():
    columns = mixed_columns(80)
    weight = np.random.default_rng(3).integers(0, 4, 80)
    repeated = [c._replace(values=np.repeat(c.values, weight)) for c in columns]
    a = Literals.from_training(columns, weight.astype(float), bins=6, missing="state")
    b = Literals.from_training(repeated, np.ones(weight.sum()), bins=6, missing="state")
    assert a.names == b.names
    for one, other in zip(a.features, b.features, strict=True):
        assert one.means == pytest.approx(other.means)


def test_few_values_have_a_threshold_between_all_of_them():
    column = Column("n", "number", np.array([3.0, 1, 2, 2, 1, 3]))
    literals = Literals.from_training([column], np.ones(6), bins=8, missing="state")
    assert literals.names == ("n > 1", "n ≤ 1", "n > 2", "n ≤ 2")


def test_a_column_that_says_nothing_has_no_literal():
    columns = [
        Column("a", "number", np.ones(5)),
        Column("b", "category", np.array(["x"] * 5, dtype=object)),
    ]
    literals = Literals.from_training(columns, np.ones(5), bins=8, missing="state")
    assert literals.names == ()
    assert literals(literals.codes(columns)).shape == (5, 0)


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_thresholds_separate_their_neighbours(a, b):
    low, high = min(a, b), max(a, b)
    t = _between(low, high)
    assert low <= t < high or low == high


@pytest.mark.parametrize(
    ("low", "high", "want"), [(54, 55, 54), (1.6, 1.7, 1.65), (0.123456, 0.123789, 0.1236)]
)
def test_thresholds_can_be_read(low, high, want):
    assert _between(float(low), float(high)) == want


def test_blocks_are_the_whole_table():
    columns = [Column(f"x{j}", "number", np.arange(40.0) % (7 + j)) for j in range(60)]
    literals = Literals.from_training(columns, np.ones(40), bins=12, missing="state")
    blocks = literals.blocks()
    assert len(blocks) > 1
    whole = np.zeros((int(literals.starts[-1]), len(literals.names)))
    for block in blocks:
        whole[block.states, block.literals] = block.untrue
    for j, feature in enumerate(literals.features):
        start = literals.starts[j]
        own = np.flatnonzero(literals.feature_of == j)
        part = whole[start : start + feature.states][:, own]
        np.testing.assert_array_equal(part, 1.0 - feature.truth())
        assert whole[start : start + feature.states].sum() == part.sum()


def test_shares_of_states_are_weighted():
    columns = mixed_columns()
    literals = mixed_literals(columns)
    weight = np.random.default_rng(0).random(300)
    share = literals.share(literals.codes(columns), weight)
    assert np.add.reduceat(share, literals.starts[:-1]) == pytest.approx(np.ones(4))
    smoker = literals.starts[2]
    want = np.average(columns[2].values, weights=weight)
    assert share[smoker + 1] == pytest.approx(want)


def test_hardened_literals_are_true_or_false_of_unknown_values():
    literals = mixed_literals(mixed_columns(), "marginal").hardened()
    for feature in literals.features:
        assert set(feature.means) <= {0.0, 1.0}
