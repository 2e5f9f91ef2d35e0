"""The tumours of the odds example: ratios, calibration, parts that add up."""

import numpy as np
import pytest

import odds


def test_counts():
    finding, event = np.array([1, 1, 1, 0, 0, 0]), np.array([1, 1, 0, 1, 0, 0])
    np.testing.assert_array_equal(odds.table_of(finding, event), [[2, 1], [1, 2]])
    assert odds.swapped_synapses(2 / 3, 1 / 3) == pytest.approx(4.0)


def test_the_example_runs_and_calibration_helps(tmp_path, capsys):
    odds.main(["--splits", "1", "--output", str(tmp_path)])
    out = capsys.readouterr().out
    rows = out.split("log-loss, nats\n")[1].split("\n\n")[0].splitlines()[1:]
    losses = [float(line.split()[-1]) for line in rows]  # of one split, without a spread
    assert len(rows) == 5
    assert losses[1] < losses[0]  # Bayes' rule alone is too sure of itself
    assert max(losses[1:]) < 0.4 < 0.66  # the entropy of the prior
    assert float(out.split("the parts add up: error ")[1].split()[0]) < 1e-12
    assert (tmp_path / "odds-reliability.png").stat().st_size > 10_000


def test_options_and_output_give_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        odds.main(["--splits", "0"])
    assert "argument --splits: " in capsys.readouterr().err.splitlines()[-1]
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="--output: ") as caught:
        odds.main(["--output", str(tmp_path / "file")])
    assert "\n" not in str(caught.value)
