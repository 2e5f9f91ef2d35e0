"""The file of results of the study of tables."""

import math

import numpy as np

from studies.tables_results import (
    Result,
    append,
    keep_predictions,
    read_predictions,
    read_results,
)

ONE = Result("iris", "logistic, binned", 3, 0.9, 0.8, 0.25, math.nan, 12.0, 0.5)


def test_results_come_back_as_they_were(tmp_path):
    path = tmp_path / "results.csv"
    append(path, ONE)
    append(path, ONE._replace(fold=4, rules=2.0))
    first, second = read_results([path])
    assert math.isnan(first.rules)
    assert first._replace(rules=0.0) == ONE._replace(rules=0.0)
    assert second.fold == 4
    assert path.read_text().splitlines()[0].startswith("table,model,fold,auc")


def test_the_last_of_two_results_counts(tmp_path):
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    append(first, ONE)
    append(second, ONE._replace(auc=0.7))
    assert [r.auc for r in read_results([first, second])] == [0.7]
    assert [r.auc for r in read_results([second, first])] == [0.9]


def test_a_line_that_broke_off_is_done_again(tmp_path):
    path = tmp_path / "results.csv"
    append(path, ONE)
    whole = path.read_text()
    path.write_text(whole[:-30])
    assert read_results([path]) == []
    append(path, ONE)
    assert len(read_results([path])) == 1


def test_without_a_file_there_are_no_results(tmp_path):
    assert read_results([tmp_path / "nothing.csv"]) == []


def test_predictions_are_kept_whole_by_table_model_and_fold(tmp_path):
    rows, p = np.array([3, 1]), np.array([[0.25, 0.75], [0.5, 0.5]])
    keep_predictions(tmp_path, ("iris", "rules, bagged", 2), rows, p)
    keep_predictions(tmp_path, ("iris", "rules, bagged", 0), rows[:1], p[:1])
    found = read_predictions(tmp_path, "iris", "rules, bagged")
    assert list(found) == [0, 2]
    np.testing.assert_array_equal(found[2][0], rows)
    np.testing.assert_array_equal(found[2][1], p)
    assert read_predictions(tmp_path, "iris", "rules") == {}
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["0.npz", "2.npz"]
