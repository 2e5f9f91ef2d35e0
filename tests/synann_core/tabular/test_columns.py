"""Tables of all kinds become the same columns."""

import numpy as np
import pytest

from synann_core.tabular.columns import as_table, is_frame, read_columns, text_of

NAMES = ["age", "pain", "smoker", "count"]
ROWS = [
    [54.0, "typical", True, 1],
    [None, "none", False, 2],
    [60.5, None, None, 3],
    [41.0, "none", True, None],
]


def pandas_frame():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(ROWS, columns=NAMES)
    return frame.astype({"pain": "category", "smoker": "boolean", "count": "Int64"})


def polars_frame():
    pl = pytest.importorskip("polars")
    return pl.DataFrame(ROWS, schema=NAMES, orient="row", strict=False)


@pytest.mark.parametrize("make", [pandas_frame, polars_frame, lambda: ROWS])
def test_frames_and_lists_are_read_alike(make):
    table = as_table(make())
    columns = read_columns(table, NAMES, [None] * 4)
    assert [c.kind for c in columns] == ["number", "category", "boolean", "number"]
    np.testing.assert_array_equal(columns[0].values, [54.0, np.nan, 60.5, 41.0])
    assert columns[1].values.tolist() == ["typical", "none", None, "none"]
    np.testing.assert_array_equal(columns[2].values, [1.0, 0.0, np.nan, 1.0])
    np.testing.assert_array_equal(columns[3].values, [1.0, 2.0, 3.0, np.nan])


def test_a_plain_array_is_numbers_and_a_bool_array_truth():
    assert not is_frame(np.ones((2, 2)))
    assert [c.kind for c in read_columns(np.ones((3, 2)), ["a", "b"], [None] * 2)] == ["number"] * 2
    (column,) = read_columns(np.ones((3, 1), bool), ["a"], [None])
    assert column.kind == "boolean"


def test_lists_that_mix_texts_and_numbers_keep_the_numbers():
    columns = read_columns(as_table([[1, "a"], [2, "b"]]), ["n", "c"], [None] * 2)
    assert [c.kind for c in columns] == ["number", "category"]


def test_numbers_can_be_categories_with_one_text_for_one_number():
    assert [text_of(v) for v in (1, 1.0, True, np.int8(1), 1.5, "1")] == ["1"] * 4 + ["1.5", "1"]
    (column,) = read_columns(np.array([[1.0], [2.0], [np.nan]]), ["a"], ["category"])
    assert column.values.tolist() == ["1", "2", None]


@pytest.mark.parametrize(
    ("values", "kind", "error", "text"),
    [
        ([1.0, np.inf], None, ValueError, "finite"),
        (["a", 1.0], "number", ValueError, "'a'"),
        ([2.0, 1.0], "boolean", ValueError, "true or false"),
        (np.array(["2020-01-01"], "M8[D]"), None, TypeError, "datetime64"),
        ([1j], None, ValueError, "Complex data not supported"),
    ],
)
def test_columns_of_no_use_are_refused(values, kind, error, text):
    dtype = None if isinstance(values, np.ndarray) or kind != "number" else object
    table = np.asarray(values, dtype=dtype)[:, None]
    with pytest.raises(error, match=text):
        read_columns(table, ["a"], [kind])


def test_dates_in_frames_are_refused():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"when": pd.to_datetime(["2020-01-01"])})
    with pytest.raises(TypeError, match="`X`"):
        read_columns(frame, ["when"], [None])
