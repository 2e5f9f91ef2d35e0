"""The start of training: samples, and first rules."""

import numpy as np
import pytest

from synann_core.tabular.columns import Column
from synann_core.tabular.rules.literals import Literals
from synann_core.tabular.rules.starts import make_samples, start_rules
from synann_core.tabular.rules.structures import STRUCTURES, class_scores, log_probabilities
from synann_core.tabular.rules.training import surprisals
from tests.synann_core.tabular.rules.tables import mixed_columns, mixed_labels, mixed_literals


def table():
    columns = mixed_columns()
    literals = mixed_literals(columns)
    return literals, literals.codes(columns), mixed_labels(columns)


def test_samples_say_what_is_false():
    literals, codes, label = table()
    weight = np.random.default_rng(0).random((2, 300)) * 5.0
    samples = make_samples(literals, codes, weight, np.stack([1.0 - label, label]))
    np.testing.assert_allclose(samples.weight.sum(axis=1), 1.0, rtol=1e-5)
    assert (samples.states.sum(axis=0) == len(literals.features)).all()
    W = np.random.default_rng(1).random((1, 3, len(literals.names))).astype(np.float32)
    want = W[0].astype(np.float64) @ (1.0 - literals(codes)).T
    np.testing.assert_allclose(surprisals(W, samples)[0], want, rtol=1e-4)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_first_rules_are_true_of_rows_of_their_class(structure):
    literals, codes, label = table()
    sides, weight = np.ones((2, len(literals.names))), np.ones((2, 300))
    sides[1, 0] = 0.0
    rng = np.random.default_rng(0)
    found, limits = start_rules(literals, codes, label, weight, sides, structure, 5, rng)
    W = found["W"]
    assert {value.dtype for value in found.values()} == {np.dtype(np.float32)}
    assert W.shape == (2, 12, len(literals.names))  # 2.4 times as many rules as there may be
    assert not W[:, 6:, 0].any()
    assert (limits["W"][1][:, 6:, 0] == 0.0).all()
    truth = literals(codes) > 0.5
    for side, rules in ((0, W[:, :6]), (1, W[:, 6:])):
        for own in rules.reshape(-1, W.shape[2]) > 0.1:
            assert truth[label == side][:, own].all(axis=1).any()


@pytest.mark.parametrize("structure", STRUCTURES)
def test_without_literals_the_start_is_the_prior(structure):
    label = np.repeat([0, 1], [30, 10])
    columns = [Column("same", "number", np.ones(40))]
    literals = Literals.from_training(columns, np.ones(40), bins=4, missing="state")
    codes, rng = literals.codes(columns), np.random.default_rng(0)
    weight, sides = np.ones((1, 40)), np.ones((2, 0))
    found, _ = start_rules(literals, codes, label, weight, sides, structure, 5, rng)
    scores = class_scores(structure, found, np.zeros((1, found["W"].shape[1], 1))).values
    np.testing.assert_allclose(np.exp(log_probabilities(scores))[0, :, 0], [0.75, 0.25], rtol=1e-5)
