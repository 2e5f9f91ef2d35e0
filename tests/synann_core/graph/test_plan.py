"""Plans: every neuron and synapse stands in them once, and nothing else counts."""

import numpy as np
from hypothesis import given, settings

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
