"""The count of operations, on a few drawings in place of MNIST."""

import numpy as np
import pytest

from mnist import files, spiking_energy
from mnist.spiking_energy import ADD, MULTIPLY_ADD


def test_the_table(drawings, tmp_path, capsys):
    options = ["--steps", "4", "--hidden", "20", "--epochs", "6", "--learning-rate", "0.01"]
    options += ["--dense", "2", "40", "60", "--data-dir", str(drawings), "--output", str(tmp_path)]
    rows = spiking_energy.main(options)
    assert [row[:2] for row in rows] == [("numbers", 4), ("rate", 4), ("latency", 4)]
    test = files.load_mnist(drawings).test_x
    lit = np.count_nonzero(test) / len(test)
    for code, steps, accuracy, inputs, spikes, additions, products, energy, *rival in rows:
        assert accuracy > 40
        assert 0 < spikes <= 20 * steps
        # Of the hidden neurons each spike reaches ten; the inputs' reach twenty.
        first = 0 if code == "numbers" else 20 * inputs
        assert additions == pytest.approx(first + 10 * spikes)
        assert products == (784 * 20 if code == "numbers" else 0)
        leaks = steps * (20 + 10)
        assert energy == pytest.approx(ADD * additions + MULTIPLY_ADD * (products + leaks))
        if code == "numbers":
            assert inputs == pytest.approx(lit)
        width, _, every, sparse, *energies = rival
        if width is not None:
            assert every == 794 * width
            assert lit * width <= sparse <= (lit + 10) * width
            assert energies == pytest.approx([MULTIPLY_ADD * every, MULTIPLY_ADD * sparse])
    assert any(row[8] is not None for row in rows)
    assert "784-20-10, 40 test images; seeds: 1" in capsys.readouterr().out
    assert (tmp_path / "energy-mnist.png").stat().st_size > 10_000


def test_missing_data_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match=r"train-images-idx3-ubyte\[.gz\]: file not found"):
        spiking_energy.main(["--data-dir", str(tmp_path), "--output", str(tmp_path)])
