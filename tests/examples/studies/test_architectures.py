"""Pairs of networks with as many parameters, on a few drawings in place of MNIST."""

import numpy as np
import pytest

from mnist.models_torch import parameter_count
from shared.datasets import Dataset
from studies import architectures
from tests.examples.mnist.idx_files import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    idx,
)


def test_pairs_have_as_many_parameters():
    none = np.zeros((0, 784), np.float32), np.zeros(0, np.int64)
    data = Dataset(*none, *none, (28, 28), 10, "mnist")
    made = architectures.pairs(["cnn", "rnn"], data, 8)
    counts = [parameter_count(make()) for make in made.values()]
    assert counts[0] == pytest.approx(counts[1], rel=0.1)
    assert counts[2] == pytest.approx(counts[3], rel=0.01)


def test_table(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for images, labels, count in ((TRAIN_IMAGES, TRAIN_LABELS, 48), (TEST_IMAGES, TEST_LABELS, 20)):
        (tmp_path / images).write_bytes(idx(rng.integers(0, 256, (count, 8, 8))))
        (tmp_path / labels).write_bytes(idx(np.arange(count) % 10))
    options = ["--data-dir", str(tmp_path), "--seeds", "2", "--epochs", "1", "--width", "1"]
    architectures.main([*options, "--limit", "60"])
    rows = [row.split("  ") for row in capsys.readouterr().out.splitlines()[6:]]
    assert [row[0].split()[:2] for row in rows] == [
        ["cnn", "SynapseConv2d,"],
        ["cnn", "Conv2d,"],
        ["rnn", "SynaRNN"],
        ["rnn", "GRU"],
    ]
    for row in rows:
        _, _, mean, error, each, _ = (cell for cell in row if cell)
        scores = [float(score) for score in each.split()]
        assert float(mean) == pytest.approx(np.mean(scores), abs=0.01)
        assert float(error) == pytest.approx(abs(scores[0] - scores[1]) / 2, abs=0.01)


def test_missing_files_are_one_line(tmp_path):
    with pytest.raises(SystemExit, match="file not found"):
        architectures.main(["--data-dir", str(tmp_path)])
