"""Records: what is None stays None, and a plan is a constant."""

import operator

import numpy as np
import pytest

from synann_core.spiking import LIF, State
from synann_core.spiking.neurons.records import Plan, Upstream, mapped


def test_mapped_keeps_the_kind_and_what_is_not_there():
    state = State(1.0, None, 3.0)
    assert mapped(lambda a: 2 * a, state) == State(2.0, None, 6.0, None)
    assert mapped(operator.add, state, State(10.0, 20.0, 30.0, 40.0)) == State(11.0, None, 33.0)
    assert isinstance(mapped(abs, Upstream(-1.0)), Upstream)


def test_a_state_moves_and_forgets_its_history_as_a_tensor_does():
    torch = pytest.importorskip("torch")
    neuron = LIF(0.9, synaptic_decay=0.5)
    currents = torch.ones(3, 2, requires_grad=True)
    state = neuron.run(currents)[1].state
    assert state.membrane.requires_grad
    constant = state.detach()
    assert isinstance(constant, State)
    assert not any(a.requires_grad for a in constant if a is not None)
    assert constant.adaptation is None
    moved = state.to("meta", torch.float64)
    assert {(a.device.type, a.dtype) for a in moved if a is not None} == {("meta", torch.float64)}


def test_states_of_other_libraries_do_so_as_well():
    jax = pytest.importorskip("jax")
    state = State(np.ones(2), None, np.zeros(2))
    assert state.to("cpu").current is None
    np.testing.assert_array_equal(state.detach().membrane, state.membrane)

    def loss(m):
        return State(m).detach().membrane.sum() + 3.0 * m.sum()

    assert jax.grad(loss)(jax.numpy.ones(2)).tolist() == [3.0, 3.0]
    on_device = State(jax.numpy.ones(2)).to(jax.devices()[0])
    assert on_device.membrane.device == jax.devices()[0]


def test_plans_are_constants_to_a_compiler():
    """Equal for equal neurons, so that the same program serves them."""
    one, other = (Plan(LIF(0.9, reset="zero").rule, 5) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Plan(LIF(0.9).rule, 5)
