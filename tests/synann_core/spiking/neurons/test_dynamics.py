"""Runs of neurons: by steps, by constant inputs, row by row, and in each order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synann_core.spiking import LIF, leaky_integrator
from tests.helpers import assert_close
from tests.synann_core.spiking.neurons.cases import CASES, NAMES, STEPS, N, neuron_of, problem


@pytest.mark.parametrize("case", CASES)
def test_steps_one_by_one_are_the_run(case):
    neuron, state, arrays, _ = neuron_of(case)
    spikes, record = neuron.run(arrays["currents"], state)
    for t, current in enumerate(arrays["currents"]):
        now, state = neuron.step(current, state)
        np.testing.assert_array_equal(now, spikes[t])
        np.testing.assert_array_equal(state.membrane, record.membrane[t])


@pytest.mark.parametrize("case", CASES)
def test_a_constant_input_is_the_repeated_one(case):
    neuron, state, arrays, grads = neuron_of(case)
    one = arrays["currents"][0]
    spikes, record = neuron.run(one, state, steps=STEPS)
    repeated = np.broadcast_to(one, (STEPS, *one.shape))
    want_spikes, want = neuron.run(repeated, state)
    np.testing.assert_array_equal(spikes, want_spikes)
    np.testing.assert_array_equal(record.membrane, want.membrane)
    got, want = (neuron.vjp(r, *grads) for r in (record, want))
    assert got.currents.shape == one.shape
    assert_close(got.currents, want.currents.sum(0), 1e-14)
    assert_close(got.decay, want.decay, 1e-13)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from(sorted(CASES)))
def test_a_row_does_not_depend_on_its_batch_mates(seed, rows, case):
    rng = np.random.default_rng(seed)
    options, arrays, _ = problem(case)
    parameters = {name: arrays[name] for name in NAMES if arrays[name] is not None}
    if "recurrent" in parameters:  # BLAS sums otherwise for one row than for many
        parameters["recurrent"] = np.diag(np.diag(parameters["recurrent"]))
    neuron = LIF(**parameters, **options)
    currents = rng.normal(0.3, 1, (4, rows, N)).astype("float32")
    spikes, record = neuron.run(currents)
    grads = neuron.vjp(record, currents, 1.0).currents
    alone, one = neuron.run(currents[:, :1])
    np.testing.assert_array_equal(alone, spikes[:, :1])
    np.testing.assert_array_equal(one.membrane, record.membrane[:, :1])
    np.testing.assert_array_equal(neuron.vjp(one, currents[:, :1], 1.0).currents, grads[:, :1])


def test_the_article_fires_a_step_after_snntorch():
    currents = np.random.default_rng(0).normal(0.2, 0.5, (50, 4, 3))
    early, record = LIF(0.9).run(currents)
    late, same = LIF(0.9, order="article").run(currents)
    np.testing.assert_array_equal(record.membrane, same.membrane)
    np.testing.assert_array_equal(late[1:], early[:-1])
    assert early.sum() > 20


@pytest.mark.parametrize("order", ["article", "snntorch", "immediate"])
def test_autodiff_where_a_threshold_is_out_of_reach(order):
    """∞ · 0 is NaN, in the reset as in what stands for the derivative of a spike."""
    torch = pytest.importorskip("torch")
    currents = torch.from_numpy(np.random.default_rng(0).normal(0.3, 0.6, (5, 3, 2)))
    threshold = torch.tensor([0.5, np.inf], dtype=currents.dtype)
    options = {"reset": "subtract", "order": order, "detach_reset": False}
    neuron = LIF(torch.tensor(0.9, dtype=currents.dtype), threshold, **options)
    by_hand = neuron.vjp(neuron.run(currents)[1], 1.0, currents)

    def loss(given, *parameters):
        own = dict(zip(("decay", "threshold"), parameters, strict=True))
        spikes, record = neuron.with_parameters(**own).run(given)
        return (spikes + currents * record.membrane).sum()

    arguments = currents, neuron.decay, threshold
    found = torch.func.grad(loss, argnums=(0, 1, 2))(*arguments)
    for got, want in zip(found, (by_hand.currents, by_hand.decay, by_hand.threshold), strict=True):
        assert torch.isfinite(want).all()
        assert_close(got, want, 1e-13)


def test_firing_at_the_threshold():
    for fires, want in ((">", 0.0), (">=", 1.0)):
        spikes, _ = LIF(0.5, fires=fires).run(np.ones((1, 1)))
        assert float(spikes[0, 0]) == want


def test_an_integrator_is_a_filter(xp):
    currents = np.random.default_rng(0).normal(size=(6, 2, 3))
    spikes, record = leaky_integrator(0.5).run(xp.asarray(currents))
    want = [sum(0.5 ** (t - k) * currents[k] for k in range(t + 1)) for t in range(6)]
    assert_close(xp.to_numpy(record.membrane), want, 1e-14)
    assert not xp.to_numpy(spikes).any()
