"""SynaMLP on a few drawings in place of MNIST."""

import pytest

from mnist import mnist_numpy

SMALL = ["--epochs", "1", "--hidden", "8", "--layers", "none"]


def test_one_run_leaves_its_files_and_several_print_their_spread(drawings, tmp_path, capsys):
    data = ["--data-dir", str(drawings)]
    mnist_numpy.main([*data, *SMALL, "--output", str(tmp_path)])
    assert "mnist: 264 training and 40 test images, numpy arrays" in capsys.readouterr().out
    assert (tmp_path / "mnist-none.safetensors").exists()
    mnist_numpy.main([*data, *SMALL, "--seeds", "2"])
    row = capsys.readouterr().out.splitlines()[-1].split()
    assert row[0] == "none"
    assert float(row[1]) == pytest.approx((float(row[3]) + float(row[4])) / 2, abs=0.01)


def test_missing_files_give_one_line(tmp_path):
    with pytest.raises(SystemExit, match="file not found") as caught:
        mnist_numpy.main(["--data", "mnist", "--data-dir", str(tmp_path)])
    assert "\n" not in str(caught.value)
