"""The printed tables of the study of tables."""

import math

import numpy as np
import pytest

from studies.tables_results import Result
from studies.tables_summary import compared, difference, mean, summarise


def results(model, auc):
    """A fold for each number; `auc` is by table."""
    return [
        Result(table, model, fold, value, 0.8, 0.4, 3.0, math.nan, 1.0)
        for table, folds in auc.items()
        for fold, value in enumerate(folds)
    ]


EBM = results("EBM", {"a": (0.9, 0.8, 0.7), "b": (0.5, 0.5)})
OWN = results("tree", {"a": (0.8, 0.8), "b": (0.6, 0.5), "c": (1.0,)})


def test_only_folds_that_all_models_have_done_are_compared():
    study = compared(EBM + OWN)
    assert {t: list(f) for t, f in study["EBM"].items()} == {"a": [0, 1], "b": [0, 1]}
    assert mean(study["EBM"], "auc") == pytest.approx((0.85 + 0.5) / 2)


def test_differences_have_both_standard_errors():
    study = compared(EBM + OWN)
    found = difference(study["tree"], study["EBM"], "auc")
    a, b = np.array([-0.1, 0.0]), np.array([0.1, 0.0])
    means = np.array([a.mean(), b.mean()])
    assert found.mean == pytest.approx(0.0, abs=1e-12)
    assert found.over_tables == pytest.approx(means.std(ddof=1) / np.sqrt(2))
    inside = a.var(ddof=1) / 2 + b.var(ddof=1) / 2
    assert found.over_folds == pytest.approx(np.sqrt(inside) / 2)


def test_the_summary_prints_means_differences_and_tables(capsys):
    summarise(EBM + OWN, {"a": "20 × 3, 2"})
    out = capsys.readouterr().out
    assert "2 tables, 4 folds that all 2 models have done" in out
    assert "| EBM     | 0.6750 |" in out
    assert "| tree    | +0.0 ± 50.0, 35.4 |" in out
    assert "20 × 3, 2 | 0.850 |  0.800 |" in out
    assert "log-loss by table" in out
    assert "nan" not in out


@pytest.mark.parametrize("folds", [(0.5,), (0.5, 0.6)])
def test_an_error_over_folds_needs_two_of_each_table(capsys, folds):
    auc = {"a": (0.9, 0.8), "b": folds}
    summarise(results("EBM", auc) + results("tree", auc))
    out = capsys.readouterr().out
    assert ("± over folds)" in out) == (len(folds) > 1)
    cell = next(line for line in out.splitlines() if line.startswith("| tree") and "±" in line)
    assert ("0.0 ± 0.0, 0.0" in cell) == (len(folds) > 1)


def test_nothing_in_common_is_said(capsys):
    summarise(EBM[:1] + OWN[-1:])
    assert "no fold is done by all models" in capsys.readouterr().out
    summarise([])
    assert "no fold is done by all models" in capsys.readouterr().out
