"""The adjoint of the array path: against the loops' duals and the libraries' own autodiff."""

import numpy as np
import pytest

from synann_core.spiking import LIF, State
from tests.helpers import assert_close
from tests.synann_core.spiking.neurons.cases import (
    CASES,
    flat,
    neuron_and_state,
    neuron_of,
    problem,
    reference_of,
)


@pytest.mark.parametrize("name", ["currents", "decay", "threshold", "synaptic_decay", "membrane"])
def test_a_gradient_wrong_by_half_a_thousandth_is_seen(name):
    neuron, state, arrays, grads = neuron_of("norse")
    _, record = neuron.run(arrays["currents"], state)
    got = flat(neuron.vjp(record, *grads))[name]
    want = reference_of("norse")[2][name]
    assert_close(got, want, 1e-12)
    with pytest.raises(AssertionError):
        assert_close(got * 1.0005, want, 1e-12)


@pytest.mark.parametrize("case", CASES)
def test_autodiff_of_the_library_agrees(ad, case):
    """torch and JAX differentiate `run` as `vjp` does."""
    if ad.is_jax and case not in ("norse", "adaptive", "article"):
        pytest.skip("a second of compilation each: three cases hold every option")
    options, arrays, grads = problem(case)
    names = tuple(name for name, a in arrays.items() if a is not None)
    given = [ad.asarray(arrays[name]) for name in names]

    def loss(*values):
        neuron, state = neuron_and_state(options, dict(zip(names, values, strict=True)))
        spikes, record = neuron.run(values[0], state)
        return spikes * ad.asarray(grads[0]) + record.membrane * ad.asarray(grads[1])

    found = ad.gradients(loss, ad.asarray(1.0), *given)
    want = reference_of(case)[2]
    for name, got in zip(names, found, strict=True):
        assert_close(ad.to_numpy(got), want[name], 1e-12)


@pytest.mark.parametrize("kernels", ["", "off"])
def test_the_spikes_before_the_first_step_pass_their_gradient_on(kernels, monkeypatch):
    """The reset of the first step depends on them, and they on the membrane they came from."""
    monkeypatch.setenv("SYNANN_KERNELS", kernels)
    neuron, current = LIF(0.5, 1.0, detach_reset=False), np.zeros((1, 1))
    membrane, spikes = np.array([1.25]), np.ones(1)
    told = neuron.vjp(neuron.run(current, State(membrane))[1], membrane=1.0)
    given = neuron.vjp(neuron.run(current, State(membrane, None, spikes))[1], membrane=1.0)
    slope = neuron.surrogate(np.array([0.25]))
    assert given.state.spikes == -1.0  # a spike takes the threshold away
    assert told.state.spikes is None
    np.testing.assert_allclose(told.state.membrane, given.state.membrane - slope)
    np.testing.assert_allclose(told.threshold, given.threshold + slope[0])
