"""The slow spiking loops against numbers worked out by hand, and the duals against differences."""

import numpy as np
import pytest

import reference.spiking as slow

OPTIONS = {
    "order": "snntorch",
    "reset": "subtract",
    "fires": ">",
    "surrogate": ("arctan", 0.5, 1.0),
    "detach_reset": True,
    "gain": 1.0,
    "rest": 0.0,
    "reset_to": 0.0,
    "adaptation": 0.0,
    "adaptation_decay": 0.0,
}


def one_neuron(currents, **options):
    """Spikes and membranes of a neuron with decay ½ and threshold 1."""
    params = {"decay": [0.5], "threshold": [1.0], "synaptic_decay": None, "recurrent": None}
    duals = {k: None if v is None else slow._seed(v, None) for k, v in params.items()}
    state = [slow._seed(np.zeros((1, 1)), None)] * 3
    x = slow._seed(np.reshape(currents, (-1, 1, 1)), None)
    found = slow.run(x, duals, state, OPTIONS | options)
    return [slow.values(a)[:, 0, 0].tolist() for a in found]


@pytest.mark.parametrize(
    ("options", "spikes", "membranes"),
    [
        ({}, [0, 1, 0, 1], [0.8, 1.2, 0.4, 1.2]),
        ({"order": "article"}, [0, 0, 1, 0], [0.8, 1.2, 0.4, 1.2]),
        ({"reset": "zero"}, [0, 1, 0, 1], [0.8, 1.2, 0.8, 1.4]),
        ({"reset": "none"}, [0, 1, 1, 1], [0.8, 1.2, 1.4, 1.7]),
        ({"order": "immediate"}, [0, 1, 0, 1], [0.8, 0.2, 0.9, 0.45]),
        (
            {"order": "immediate", "reset": "zero", "reset_to": 0.1},
            [0, 1, 0, 1],
            [0.8, 0.1, 0.85, 0.1],
        ),
        ({"adaptation": 0.5, "adaptation_decay": 1.0}, [0, 1, 0, 0], [0.8, 1.2, 0.4, 1.2]),
    ],
)
def test_by_hand(options, spikes, membranes):
    got = one_neuron([0.8, 0.8, 0.8, 1.0], **options)
    assert got[0] == spikes
    assert got[1] == pytest.approx(membranes)


def test_below_the_threshold_the_duals_are_differences():
    rng = np.random.default_rng(0)
    x, weights = rng.uniform(0, 0.2, (4, 1, 2)), rng.normal(size=(4, 1, 2))
    params = {
        "decay": np.array([0.5, 0.8]),
        "threshold": np.array([9.0, 9.0]),
        "synaptic_decay": np.array([0.3, 0.6]),
        "recurrent": None,
    }
    state = (np.full((1, 2), 0.1), np.full((1, 2), 0.2), np.zeros((1, 2)))

    def loss(decay, synaptic):
        y, m, total = state[1], state[0], 0.0
        for current, weight in zip(x, weights, strict=True):
            y = synaptic * y + current
            m = decay * m + y
            total += (weight * m).sum()
        return total

    found = slow.differentiate(x, params, state, OPTIONS, np.zeros(x.shape), weights)
    step = 1e-6
    for name, other in (("decay", "synaptic_decay"), ("synaptic_decay", "decay")):
        for i in range(2):
            both = []
            for sign in (1, -1):
                moved = params[name] + sign * step * np.eye(2)[i]
                pair = {name: moved, other: params[other]}
                both.append(loss(pair["decay"], pair["synaptic_decay"]))
            assert found[name][i] == pytest.approx((both[0] - both[1]) / (2 * step), rel=1e-8)


def test_a_spike_has_the_surrogates_slope():
    spike = slow.fire(slow.Dual(0.5, 3.0), OPTIONS)
    assert (spike.value, spike.slope) == (1.0, 3.0 / 2.0)  # 1/(1 + (0.5/0.5)²)
    assert spike.detached().slope == 0.0
    with pytest.raises(ValueError, match="step"):
        slow.surrogate("step", 1.0, 1.0, 0.0)


def test_first_spikes():
    spikes = np.array([[[0.0, 1.0, 0.0]], [[1.0, 1.0, 0.0]]])
    assert slow.first_spike(spikes).tolist() == [[1.0, 0.0, 2.0]]
