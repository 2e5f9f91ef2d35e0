"""Decisions that are taken apart: the sums, the accuracy, and what the example prints."""

import numpy as np
import pytest

import synann_core as syn
from examples import explain
from examples.datasets import load_digits
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


def test_main_writes_its_picture_and_its_table(tmp_path, capsys):
    explain.main(["--output", str(tmp_path), "--steps", "30"])
    assert [path.name for path in tmp_path.iterdir()] == ["explained-pixels.png"]
    printed = capsys.readouterr().out
    table = [line.split() for line in printed.splitlines() if line.startswith(("sum", "22", "bef"))]
    assert len(table) == 3
    rows = [line for line in printed.splitlines() if len(line) > 60 and line[40:].strip()]
    numbers = [row.split()[-3:] for row in rows if row[0].isalnum() and row.split()[-1][0] in "+-"]
    values = np.array([[float(n) for n in row] for row in numbers])
    np.testing.assert_allclose(values[:-1].sum(axis=0), values[-1], atol=0.0005 * len(values))


def test_steps_must_be_positive(capsys):
    with pytest.raises(SystemExit):
        explain.main(["--steps", "0"])
    assert "--steps: must be 1 or more. Received: 0" in capsys.readouterr().err
