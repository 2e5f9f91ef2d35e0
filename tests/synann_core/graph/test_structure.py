"""Graphs in topological order: edges in any order, and what is kept of them."""

import copy

import numpy as np
import pytest
from hypothesis import given

from synann_core.graph import GraphParameters, SynapseGraph
from synann_core.graph.structure import Task
from tests.graphs import cases, small_graph
from tests.helpers import EPS, assert_close


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_unsorted_edges_with_parameters_of_their_own(dtype, monkeypatch):
    """Both branches agree, and parameters stand in the order given, wherever edges go."""
    rng, inputs, neurons, edges = np.random.default_rng(5), 5, 60, 300
    nodes = inputs + neurons
    place = np.concatenate([np.arange(inputs), inputs + rng.permutation(neurons)])
    targets = rng.integers(inputs, nodes, edges)
    sources = (rng.random(edges) * targets).astype(int)
    strong = np.arange(inputs, nodes), rng.integers(0, inputs, neurons)
    beta, alpha = rng.random(edges), rng.uniform(0.5, 1, neurons)
    compiled = SynapseGraph.from_arrays(
        inputs,
        neurons,
        excitatory=tuple(place[a] for a in strong),
        inhibitory=(place[targets], place[sources]),
        beta=beta,
        alpha=alpha,
    ).compile()
    np.testing.assert_array_equal(compiled.params.beta, beta)
    x, grad = rng.random((11, inputs)).astype(dtype), rng.normal(size=(11, 1)).astype(dtype)
    grad = np.broadcast_to(grad, (11, len(compiled.outputs)))

    def everything():
        results = []
        for space in ("probability", "surprisal"):
            results += [compiled(x, space=space), compiled.jvp(x, space=space, dx=x)]
            gx, gparams = compiled.vjp(x, space=space, grad=grad)
            results += [gx, *gparams]
        return results

    monkeypatch.delenv("SYNANN_KERNELS", raising=False)
    assert compiled.variant(x) == "native"
    got = everything()
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    assert compiled.variant(x) == "array-api"
    for a, b in zip(got, everything(), strict=True):
        assert a.dtype == dtype
        assert_close(a, b, 200 * EPS[dtype])
    # One of them by central differences.
    wide, step = x.astype(np.float64), 1e-6 * (np.arange(edges) == 3)
    above, below = (
        np.sum(grad * compiled(wide, GraphParameters(alpha, beta + way))) for way in (step, -step)
    )
    gbeta = got[4]
    assert_close(gbeta[3], (above - below) / 2e-6, 1e-4, scale=np.abs(gbeta).max())


@given(cases())
def test_neurons_come_after_what_they_read(case):
    structure = case.compile()._structure
    for rows in (structure.excitatory, structure.inhibitory):
        assert np.all(rows.indices < case.inputs + rows.targets())
    assert sorted(structure.nodes) == list(range(case.inputs + structure.neurons))


def test_own_parameters_are_made_once():
    structure = small_graph().compile()._structure
    own = structure.own("surprisal", np.dtype("float32"))
    assert own is structure.own("surprisal", np.dtype("float32"))
    assert own.alpha.dtype == np.float32
    assert_close(own.beta, -np.log([0.3, 0.2, 0.5]), EPS["float32"])
    assert structure.is_own(own, "surprisal")
    assert not structure.is_own(GraphParameters(*own), "surprisal")


def test_copies_leave_out_what_is_derived():
    structure = small_graph().compile()._structure
    assert structure.once("key", lambda: [1]) is structure.once("key", lambda: [2])
    assert copy.copy(structure).once("key", lambda: [3]) == [3]


def test_a_task_wants_the_outputs_or_all_nodes():
    structure = small_graph().compile()._structure
    assert Task(structure, np).outputs.tolist() == [4, 1, 2]  # late, y, bare
    assert Task(structure, np, every=True).outputs.tolist() == [0, 1, 4, 3, 2]
