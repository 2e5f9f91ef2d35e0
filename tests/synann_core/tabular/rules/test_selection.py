"""The choice of the penalty, folds, and limits of size."""

import numpy as np
import pytest

from synann_core.tabular.rules.selection import (
    PENALTIES,
    Settings,
    best_of,
    choose,
    distinct_rows,
    mean_log_p,
    sharpness,
    softened,
    stratified,
)
from synann_core.tabular.rules.structures import STRUCTURES, log_probabilities
from tests.synann_core.tabular.rules.tables import mixed_columns, mixed_labels, mixed_literals


def settings(structure="mix", **changes):
    plain = {
        "structure": structure,
        "penalties": PENALTIES[structure][1:4],
        "one_standard_error": False,
        "max_rules": 4,
        "max_literals": 9,
        "max_iter": 60,
        "rate": 0.05,
        "bags": 1,
        "restarts": 2,
    }
    return Settings(**plain | changes)


def data():
    columns = mixed_columns()
    literals, label = mixed_literals(columns), mixed_labels(columns)
    folds = stratified(label, 3, np.random.default_rng(0))
    return literals, distinct_rows(literals.codes(columns), label, np.ones(300), *folds)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_limits_of_size_are_kept(structure):
    literals, rows = data()
    found = choose(
        literals,
        rows,
        np.ones((2, len(literals.names))),
        settings(structure),
        np.random.default_rng(0),
    )
    (model,) = found.models
    assert 1 <= model.W.any(axis=1).sum() <= 4
    assert 1 <= (model.W > 0.0).sum() <= 9
    assert found.penalty in PENALTIES[structure]
    assert found.losses.shape == (3,)
    assert np.nanmin(found.losses) < 0.6
    p = model.scores(rows.codes)
    right = (p.argmax(axis=0) == rows.label) * rows.weight
    assert right.sum() > 0.8 * rows.weight.sum()


def test_bags_are_as_many_models_as_asked_for():
    literals, rows = data()
    wanted = settings(bags=5, max_iter=20)
    found = choose(
        literals, rows, np.ones((2, len(literals.names))), wanted, np.random.default_rng(0)
    )
    assert len(found.models) == 5
    assert len({model.W.tobytes() for model in found.models}) == 5


def test_members_of_a_bag_are_limited_only_if_asked():
    literals, rows = data()
    sides = np.ones((2, len(literals.names)))
    sizes = []
    for limited in (False, True):
        wanted = settings(bags=2, max_literals=3, limited=limited)
        found = choose(literals, rows, sides, wanted, np.random.default_rng(0))
        sizes.append(max((model.W > 0.0).sum() for model in found.models))
    assert sizes[1] <= 3 < sizes[0]


def test_clearly_worse_penalties_end_the_path():
    literals, rows = data()
    sides = np.ones((2, len(literals.names)))
    wanted = settings(bags=3, penalties=(1e-3, 1e3, 1e4))
    found = choose(literals, rows, sides, wanted, np.random.default_rng(0))
    assert found.penalty == 1e-3
    assert found.losses[1] > found.losses[0] + 0.1
    assert np.isnan(found.losses[2])
    assert found.steps == 60 + 15


def test_scores_are_the_mean_of_the_members_that_count():
    log_p = np.log(np.array([[[0.2], [0.8]], [[0.5], [0.5]], [[0.9], [0.1]]]))
    log_p = np.repeat(log_p, 3, axis=2)
    counts = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0]])
    odds = np.diff(mean_log_p(log_p, counts), axis=0)[0]
    np.testing.assert_allclose(odds, [np.log(4.0) / 2.0, np.log(4.0 / 9.0) / 2.0, 0.0], atol=1e-12)


def test_what_is_learned_lies_between_classes_and_teachers():
    classes, taught = np.array([[1.0], [0.0]]), np.array([[0.3], [0.7]])
    np.testing.assert_allclose(softened(classes, taught, 0.6), [[0.58], [0.42]])


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_scores_are_sharpened_as_far_as_unseen_rows_ask(scale):
    odds = np.linspace(-2.0, 2.0, 9)
    scores = np.stack([np.zeros(9), odds])
    p = 1.0 / (1.0 + np.exp(-scale * odds))
    found = sharpness(log_probabilities(scores), np.stack([1.0 - p, p]), np.ones(9))
    assert found == pytest.approx(scale, rel=1e-5)


def test_scores_are_sharpened_four_times_at_most():
    log_p = log_probabilities(np.array([[0.0, 0.0], [1.0, -1.0]]))
    classes = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert sharpness(log_p, classes, np.ones(2)) == pytest.approx(4.0, rel=1e-5)
    assert sharpness(log_p, classes[::-1], np.ones(2)) == pytest.approx(0.25, rel=1e-5)


def test_the_order_of_rows_does_not_matter():
    columns = mixed_columns()
    literals, label = mixed_literals(columns), mixed_labels(columns)
    codes, order = literals.codes(columns), np.random.default_rng(1).permutation(300)
    train, test = stratified(label, 3, np.random.default_rng(0))
    found = []
    for rows in (np.arange(300), order):
        own = distinct_rows(codes[rows], label[rows], np.ones(300), train[:, rows], test[:, rows])
        assert own.weight.sum() == 300
        sides = np.ones((2, len(literals.names)))
        found.append(choose(literals, own, sides, settings(max_iter=20), np.random.default_rng(0)))
    np.testing.assert_array_equal(found[0].models[0].W, found[1].models[0].W)


def test_folds_spread_classes_evenly():
    label = np.repeat([0, 1, 2], [50, 9, 3])
    train, test = stratified(label, 3, np.random.default_rng(0))
    assert (test.sum(axis=0) == 1).all()
    assert (train == ~test).all()
    for fold in test:
        assert np.bincount(label[fold], minlength=3).tolist() in ([17, 3, 1], [16, 3, 1])


def test_one_standard_error_prefers_the_later_choice():
    noise = np.random.default_rng(0).normal(size=400)
    losses = np.stack([np.full(400, 0.5), 0.501 + 0.5 * noise, np.full(400, 0.9)])
    weight = np.ones(400)
    assert best_of(losses, weight, one_standard_error=False) in (0, 1)
    losses[1] += 0.505 - losses[1].mean()
    assert best_of(losses, weight, one_standard_error=False) == 0
    assert best_of(losses, weight, one_standard_error=True) == 1


def test_sides_keep_literals_out_of_rules():
    literals, rows = data()
    sides = np.ones((2, len(literals.names)))
    sides[1, ::3] = 0.0
    (model,) = choose(literals, rows, sides, settings(), np.random.default_rng(0)).models
    each = len(model.W) // 2
    assert not model.W[each:, ::3].any()
    assert model.W[:each, ::3].any() or model.W[:each].any()
