"""Plans: every neuron and synapse stands in them once, and nothing else counts."""

import numpy as np
from hypothesis import given, settings

from synann_core.graph import SynapseGraph
from synann_core.graph.plan import FIRST, OPEN, SILENT, make_plan
from tests.graphs import cases


@settings(max_examples=40)
@given(cases())
def test_a_plan_holds_every_synapse_once(case):
    structure = case.compile()._structure
    plan = make_plan(structure, structure.outputs)
    groups = [group for level in plan.levels for group in level]
    assert sum(group.size for group in groups) == structure.neurons
    for kind, silent in (("excitatory", OPEN), ("inhibitory", SILENT)):
        read = np.concatenate([getattr(group, kind) for group in groups])
        assert np.count_nonzero(read != silent) == getattr(structure, kind).indices.size
        assert np.all((read == silent) | (read >= FIRST))
    widths = [group.inhibitory.size // group.size for group in groups]
    assert all(width == 0 or width.bit_count() == 1 for width in widths)
    assert plan.edges == sum(g.excitatory.size + g.inhibitory.size for g in groups)


def test_levels_of_few_entries_can_be_one_group():
    """All neurons have the most inputs that one of the level has, padded."""
    graph = SynapseGraph()
    graph.input("x", "y")
    graph.synapse("one", excitatory="x")
    graph.synapse("two", inhibitory={"x": 0.5, "y": 0.25})
    graph.synapse("last", excitatory="one", inhibitory={"two": 0.5})
    structure = graph.compile()._structure
    apart, joined, few = (
        make_plan(structure, structure.outputs, joined=entries) for entries in (0, 6, 5)
    )
    assert [len(level) for level in apart.levels] == [2, 1]
    assert [len(level) for level in few.levels] == [2, 1]
    assert [len(level) for level in joined.levels] == [1, 1]
    (group,), _ = joined.levels
    assert group.size == 2
    assert group.excitatory.tolist() == [FIRST, OPEN]
    assert group.inhibitory.tolist() == [SILENT, SILENT, FIRST, FIRST + 1]
    assert group.beta.tolist() == [0, 0, 1, 2]
    nothing = SynapseGraph()
    nothing.input("x")
    nothing.output("x")
    empty = nothing.compile()._structure
    assert make_plan(empty, empty.outputs, joined=6).levels == ()


@settings(max_examples=40)
@given(cases())
def test_inputs_of_a_level_are_known_before_it(case):
    structure = case.compile()._structure
    known = FIRST + structure.inputs
    for level in make_plan(structure, structure.outputs).levels:
        for group in level:
            read = np.concatenate([group.excitatory, group.inhibitory])
            assert read.size == 0 or read.max() < known
        known += sum(group.size for group in level)
    assert known == FIRST + structure.inputs + structure.neurons


@settings(max_examples=40)
@given(cases())
def test_sums_add_what_belongs_to_a_parameter(case):
    """Every use of a parameter counts once: sums of ones are numbers of uses."""
    compiled = case.compile()
    plan = make_plan(compiled._structure, compiled._structure.outputs)
    for parts, index, own in (
        (plan.alpha, compiled.alpha_index, compiled.params.alpha),
        (plan.beta, compiled.inhibitory.beta_index, compiled.params.beta),
    ):
        blocks = [(rows.reshape(size, -1) > 0).sum(axis=1) for size, rows in parts.blocks]
        counts = np.concatenate([np.zeros(0, int), *blocks])[parts.rows]
        np.testing.assert_array_equal(counts, np.bincount(index, minlength=own.size))
