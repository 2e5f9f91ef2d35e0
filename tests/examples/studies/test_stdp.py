"""The STDP example learns, and ends with its table and picture."""

import numpy as np
import pytest

from shared.datasets import load_digits
from studies import stdp


def test_patterns_emerge_and_name_digits():
    data, rng = load_digits(), np.random.default_rng(0)
    first = stdp.new_layer(12, 64, rng)
    layer, early = stdp.learn(first, data.train_x, rng, "test")
    layer, _ = stdp.learn(layer, data.train_x, rng, "test")
    assert early.shape == layer.weights.shape == (12, 64)
    assert layer.weights.min() >= 0.0
    assert layer.weights.max() <= 1.0
    np.testing.assert_allclose(layer.weights.sum(axis=1), stdp.TOTAL, rtol=1e-12)
    # Twelve neurons: 10 % is chance.
    assert stdp.score(layer, data, rng) > stdp.score(first, data, rng) + 0.15

    def likeness(weights):
        """Correlation of each neuron's weights with the average image that is most like it."""
        averages = [data.train_x[data.train_y == d].mean(axis=0) for d in range(10)]
        return np.corrcoef(weights, averages)[:12, 12:].max(axis=1).mean()

    assert likeness(layer.weights) > likeness(first.weights) + 0.3


def test_one_neuron_fires_at_a_time_and_images_do_not_mix():
    rng = np.random.default_rng(1)
    layer, images = stdp.new_layer(5, 64, rng), rng.random((3, 64))
    weights, counts = stdp.present(layer, images, rng, learn=False)
    assert weights is layer.weights
    assert counts.sum(axis=1).max() <= stdp.STEPS
    assert counts.sum() > 0
    blank = np.vstack([images[:1], np.zeros((1, 64))])
    assert stdp.present(layer, blank, rng, learn=False)[1][1].sum() == 0


def test_short_run_prints_its_table_and_leaves_its_picture(tmp_path, capsys):
    options = ["--neurons", "5", "--epochs", "1", "--seeds", "1", "--output", str(tmp_path)]
    stdp.main(options)
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "5 neurons, 360 test images, 1 seeds"
    scores = [float(row.split()[-1]) for row in rows[3:6]]  # of one seed, without a spread
    assert all(0.0 < score < 100.0 for score in scores)
    assert [p.name for p in tmp_path.iterdir()] == ["stdp.png"]


def test_bad_options_give_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        stdp.main(["--neurons", "0"])
    assert "argument --neurons: " in capsys.readouterr().err.splitlines()[-1]
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="--output: "):
        stdp.main(["--output", str(tmp_path / "file")])
