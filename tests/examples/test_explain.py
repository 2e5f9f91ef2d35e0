"""Decisions that are taken apart: the sums, the accuracy, and what the example prints."""

import numpy as np
import pytest

import explain
import synann_core as syn
from shared.datasets import load_digits
from tests.helpers import EPS, assert_relative


@pytest.fixture(scope="module")
def fitted():
    data = load_digits()
    return data, explain.fit(data.train_x, data.train_y, steps=150)


def test_parts_add_up_to_the_surprisals(fitted):
    data, model = fitted
    x = data.test_x[:50]
    whole = model.surprisal(x)
    limit = (10 + np.sqrt(2 * x.shape[1])) * EPS["float64"]
    assert_relative(model.theta + model.parts(x).sum(axis=-1), whole, limit)
    assert model.parts(x).min() >= 0.0


def test_a_part_is_its_features_own():
    rng = np.random.default_rng(0)
    model, x = explain.Explained(rng.random(2), rng.random((2, 6))), rng.random(3)
    want = -np.log((1 - model.beta[:, :3] * x) * (1 - model.beta[:, 3:] * (1 - x)))
    assert_relative(model.parts(x), want, 20 * EPS["float64"])


def test_a_fitted_model_is_stationary():
    rng = np.random.default_rng(1)
    x = rng.random((60, 2))
    labels = (x[:, 0] + rng.normal(0, 0.5, 60) > 0.7).astype(int)
    model = explain.fit(x, labels)

    def loss(theta):
        logits = -explain.Explained(theta, model.beta).surprisal(x)
        return float(np.mean(syn.cross_entropy(logits, np.eye(2)[labels])))

    step = np.array([1e-4, 0.0])
    assert abs(loss(model.theta + step) - loss(model.theta - step)) / 2e-4 < 1e-3


def test_the_sums_under_a_picture_are_those_of_its_pixels(fitted, monkeypatch):
    data, model = fitted
    figures = []
    monkeypatch.setattr(explain.plots, "save", lambda figure, path: figures.append(figure))
    explain.plots.explained_pixels(
        model, data.test_x[:2], data.test_y[:2], None, image_shape=data.image_shape
    )
    for k, axes in enumerate(figures[0].axes):
        if k % 4:
            label = axes.get_xlabel().replace("−", "-").removesuffix(" nats")
            constant, sign, shown, equals, whole = label.split()
            added = float(f"{sign}{shown}")
            assert equals == "="
            assert abs(float(constant) + added - float(whole)) < 0.0151
            assert abs(axes.images[0].get_array().sum() - added) < 0.0051


def test_a_class_is_as_probable_as_its_synapse_is_open(fitted):
    data, model = fitted
    x = data.test_x[:50]
    open_ = syn.synapse_tensor(1.0, explain.both(x), np.exp(-model.theta), model.beta)
    np.testing.assert_array_equal(open_.argmax(axis=1), model.surprisal(x).argmin(axis=1))


def test_the_layer_learns_the_digits(fitted):
    data, model = fitted
    assert model.accuracy(data.test_x, data.test_y) >= 0.94
    again = explain.fit(data.train_x, data.train_y, steps=150)
    np.testing.assert_array_equal(again.beta, model.beta)


def test_main_writes_its_picture(tmp_path, capsys):
    explain.main(["--output", str(tmp_path), "--steps", "30"])
    assert [path.name for path in tmp_path.iterdir()] == ["explained-pixels.png"]
    error = capsys.readouterr().out.split("relative error ")[1].split()[0]
    assert float(error) < 1e-14


def test_steps_must_be_positive(capsys):
    with pytest.raises(SystemExit):
        explain.main(["--steps", "0"])
    assert "--steps: must be 1 or more. Received: 0" in capsys.readouterr().err
