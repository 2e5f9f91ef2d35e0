"""LIF neurons: forward and backward against explicit loops, in parts, and in other dtypes."""

import functools
import itertools

import numpy as np
import pytest

from synann_core.spiking import LIF, State
from tests.helpers import EPS, assert_close
from tests.synann_core.spiking.neurons.cases import (
    CASES,
    NAMES,
    flat,
    neuron_and_state,
    neuron_of,
    problem,
    reference_of,
)

pytestmark = pytest.mark.kernel_branches


@functools.cache
def outputs(case, names):
    """Spikes, membranes and all gradients as a function of the named arrays."""
    options = problem(case)[0]

    def run(gspikes, gmembrane, *arrays):
        given = dict(zip(names, arrays, strict=True))
        neuron, state = neuron_and_state(options, given)
        spikes, record = neuron.run(given["currents"], state)
        found = flat(neuron.vjp(record, gspikes, gmembrane))
        return spikes, record.membrane, *(found[name] for name in names)

    return run


@pytest.mark.jax_alternates
@pytest.mark.parametrize("case", CASES)
def test_forward_and_backward_equal_the_loops(xp, dtype, case):
    _, arrays, grads = problem(case)
    names = tuple(name for name, a in arrays.items() if a is not None)
    given = [xp.asarray(a, dtype) for a in (*grads, *(arrays[name] for name in names))]
    results = xp.call(outputs(case, names), *given)
    for result, like in zip(results, (given[2], given[2], *given[2:]), strict=True):
        xp.check(result, dtype, like.shape)
    spikes, membranes, gradients = reference_of(case)
    assert 0.1 < spikes.mean() < 0.9
    np.testing.assert_array_equal(xp.to_numpy(results[0]), spikes)
    assert_close(xp.to_numpy(results[1]), membranes, 20 * EPS[dtype])
    for name, got in zip(names, results[2:], strict=True):
        # Sums of up to T·B·N products, over paths of up to T steps.
        assert_close(xp.to_numpy(got), gradients[name], 200 * EPS[dtype])


OPTIONS = list(
    itertools.product(
        ("article", "snntorch", "immediate"),
        ("subtract", "zero", "none"),
        (True, False),
        (True, False),
    )
)


@pytest.mark.parametrize("kernels", ["", "off"])
@pytest.mark.parametrize(("order", "reset", "detach", "synaptic"), OPTIONS)
def test_every_combination_equals_the_loops(order, reset, detach, synaptic, kernels, monkeypatch):
    monkeypatch.setenv("SYNANN_KERNELS", kernels)
    case = (("order", order), ("reset", reset), ("detach_reset", detach), ("reset_to", 0.1))
    case = (*case, ("synaptic_decay", synaptic))
    options, arrays, grads = problem(case, 1)
    neuron, state = neuron_and_state(options, {k: a for k, a in arrays.items() if a is not None})
    spikes, record = neuron.run(arrays["currents"], state)
    want_spikes, want_membranes, want = _reference(case)
    np.testing.assert_array_equal(spikes, want_spikes)
    assert_close(record.membrane, want_membranes, 1e-14)
    for name, got in flat(neuron.vjp(record, *grads)).items():
        assert_close(got, want[name], 1e-13, scale=max(1.0, np.abs(want[name]).max()))


@functools.cache
def _reference(case):
    return reference_of(case, 1)


