"""Graphs under JAX: second derivatives, copies."""

import copy
import pickle

import numpy as np

from synann_core.graph import GraphParameters
from tests.graphs import occupied
from tests.helpers import EPS, assert_relative


def test_second_derivatives_on_jax_in_surprisal_space():
    import jax
    import jax.numpy as jnp

    compiled, want = occupied()
    params = GraphParameters(jnp.zeros(1), jnp.asarray([0.7]))

    def slope(u):
        return compiled.vjp(u, params, space="surprisal", grad=jnp.ones(1))[0][0]

    assert_relative(jax.grad(slope)(jnp.asarray([0.3])), [want], 8 * EPS["float64"])


def test_a_graph_that_ran_on_jax_can_be_copied_and_pickled():
    import jax.numpy as jnp

    compiled, _ = occupied()
    x = np.array([0.25])
    compiled(jnp.asarray(x))
    for twin in (copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled))):  # noqa: S301
        np.testing.assert_array_equal(twin(x), compiled(x))
        np.testing.assert_array_equal(twin(jnp.asarray(x)), compiled(x))


def test_a_graph_is_compiled_once_for_each_space():
    import jax.numpy as jnp

    compiled, _ = occupied()
    x, made = jnp.asarray([0.25]), compiled._structure._made
    compiled(x)
    function = made["forward", "probability", False]
    compiled(x)
    compiled(x, space="surprisal")
    assert made["forward", "probability", False] is function
    assert made["forward", "surprisal", False] is not function
