"""Tables of every kind become the same columns."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator

from synann_core.tabular.tables import (
    by_place,
    feature_names,
    named,
    order_of_words,
    place_of,
    read_table,
    read_values,
)

NUMBERS, TOWNS = [1.5, 2.0, -3.0], ["Ulm", "Bonn", "Ulm"]
MIXED = {
    "pandas": lambda: pd.DataFrame({"size": NUMBERS, "town": TOWNS}),
    "pandas-category": lambda: pd.DataFrame(
        {"size": NUMBERS, "town": pd.Categorical(TOWNS, ["Ulm", "Bonn"])}
    ),
    "pandas-nullable": lambda: pd.DataFrame(
        {"size": pd.array(NUMBERS, "Float64"), "town": np.array(TOWNS, object)}
    ),
    "polars": lambda: pl.DataFrame({"size": NUMBERS, "town": TOWNS}),
    "polars-enum": lambda: pl.DataFrame(
        {"size": NUMBERS, "town": pl.Series(TOWNS, dtype=pl.Enum(["Ulm", "Bonn"]))}
    ),
    "lists": lambda: [list(row) for row in zip(NUMBERS, TOWNS, strict=True)],
    "objects": lambda: np.array([list(row) for row in zip(NUMBERS, TOWNS, strict=True)], object),
}


def read(X, estimator=None, **options):
    return read_values(estimator or BaseEstimator(), X, reset=True, **options)


@pytest.mark.parametrize("kind", MIXED)
def test_numbers_and_words(kind):
    estimator = BaseEstimator()
    size, town = read(MIXED[kind](), estimator)
    assert size.dtype == np.float64
    np.testing.assert_array_equal(size, NUMBERS)
    assert town.tolist() == TOWNS
    assert estimator.n_features_in_ == 2
    named = kind.startswith("pa") or kind.startswith("po")
    assert feature_names(estimator) == (["size", "town"] if named else ["x0", "x1"])
    assert hasattr(estimator, "feature_names_in_") == named
    again = read_values(estimator, MIXED[kind](), reset=False)
    assert again[1].tolist() == TOWNS


@pytest.mark.parametrize(
    "X",
    [
        np.array([[1, 0], [0, 1]]),
        np.array([[True, False], [False, True]]),
        np.array([[1, 0], [0, 1]], np.float16),
        np.array([[1, 0], [0, 1]], object),
        [[1, 0], [0, 1]],
        [[1.0, False], [0, 1.0]],
        pd.DataFrame({"a": [1, 0], "b": [False, True]}),
        pd.DataFrame({"a": pd.array([1, 0], "Int64"), "b": pd.array([False, True], "boolean")}),
        pl.DataFrame({"a": [1, 0], "b": [False, True]}),
    ],
    ids=str,
)
def test_numbers_of_every_dtype(X):
    estimator = BaseEstimator()
    for column, want in zip(read(X, estimator), np.eye(2), strict=True):
        assert column.dtype == np.float64
        np.testing.assert_array_equal(column, want)
    assert estimator._words == (False, False)


@pytest.mark.parametrize("chosen", [["town"], [1], [-1], [False, True], np.array([1])])
def test_columns_of_words_can_be_named(chosen):
    X = pd.DataFrame({"size": NUMBERS, "town": [3, 1, 3]})
    size, town = read(X, categories=chosen)
    assert town.tolist() == ["3", "1", "3"]
    assert size.dtype == np.float64
    if not isinstance(chosen[0], str):
        assert read(X.to_numpy(), categories=chosen)[1].tolist() == ["3", "1", "3"]


def test_strings_are_words_whatever_they_say():
    columns = read(np.array([["1.5", "Ulm"], ["2", "Bonn"]]), categories=[True, False])
    assert [column.tolist() for column in columns] == [["1.5", "2"], ["Ulm", "Bonn"]]


def test_words_and_what_is_missing():
    X = [["a", 2], [2, None], [2.0, np.nan], [None, 0.5]]
    found = read(X, categories=[1])
    assert [column.tolist() for column in found] == [
        ["a", "2", "2", "missing"],
        ["2", "missing", "missing", "0.5"],
    ]
    frame = pd.DataFrame({"town": ["Ulm", None]})
    assert read(frame)[0].tolist() == ["Ulm", "missing"]
    assert read(pl.DataFrame({"town": ["Ulm", None]}))[0].tolist() == ["Ulm", "missing"]


def test_missing_numbers_are_an_error_or_nan():
    X = np.array([[1.0, np.nan]])
    with pytest.raises(ValueError, match="NaN"):
        read(X)
    np.testing.assert_array_equal(np.stack(read(X, allow_missing=True), axis=1), X)
    frame = pd.DataFrame({"size": [1.0, np.nan], "town": ["Ulm", "Bonn"]})
    with pytest.raises(ValueError, match=r"`X` must not be missing in column 'size'.*NaN.*row 1"):
        read(frame)
    np.testing.assert_array_equal(read(frame, allow_missing=True)[0], [1, np.nan])
    with pytest.raises(ValueError, match="must hold finite numbers"):
        read(frame.replace({1.0: np.inf}), allow_missing=True)


def test_columns_keep_their_kinds():
    estimator = BaseEstimator()
    X = pd.DataFrame({"old": [True, False], "town": ["Ulm", None], "size": [1, np.nan]})
    columns = read_table(estimator, X)
    assert [column.kind for column in columns] == ["boolean", "category", "number"]
    assert columns[1].values.tolist() == ["Ulm", None]
    again = read_table(estimator, X, kinds=["category", "category", "number"])
    assert again[0].values.tolist() == ["1", "0"]


def test_features_by_name_and_number():
    names = ["age", "pain", "smoker"]
    assert [place_of("monotone", one, names) for one in ("smoker", 0, -1, np.int8(1))] == [
        *(2, 0, 2, 1)
    ]
    for wrong in ("nose", 3, -4, 1.0, True, None):
        with pytest.raises(ValueError, match="`monotone` must name features"):
            place_of("monotone", wrong, names)
    assert named("some", ["pain", -1], names) == [1, 2]
    assert named("some", [True, False, True], names) == [0, 2]
    assert by_place("monotone", {"pain": 1, 2: -1}, names) == {1: 1, 2: -1}
    assert by_place("monotone", None, names) == {}
    with pytest.raises(ValueError, match="`monotone` must name each feature once"):
        by_place("monotone", {"pain": 1, 1: -1}, names)
    with pytest.raises(TypeError, match="`monotone` must be a mapping"):
        by_place("monotone", [1, 2, 3], names)


def test_the_order_of_categories():
    assert order_of_words(MIXED["pandas-category"](), 1) == ["Ulm", "Bonn"]
    assert order_of_words(MIXED["polars-enum"](), 1) == ["Ulm", "Bonn"]
    assert order_of_words(MIXED["pandas"](), 1) is None
    assert order_of_words(np.eye(2), 1) is None


@pytest.mark.parametrize(
    ("X", "options", "kind", "message"),
    [
        (csr_array(np.eye(2)), {}, TypeError, "[Ss]parse"),
        (np.ma.masked_array(np.eye(2), np.eye(2) > 0), {}, TypeError, "`X` must be a plain"),
        ([1.0, 2.0], {}, ValueError, "2D"),
        (np.array([["a", "b"]])[:0], {}, ValueError, "0 "),
        (
            *([[{}, 1.0]], {}, TypeError),
            r"must hold numbers or categories \(dates as days since one of them, say\)\. "
            r"Received: \{\}",
        ),
        (np.eye(2), {"categories": ["town"]}, ValueError, "must name features .* Received: 'town'"),
        (np.eye(2), {"categories": [2]}, ValueError, "Received: 2"),
        (np.eye(2), {"categories": "all"}, TypeError, "`categorical_features` must be names"),
        (np.eye(2), {"categories": b"a"}, TypeError, "`categorical_features` must be names"),
        (np.eye(2), {"categories": np.array([5])}, ValueError, "Received: 5$"),
    ],
)
def test_what_is_no_table_is_refused(X, options, kind, message):
    with pytest.raises(kind, match=message):
        read(X, **options)


def test_later_tables_must_have_the_same_columns():
    estimator = BaseEstimator()
    read(MIXED["pandas"](), estimator)
    with pytest.raises(ValueError, match="feature names"):
        read_values(estimator, MIXED["pandas"]()[["town", "size"]], reset=False)
    with pytest.raises(ValueError, match="feature names"):
        read_values(estimator, pd.DataFrame({"size": [1.0]}), reset=False)
    swapped = pd.DataFrame({"size": TOWNS, "town": NUMBERS})
    with pytest.raises(ValueError, match=r"column 'size' of `X` must hold numbers"):
        read_values(estimator, swapped, reset=False)


@pytest.mark.parametrize("name", ["size", 0])
def test_names_that_stand_for_two_columns_are_refused(name):
    table = pd.DataFrame(np.ones((2, 2)), columns=[name, name])
    with pytest.raises(ValueError, match=rf"`X` must have .* names\. Received: {name!r} twice"):
        read(table)
