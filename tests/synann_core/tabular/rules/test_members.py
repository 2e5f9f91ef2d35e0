"""Members that are trained side by side: threads, limits of size, and models of them."""

import numpy as np
import pytest

from synann_core.tabular.rules import members
from synann_core.tabular.rules.members import Members
from synann_core.tabular.rules.starts import make_samples, start_rules
from synann_core.tabular.rules.structures import STRUCTURES
from synann_core.tabular.rules.training import Penalty
from tests.synann_core.tabular.rules.tables import mixed_columns, mixed_labels, mixed_literals


def start(structure="mix", rows=300, count=3):
    columns = mixed_columns(rows)
    literals, label = mixed_literals(columns), mixed_labels(columns)
    codes, weight = literals.codes(columns), np.random.default_rng(0).random((count, rows))
    samples = make_samples(literals, codes, weight, np.stack([1.0 - label, label]))
    sides, rng = np.ones((2, len(literals.names))), np.random.default_rng(1)
    first = start_rules(literals, codes, label, weight, sides, structure, 5, rng)
    return literals, codes, Members(structure, *first, samples, rng)


@pytest.mark.parametrize("rows", [300, 2500])  # the latter in batches
def test_threads_change_nothing(monkeypatch, rows):
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(members, "thread_count", lambda threads=threads: threads)
        monkeypatch.setattr(members, "SMALL_PRODUCT", 0)
        _, _, group = start(rows=rows)
        again = group.trained(Penalty(1e-3), 5, 0.05).trained(Penalty(1e-3), 2, 0.05)
        found.append(again.parameters)
    for name, value in found[0].items():
        for other in found[1:]:
            np.testing.assert_allclose(other[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_what_is_left_keeps_to_the_limits_and_learns(structure):
    _, _, group = start(structure)
    group = group.trained(Penalty(1e-3), 60, 0.05).trimmed()
    before = group.losses(Penalty(0.0))
    small = group.limited(2, 5, Penalty(1e-3), 40, 0.05)
    kept = small.parameters["W"] > 0.0
    assert (kept.any(axis=2).sum(axis=1) <= 2).all()
    assert (kept.sum(axis=(1, 2)) <= 5).all()
    assert (kept <= (group.parameters["W"] > 0.0)).all()
    assert (small.losses(Penalty(0.0)) < 0.6).all()
    assert group.limited(99, 9999, Penalty(1e-3), 40, 0.05) is group
    np.testing.assert_array_equal(group.losses(Penalty(0.0)), before)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_models_are_the_members_in_float64(structure):
    literals, codes, group = start(structure)
    group = group.trained(Penalty(1e-2), 60, 0.05).trimmed()
    log_p = group.log_p()
    for m in range(3):
        scores = group.model(literals, m).scores(codes)
        assert scores.dtype == np.float64
        np.testing.assert_allclose(
            scores[1] - scores[0], log_p[m, 1] - log_p[m, 0], rtol=1e-4, atol=1e-4
        )


def test_losses_hold_the_penalty():
    _, _, group = start()
    W = group.parameters["W"].astype(np.float64)
    more = group.losses(Penalty(0.1, 0.3)) - group.losses(Penalty(0.0))
    np.testing.assert_allclose(more, (0.1 * W + 0.15 * W**2).sum(axis=(1, 2)), rtol=1e-4)
