"""Reading the tables of the study."""

import numpy as np
import pandas as pd
import pytest

from studies.tables_data import SHIPPED, by_size, folds, read_table, table_names
from tests.examples.studies.tables_files import labelled, write_files


@pytest.fixture
def folder(tmp_path):
    write_files(tmp_path)
    return tmp_path


def test_columns_that_do_not_parse_are_categories(folder):
    table = read_table("first", folder)
    assert list(table.x.columns) == ["x1", "x2"]
    assert table.x["x1"].dtype == float
    assert isinstance(table.x["x2"].dtype, pd.CategoricalDtype)
    assert set(table.y) == {"class 0", "class 1"}
    assert table.size == "120 × 2, 2"


def test_missing_values_stay_missing_in_tables_with_a_header(folder):
    table = read_table("credit", folder)
    made = labelled()
    assert list(table.x.columns) == ["much", "little", "kind"]
    np.testing.assert_array_equal(table.x.isna(), made.x.isna())
    np.testing.assert_array_equal(table.y, made.y)


def test_what_tells_the_class_is_left_out(tmp_path):
    (tmp_path / "tables").mkdir()
    frame = pd.DataFrame({"low": [0, 1], "race": [1, 3], "age": [20, 30], "bwt": [2600, 2400]})
    frame.to_csv(tmp_path / "tables/birthwt.csv.gz")
    table = read_table("birthwt", tmp_path)
    assert list(table.x.columns) == ["race", "age"]
    assert list(table.x["race"].cat.categories) == ["1", "3"]
    assert list(table.y) == ["0", "1"]


def test_large_tables_are_the_same_sample_each_time(folder):
    first, second = (read_table("first", folder, most=50) for _ in range(2))
    pd.testing.assert_frame_equal(first.x, second.x)
    assert len(first.y) == 50
    assert first.size == "50 of 120 × 2, 2"


def test_names_are_those_found_and_those_shipped(folder):
    assert table_names(folder) == sorted([*SHIPPED, "credit", "first"])
    assert table_names(None) == sorted(SHIPPED)


def test_shipped_tables_have_names_of_classes():
    assert set(read_table("iris", None).y) == {"setosa", "versicolor", "virginica"}


def test_small_tables_come_first():
    large, small = labelled(90), labelled(40)
    assert by_size([large, small]) == [small, large]


def test_every_row_is_tested_once_and_folds_are_stratified():
    table = labelled(300, classes=3)
    tested = []
    for fold, train, test in folds(table):
        assert fold == len(tested)
        assert not set(train) & set(test)
        assert set(table.y[test]) == set(table.y)
        tested.append(test)
    np.testing.assert_array_equal(np.sort(np.concatenate(tested)), np.arange(300))


def test_a_missing_file_ends_with_one_line(tmp_path):
    with pytest.raises(SystemExit, match="keel/nothing"):
        read_table("nothing", tmp_path)
    with pytest.raises(SystemExit, match="--data"):
        read_table("credit", None)
