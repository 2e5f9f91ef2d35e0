"""Neurons for files: what is taken apart is put together again, and nothing else is taken."""

import json
import math

import numpy as np
import pytest

from synann_core.spiking import LIF, norse_lif, triangle
from synann_core.spiking.neurons.files import (
    check_rule_state,
    described,
    keys,
    restored,
    rule_state,
)

NEURONS = [
    LIF(),
    norse_lif(),
    LIF(np.float32(0.9), None),
    LIF(
        np.array([0.1, 0.2]),
        np.array([1.0, np.inf], np.float32),
        0.3,
        np.eye(2),
        gain=0.5,
        adaptation=0.1,
        surrogate=triangle(0.3),
        detach_reset=False,
    ),
]


@pytest.mark.parametrize("neuron", NEURONS)
def test_a_neuron_comes_back(neuron):
    config, arrays = described(neuron)
    again = restored(json.loads(json.dumps(config)), arrays)
    assert again.rule == neuron.rule
    for name in ("decay", "threshold", "synaptic_decay", "recurrent"):
        one, two = getattr(neuron, name), getattr(again, name)
        assert np.asarray(one).dtype == np.asarray(two).dtype
        assert np.array_equal(one, two)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("decay", 1.5, "`decay` must be in"),
        ("decay", "array", "neuron.decay must be 'array' where a tensor"),
        ("decay", [0.5], "`decay` must be a number or an array"),
        ("threshold", -1, "`threshold`"),
        ("surrogate", {"shape": "sharp"}, "neuron.surrogate must have the keys.*missing"),
        ("surrogate", 3, "neuron.surrogate must be an object"),
        ("surrogate", {"shape": "sharp", "width": 1, "height": 1}, "`shape`"),
        ("order", "later", "`order`"),
        ("gain", float("nan"), "`gain`"),
        ("detach_reset", 1, "`detach_reset`"),
        ("more", 1, "no others.*unknown 'more'"),
    ],
)
def test_what_is_not_a_neuron_is_refused(key, value, message):
    config, arrays = described(LIF())
    with pytest.raises((TypeError, ValueError), match=message):
        restored(config | {key: value}, arrays)


def test_arrays_are_those_that_the_description_names():
    config, arrays = described(LIF(np.array([0.5])))
    with pytest.raises(ValueError, match=r"neuron\.threshold must be 'array'"):
        restored(config, arrays | {"threshold": np.ones(1)})
    with pytest.raises(ValueError, match=r"neuron\.decay must hold floats.*int64"):
        restored(config, {"decay": np.array([1])})
    assert keys({"a": 1}, "x", ("a",)) == {"a": 1}


def test_a_state_tells_the_options():
    rule = LIF(order="article", reset="zero", fires=">=", gain=0.5, adaptation=0.1).rule
    state = rule_state(rule)
    assert state == [0, 1, 1, 0.5, 0, 0, 0.1, 0]  # state dicts hold these numbers
    for given in (
        state,
        np.float32(state),
        state[:2],
        [*state, 7],
        [*state[:3], 0.5000001],
        [0.3, 0.7],
    ):
        check_rule_state("state", given, rule)
    for place, wrong, message in (
        (0, 2, "order 'article'. Received: 'immediate'"),
        (1, -1, "reset 'zero'. Received: number -1"),
        (2, math.nan, "fires '>='. Received: number nan"),
        (3, 1.0, r"gain 0\.5\. Received: number 1\.0"),
        (6, math.inf, r"adaptation 0\.1\. Received: number inf"),
    ):
        given = [*state[:place], wrong, *state[place + 1 :]]
        with pytest.raises(ValueError, match=f"`state` must hold .* a neuron with {message}"):
            check_rule_state("state", given, rule)
