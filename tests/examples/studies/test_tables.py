"""The study of tables as a whole, on made-up tables."""

import re

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from studies import tables, tables_models
from studies.tables_data import folds, read_table
from studies.tables_results import read_predictions, read_results
from tests.examples.studies.tables_files import write_files


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    monkeypatch.setattr(tables_models, "INNER_FOLDS", 2)
    write_files(tmp_path)
    path = str(tmp_path / "out" / "tables.csv")
    return ["--data", str(tmp_path), "--output", path, "--tables", "first", "credit"]


def test_the_study_is_continued_where_it_stopped(arguments, tmp_path, capsys, monkeypatch):
    path = tmp_path / "out" / "tables.csv"
    tables.main([*arguments, "--models", "logistic", "--folds", "0", "1"])
    assert "2 tables, 4 folds that all 1 models have done" in capsys.readouterr().out
    assert len(read_results([path])) == 4
    fits = []
    run_fold = tables.run_fold
    monkeypatch.setattr(tables, "run_fold", lambda *a: fits.append(a[:3]) or run_fold(*a))
    tables.main([*arguments, "--models", "logistic", "tree", "--folds", "1", "2"])
    assert [(t.name, m, f) for t, m, f in fits] == [
        (name, model, fold)
        for name in ("first", "credit")
        for model, fold in (("tree", 1), ("logistic", 2), ("tree", 2))
    ]
    results = read_results([path])
    assert len(results) == 10
    assert all(0 <= r.auc <= 1 and r.log_loss > 0 and r.seconds > 0 for r in results)


def test_folds_without_kept_predictions_are_done_again(arguments, tmp_path):
    arguments = [*arguments, "--models", "logistic", "--folds", "3"]
    tables.main(arguments)
    tables.main([*arguments, "--predictions", str(tmp_path / "kept")])
    table = read_table("first", tmp_path)
    (fold, (rows, p)), *others = read_predictions(tmp_path / "kept", "first", "logistic").items()
    assert (fold, others) == (3, [])
    np.testing.assert_array_equal(rows, list(folds(table))[3][2])
    (result,) = [r for r in read_results([tmp_path / "out" / "tables.csv"]) if r.table == "first"]
    measured = tables.measure(table.y[rows], p, np.unique(table.y))
    np.testing.assert_allclose(result[3:6], measured, rtol=1e-5)


def test_a_summary_fits_nothing(arguments, tmp_path, capsys, monkeypatch):
    tables.main([*arguments, "--models", "logistic", "tree", "--folds", "0"])
    capsys.readouterr()
    monkeypatch.delattr(tables, "run")
    tables.main([*arguments, "--summary"])
    printed = capsys.readouterr().out
    assert "2 tables, 2 folds that all 2 models have done" in printed
    assert re.search(r"\| credit +\| +120 × 3, 2 \|", printed)
    path = str(tmp_path / "out" / "tables.csv")
    tables.main(["--summary", path, path])
    assert "2 tables, 2 folds" in capsys.readouterr().out


def test_measures_are_those_of_all_classes():
    rng = np.random.default_rng(0)
    classes = np.array(["a", "b", "c"], object)
    y = classes[rng.integers(0, 3, 60)]
    p = rng.dirichlet(np.ones(3), 60)
    auc, accuracy, loss = tables.measure(y, p, classes)
    by_class = [roc_auc_score(y == c, p[:, k]) for k, c in enumerate(classes)]
    assert auc == pytest.approx(np.mean(by_class))
    assert accuracy == np.mean(classes[p.argmax(axis=1)] == y)
    assert loss == pytest.approx(log_loss(y, p, labels=classes))
    two = np.array(["no", "yes"], object)
    p = np.array([[1.0, 0.0], [0.2, 0.8]])
    auc, _, loss = tables.measure(np.array(["no", "yes"], object), p, two)
    assert auc == 1
    assert loss == pytest.approx(-np.log(0.8) / 2, abs=1e-5)


def test_a_certain_error_costs_a_finite_number_of_nats():
    classes = np.array(["no", "yes"], object)
    p = np.array([[1.0, 0.0], [0.0, 1.0]])
    _, accuracy, loss = tables.measure(np.array(["yes", "no"], object), p, classes)
    assert accuracy == 0
    assert loss == pytest.approx(-np.log(tables.LEAST), rel=1e-6)


def test_a_table_that_is_not_there_ends_with_one_line(arguments):
    with pytest.raises(SystemExit, match="keel/third"):
        tables.main([*arguments[:-2], "third"])
