"""Tables of all kinds become the same columns."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
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


DAY = datetime.date(2020, 1, 1)
OF_NO_USE = {
    "datetime64": lambda: pd.Series(pd.to_datetime(["2020-01-01"])),
    "zone": lambda: pd.Series(pd.to_datetime(["2020-01-01"]).tz_localize("UTC")),
    "timedelta64": lambda: pd.Series(pd.to_timedelta([1], unit="s")),
    "period": lambda: pd.Series(pd.period_range("2020", periods=1, freq="M")),
    "categories": lambda: pd.Series(pd.Categorical(pd.to_datetime(["2020-01-01"]))),
    "Timestamp": lambda: pd.Series([pd.Timestamp("2020")], dtype=object),
    "date": lambda: pd.Series([DAY]),
    "time": lambda: pd.Series([datetime.time(1)]),
    "list": lambda: pd.Series([[1]]),
    "set": lambda: pd.Series([{1}]),
    "complex": lambda: pd.Series([1j], dtype=object),
    "polars": lambda: pl.Series([DAY]),
    "polars-objects": lambda: pl.Series([DAY], dtype=pl.Object),
    "polars-lists": lambda: pl.Series([[1]]),
}


@pytest.mark.parametrize("kind", [None, "number", "category"])
@pytest.mark.parametrize("what", OF_NO_USE)
def test_dates_and_containers_in_frames_are_refused(what, kind):
    values = OF_NO_USE[what]()
    frame = (pl if isinstance(values, pl.Series) else pd).DataFrame({"when": values})
    with pytest.raises(TypeError, match="column 'when' of `X` must hold numbers or categories"):
        read_columns(frame, ["when"], [kind])


def test_decimals_and_fractions_are_numbers():
    want = [1.5, 2.0, np.nan]
    values = [Decimal("1.5"), Decimal(2), None]
    for table in (
        pd.DataFrame({"a": values}),
        pl.DataFrame({"a": values}),
        [[value] for value in values],
        pd.DataFrame({"a": [Decimal("1.50"), Fraction(2), Decimal("nan")]}),
    ):
        (column,) = read_columns(as_table(table), ["a"], [None])
        assert column.kind == "number"
        np.testing.assert_array_equal(column.values, want)
    assert text_of(Decimal("1.50")) == "1.5"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pd.Categorical([1, 2]), "category"),
        (pd.Categorical([True, False]), "category"),
        (pd.cut([1.0, 9.0], 2), "category"),
        (pd.Series(["1", "2"], dtype="string"), "category"),
        (pd.Series([None, None], dtype="string"), "category"),
        (pd.Series([1, 2], dtype=object), "number"),
        (pd.Series([True, None], dtype=object), "boolean"),
        (pd.Series([1, "a"], dtype=object), "category"),
        (pl.Series([None, None], dtype=pl.String), "category"),
        (pl.Series(["a", "b"], dtype=pl.Categorical), "category"),
    ],
)
def test_what_a_dtype_says_counts(values, kind):
    frame = (pl if isinstance(values, pl.Series) else pd).DataFrame({"a": values})
    (column,) = read_columns(frame, ["a"], [None])
    assert column.kind == kind


def test_ints_that_float64_does_not_hold():
    ids = [2**53, 2**53 + 1]
    for dtype in (object, np.int64):
        (column,) = read_columns(np.array(ids, dtype)[:, None], ["a"], ["category"])
        (of_frame,) = read_columns(pd.DataFrame({"a": ids}, dtype=dtype), ["a"], ["category"])
        assert column.values.tolist() == of_frame.values.tolist() == list(map(str, ids))
    for kind in (None, "number", "category"):
        with pytest.raises(ValueError, match="column 'a' of `X` must hold numbers of float64"):
            read_columns(as_table([[10**400], [1]]), ["a"], [kind])


def test_messages_show_values_as_python_does():
    with pytest.raises(ValueError, match="Received: 'b'"):
        read_columns(np.array([["b"]]), ["a"], ["number"])
    with pytest.raises(ValueError, match="Received: -inf"):
        read_columns(np.array([[-np.inf]]), ["a"], [None])


def test_lazy_frames_are_to_be_collected():
    with pytest.raises(TypeError, match=r"`X` must have its rows: collect\(\) it first"):
        as_table(pl.LazyFrame({"a": [1]}))


@pytest.mark.skipif(np.finfo(np.longdouble).max < 1e309, reason="long doubles are doubles here")
@pytest.mark.parametrize("table", [pd.DataFrame, np.asarray], ids=["pandas", "numpy"])
def test_long_doubles_beyond_float64_are_refused_in_one_way(table):
    X = table(np.array([[1.0], [2.0]], np.longdouble) * np.longdouble("1e400"))
    with pytest.raises(ValueError, match=r"must hold finite numbers.* Received: inf"):
        read_columns(X, ["x"], [None])
