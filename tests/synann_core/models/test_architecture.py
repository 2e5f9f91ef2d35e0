"""The options that models for all frameworks share."""

import numpy as np
import pytest

from synann_core.models.architecture import Architecture


def test_plain_numbers_come_out():
    """JSON files are written from them."""
    chosen = Architecture(np.int64(4), np.int32(6), 3, dropout=np.float64(0.25))
    assert [type(n) for n in (chosen.in_features, chosen.hidden, chosen.dropout)] == [
        int,
        int,
        float,
    ]
    assert type(Architecture(4, 6, 3, dropout=0).dropout) is float


def test_inputs_behind_a_gate():
    assert Architecture(4, 8, 3).mean_input == 0.5
    assert Architecture(4, 8, 3, gate="softmax").mean_input == 0.125


BAD = [
    ({"in_features": 0}, ValueError, "`in_features` must be at least 1. Received: 0"),
    ({"hidden": 2.5}, TypeError, "`hidden` must be an int. Received: 2.5"),
    ({"classes": 1}, ValueError, "`classes` must be at least 2. Received: 1"),
    ({"layer": "linear"}, ValueError, "`layer` must be one of .* Received: 'linear'"),
    ({"gate": "relu"}, ValueError, "`gate` must be one of .* Received: 'relu'"),
    ({"dropout": 1.0}, ValueError, r"`dropout` must be in \[0, 1\). Received: 1.0"),
    ({"dropout": "much"}, TypeError, "`dropout` must be a number. Received: 'much'"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD)
def test_options_out_of_range_are_named(options, error, message):
    with pytest.raises(error, match=message):
        Architecture(**{"in_features": 4, "hidden": 6, "classes": 3, **options})
