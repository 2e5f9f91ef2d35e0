"""The tables of the fields, and predictions gathered from files."""

import numpy as np
import pytest

from studies.fields_data import FIELDS, Subject, gather, named, ranges
from studies.tables_data import folds
from studies.tables_results import keep_predictions
from tests.examples.studies.tables_files import labelled


def keep(folder, table, model, some, shift=0):
    for fold, _, test in folds(table):
        if fold in some:
            p = np.stack([test / 1000, 1 - test / 1000], axis=1)
            keep_predictions(folder, (table.name, model, fold), test + shift, p)


def test_folds_that_all_models_have_done_are_gathered(tmp_path):
    table = labelled()
    keep(tmp_path, table, "tree", range(10))
    keep(tmp_path, table, "EBM", (0, 2, 3))
    found = gather(tmp_path, table, "class 0", ("tree", "EBM", "odds"))
    rows = np.concatenate([test for fold, _, test in folds(table) if fold in (0, 2, 3)])
    assert found.folds == [0, 2, 3]
    assert found.missing == {"EBM": [1, 4, 5, 6, 7, 8, 9], "odds": list(range(10))}
    assert list(found.p) == ["tree", "EBM"]
    np.testing.assert_array_equal(found.p["EBM"], rows / 1000)  # of the class asked for
    np.testing.assert_array_equal(found.event, table.y[rows] == "class 0")
    second = gather(tmp_path, table, "class 1", ("tree",))
    assert second.missing == {}
    assert second.p["tree"].sum() == pytest.approx(120 - 0.12 * 59.5)


def test_nothing_is_gathered_from_nothing(tmp_path):
    found = gather(tmp_path, labelled(), "class 1", ("tree",))
    assert (found.p, found.folds, len(found.event)) == ({}, [], 0)
    keep(tmp_path, labelled(), "tree", (0,))
    keep(tmp_path, labelled(), "EBM", (1,))
    assert gather(tmp_path, labelled(), "class 1", ("tree", "EBM")).p == {}


def test_predictions_of_other_rows_are_refused(tmp_path):
    keep(tmp_path, labelled(), "tree", range(10))
    keep(tmp_path, labelled(), "EBM", range(10), shift=1)
    with pytest.raises(SystemExit, match="EBM has the folds of other rows"):
        gather(tmp_path, labelled(), "class 1", ("tree", "EBM"))


def test_columns_get_names():
    table = labelled()
    assert named(table, Subject("class 1", "")) is table
    other = named(table, Subject("class 1", "", ("a", "b", "c")))
    assert list(other.x) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="Length mismatch"):
        named(table, Subject("class 1", "", ("a",)))
    for subjects in FIELDS.values():
        for subject in subjects.values():
            assert len(set(subject.names)) == len(subject.names)


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([4], "4"), ([0, 1, 2, 5, 7, 8], "0–2, 5, 7–8")]
)
def test_runs_of_numbers_are_short(numbers, text):
    assert ranges(numbers) == text
