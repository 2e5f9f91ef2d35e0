"""SynaMLP's layers over seeds and folds, on small settings."""

import numpy as np
import pytest

from studies import digits_seeds


def test_seeds_and_validation(capsys):
    options = ["--epochs", "1", "--layers", "none", "--hidden", "8"]
    digits_seeds.main(["--seeds", "2", *options])
    row = capsys.readouterr().out.splitlines()[-1].split()
    assert row[0] == "none"
    assert float(row[1]) == pytest.approx(np.mean([float(v) for v in row[3:5]]), abs=0.01)
    digits_seeds.main(["--validate", *options])
    assert "validation accuracy" in capsys.readouterr().out


def test_options_out_of_range_are_named(capsys):
    with pytest.raises(SystemExit):
        digits_seeds.main(["--seeds", "0"])
    assert "argument --seeds: " in capsys.readouterr().err.splitlines()[-1]
