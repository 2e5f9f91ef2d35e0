"""Classifiers explained: exact parts of the synapse, and integrated gradients of the features."""

import numpy as np
import pytest

import synann_core as syn
from synann_core.models import Explanation, passes
from synann_core.models.explanations import expected_gradients
from tests.helpers import EPS, assert_close

pytestmark = pytest.mark.jax_alternates

LAYERS = ("synapse", "dense", "none")


def fitted(layer="synapse", gate="sigmoid"):
    rng = np.random.default_rng(0)
    X = rng.random((80, 4))
    model = syn.SynaMLP(4, 6, 3, layer=layer, gate=gate)
    model.fit(X, (X[:, 0] + X[:, 1] > 0.8).astype(int) + (X[:, 2] > 0.7), epochs=5, batch_size=20)
    return model, X


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("gate", ["sigmoid", "softmax"])
def test_hidden_parts_against_a_background(layer, gate):
    """What the parts are less their mean; the constant is the background's mean of the logits."""
    model, X = fitted(layer, gate)
    constant, parts = model.explain(X[:7], background=X[7:])
    _, own = model.explain(X)
    assert_close(parts, own[:7] - own[7:].mean(axis=0), 1e-13)
    assert_close(constant, model.decision_function(X[7:]).mean(axis=0), 1e-12)
    assert_close(constant + parts.sum(-1), model.decision_function(X[:7]), 1e-12)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("gate", ["sigmoid", "softmax"])
def test_input_gradients_are_those_of_the_logits(layer, gate):
    model, X = fitted(layer, gate)
    got = passes.input_gradients(model.weights, X, layer=layer, gate=gate, xp=np)
    step = 1e-6
    for j in range(4):
        moved = step * (np.arange(4) == j)
        above, below = (
            passes.logits(model.weights, X + s, layer=layer, gate=gate, xp=np)
            for s in (moved, -moved)
        )
        assert_close(got[:, :, j], (above - below) / (2 * step), 1e-8)


def test_features_on_every_library(xp):
    model, X = fitted()
    inside, background = xp.asarray(X[:3]), xp.asarray(X[3:13])
    got = model.explain_inputs(inside, background, names=list("abcd"), steps=8)
    xp.check(got.constant, "float64", (3,))
    xp.check(got.parts, "float64", (3, 3, 4))
    want = model.explain_inputs(X[:3], X[3:13], steps=8)
    assert_close(xp.to_numpy(got.parts), want.parts, 1e-12)
    assert got.names == ("a", "b", "c", "d")
    assert want.names == (0, 1, 2, 3)
    hidden = model.explain(inside, background=background)
    xp.check(hidden[1], "float64", (3, 3, 6))


def test_features_add_up_to_the_error_of_the_integration():
    model, X = fitted()
    logits = model.decision_function(X[:3])
    errors = []
    for steps in (1, 4, 16):
        why = model.explain_inputs(X[:3], X[3:40], steps=steps)
        errors.append(np.abs(why.constant + why.parts.sum(-1) - logits).max())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-8


def test_a_linear_function_has_its_own_parts():
    """w (x − b) is exact, whatever the number of steps, also for arrays of several axes."""
    rng = np.random.default_rng(0)
    w, x, background = rng.random((2, 3, 5)), rng.random((4, 3, 5)), rng.random((600, 3, 5))

    def slopes(points):
        return np.broadcast_to(w, (len(points), 2, 3, 5))

    got = expected_gradients(slopes, x, background, 3, np)
    want = w * (x - background.mean(axis=0))[:, None]
    assert_close(got, want, 100 * EPS["float64"])


@pytest.mark.parametrize(("samples", "others"), [(600, 1), (7, 100), (3, 300), (0, 2)])
def test_samples_and_backgrounds_are_taken_together(samples, others):
    """In few calls, of not more rows than that, and each sample has its own parts."""
    rng = np.random.default_rng(0)
    x, background, rows = rng.random((samples, 2)), rng.random((others, 2)), []

    def slopes(points):
        rows.append(len(points))
        return np.stack([2 * points, points**2], axis=1)

    got = expected_gradients(slopes, x, background, 2, np)
    squares, cubes = ((x[:, None] ** k - background**k).mean(axis=1) for k in (2, 3))
    want = np.stack([squares, cubes / 3], axis=1)
    assert_close(got, want, 100 * EPS["float64"])
    assert max(rows) <= 256
    assert len(rows) <= 2 * max(1, 2 * samples * others / 256)


def test_a_feature_that_the_model_does_not_see_has_no_part():
    model, X = fitted()
    model.weights["hidden.weight"][:, 2] = 0.0
    why = model.explain_inputs(X[:3], X[3:])
    assert np.all(why.parts[:, :, 2] == 0.0)
    assert np.all(np.any(why.parts[:, :, 0] != 0.0, axis=1))


def test_features_by_rank():
    parts = np.array([[[0.5, -2.0, 1.0], [0.0, 1.0, -3.0]]])
    why = Explanation(np.zeros(2), parts, ("a", "b", "c"))
    assert why.ranked(0, 0) == [("b", -2.0), ("c", 1.0), ("a", 0.5)]
    assert why.ranked(0, 1) == [("c", -3.0), ("b", 1.0), ("a", 0.0)]
    assert repr(why) == "<Explanation samples=1 classes=2 features=3>"
    for other in (None, parts[0, 0]):
        assert repr(why._replace(parts=other)).endswith(f"{other!r}, ('a', 'b', 'c'))")


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda m, X: m.explain(X, background=X[:0]), ValueError, "`background` must hold one"),
        (lambda m, X: m.explain(X, background=X[:, :2]), ValueError, "`background` must have sha"),
        (lambda m, X: m.explain(X, background=X + 3), ValueError, r"`background` must hold values"),
        (lambda m, X: m.explain_inputs(X, None), TypeError, "`background` must be an array"),
        (lambda m, X: m.explain_inputs(X, X, names=["a"]), ValueError, "`names` must be 4 names"),
        (lambda m, X: m.explain_inputs(X, X, names="abcd"), TypeError, "`names` must be a seq"),
        (lambda m, X: m.explain_inputs(X, X, steps=0), ValueError, "`steps` must be at least 1"),
    ],
)
def test_calls(call, kind, message):
    with pytest.raises(kind, match=message):
        call(*fitted())


def test_libraries_are_not_mixed():
    torch = pytest.importorskip("torch")
    model, X = fitted()
    with pytest.raises(TypeError, match="`X` and `background` must come from one array library"):
        model.explain(X, background=torch.asarray(X))
