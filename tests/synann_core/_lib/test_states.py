"""What a state says of options is what the module has, or refused."""

import math

import pytest

from synann_core._lib.states import check_choices

CHOICES = {"kind": ("plain", "odd"), "gate": (None, "exp")}
OPTIONS = {"kind": "odd", "gate": None}


@pytest.mark.parametrize("state", [[], [1], [1, 0], [1.0, 0.0, 7.0], [0.7, 0.3]])
def test_the_same_options_are_taken(state):
    check_choices("state", "cell", CHOICES, state, OPTIONS)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([0, 0], "kind 'odd'. Received: 'plain'"),
        ([1, 1], "gate None. Received: 'exp'"),
        ([2, 0], "kind 'odd'. Received: number 2"),
        ([math.nan], "kind 'odd'. Received: number nan"),
        ([math.inf], "kind 'odd'. Received: number inf"),
    ],
)
def test_others_are_named(state, message):
    with pytest.raises(ValueError, match=f"`state` must hold the state of a cell with {message}"):
        check_choices("state", "cell", CHOICES, state, OPTIONS)
