"""The tumours of the odds example: findings, calibration, parts that add up."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

import synann_core as syn
from examples import odds


@pytest.fixture(scope="module")
def tumours():
    data = load_breast_cancer()
    return data.data, (data.target == 0).astype(float)


def test_findings_lie_between_the_means_of_the_classes(tumours):
    x, event = tumours
    findings = odds.Findings.from_training(x, event)
    assert ((y := findings(x)) >= 0).all()
    assert (y <= 1).all()
    for k, side in ((1, 1), (0, -1)):  # whichever way round the measurement goes
        assert (side * (findings(x[event == k].mean(axis=0)) - 0.5) > 0).all()
    middle = (x[event == 1].mean(axis=0) + x[event == 0].mean(axis=0)) / 2
    np.testing.assert_allclose(findings(middle), 0.5)


def test_a_measurement_that_never_changes_is_no_finding():
    findings = odds.Findings.from_training(np.ones((4, 1)), np.array([0.0, 0.0, 1.0, 1.0]))
    np.testing.assert_array_equal(findings(np.ones((1, 1))), [[0.5]])


def test_log_odds_are_the_sum_of_the_evidence(tumours):
    x, event = tumours
    y = np.round(odds.Findings.from_training(x, event)(x))
    given, otherwise = ((y[event == k].sum(axis=0) + 1) / ((event == k).sum() + 2) for k in (1, 0))
    parts = np.where(y > 0, np.log(given / otherwise), np.log((1 - given) / (1 - otherwise)))
    want = syn.logit(event.mean()) + parts.sum(axis=1)
    np.testing.assert_allclose(odds.log_odds(odds.learn_bayes(y, event), y), want, atol=1e-9)


def test_counts():
    finding, event = np.array([1, 1, 1, 0, 0, 0]), np.array([1, 1, 0, 1, 0, 0])
    np.testing.assert_array_equal(odds.table_of(finding, event), [[2, 1], [1, 2]])
    assert odds.swapped_synapses(2 / 3, 1 / 3) == pytest.approx(4.0)


def test_the_example_runs_and_calibration_helps(tmp_path, capsys):
    odds.main(["--splits", "1", "--output", str(tmp_path)])
    out = capsys.readouterr().out
    rows = [line for line in out.splitlines() if "±" in line]
    losses = [float(line.split()[-3]) for line in rows]
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