@pytest.mark.parametrize("kernels", ["", "off"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cut", [1, 3])
def test_a_sequence_in_two_parts_is_the_sequence(case, cut, kernels, monkeypatch):
    """State out, state in; and gradients go back through it."""
    monkeypatch.setenv("SYNANN_KERNELS", kernels)
    neuron, state, arrays, grads = neuron_of(case)
    spikes, record = neuron.run(arrays["currents"], state)
    whole = neuron.vjp(record, *grads)
    first_spikes, first = neuron.run(arrays["currents"][:cut], state)
    second_spikes, second = neuron.run(arrays["currents"][cut:], first.state)
    np.testing.assert_array_equal(np.concatenate([first_spikes, second_spikes]), spikes)
    np.testing.assert_array_equal(
        np.concatenate([first.membrane, second.membrane]), record.membrane
    )
    back = neuron.vjp(second, grads[0][cut:], grads[1][cut:])
    front = neuron.vjp(first, grads[0][:cut], grads[1][:cut], back.state)
    assert_close(np.concatenate([front.currents, back.currents]), whole.currents, 1e-13)
    for name in NAMES:
        if getattr(whole, name) is not None:
            assert_close(getattr(front, name) + getattr(back, name), getattr(whole, name), 1e-12)
    assert_close(front.state.membrane, whole.state.membrane, 1e-13)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_half_precision_is_computed_in_float32(backend):
    currents = np.random.default_rng(0).normal(0.3, 0.5, (20, 8)).astype("float16")
    neuron = LIF(0.9)
    want, want_record = neuron.run(currents.astype("float32"))
    if backend == "torch":
        torch = pytest.importorskip("torch")
        currents = torch.from_numpy(currents)
    spikes, record = neuron.run(currents)
    assert spikes.dtype == record.membrane.dtype == record.state.membrane.dtype == currents.dtype
    np.testing.assert_array_equal(np.asarray(spikes), want)
    np.testing.assert_array_equal(
        np.asarray(record.membrane), want_record.membrane.astype("float16")
    )
    assert neuron.vjp(record, 1.0).currents.dtype == currents.dtype


def test_the_record_keeps_one_array():
    _, record = LIF(0.9).run(np.ones((50, 4, 3)))
    assert record.membrane is record._potential


@pytest.mark.parametrize("order", ["article", "snntorch", "immediate"])
def test_slopes_are_those_of_the_gradient(xp, order):
    # The gradient of a spike by its own current is the slope, and nothing else within the step.
    rng = np.random.default_rng(5)
    neuron = LIF(0.7, adaptation=0.5, adaptation_decay=0.8, order=order)
    currents = rng.normal(0.6, 0.6, (8, 2, 3))
    _, record = neuron.run(xp.asarray(currents))
    xp.check(record.slope, "float64", (8, 2, 3))
    slope, last = xp.to_numpy(record.slope), 6 if order == "article" else 7
    spikes = np.zeros((8, 2, 3))
    spikes[7] = 1.0  # in the article's order those of step 6
    gradient = neuron.vjp(record, spikes=xp.asarray(spikes)).currents
    assert_close(xp.to_numpy(gradient)[last], slope[last], 1e-13)
    assert np.unique(slope.round(6)).size > 20


def test_a_neuron_that_does_not_fire_has_no_slope():
    _, record = LIF(threshold=None).run(np.ones((2, 1)))
    with pytest.raises(ValueError, match="`slope` needs a neuron with a threshold"):
        _ = record.slope


def test_gradients_can_be_asked_for_again():
    """The record takes in nothing of one backward pass that the next would see."""
    neuron = LIF(0.9)
    _, record = neuron.run(np.full((5, 2, 3), 0.6))
    kept = len(record._given.arrays)
    one, other = (neuron.vjp(record, spikes=1.0, membrane=0.5) for _ in range(2))
    np.testing.assert_array_equal(one.currents, other.currents)
    assert len(record._given.arrays) == kept


def test_what_a_neuron_has_no_use_for_is_left_out():
    """A state of a richer neuron, of another shape where this one has nothing."""
    state = State(np.zeros(3), current=np.ones(7), adaptation=np.ones(5))
    spikes, record = LIF(0.9).run(np.ones((4, 3)), state)
    np.testing.assert_array_equal(spikes, LIF(0.9).run(np.ones((4, 3)))[0])
    assert record.state.current is None
    assert record.state.adaptation is None


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: LIF(order="later"), ValueError, "`order` must be one of"),
        (lambda: LIF(reset="half"), ValueError, "`reset` must be one of"),
        (lambda: LIF(fires="<"), ValueError, "`fires` must be one of"),
        (lambda: LIF(surrogate=abs), TypeError, "`surrogate` must be a Surrogate"),
        (lambda: LIF(detach_reset=1), TypeError, "`detach_reset` must be a bool"),
        (lambda: LIF("0.9"), TypeError, "`decay` must be a number or an array"),
        (lambda: LIF(None), TypeError, "`decay` must be a number or an array"),
        (lambda: LIF(float("nan")), ValueError, r"`decay` must be in \[0, 1\]. Received: nan"),
        (lambda: LIF(2.0), ValueError, r"`decay` must be in \[0, 1\]. Received: 2.0"),
        (lambda: LIF(synaptic_decay=-0.5), ValueError, r"`synaptic_decay` must be in \[0, 1\]"),
        (lambda: LIF(threshold=-1.0), ValueError, r"`threshold` must be in \(0, inf\)"),
        (lambda: LIF(gain=None), TypeError, "`gain` must be a number"),
        (lambda: LIF(recurrent=0.5), TypeError, "`recurrent` must be an array"),
        (lambda: LIF(threshold=None, adaptation=1.0), ValueError, "`adaptation` must be 0"),
        (lambda: LIF().run(1.0), TypeError, "`currents` must be an array"),
        (lambda: LIF().run(np.ones(3, int)), TypeError, "`currents` must have a real floating"),
        (lambda: LIF().run(np.ones((0, 3))), ValueError, "with T ≥ 1"),
        (lambda: LIF().run(np.ones(3), steps=0), ValueError, "`steps` must be at least 1"),
        (lambda: LIF().run(np.ones((2, 3)), np.ones(3)), TypeError, "`state` must be a State"),
        (
            lambda: LIF().run(np.ones((2, 3)), State(np.ones(4))),
            ValueError,
            r"`state.membrane` must have shape \(3,\)",
        ),
        (lambda: LIF(np.ones(4)).run(np.ones((2, 3))), ValueError, r"`decay` must be a number or"),
        (
            lambda: LIF(recurrent=np.ones((3, 2))).run(np.ones((2, 3))),
            ValueError,
            r"`recurrent` must have shape \(3, 3\)",
        ),
        (
            lambda: LIF().vjp(LIF().run(np.ones((2, 3)))[1], np.ones((3, 2))),
            ValueError,
            r"`spikes` must have shape \(2, 3\)",
        ),
        (lambda: LIF().vjp(np.ones(3)), TypeError, "`record` must be a Record"),
        (
            lambda: LIF().vjp(LIF().run(np.ones((2, 3)))[1], state=(0.0,)),
            TypeError,
            "`state` must be a State",
        ),
        (
            lambda: LIF().vjp(LIF().run(np.ones((2, 3)))[1], state=State(None, np.ones(3))),
            ValueError,
            "`state.current` must be None for a neuron without it",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_libraries_do_not_mix():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="`currents` and `decay` must come from one array library"):
        LIF(torch.ones(3)).run(np.ones((2, 3)))
