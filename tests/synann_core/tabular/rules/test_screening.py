"""Columns that models of wide tables keep."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from synann_core.tabular.columns import Column
from synann_core.tabular.rules import screening
from synann_core.tabular.rules.literals import Literals
from synann_core.tabular.rules.model import RuleModel
from synann_core.tabular.rules.screening import information, parts_of_table
from tests.synann_core.tabular.rules.tables import mixed_columns, mixed_labels, mixed_literals


def wide(columns=260, rows=120, members=3):
    """Many numbers of which the last two tell the class, a constant one, and members' rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, columns))
    X[:, 7] = 1.0
    label = (X[:, -1] + X[:, -2] + 0.3 * rng.normal(size=rows) > 0.0).astype(int)
    table = [Column(f"x{j}", "number", X[:, j]) for j in range(columns)]
    literals = Literals.from_training(table, np.ones(rows), bins=12, missing="state")
    weight = (rng.random((members, rows)) < 0.75).astype(float)
    return literals, literals.codes(table), np.stack([1.0 - label, label]), weight


@pytest.mark.parametrize("missing", ["state", "marginal"])
def test_information_is_that_of_the_best_literal(missing):
    columns = mixed_columns()
    literals, label = mixed_literals(columns, missing).hardened(), mixed_labels(columns)
    codes, classes = literals.codes(columns), np.stack([1.0 - label, label])
    repeats = np.random.default_rng(1).integers(0, 4, (2, 300))
    found = information(literals, codes, classes, repeats.astype(float))
    for own, times in zip(found, repeats, strict=True):
        truth, y = np.repeat(literals(codes), times, axis=0), np.repeat(label, times)
        told = np.array([mutual_info_score(y, column) for column in truth.T])
        want = [told[literals.feature_of == j].max() for j in range(len(columns))]
        entropy = mutual_info_score(y, y)
        np.testing.assert_allclose(own / len(y) + entropy, want, atol=1e-12)


def test_tables_that_are_not_wide_stay_as_they_are(monkeypatch):
    literals, codes, classes, weight = wide(columns=screening.WIDE)
    for columns, most in ((screening.WIDE, 1), (1, screening.WIDE)):  # or that have few literals
        monkeypatch.setattr(screening, "WIDE", columns)
        (part,) = parts_of_table(literals, codes, classes, weight, most)
        assert part.literals is literals
        assert part.codes is codes
        np.testing.assert_array_equal(part.members, [0, 1, 2])
        np.testing.assert_array_equal(part.place, np.arange(len(literals.names)))


def test_each_member_keeps_what_its_own_rows_tell():
    literals, codes, classes, weight = wide()
    parts = parts_of_table(literals, codes, classes, weight, 60)
    assert [part.members.tolist() for part in parts] == [[0], [1], [2]]
    for part in parts:
        names = [feature.name for feature in part.literals.features]
        assert len(names) == 60
        assert {"x258", "x259"} < set(names)
        assert "x7" not in names
        np.testing.assert_array_equal(np.array(literals.names)[part.place], part.literals.names)
        np.testing.assert_array_equal(part.literals(part.codes), literals(codes)[:, part.place])
    alone = parts_of_table(literals, codes, classes * (weight[1] > 0.0), weight[1:2], 60)
    np.testing.assert_array_equal(alone[0].place, parts[1].place)
    assert len({part.place.tobytes() for part in parts}) == 3


def test_more_columns_stay_where_they_have_few_literals():
    rng = np.random.default_rng(0)
    X, label = rng.integers(0, 2, (100, 300)).astype(float), rng.integers(0, 2, 100)
    table = [Column(f"x{j}", "boolean", X[:, j]) for j in range(300)]
    literals = Literals.from_training(table, np.ones(100), bins=12, missing="state")
    codes, classes = literals.codes(table), np.stack([1.0 - label, label])
    (part,) = parts_of_table(literals, codes, classes, np.ones((1, 100)), 10)
    assert len(part.literals.names) == 2 * len(part.literals.features) == 220


def test_models_are_of_the_whole_table_again():
    literals, codes, classes, weight = wide()
    part = parts_of_table(literals, codes, classes, weight, 60)[0]
    W = np.random.default_rng(2).random((3, len(part.literals.names)))
    others = {"votes": np.ones((2, 3)), "bias": np.zeros(2)}
    small = RuleModel("rrl", part.literals, W, others)
    model = part.widened(small, literals)
    assert model.literals is literals
    np.testing.assert_allclose(model.scores(codes), small.scores(part.codes), rtol=1e-12)
    assert part.widened(small, part.literals) is small
