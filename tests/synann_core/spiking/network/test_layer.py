"""Layers: what their neurons learn, and what is refused."""

import numpy as np
import pytest

from synann_core.spiking import LIF, Layer


def test_what_the_neurons_learn():
    assert Layer(3).learned == ()
    neuron = LIF(0.9, synaptic_decay=0.5)
    layer = Layer(3, neuron, recurrent=True, learn=["decay", "synaptic_decay"])
    assert layer.learned == ("decay", "synaptic_decay", "recurrent")


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: Layer(0), ValueError, "`units` must be at least 1"),
        (lambda: Layer(2, 0.9), TypeError, "`neuron` must be a LIF"),
        (lambda: Layer(2, kind="dense"), ValueError, "`kind` must be one of"),
        (lambda: Layer(2, recurrent=1), TypeError, "`recurrent` must be a bool"),
        (lambda: Layer(2, learn=("tau",)), ValueError, "`learn` must be one of"),
        (lambda: Layer(2, learn=("synaptic_decay",)), ValueError, "`learn` must name what"),
        (lambda: Layer(2, learn="decay"), TypeError, "`learn` must be a tuple.*Received: 'decay'"),
        (lambda: Layer(2, learn=None), TypeError, "`learn` must be a tuple.*Received: None"),
        (lambda: Layer(2, LIF(np.full(3, 0.5))), ValueError, r"`decay` of shape \(2,\).*\(3,\)"),
        (lambda: Layer(2, LIF(threshold=np.ones((2, 2)))), ValueError, "`threshold` of shape"),
        (lambda: Layer(2, LIF(recurrent=np.ones((2, 3)))), ValueError, "`recurrent` of shape"),
        (lambda: Layer(2, mean_input=0.0), ValueError, r"`mean_input` must be in \(0, 1\]"),
        (lambda: Layer(2, spread="1"), TypeError, "`spread` must be a number"),
        (
            lambda: Layer(2, LIF(recurrent=np.ones((2, 2))), recurrent=True),
            ValueError,
            "`recurrent` must be False",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
