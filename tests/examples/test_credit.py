"""Risk odds of loans, simulated and from a file."""

import numpy as np
import pytest

import credit
from studies import odds_comparison

ROWS = 80
ARFF = """@relation loans
@attribute duration numeric
@attribute housing {own, 'rent'}
@attribute always {x}
@attribute class {good, bad}
@data
"""


@pytest.fixture
def one_split(monkeypatch):
    full = odds_comparison.compare
    monkeypatch.setattr(credit, "compare", lambda *data, **more: full(*data[:2], 1, **more))


@pytest.fixture
def table(tmp_path):
    """Long loans are bad three times of four, short ones never but for every tenth."""
    path = tmp_path / "loans.arff"
    lines = []
    for k in range(ROWS):
        long = k % 2
        bad = k % 8 < 6 if long else k % 20 == 0
        lines.append(
            f"{30 if long else 10},{'own' if k % 3 else 'rent'},x,{'bad' if bad else 'good'}"
        )
    path.write_text(ARFF + "\n".join(lines) + "\n")
    return path


def test_columns_become_findings(table):
    x, event, names = credit.read(table, "bad")
    assert names == ["duration high", "housing = own", "housing = rent"]
    assert x.shape == (ROWS, 3)
    np.testing.assert_array_equal(x[:, 0], np.arange(ROWS) % 2)
    np.testing.assert_array_equal(x[:, 1] + x[:, 2], 1)
    np.testing.assert_array_equal(event, [k % 8 < 6 if k % 2 else k % 20 == 0 for k in range(ROWS)])


def test_a_file_is_read_and_judged(table, one_split, capsys):
    credit.main(["--data", str(table)])
    out = capsys.readouterr().out
    assert "80 loans, 34 defaults" in out
    assert "noisy-OR" in out
    ratios = out.split("Odds ratios")[1].splitlines()
    assert ratios[3].split()[:2] == ["duration", "high"]
    assert float(out.split("the parts add up: error ")[1]) < 1e-12


def test_simulated_defaults_have_the_rates_they_are_drawn_with():
    x, event, names = credit.simulate(200_000, np.random.default_rng(1))
    for column, (name, (share, strength)) in zip(x.T, credit.RISKS.items(), strict=True):
        assert abs(column.mean() - share) < 0.006
        alone = (x.sum(axis=1) == 1) & (column == 1)
        rate = event[alone].mean()
        want = 1 - 0.98 * (1 - strength)
        assert abs(rate - want) < 5 * np.sqrt(want * (1 - want) / alone.sum()), name
    assert names == list(credit.RISKS)


def test_simulated_loans_are_judged(one_split, capsys):
    credit.main([])
    out = capsys.readouterr().out
    assert "2000 loans" in out
    rows = out.split("log-loss, nats\n")[1].split("\n\n")[0].splitlines()[1:]
    losses = {row.split("  ")[0]: float(row.split()[-1]) for row in rows}  # of one split
    assert losses["noisy-OR"] < losses["logistic, same findings"] + 0.02


@pytest.mark.parametrize(
    ("content", "event", "message"),
    [
        (None, "bad", "No such file"),
        ("nonsense\n", "bad", "--data"),
        (ARFF + "1,own,x,good\n", "awful", "--event awful"),
        (ARFF + "1,own,x,good\n" * 20, "bad", "10 rows of either outcome"),
        (ARFF + "1,castle,x,good\n", "bad", "--data"),
        ("@relation empty\n@data\n", "bad", "--data"),
    ],
)
def test_files_that_will_not_do_give_one_line(tmp_path, content, event, message):
    path = tmp_path / "loans.arff"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit, match=message) as caught:
        credit.main(["--data", str(path), "--event", event])
    assert "\n" not in str(caught.value)
