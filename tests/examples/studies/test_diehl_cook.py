"""Diehl and Cook's network on a few drawings in place of MNIST."""

import numpy as np
import pytest

from studies import diehl_cook
from tests.examples.mnist.conftest import draw


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("mnist"), 90, 20)


def test_it_learns_names_and_tests(drawings, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(diehl_cook, "STEPS", 120)  # noisy drawings have many spikes
    options = ["--neurons", "12", "--data-dir", str(drawings), "--output", str(tmp_path)]
    diehl_cook.main(options)
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].startswith("seed 0: 90 images once in ")
    assert " right on 20 test images, %: " in rows[0]
    ours, kmeans, pixels, _ = (float(row.split()[-2]) for row in rows[3:7])
    assert ours >= 40.0  # 10 is chance
    assert kmeans >= 60.0
    assert pixels == 100.0
    assert [p.name for p in tmp_path.iterdir()] == ["diehl-cook.png"]


def test_held_out_images_are_not_learned(drawings):
    options = diehl_cook.parse(["--held-out", "--data-dir", str(drawings), "--images", "70"])
    whole = diehl_cook.files.load(options)
    data = diehl_cook.split(whole, options, np.random.default_rng(0))
    assert len(data.train_y) == 70
    assert np.array_equal(data.test_x, whole.train_x[75:])
    learned = {row.tobytes() for row in data.train_x}
    assert not learned & {row.tobytes() for row in data.test_x}


def test_neurons_vote_by_their_names():
    counts = np.array([[4.0, 0.0, 1.0], [5.0, 1.0, 0.0], [0.0, 3.0, 2.0], [0.0, 2.0, 9.0]])
    names = diehl_cook.name_neurons(counts, np.array([2, 2, 0, 1]), 3)
    assert names.tolist() == [2, 0, 1]
    assert diehl_cook.vote(counts, names, 3).tolist() == [2, 2, 0, 1]
    assert diehl_cook.vote(np.zeros((1, 3)), names, 3).tolist() == [-1]
    # Two neurons of a name count as their mean, and a name that no neuron has never wins.
    assert diehl_cook.vote(np.array([[3.0, 0.0, 2.0]]), np.array([1, 1, 2]), 4).tolist() == [2]


def test_faint_images_are_shown_again_brighter():
    rng = np.random.default_rng(0)
    network = diehl_cook.new_network(5, 784, rng)
    np.testing.assert_allclose(network.weights.sum(axis=1), 78.4)
    images = np.zeros((2, 784), np.float32)
    images[0, 300:420] = 1.0
    images[1, 300:312] = 1.0
    counts = diehl_cook.respond(network, images, rng).sum(axis=1)
    assert counts[0] >= diehl_cook.LEAST
    assert counts[1] > 0


def test_bad_options_give_one_line(tmp_path):
    with pytest.raises(SystemExit, match="file not found"):
        diehl_cook.main(["--data-dir", str(tmp_path), "--output", str(tmp_path)])
