"""How many hard rules there are."""

import numpy as np
import pytest

from synann_core.tabular.rules.crisp_selection import CLOSED, choose_crisp
from tests.synann_core.tabular.rules.test_selection import data, settings


@pytest.mark.parametrize("points", [0, 5])
def test_rules_are_hard_and_few(points):
    literals, rows = data()
    wanted = settings("rrl", penalties=(1.0,))
    found = choose_crisp(literals, rows, np.ones((2, len(literals.names))), wanted, points)
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


def test_noise_gets_no_rule():
    literals, rows = data()
    label = np.random.default_rng(0).integers(0, 2, len(rows.label))
    found = choose_crisp(
        literals,
        rows._replace(label=label),
        np.ones((2, len(literals.names))),
        settings("rrl", penalties=(2.0,), one_standard_error=True),
        0,
    )
    assert len(found.models[0].W) <= 1


def test_without_points_there_is_no_unit():
    literals, rows = data()
    sides = np.ones((2, len(literals.names)))
    found = choose_crisp(literals, rows, sides, settings("rrl", penalties=(1.0,)), 0)
    assert found.unit == 0.0
    assert found.models[0].parameters["votes"].any()
