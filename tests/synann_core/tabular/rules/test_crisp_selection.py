"""What hard rules learn from soft ones, and how many there are."""

import numpy as np
import pytest

from synann_core.tabular.rules.crisp_selection import CLOSED, choose_crisp
from tests.synann_core.tabular.rules.test_selection import data, settings


def chosen(literals, rows, *, penalties=(1e-3,), points=0, sides=None, **changes):
    sides = np.ones((2, len(literals.names))) if sides is None else sides
    wanted = settings("rrl", penalties=penalties, **changes)
    return choose_crisp(literals, rows, sides, wanted, points, np.random.default_rng(0))


@pytest.mark.parametrize("points", [0, 5])
def test_rules_are_hard_and_few(points):
    literals, rows = data()
    found = chosen(literals, rows, points=points)
    (model,) = found.models
    assert set(np.unique(model.W)) == {0.0, CLOSED}
    assert 1 <= len(model.W) <= 4
    assert (model.W > 0.0).sum() <= 9
    r = np.exp(-model.surprisals(rows.codes))
    assert set(np.unique(r)) <= {0.0, 1.0}
    right = (model.scores(rows.codes).argmax(axis=0) == rows.label) * rows.weight
    assert right.sum() > 0.85 * rows.weight.sum()
    if points:
        votes = model.parameters["votes"] / found.unit
        np.testing.assert_allclose(votes, np.round(votes), atol=1e-9)
        assert np.abs(votes).max() <= 5.0 + 1e-9
    else:
        assert found.unit == 0.0


def test_noise_gets_no_rule():
    literals, rows = data()
    label = np.random.default_rng(0).integers(0, 2, len(rows.label))
    prices = (1e-3, 3e-3, 1e-2, 3e-2)
    found = chosen(literals, rows._replace(label=label), penalties=prices, one_standard_error=True)
    assert len(found.models[0].W) == 0
    assert found.penalty == 3e-2
    assert found.losses.shape == (4,)


def test_dearer_literals_are_fewer():
    literals, rows = data()
    limits = {"max_rules": 12, "max_literals": 30}
    counts = [
        (chosen(literals, rows, penalties=(price,), **limits).models[0].W > 0.0).sum()
        for price in (1e-4, 3e-3, 1e-2, 1e12)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[2] > counts[3] == 0


def test_directions_are_kept():
    literals, rows = data()
    sides = np.ones((2, len(literals.names)))
    age = np.flatnonzero(literals.feature_of == 0)
    sides[1, age[1::2]] = sides[0, age[0::2]] = 0.0  # more can only raise the second class
    (model,) = chosen(literals, rows, sides=sides).models
    votes = model.parameters["votes"][1]
    for literal in age:
        for weight in votes[model.W[:, literal] > 0.0]:
            assert (weight > 0.0) == (sides[1, literal] == 1.0)


def test_what_is_judged_has_not_been_seen():
    # If predictions do not depend on the classes of judged rows, changes of these add up.
    literals, rows = data()
    rows = rows._replace(train=rows.train[:1], test=rows.test[:1])
    judged = np.flatnonzero(rows.test[0])

    def loss(*changed):
        label = rows.label.copy()
        label[list(changed)] = 1 - label[list(changed)]
        return chosen(literals, rows._replace(label=label), penalties=(1e-3, 1e-2)).losses

    first, second, none = judged[:2], judged[-2:], loss()
    together = loss(*first, *second) - none
    assert np.abs(together).min() > 1e-3
    np.testing.assert_allclose(together, loss(*first) + loss(*second) - 2 * none, atol=1e-12)


@pytest.mark.parametrize("one_standard_error", [False, True])
def test_a_single_price_needs_no_folds(one_standard_error):
    literals, rows = data()
    found = chosen(literals, rows, one_standard_error=one_standard_error)
    assert np.isnan(found.losses).all()
    dear = chosen(literals, rows, penalties=(1e-3, 1e3))
    assert (found.penalty, dear.penalty) == (1e-3, 1e-3)
    np.testing.assert_array_equal(found.models[0].W, dear.models[0].W)
