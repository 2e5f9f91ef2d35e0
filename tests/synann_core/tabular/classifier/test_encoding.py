"""Columns as inputs between 0 and 1."""

import json

import numpy as np
import pytest

from synann_core.tabular.classifier.encoding import Encoding, encoding_of

RNG = np.random.default_rng(0)
SIZE = RNG.lognormal(size=500)
KIND = np.array([*"bca"] * 166 + ["c", "c"], dtype=object)


def encode(scale="minmax", columns=(SIZE, KIND), weight=None):
    weight = np.ones(len(columns[0])) if weight is None else weight
    return encoding_of(list(columns), ["size", "kind"][: len(columns)], scale, weight)


def test_numbers_go_from_the_smallest_to_the_largest():
    inputs = encode()([SIZE, KIND])
    assert inputs.shape == (500, 4)
    np.testing.assert_allclose(inputs[:, 0], (SIZE - SIZE.min()) / np.ptp(SIZE))
    np.testing.assert_array_equal(inputs[:3, 1:], [[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert encode().size == 4


def test_ranks_are_shares_of_smaller_numbers():
    inputs = encode("ranks")([SIZE, KIND])[:, 0]
    share = (np.argsort(np.argsort(SIZE)) + 0.5) / 500
    assert np.abs(inputs - share).max() < 0.01
    assert (np.diff(inputs[np.argsort(SIZE)]) >= 0).all()
    few = np.array([1.0, 1.0, 2.0, 7.0])
    np.testing.assert_allclose(encode("ranks", [few])([few])[:, 0], [0.25, 0.25, 0.625, 0.875])
    # A weight is a repeated number.
    weight = np.array([0.5, 0.5, 2.0, 1.0])
    again = np.array([1.0, 2.0, 2.0, 7.0])
    np.testing.assert_allclose(
        encode("ranks", [few], weight)([few]), encode("ranks", [again])([few])
    )


@pytest.mark.parametrize("scale", ["minmax", "ranks"])
def test_what_was_not_seen(scale):
    """Numbers beyond the ends are the ends; a new word is none; a constant says nothing."""
    encoding = encode(scale)
    got = encoding([np.array([-9.0, 99.0]), np.array(["a", "z"], object)])
    ends = encoding([np.array([SIZE.min(), SIZE.max()]), np.array(["a", "b"], object)])
    np.testing.assert_array_equal(got[:, 0], ends[:, 0])
    assert not got[1, 1:].any()
    assert encode(scale, [np.full(3, 7.0)])([np.array([7.0, 8.0])])[:, 0].tolist() == [0.5, 0.5]


def test_without_a_scale_numbers_are_taken_as_they_are():
    column = np.array([0.25, 0.5, 0.5])
    np.testing.assert_array_equal(encode(None, [column])([column])[:, 0], column)
    with pytest.raises(ValueError, match=r"`X` must be in \[0, 1\] in column 'size'.*Received"):
        encode(None, [column + 1])


def test_parts_are_summed_by_column():
    values = np.arange(8.0).reshape(2, 4)
    np.testing.assert_array_equal(encode().by_column(values), [[0, 6], [4, 18]])


@pytest.mark.parametrize("scale", ["minmax", "ranks"])
def test_documents_give_the_same_inputs(scale):
    encoding = encode(scale)
    again = Encoding.from_document(json.loads(json.dumps(encoding.document())))
    np.testing.assert_array_equal(again([SIZE, KIND]), encoding([SIZE, KIND]))


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"knots": [0, 1]},
        {"knots": [0, 1], "places": [0, 2]},
        {"knots": [1, 0], "places": [0, 1]},
        {"knots": [], "places": []},
        {"knots": [0], "places": [0, 1]},
        {"knots": ["a"], "places": [0]},
        {"levels": 3},
    ],
)
def test_damaged_documents_are_errors(part):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Encoding.from_document([part])


@pytest.mark.parametrize("scale", ["minmax", "ranks"])
@pytest.mark.parametrize("unit", [1e-310, 1e-13, 2e307])
def test_inputs_do_not_depend_on_the_unit(scale, unit):
    numbers = RNG.random(500) * 16.0 - 8.0
    want, scaled = encode(scale, [numbers])([numbers]), numbers * unit
    found = encode(scale, [scaled])
    np.testing.assert_allclose(found([scaled]), want, atol=1e-12)
    assert found([np.array([-1e308, 1e308]) * 1.7])[:, 0].tolist() == [want.min(), want.max()]
