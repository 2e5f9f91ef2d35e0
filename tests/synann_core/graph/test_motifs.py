"""Ready-made circuits do what they are named for."""

import itertools
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synann_core.graph.motifs import comparator, flip, latch, logic_gate, logistic_map, oscillator

TRUTH = {
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "nor": lambda x, y: 1 - (x | y),
    "nand": lambda x, y: 1 - (x & y),
    "implies": lambda x, y: (1 - x) | y,
}
open_probability = st.floats(0.0, 1.0)


@pytest.mark.parametrize("name", TRUTH)
def test_truth_tables(name):
    inputs = list(itertools.product((0, 1), repeat=2))
    got = logic_gate(name).compile()(np.array(inputs, dtype=float))[:, 0]
    np.testing.assert_array_equal(got, [TRUTH[name](x, y) for x, y in inputs])


def test_not():
    np.testing.assert_array_equal(logic_gate("not").compile()(np.array([[0.0], [1.0]])), [[1], [0]])


@pytest.mark.parametrize("name", ["and", "or", "nor", "nand", "implies"])
@given(x=open_probability, y=open_probability)
def test_gates_compute_probabilities_of_independent_inputs(name, x, y):
    cases = itertools.product((0, 1), repeat=2)
    chance = sum((x if i else 1 - x) * (y if j else 1 - y) * TRUTH[name](i, j) for i, j in cases)
    got = logic_gate(name).compile()(np.array([x, y]))[0]
    assert abs(got - chance) <= 4e-16


@settings(max_examples=30)
@given(open_probability, open_probability)
def test_comparator(x, y):
    states = comparator().iterate(np.array([x, y]), 100)
    np.testing.assert_allclose(states[:, 0] - states[:, 1], x - y, atol=1e-14)
    # The smaller one decays at least like 1/steps, where both are equal.
    smaller = min(x, y)
    assert states[-1].min() <= smaller / (1 + 100 * smaller) + 1e-15


def test_comparator_where_both_are_equal():
    states = comparator().iterate(np.array([0.5, 0.5]), 2000)
    assert 0.9 < 2000 * states[-1, 0] < 1.0  # like 1/steps


def test_flip_is_not_a_flip_flop():
    for alpha in (2.8, 3.2, 3.9):
        states = flip(alpha).iterate(np.array([0.5, 0.6]), 50)
        np.testing.assert_array_equal(states[1:, 0], states[1:, 1])
        alone = logistic_map().iterate(states[1, :1], 49, drive=np.array([alpha]))
        np.testing.assert_allclose(states[1:, :1], alone, rtol=1e-2 if alpha > 3.5 else 1e-12)


def test_flip_with_a_second_synapse_that_passes_x_on():
    delayed = flip(2.1, second=(1.0, 0.0))
    states = delayed.iterate(np.array([0.5, 0.4]), 600)
    np.testing.assert_array_equal(states[1:, 1], states[:-1, 0])
    np.testing.assert_allclose(
        states[2:, 0], 2.1 * states[1:-1, 0] * (1 - states[:-2, 0]), rtol=1e-15
    )
    # The ring appears at α = 2, where the fixed point 1 − 1/α loses its stability.
    radius = {
        a: flip(a, second=(1.0, 0.0)).fixed_points()[-1].spectral_radius for a in (1.95, 2.0, 2.05)
    }
    assert radius[1.95] < 1.0 < radius[2.05]
    np.testing.assert_allclose(radius[2.0], 1.0, atol=1e-9)
    assert np.ptp(states[-100:, 0]) > 0.1


@pytest.mark.parametrize(("alpha", "beta"), [(2.0, 0.8), (3.2, 0.8)])
def test_latch_goes_where_it_leans(alpha, beta):
    q, p = np.random.default_rng(0).uniform(0.05, 1.0, (2, 1000))
    last = latch(alpha, beta).iterate(np.stack([q, p], axis=1), 300, drive=np.zeros(2))[-1]
    # (Near 0 "or" rounds to multiples of eps/2.)
    leans = np.where((q > p)[:, None], [1.0, 0.0], [0.0, 1.0])
    np.testing.assert_allclose(last, leans, atol=2e-16)


@pytest.mark.parametrize("alpha", [1.5, 2.0, 4.0])
@pytest.mark.parametrize("before", [(0.0, 1.0), (1.0, 0.0)])
def test_latch_sets_holds_and_resets(alpha, before):
    circuit = latch(alpha, 1.0 if alpha > 2.0 else 0.8)
    phases = {"set": (1.0, 0.0), "hold": (0.0, 0.0), "reset": (0.0, 1.0), "hold again": (0.0, 0.0)}
    state, seen = np.array(before), {}
    for name, drive in phases.items():
        state = circuit.iterate(state, 12, drive=np.array(drive))[-1]
        seen[name] = state.tolist()
    assert seen["hold"] == [1.0, 0.0]
    assert seen["hold again"] == [0.0, 1.0]


@pytest.mark.parametrize("neurons", [3, 5])
def test_oscillator(neurons):
    circuit = oscillator(neurons)
    start = np.zeros(neurons)
    start[0] = 1.0
    states = circuit.iterate(start, 4 * neurons)
    np.testing.assert_array_equal(states[2 * neurons :], states[: 2 * neurons + 1])
    assert len({tuple(s) for s in states}) > 2
    assert not any(point.stable for point in circuit.fixed_points(starts=50))


def test_logistic_map_doubles_its_period():
    for alpha, period in ((2.8, 1), (3.2, 2), (3.5, 4)):
        states = logistic_map().iterate(np.array([0.3]), 1000, drive=np.array([alpha]))[-9:, 0]
        np.testing.assert_allclose(states[period:], states[:-period], rtol=1e-12)
        if period > 1:
            assert np.abs(states[period // 2 :] - states[: -period // 2 or None])[0] > 0.01


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: logic_gate("maybe"), ValueError, "`name` must be one of"),
        (lambda: latch(1.0, 0.8), ValueError, "`alpha` must be above 1"),
        (lambda: latch(2.0, 0.4), ValueError, "the circuit has one state"),
        (lambda: latch("2"), TypeError, "`alpha` of a latch must be a number"),
        (lambda: latch(2.0, 1.5), ValueError, r"`beta` of a latch must be in \[0, 1\]"),
        (lambda: flip(second=0.5), TypeError, r"`second` must be a pair \(alpha, beta\)"),
        (lambda: oscillator(3, None), TypeError, "`alpha` of an oscillator must be a number"),
        (lambda: oscillator(4), ValueError, "`neurons` must be odd. Received: 4"),
        (lambda: oscillator(1), ValueError, "`neurons` must be at least 3"),
        (lambda: oscillator(3.0), TypeError, "`neurons` must be an int"),
        (lambda: oscillator(3, 1.0), ValueError, "`alpha` must be above 1"),
    ],
)
def test_bad_options(call, error, message):
    with pytest.raises(error, match=message):
        call()
