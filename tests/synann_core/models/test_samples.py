"""Features and labels of what people have."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from synann_core.models.samples import (
    as_features,
    as_given,
    as_labels,
    as_weights,
    check_weights,
    checked_classes,
    classes_of,
    numbers_of,
)

ROWS = [[0.0, 1.0], [1.0, 0.0]]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (ROWS, "float64"),
        ([[0, 1], [True, False]], "float64"),
        (np.array(ROWS, np.float32), "float32"),
        (np.array(ROWS, np.float16), "float32"),
        (np.array(ROWS, np.uint8), "float64"),
        (np.array(ROWS, bool), "float64"),
        (np.array(ROWS, object), "float64"),
        (pd.DataFrame({"a": [0, 1], "b": [True, False]}), "float64"),
        (pd.DataFrame({"a": pd.array([0, 1], "Int8"), "b": [1.0, 0.0]}), "float64"),
        (pl.DataFrame({"a": [0, 1], "b": [True, False]}), "float64"),
    ],
    ids=str,
)
def test_features_are_floats(value, dtype):
    found = as_features("X", value, 2)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, ROWS)


def test_arrays_stay_in_their_library(xp):
    for dtype in ("float64", "int64", "bool"):
        found = as_features("X", xp.asarray(ROWS, dtype), 2)
        kind = "float64" if dtype == "float64" else str(np.asarray(xp.to_numpy(found)).dtype)
        xp.check(found, kind, (2, 2))
        np.testing.assert_array_equal(xp.to_numpy(found), ROWS)
    tensor = as_features("X", torch.tensor(ROWS, dtype=torch.bfloat16), 2)
    assert tensor.dtype == torch.float32


def test_results_have_the_dtype_of_narrow_features():
    result = np.ones(2, np.float32)
    assert as_given(result, np.ones(2, np.float16)).dtype == np.float16
    for other in (np.ones(2), np.ones(2, int), [1.0], np.ones(2, object)):
        assert as_given(result, other) is result
    assert as_given(torch.ones(2), torch.ones(2, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize("value", [[0, 2, 1], np.array([0, 2, 2], np.uint8), torch.tensor([1, 1])])
def test_numbers_of_classes_are_taken_as_they_are(value):
    X = (torch if isinstance(value, torch.Tensor) else np).zeros((len(value), 1))
    labels = as_labels("y", value, X)
    assert classes_of("y", labels, 3) is None
    assert numbers_of("y", labels, None) is labels


@pytest.mark.parametrize(
    ("value", "known"),
    [
        (["b", "a", "b"], ["a", "b"]),
        ([True, False, True], [False, True]),
        ([5, -1, 5], [-1, 5]),
        ([0, 2, 0], [0, 2]),
        ([0.0, 1.0, 1.0], [0.0, 1.0]),
        (pd.Series(["b", "a", "b"], dtype="category"), ["a", "b"]),
        (pl.Series(["b", "a", "b"]), ["a", "b"]),
    ],
    ids=str,
)
def test_other_labels_are_sorted(value, known):
    labels = as_labels("y", value, np.zeros((3, 1)))
    found = classes_of("y", labels, 2)
    assert found.tolist() == known
    numbers = numbers_of("y", labels, found)
    assert [known[k] for k in numbers] == list(value)


def test_classes_keep_their_order():
    assert checked_classes("labels", ["b", "a"], 2).tolist() == ["b", "a"]
    assert checked_classes("labels", [2, 1.5], 2).tolist() == [2, 1.5]
    for bad in (["a"], ["a", "a"], ["a", "b", "c"]):
        with pytest.raises(ValueError, match="`labels` must be 2 different labels"):
            checked_classes("labels", bad, 2)
    with pytest.raises(TypeError, match="`labels` must hold labels of one kind"):
        checked_classes("labels", ["a", 1], 2)


def test_weights():
    assert as_weights("w", [1, 2], 2).dtype == np.float64
    for bad in ([1, -1], [0, 0], [1], [1, np.nan], [1, 1e101]):
        with pytest.raises(ValueError, match=r"`w` must .*Received"):
            as_weights("w", bad, 2)


def test_weights_are_one_unless_given():
    assert check_weights(None, 2).tolist() == [1.0, 1.0]
    weights = check_weights([2, 0], 2)
    assert weights.dtype == np.float64
    assert weights.tolist() == [2.0, 0.0]
    with pytest.raises(
        ValueError, match=r"`sample_weight` must be at most 1e\+100. Received: 1e\+308"
    ):
        check_weights([1.0, 1e308], 2)
