"""Findings as people hand them over: arrays, frames, sparse arrays."""

import numpy as np
import pandas
import pytest
from scipy.sparse import csr_array

from synann_core.noisy_or.evidence import check_evidence

NAMES = ("cough", "fever", "rash")


def test_findings_are_float64_and_unknown_ones_nan():
    got = check_evidence("X", [[1, 0, float("nan")], [True, 0.25, 0.5]], 3)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, [[1.0, 0.0, np.nan], [1.0, 0.25, 0.5]])


def test_what_was_given_stays_as_it_is():
    given = np.array([[1.0, np.nan]])
    check_evidence("X", given, 2)[:] = 0.0
    np.testing.assert_array_equal(given, [[1.0, np.nan]])


def test_a_frame_is_taken_by_names_in_any_order():
    frame = pandas.DataFrame({"rash": [0.5, None], "cough": [1, 0], "fever": [0.0, 1.0]})
    want = [[1.0, 0.0, 0.5], [0.0, 1.0, np.nan]]
    np.testing.assert_array_equal(check_evidence("X", frame, 3, NAMES), want)
    np.testing.assert_array_equal(check_evidence("X", frame, 3), frame.to_numpy(float))


def test_a_row_of_a_frame_is_taken_by_names_too():
    row = pandas.DataFrame({"rash": [0.5], "cough": [1.0], "fever": [0.0]}).iloc[0]
    np.testing.assert_array_equal(check_evidence("x", row, 3, NAMES, one=True), [1.0, 0.0, 0.5])
    np.testing.assert_array_equal(check_evidence("X", row, 3, NAMES), [[1.0, 0.0, 0.5]])
    mixed = pandas.DataFrame({"rash": [0.5], "cough": [True], "fever": [None]}).iloc[0]
    np.testing.assert_array_equal(check_evidence("X", mixed, 3, NAMES), [[1.0, np.nan, 0.5]])
    plain = pandas.Series([1.0, 0.0, 0.5])
    with pytest.raises(ValueError, match="`X` must have shape"):  # it may be a column
        check_evidence("X", plain, 3, NAMES)
    np.testing.assert_array_equal(check_evidence("x", plain, 3, NAMES, one=True), plain)
    with pytest.raises(ValueError, match="`x` must have a label for each"):
        check_evidence("x", row.rename({"rash": "rush"}), 3, NAMES, one=True)


def test_missing_values_of_frames_are_unknown():
    frame = pandas.DataFrame(
        {
            "cough": pandas.array([1, None], dtype="Int64"),
            "fever": pandas.array([None, True], dtype="boolean"),
            "rash": [0.5, np.nan],
        }
    )
    got = check_evidence("X", frame, 3, NAMES)
    np.testing.assert_array_equal(got, [[1.0, np.nan, 0.5], [np.nan, 1.0, np.nan]])


@pytest.mark.parametrize("column", [["yes", "no"], [1j, 2j], pandas.to_datetime(["2020", "2021"])])
def test_other_columns_are_refused(column):
    with pytest.raises(TypeError, match=r"`X` must hold real numbers\. Received: a column of"):
        check_evidence("X", pandas.DataFrame({"cough": column}), 1)


def test_what_a_sparse_array_does_not_store_is_absent():
    got = check_evidence("X", csr_array([[0.0, 1.0, 0.0]]), 3)
    np.testing.assert_array_equal(got, [[0.0, 1.0, 0.0]])


@pytest.mark.parametrize(
    ("X", "names", "message"),
    [
        ([[0.0, 2.0, 0.0]], None, r"`X` must be in \[0, 1\]. Received: 2.0 at \(0, 1\)"),
        ([[0.0, np.inf, 0.0]], None, r"`X` must be in \[0, 1\]"),
        ([0.0, 1.0, 0.0], None, r"`X` must have shape \(samples, 3\)"),
        ([[0.0, 1.0]], None, r"`X` must have shape \(samples, 3\)"),
        (
            pandas.DataFrame({"cough": [1.0], "fever": [0.0], "rush": [0.0]}),
            NAMES,
            r"`X` must have a label for each of the network's names. "
            r"Received: missing \['rash'\], not of the network \['rush'\]",
        ),
    ],
)
def test_other_findings_are_named(X, names, message):
    with pytest.raises(ValueError, match=message):
        check_evidence("X", X, 3, names)


def test_one_sample_has_one_axis():
    np.testing.assert_array_equal(check_evidence("x", [0, 1, 0], 3, one=True), [0.0, 1.0, 0.0])
    with pytest.raises(ValueError, match=r"`x` must have shape \(3\,?\)"):
        check_evidence("x", [[0, 1, 0]], 3, one=True)
    with pytest.raises(TypeError, match="`x` must hold real numbers"):
        check_evidence("x", ["a", "b", "c"], 3, one=True)


def test_a_mapping_has_the_findings_that_are_known():
    known = {"rash": 1, "cough": None, "fever": 0.5}
    want = [np.nan, 0.5, 1.0]
    np.testing.assert_array_equal(check_evidence("x", known, 3, NAMES, one=True), want)
    np.testing.assert_array_equal(check_evidence("X", known, 3, NAMES), [want])
    got = check_evidence("X", [known, {}, {"cough": True}], 3, NAMES)
    np.testing.assert_array_equal(got, [want, [np.nan] * 3, [1.0, np.nan, np.nan]])
    numbered = check_evidence("x", {2: 1.0, 1: 0.5}, 3, one=True)
    np.testing.assert_array_equal(numbered, want)


@pytest.mark.parametrize(
    ("known", "names", "error", "message"),
    [
        (
            {"rush": 1},
            NAMES,
            ValueError,
            r"`x` .* as keys, such as \['rash', 'cough', 'fever'\]. Received: \['rush'\]",
        ),
        ({0: 1}, NAMES, ValueError, r"as keys, such as .* Received: \[0\]"),
        ({3: 1}, None, ValueError, r"as keys, numbers below 3. Received: \[3\]"),
        ({"rash": "yes"}, NAMES, TypeError, "`x` must hold real numbers"),
        ({"rash": 2}, NAMES, ValueError, r"`x` must be in \[0, 1\]"),
    ],
)
def test_other_mappings_are_refused(known, names, error, message):
    with pytest.raises(error, match=message):
        check_evidence("x", known, 3, names, one=True)
