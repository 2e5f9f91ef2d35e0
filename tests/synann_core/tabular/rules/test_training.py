"""Training: gradients against complex steps, limits, and what full batches do not depend on."""

import numpy as np
import pytest

from synann_core.tabular.rules.structures import STRUCTURES
from synann_core.tabular.rules.training import (
    Penalty,
    Samples,
    in_literals,
    in_states,
    loss_and_gradients,
    train,
)
from tests.synann_core.tabular.rules.tables import mixed_columns, mixed_labels, mixed_literals
from tests.synann_core.tabular.rules.test_structures import parameters


def samples(missing="marginal", dtype=np.float64, rows=60, classes=3):
    columns = mixed_columns(rows)
    literals = mixed_literals(columns, missing)
    codes = literals.codes(columns)
    states = np.zeros((int(literals.starts[-1]), rows), dtype)
    for j, start in enumerate(literals.starts[:-1]):
        states[start + codes[:, j], np.arange(rows)] = 1.0
    target = (mixed_labels(columns) == np.arange(classes)[:, None])[None].astype(dtype)
    weight = np.random.default_rng(0).random((2, rows)).astype(dtype)
    blocks = tuple(b._replace(untrue=b.untrue.astype(dtype)) for b in literals.blocks())
    return literals, codes, Samples(states, blocks, target, weight)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("missing", ["state", "marginal"])
def test_gradients_agree_with_complex_steps(structure, missing):
    literals, _, data = samples(missing)
    rng = np.random.default_rng(2)
    given = parameters(structure, rng) | {"W": rng.random((2, 6, len(literals.names)))}
    loss, gradients = loss_and_gradients(structure, given, data)
    assert loss.shape == (2,)
    for name, gradient in gradients.items():
        places = list(np.ndindex(gradient.shape))
        for k in rng.choice(len(places), min(len(places), 25), replace=False):
            moved = {n: v.astype(complex) for n, v in given.items()}
            moved[name][places[k]] += 1e-30j
            want = loss_and_gradients(structure, moved, data)[0].sum().imag / 1e-30
            assert gradient[places[k]] == pytest.approx(want, rel=1e-9, abs=1e-12)


def test_surprisals_are_of_the_literals_that_are_false():
    literals, codes, data = samples()
    W = np.random.default_rng(0).random((3, len(literals.names)))
    want = W @ (1.0 - literals(codes)).T
    np.testing.assert_allclose(in_states(W, data.blocks) @ data.states, want, atol=1e-12)
    v = np.random.default_rng(1).random((2, len(data.states)))
    inner = (in_states(W, data.blocks) @ v.T).T
    np.testing.assert_allclose(inner, in_literals(v, data.blocks) @ W.T, atol=1e-12)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_steps_lower_the_loss_and_keep_to_limits(structure):
    literals, _, data = samples(dtype=np.float32, classes=2)
    rng = np.random.default_rng(3)
    given = parameters(structure, rng, classes=2) | {"W": rng.random((2, 4, len(literals.names)))}
    given = {name: value.astype(np.float32) for name, value in given.items()}
    most = np.full(given["W"].shape, 2.0, np.float32)
    most[:, 0, :5] = 0.0
    limits = {"W": (np.zeros(()), most)}
    if structure == "duel":
        limits["against"] = (np.zeros(()), np.full((), 9.0))
    before, _ = loss_and_gradients(structure, given, data)
    trained = train(structure, given, data, Penalty(1e-3), 60, 0.05, limits, rng)
    after, _ = loss_and_gradients(structure, trained, data)
    assert (after < 0.7 * before).all()
    assert trained["W"].min() >= 0.0
    assert (trained["W"] <= most).all()
    assert {value.dtype for value in trained.values()} == {np.dtype(np.float32)}


def test_squares_are_penalised_as_a_ridge():
    # Without data the loss is constant, and plain Adam goes to where the penalty is least.
    literals, _, data = samples(dtype=np.float32, classes=2)
    data = data._replace(weight=np.zeros_like(data.weight))
    given = parameters("mix", np.random.default_rng(0), classes=2)
    given = {"W": np.full((2, 4, len(literals.names)), 0.5)} | given
    given = {name: value.astype(np.float32) for name, value in given.items()}
    limits = {"W": (np.full((), -9.0), np.full((), 9.0))}
    rng, penalty = np.random.default_rng(1), Penalty(-0.4, 2.0)
    trained = train("mix", given, data, penalty, 400, 0.05, limits, rng)
    np.testing.assert_allclose(trained["W"], 0.2, atol=1e-3)


def test_many_rows_are_taken_in_batches():
    literals, _, data = samples(dtype=np.float32, rows=3000, classes=2)
    data = data._replace(weight=data.weight / data.weight.sum(axis=1, keepdims=True))
    rng = np.random.default_rng(4)
    given = parameters("mix", rng, classes=2) | {"W": rng.random((2, 4, len(literals.names)))}
    given = {name: value.astype(np.float32) for name, value in given.items()}
    limits = {"W": (np.zeros(()), np.full((), 50.0))}
    before, _ = loss_and_gradients("mix", given, data)
    trained = train("mix", given, data, Penalty(1e-3), 60, 0.05, limits, rng)
    after, _ = loss_and_gradients("mix", trained, data)
    assert (after < 0.9 * before).all()
