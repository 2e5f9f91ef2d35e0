"""A bag of models, in one group or each with its own columns."""

import numpy as np
import pytest

from synann_core.tabular.rules.bag import Bag
from synann_core.tabular.rules.literals import Literals
from synann_core.tabular.rules.members import Members
from synann_core.tabular.rules.screening import Part
from synann_core.tabular.rules.starts import make_samples, start_rules
from synann_core.tabular.rules.structures import STRUCTURES
from synann_core.tabular.rules.training import Penalty
from tests.synann_core.tabular.rules.tables import mixed_columns, mixed_labels, mixed_literals


def bag(structure="mix", columns=((0, 1, 2, 3),), counts=(3,)):
    """Groups of so many members with so many columns of a small table, trained a little."""
    table = mixed_columns()
    literals, label = mixed_literals(table), mixed_labels(table)
    codes, target = literals.codes(table), np.stack([1.0 - label, label])
    parts, groups, first = [], [], 0
    for kept, count in zip(columns, counts, strict=True):
        own, some = Literals(tuple(literals.features[j] for j in kept)), codes[:, list(kept)]
        place = np.flatnonzero(np.isin(literals.feature_of, kept))
        weight = np.random.default_rng(first).random((count, 300))
        sides, rng = np.ones((2, len(place))), np.random.default_rng(first)
        start = start_rules(own, some, label, weight, sides, structure, 5, rng)
        samples = make_samples(own, some, weight, target)
        parts.append(Part(np.arange(first, first + count), place, own, some))
        groups.append(Members(structure, *start, samples, rng))
        first += count
    found = Bag(tuple(parts), tuple(groups)).trained(Penalty(1e-3), 20, 0.05)
    return literals, codes, found


@pytest.mark.parametrize("structure", STRUCTURES)
def test_models_and_members_agree_whatever_the_groups(structure):
    literals, codes, found = bag(structure, ((0, 1), (0, 1, 2, 3), (1, 3)), (1, 2, 1))
    found = found.trimmed()
    log_p, models = found.log_p(), found.models(literals)
    assert log_p.shape == (4, 2, 300)
    assert len(models) == len(found.losses(Penalty(0.0))) == 4
    for own, model in zip(log_p, models, strict=True):
        scores = model.scores(codes)
        np.testing.assert_allclose(scores[1] - scores[0], own[1] - own[0], rtol=1e-4, atol=1e-4)
    outside = ~np.isin(literals.feature_of, (0, 1))
    assert not models[0].W[:, outside].any()


def test_some_members_stay_in_their_groups():
    _, _, found = bag(columns=((0, 1), (0, 1, 2, 3), (1, 3)), counts=(1, 2, 1))
    some = found.some(np.array([3, 2]))
    assert [part.members.tolist() for part in some.parts] == [[2], [3]]
    np.testing.assert_array_equal(some.log_p(), found.log_p()[2:])
    _, _, one = bag()
    order = np.array([2, 0])  # of one group in the order that is asked for
    np.testing.assert_array_equal(one.some(order).log_p(), one.log_p()[order])


@pytest.mark.parametrize("structure", STRUCTURES)
def test_members_go_on_with_other_samples(structure):
    _, _, found = bag(structure, ((0, 1), (0, 1, 2, 3)), (1, 2))
    target = np.stack([np.full(300, 0.1), np.full(300, 0.9)])
    able = found.on_all_rows(np.ones(300), target)
    log_p = found.log_p()
    losses = -(0.1 * log_p[:, 0] + 0.9 * log_p[:, 1]).mean(axis=1)
    np.testing.assert_allclose(able.losses(Penalty(0.0)), losses, rtol=1e-5)
    more = able.trained(Penalty(0.0), 60, 0.05)
    assert (more.losses(Penalty(0.0)) < losses).all()


def test_each_member_keeps_to_the_limits():
    literals, _, found = bag(columns=((0, 1), (0, 1, 2, 3)), counts=(1, 2))
    for model in found.limited(2, 3, Penalty(1e-3), 20, 0.05).models(literals):
        assert (model.W > 0.0).sum() <= 3
