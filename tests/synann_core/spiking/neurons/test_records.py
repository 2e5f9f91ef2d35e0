"""Records: what is None stays None, and a plan is a constant."""

import operator

from synann_core.spiking import LIF, State
from synann_core.spiking.neurons.records import Plan, Upstream, mapped


def test_mapped_keeps_the_kind_and_what_is_not_there():
    state = State(1.0, None, 3.0)
    assert mapped(lambda a: 2 * a, state) == State(2.0, None, 6.0, None)
    assert mapped(operator.add, state, State(10.0, 20.0, 30.0, 40.0)) == State(11.0, None, 33.0)
    assert isinstance(mapped(abs, Upstream(-1.0)), Upstream)


def test_plans_are_constants_to_a_compiler():
    """Equal for equal neurons, so that the same program serves them."""
    one, other = (Plan(LIF(0.9, reset="zero").rule, 5) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Plan(LIF(0.9).rule, 5)
