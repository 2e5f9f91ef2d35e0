"""Names and numbers of frames, in any order of rows and columns."""

import numpy as np
import pandas
import pytest

from synann_core.noisy_or import NoisyOr, fit_known_causes
from synann_core.noisy_or.frames import (
    by_name,
    column_names,
    examples_of,
    names_of,
    numbers_of,
    row_names,
)

BETA = pandas.DataFrame(
    [[0.9, 0.3], [0.6, 0.0], [0.0, 0.7]],
    index=["fever", "cough", "crackles"],
    columns=["flu", "pneumonia"],
)
PRIOR = pandas.Series({"flu": 0.05, "pneumonia": 0.01})
LEAK = pandas.Series({"fever": 0.02, "cough": 0.05, "crackles": 0.01})


def test_labels_that_pandas_counts_are_not_names():
    assert names_of(pandas.RangeIndex(3)) is None
    assert names_of([1, 0]) == ("1", "0")
    assert (row_names(BETA), column_names(BETA)) == (tuple(BETA.index), tuple(BETA.columns))
    assert row_names(BETA.to_numpy()) is None
    assert column_names(PRIOR) is None


def test_a_message_shows_the_names_that_are_meant_first():
    names = ("fever", "cough", "crackles", "wheezing")
    assert examples_of(names, "wheezin") == ["wheezing", "fever", "cough"]
    assert examples_of(names, 7) == ["fever", "cough", "crackles"]
    assert examples_of(("cough",), "couch") == ["cough"]


def test_only_real_numbers_are_taken():
    array = np.ones(2)
    assert numbers_of("x", array) is array
    got = numbers_of("x", pandas.Series([1, None], dtype="Int64"))
    np.testing.assert_array_equal(got, [1.0, np.nan])
    with pytest.raises(TypeError, match=r"`x` must hold real numbers. Received: a column of .*'b'"):
        numbers_of("x", pandas.DataFrame({"a": [1], "b": ["no"]}))
    with pytest.raises(TypeError, match=r"`x` must hold real numbers. Received: .* in a series"):
        numbers_of("x", pandas.Series(["no"]))
    for odd in ([[1.0, 2.0], 0.5], [1j, True], ["1", 0.5]):
        with pytest.raises(TypeError, match=r"`x` must hold real numbers. Received: object"):
            numbers_of("x", pandas.Series(odd, dtype=object))


def test_the_order_is_that_of_the_names():
    values = np.array([[1, 2], [3, 4]])
    np.testing.assert_array_equal(by_name("x", values, ("a", "b"), ("b", "a")), [[3, 4], [1, 2]])
    got = by_name("x", values, ("a", "b"), ("b", "a"), axis=1)
    np.testing.assert_array_equal(got, [[2, 1], [4, 3]])
    for labels, names in ((None, ("a", "b")), (("a", "b"), None)):
        assert by_name("x", values, labels, names) is values
    for labels in (("a",), ("a", "c"), ("a", "b", "b")):
        with pytest.raises(ValueError, match="`x` must have a label for each"):
            by_name("x", values, labels, ("a", "b"))


@pytest.mark.parametrize(
    "names", [{}, {"causes": BETA.columns[::-1], "findings": BETA.index[::-1]}]
)
def test_a_network_is_made_of_frames_by_their_names(names):
    """Every frame in an order of its own."""
    delta = BETA.iloc[::-1, ::-1] / 2
    network = NoisyOr(PRIOR[::-1], LEAK[::-1], BETA, protection=delta, **names)
    causes, findings = list(network.causes), list(network.findings)
    assert causes == list(names.get("causes", BETA.columns))
    np.testing.assert_array_equal(network.prior, PRIOR[causes])
    np.testing.assert_array_equal(network.leak, LEAK[findings])
    np.testing.assert_array_equal(network.beta, BETA.loc[findings, causes])
    np.testing.assert_array_equal(network.protection, BETA.loc[findings, causes] / 2)


def test_series_name_a_network_of_arrays():
    network = NoisyOr(PRIOR, LEAK, BETA.to_numpy())
    assert network.causes == ("flu", "pneumonia")
    assert network.findings == ("fever", "cough", "crackles")


def test_frames_of_other_names_are_refused():
    with pytest.raises(ValueError, match=r"`leak` must have a label .* missing \['crackles'\]"):
        NoisyOr(PRIOR, LEAK[:2], BETA)
    with pytest.raises(ValueError, match="`prior` must have a label"):
        NoisyOr(PRIOR, LEAK, BETA.T)
    with pytest.raises(ValueError, match="`beta` must have a label"):
        NoisyOr([0.1, 0.1], LEAK, BETA, causes=["flu", "cold"])


def test_learning_keeps_the_names_of_frames():
    causes, findings = NoisyOr(PRIOR, LEAK, BETA).sample(50, rng=0)
    learned = fit_known_causes(
        pandas.DataFrame(causes, columns=BETA.columns),
        pandas.DataFrame(findings, columns=BETA.index),
    )
    assert learned.causes == tuple(BETA.columns)
    assert learned.findings == tuple(BETA.index)
