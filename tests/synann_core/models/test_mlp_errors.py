"""What SynaMLP refuses: one clear error that names the parameter, and the model as it was."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import synann_core as syn
from synann_core import optim
from tests.synann_core.models.test_mlp import same_weights, task


def changed(X, value):
    X = X.copy()
    X[3, 2] = value
    return X


BAD_DATA = [
    (lambda X, y: (changed(X, np.nan), y), ValueError, "X"),
    (lambda X, y: (changed(X, np.inf), y), ValueError, "X"),
    (lambda X, y: (changed(X, 1.5), y), ValueError, "X"),
    (lambda X, y: (changed(X, -0.1), y), ValueError, "X"),
    (lambda X, y: (X[:, :3], y), ValueError, "X"),
    (lambda X, y: (X[0], y), ValueError, "X"),
    (lambda X, y: ([["a"] * 4] * len(X), y), TypeError, "X"),
    (lambda X, y: ([[0.5, None, 0.5, 0.5]] * len(X), y), (TypeError, ValueError), "X"),
    (lambda X, y: ([[0.5] * 4, [0.5]], y), TypeError, "X"),
    (lambda X, y: (X * 1j, y), TypeError, "X"),
    (lambda X, y: (0.5, y), TypeError, "X"),
    (lambda X, y: (X, torch.tensor(y)), TypeError, "y"),
    (lambda X, y: (torch.tensor(X), jnp.asarray(y)), TypeError, "y"),
    (lambda X, y: (X, None), TypeError, "y"),
    (lambda X, y: (None, y), TypeError, "X"),
    (lambda X, y: (X[:0], y[:0]), ValueError, "X"),
    (lambda X, y: (X, y.astype(bool)), ValueError, "y"),
    (lambda X, y: (X, [["a"], ["b", "c"]]), ValueError, "y"),
    (lambda X, y: (X, [None, *"abc"] * 15), TypeError, "y"),
    (lambda X, y: (X, [*"abcd"] * 15), ValueError, "y"),
    (lambda X, y: (X, np.full(60, np.nan)), ValueError, "y"),
    (lambda X, y: (X, "a"), TypeError, "y"),
    (lambda X, y: (X, y[:-1]), ValueError, "y"),
    (lambda X, y: (X, y[:, None]), ValueError, "y"),
]


@pytest.mark.parametrize(("spoil", "error", "name"), BAD_DATA)
def test_bad_data_is_named_and_the_model_is_as_it_was(spoil, error, name):
    X, y = task()
    model = syn.SynaMLP(4, 6, 3)
    before = {k: w.copy() for k, w in model.weights.items()}
    with pytest.raises(error, match=rf"`{name}`.*Received"):
        model.fit(*spoil(X, y))
    with pytest.raises(error, match=rf"`validation {name}`.*Received"):
        model.fit(X, y, validation=spoil(X, y))
    with pytest.raises(error, match=rf"`{name}`.*Received"):
        model.score(*spoil(X, y))
    assert model.labels is None
    assert same_weights(model.weights, before)


@pytest.mark.parametrize(("spoil", "error"), [(s, e) for s, e, n in BAD_DATA if n == "X"][:-1])
def test_prediction_checks_its_data_too(spoil, error):
    X, y = task()
    model = syn.SynaMLP(4, 6, 3)
    for method in (model.predict, model.predict_proba, model.decision_function, model.explain):
        with pytest.raises(error, match=r"`X`.*Received"):
            method(spoil(X, y)[0])


@pytest.mark.parametrize(
    ("options", "error", "name"),
    [
        ({"epochs": -1}, ValueError, "epochs"),
        ({"epochs": 1.5}, TypeError, "epochs"),
        ({"epochs": True}, TypeError, "epochs"),
        ({"batch_size": 1}, ValueError, "batch_size"),
        ({"batch_size": None}, TypeError, "batch_size"),
        ({"schedule": None}, ValueError, "schedule"),
        ({"schedule": lambda p: None}, TypeError, r"schedule\(0\)"),
        ({"schedule": lambda p: "1"}, TypeError, r"schedule\(0\)"),
        ({"schedule": lambda p: np.ones(2)}, TypeError, r"schedule\(0\)"),
        ({"schedule": lambda p: np.float32("nan")}, ValueError, r"schedule\(0\)"),
        ({"augment": "flip"}, TypeError, "augment"),
        ({"augment": lambda b, rng: b * np.nan}, ValueError, r"augment\(batch, rng\)"),
        ({"augment": lambda b, rng: b + 1}, ValueError, r"augment\(batch, rng\)"),
        ({"augment": lambda b, rng: b[:1]}, ValueError, r"augment\(batch, rng\)"),
        ({"augment": lambda b, rng: b[:, :2]}, ValueError, r"augment\(batch, rng\)"),
        ({"augment": lambda b, rng: None}, TypeError, r"augment\(batch, rng\)"),
        ({"callback": "print"}, TypeError, "callback"),
        ({"validation": 5}, TypeError, "validation"),
        ({"validation": (task()[0],)}, TypeError, "validation"),
        ({"validation": task()[0]}, TypeError, "validation"),
        ({"optimizer": optim.SGD}, TypeError, "optimizer"),
        ({"schedule": "steps"}, ValueError, "schedule"),
        ({"optimizer": "adam"}, TypeError, "optimizer"),
        ({"rng": None}, TypeError, "rng"),
        ({"resume": "no"}, TypeError, "resume"),
        ({"sample_weight": np.ones(3)}, ValueError, "sample_weight"),
        ({"sample_weight": -np.ones(60)}, ValueError, "sample_weight"),
        ({"sample_weight": np.eye(60)[0]}, ValueError, "sample_weight"),
        ({"sample_weight": np.zeros(60)}, ValueError, "sample_weight"),
        ({"sample_weight": ["a"] * 60}, TypeError, "sample_weight"),
    ],
)
def test_bad_options_of_fit_are_named(options, error, name):
    X, y = task()
    model, untouched = syn.SynaMLP(4, 6, 3), syn.SynaMLP(4, 6, 3)
    with pytest.raises(error, match=rf"`{name}`.*Received"):
        model.fit(X, y, **options)
    assert same_weights(model.weights, untouched.weights)


def test_one_sample_cannot_be_normalised_over_a_batch():
    X, y = task()
    with pytest.raises(ValueError, match=r"`X` must hold 2 or more samples\. Received: .*\(1, 4\)"):
        syn.SynaMLP(4, 6, 3).fit(X[:1], y[:1])


@pytest.mark.parametrize(
    ("arguments", "options", "error", "name"),
    [
        ((0, 6, 3), {}, ValueError, "in_features"),
        ((4, 6.0, 3), {}, TypeError, "hidden"),
        ((4, 6, 1), {}, ValueError, "classes"),
        ((4, 6, True), {}, TypeError, "classes"),
        ((4, 6, 3), {"layer": "conv"}, ValueError, "layer"),
        ((4, 6, 3), {"layer": ["synapse"]}, ValueError, "layer"),
        ((4, 6, 3), {"layer": np.array(["none", "dense"])}, ValueError, "layer"),
        ((4, 6, 3), {"dropout": float("nan")}, ValueError, "dropout"),
        ((4, 6, 3), {"dropout": "0.5"}, TypeError, "dropout"),
        ((4, 6, 3), {"seed": -1}, ValueError, "seed"),
        ((4, 6, 3), {"gate": "relu"}, ValueError, "gate"),
        ((4, 6, 3), {"dropout": 1.0}, ValueError, "dropout"),
        ((4, 6, 3), {"seed": None}, TypeError, "seed"),
    ],
)
def test_bad_options_of_the_model_are_named(arguments, options, error, name):
    with pytest.raises(error, match=rf"`{name}`.*Received"):
        syn.SynaMLP(*arguments, **options)


def test_other_labels_are_those_of_a_fit():
    X, y = task()
    model = syn.SynaMLP(4, 6, 3)
    with pytest.raises(ValueError, match=r"`y` must hold labels 0 to 2. Received: \[1, 2, 3\]"):
        model.score(X, y + 1)
    with pytest.raises(ValueError, match=r"`validation y` must hold labels 0 to 2"):
        model.fit(X, y, validation=(X, y + 1))


def test_changed_weights_are_checked():
    X, y = task()
    model = syn.SynaMLP(4, 6, 3)
    model.weights["output.bias"] = np.zeros(6)
    message = r"`weights\['output.bias'\]` must have shape \(3,\). Received: shape \(6,\)"
    for use in (lambda: model.fit(X, y), lambda: model.predict(X)):
        with pytest.raises(ValueError, match=message):
            use()


def test_a_model_shows_its_configuration():
    text = repr(syn.SynaMLP(4, 6, 3, layer="dense"))
    assert text.startswith("SynaMLP(in_features=4, hidden=6, classes=3, layer='dense', gate=")
